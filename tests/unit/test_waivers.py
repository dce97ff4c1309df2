"""Secrets through the command: filled in where waived, nowhere else, and never half a tree when one is wrong."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cli_runner import kfimage

HASH = "$6$rounds5000$" + "Ab3" * 28
KEY = "activation-key-0123456789"
SITE = """\
kfimage: 1
site: lab
install: {url: http://10.20.0.5/os, rhsm: {organization: "42", activation_key: {file: key}}}
boot: {url: http://10.20.0.5/kfimage}
access: {password: {env: KF_TEST_HASH}}
waive: [access.password, install.rhsm.activation_key]
nodes:
  g1: {role: gpu-worker, mac: 52:54:00:12:34:56}
  g2: {role: cpu-worker, mac: 52:54:00:12:34:57}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "site.yaml").write_text(SITE)
    (tmp_path / "key").write_text(KEY + "\n")
    monkeypatch.setenv("KF_TEST_HASH", HASH)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_waived_secrets_are_filled_in_and_recorded(site: Path) -> None:
    ran = kfimage("render")
    assert ran.code == 0, ran.err
    for name in ("g1", "g2"):
        kickstart = site / "out/kickstart" / f"{name}.ks"
        text = kickstart.read_text()
        assert f"--iscrypted --password={HASH}\n" in text
        assert base64.b64encode(KEY.encode()).decode() in text
        assert "@kfimage:" not in text
        assert kickstart.stat().st_mode & 0o777 == 0o600
    index = json.loads((site / "out/index.json").read_text())
    assert index["waived"] == ["access.password", "install.rhsm.activation_key"]
    assert {e["mode"] for e in index["artefacts"] if e["kind"] == "kickstart"} == {"0600"}
    for path in (site / "out").rglob("*"):
        if path.is_file() and path.suffix != ".ks":
            assert HASH.encode() not in path.read_bytes() and KEY.encode() not in path.read_bytes(), path
    assert HASH not in ran.err + ran.out and KEY not in ran.err + ran.out
    assert "inst.nosave=all_ks" in (site / "out/netboot/pxelinux.cfg/01-52-54-00-12-34-56").read_text()


def test_a_changed_secret_reaches_a_tree_that_is_already_there(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kfimage("render").code == 0
    monkeypatch.setenv("KF_TEST_HASH", HASH + "x")
    assert kfimage("render").code == 0
    assert f"--password={HASH}x\n" in (site / "out/kickstart/g1.ks").read_text()


def test_an_unwaived_hash_is_refused(site: Path) -> None:
    (site / "site.yaml").write_text(SITE.replace("waive: [access.password, ", "waive: ["))
    ran = kfimage("render")
    assert ran.code == 1 and "site.yaml:5:10: error KF5001" in ran.err
    assert not (site / "out").exists()


@pytest.mark.parametrize(("variable", "says"), [(None, "KF5003"), ("hunter2-in-plain-text", "KF5004")])
def test_what_cannot_be_filled_in_writes_nothing(site: Path, monkeypatch: pytest.MonkeyPatch, variable: str, says: str) -> None:
    monkeypatch.delenv("KF_TEST_HASH")
    if variable:
        monkeypatch.setenv("KF_TEST_HASH", variable)
    ran = kfimage("render")
    assert ran.code == 1 and says in ran.err
    assert not (site / "out").exists()
    assert "hunter2" not in ran.err


@pytest.mark.parametrize("written", [
    f"files: {{/etc/x: {{content: 'key={KEY}'}}}}",
    f"files: {{/etc/x: {{content: \"\\u00e4 {KEY}\"}}}}",
    f"kernel: {{args: [key={KEY}]}}",
    f"report: {{url: 'http://10.20.0.5/{KEY}'}}",
])
def test_a_secret_s_bytes_anywhere_else_are_a_leak(site: Path, written: str) -> None:
    (site / "site.yaml").write_text(SITE.replace("nodes:", f"{written}\nnodes:"))
    ran = kfimage("render")
    assert ran.code == 1 and "KF5010" in ran.err, ran.err
    assert "install.rhsm.activation_key" in ran.err and KEY not in ran.err
    assert not (site / "out").exists()


def test_one_kickstart_on_stdout_is_filled_in_too(site: Path) -> None:
    ran = kfimage("render", "--node", "g1", "-o", "-")
    assert ran.code == 0 and f"--password={HASH}\n" in ran.out
