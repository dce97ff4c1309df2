"""`check`: trees that were touched, anyone's files, folders, streams, formats and exit codes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_runner import GOOD_SITE, ROOT, kfimage

from kfimage.cli.kindof import kind_of
from kfimage.cli.tree import shape

CHECKED = ROOT / "tests" / "checks"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "site.yaml").write_text(GOOD_SITE)
    ran = kfimage("render", "--site", folder / "site.yaml", "-o", folder / "out")
    assert ran.code == 0, ran.err
    return folder / "out"


@pytest.fixture
def tree(rendered: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(rendered, tmp_path / "out"))


def ids(err: str) -> list[str]:
    return [
        row.split(": ")[1].split()[1] for row in err.splitlines() if not row.startswith(" ") and row.count(": ") >= 2 and " KF" in row
    ]


def test_what_render_writes_is_proven(rendered: Path) -> None:
    ran = kfimage("check", rendered)
    assert ran.code == 0 and not ran.out, ran.err
    assert "checked 1 tree" in ran.err and "2 kickstarts" in ran.err
    assert kfimage("check", rendered, "--strict").code == 0, ran.err


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"# added\n")


@pytest.mark.parametrize(
    ("touch", "says"),
    [
        (lambda tree: append(tree / "kickstart/gpu-a01.ks"), "its sha256 is not the one in index.json"),
        (lambda tree: (tree / "netboot/pxelinux.cfg/default").unlink(), "listed in index.json, and not there"),
        (lambda tree: (tree / "kickstart/gpu-a01.ks").chmod(0o666), "its mode is 0666, and index.json says 0644"),
        (lambda tree: (tree / "index.json").write_text("[]"), "this is no index of kfimage's"),
        (lambda tree: (tree / "index.json").write_text("{"), "this is no index of kfimage's"),
        (lambda tree: (tree / "index.json").write_bytes(b"\xff"), "this is no index of kfimage's"),
        (lambda tree: entry(tree, path="../../etc/passwd"), "which lies outside the tree"),
        (lambda tree: entry(tree, path="/etc/passwd"), "which lies outside the tree"),
        (lambda tree: entry(tree, kind="kickstrat"), "did you mean 'kickstart'?"),
        (lambda tree: entry(tree, size=3), "and index.json says 3"),
    ],
)
def test_a_touched_tree_is_5(touch: Callable[[Path], object], says: str, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    touch(tree)
    ran = kfimage("check", tree)
    assert ran.code == 5 and says in ran.err and "KF9002" in ran.err and "Traceback" not in ran.err


def entry(tree: Path, **changes: Any) -> None:
    index = json.loads((tree / "index.json").read_text())
    index["artefacts"][0].update(changes)
    (tree / "index.json").write_text(json.dumps(index))


def test_a_stray_file_in_a_tree_is_told(tree: Path) -> None:
    (tree / "kickstart/old.ks").write_text("reboot\n")
    ran = kfimage("check", tree)
    assert ran.code == 0 and "kickstart/old.ks is not listed" in ran.err


def rehash(tree: Path, path: str) -> None:
    """Make index.json right again for a changed file: what is wrong with its content must still be found."""
    import hashlib

    index = json.loads((tree / "index.json").read_text())
    data = (tree / path).read_bytes()
    for one in index["artefacts"]:
        if one["path"] == path:
            one.update(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    (tree / "index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("path", "old", "new", "check"),
    [
        ("kickstart/cpu-b01.ks", "rootpw --lock", "rootpw --plaintext secret123", "KF2"),
        ("netboot/ipxe/01-52-54-00-12-34-56.ipxe", "kickstart/gpu-a01.ks", "kickstart/gpu-a02.ks", "KF7004"),
        ("firstboot/root/etc/systemd/system/kfimage-crio.service", "Type=oneshot", "Type=oneshott", "KF3"),
        ("firstboot/root/usr/libexec/kfimage/steps/crio/run.sh", "#!/bin/bash\n", "#!/bin/bash\r\n", "KF4004"),
    ],
)
def test_content_is_proven_too(path: str, old: str, new: str, check: str, tree: Path) -> None:
    text = (tree / path).read_bytes()
    assert old.encode() in text
    (tree / path).write_bytes(text.replace(old.encode(), new.encode(), 1))
    rehash(tree, path)
    ran = kfimage("check", tree)
    assert [i for i in ids(ran.err) if i.startswith(check)], ran.err
    assert "secret123" not in ran.err


def test_a_kickstart_of_another_run_is_found(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import re

    monkeypatch.setenv("PATH", "")
    path = tree / "kickstart/cpu-b01.ks"
    text, count = re.subn(r"^(printf '%s  %s.n' )[0-9a-f]{64}( .*payload.tar)", rf"\g<1>{'ab' * 32}\g<2>", path.read_text(), flags=re.M)
    assert count == 1
    path.write_text(text)
    rehash(tree, "kickstart/cpu-b01.ks")
    ran = kfimage("check", tree)
    assert ids(ran.err).count("KF9005") == 1 and ran.code == 1


def test_equal_kickstarts_are_proven_once_and_unequal_ones_each() -> None:
    one = "network --device=52:54:00:12:34:56 --ip=10.20.1.11 --hostname=gpu-a01\n"
    other = "network --device=52:54:00:12:34:57 --ip=10.20.1.12 --hostname=gpu-a02\n"
    assert shape(one, "gpu-a01") == shape(other, "gpu-a02")
    assert shape(one, "gpu-a01") != shape(one.replace("--ip", "--gateway"), "gpu-a01")
    twice = "--ip=10.20.1.11 --gateway=10.20.1.11"
    assert shape(twice, "x") != shape(twice.replace("gateway=10.20.1.11", "gateway=10.20.1.1"), "x")


# -- anyone's files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "data", "kind"),
    [
        ("a.ks", b"", "kickstart"),
        ("ks.cfg", b"#version=RHEL8\nrootpw --lock\n", "kickstart"),
        ("anaconda", b"lang en_US\nrootpw --lock\nreboot\nurl --url=x\n", "kickstart"),
        ("grub.cfg", b"set default=0\nmenuentry 'x' {\n}\n", "boot file"),
        ("isolinux.cfg", b"default linux\nlabel linux\n", "boot file"),
        ("boot.ipxe", b"#!ipxe\n", "boot file"),
        ("x.service", b"", "unit"),
        ("crio.service.d/10-x.conf", b"", "unit"),
        ("x.conf", b"[a]\n", None),
        ("run", b"#!/usr/bin/env bash\n", "script"),
        ("lib.sh", b"", "script"),
        ("x.py", b"#!/usr/bin/python3\n", None),
        ("site.yaml", b"kfimage: 1\n", "site"),
        ("values.yaml", b"driver: {}\n", None),
        ("README.md", b"# x\n\nrootpw x\nreboot\nLABEL x\n", None),
        ("blob", b"\x7fELF\0\0rootpw\n%post\n", None),
        ("pyproject.toml", b"[project]\n", None),
        ("setup.cfg", b"[metadata]\nname = x\n", None),
        ("Makefile", b"part: x\n\tpart\n", None),
    ],
)
def test_kinds(path: str, data: bytes, kind: object) -> None:
    assert kind_of(path, data) == kind


def test_a_folder_of_everything(tmp_path: Path) -> None:
    shutil.copy(CHECKED / "KF2105/fail.ks", tmp_path / "a.ks")
    shutil.copy(CHECKED / "KF4001/fail.sh", tmp_path / "b.sh")
    (tmp_path / "units").mkdir()
    shutil.copy(CHECKED / "KF3013/fail.service", tmp_path / "units/c.service")
    (tmp_path / "site.yaml").write_text(GOOD_SITE.replace("gateway", "gatway"))
    (tmp_path / ".git").mkdir()
    shutil.copy(CHECKED / "KF2014/fail.ks", tmp_path / ".git/d.ks")
    (tmp_path / "README.md").write_text("not checked\n")
    ran = kfimage("check", tmp_path)
    assert ran.code == 1 and {"KF2105", "KF4001", "KF3013", "KF1001"} <= set(ids(ran.err)) and "KF2014" not in ran.err
    assert "1 kickstart" in ran.err and "1 site" in ran.err and "1 script" in ran.err and "1 unit" in ran.err


def test_a_tree_in_a_folder_is_proven_as_a_tree(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    append(tree / "kickstart/gpu-a01.ks")
    (tmp_path / "mine.sh").write_text("#!/bin/bash\nset -e\ntrue\n")
    ran = kfimage("check", tmp_path)
    assert ran.code == 5 and "1 tree" in ran.err and ids(ran.err).count("KF9002") == 1


def test_several_paths_are_one_report(tmp_path: Path) -> None:
    ran = kfimage("check", CHECKED / "KF2105/fail.ks", CHECKED / "KF4001/fail.sh", CHECKED / "KF2105/fail.ks")
    assert {"KF2105", "KF4001"} <= set(ids(ran.err)) and "1 kickstart, 1 script" in ran.err


def test_scripts_of_a_kickstart_are_checked_at_their_lines(tmp_path: Path) -> None:
    good = (CHECKED / "KF2105/pass.ks").read_text().rstrip("\n")
    kickstart = tmp_path / "a.ks"
    kickstart.write_text(
        f"{good}\n\n%post --interpreter=/bin/bash --erroronfail\nset -e\nsed -i '/ swap /d' /etc/fstab\necho $EPOCHSECONDS\ncd $y\n%end\n"
    )
    last = len(good.splitlines())
    ran = kfimage("check", kickstart)
    assert f"{kickstart}:{last + 5}" in ran.err and "KF4001" in ran.err
    if shutil.which("shellcheck"):
        assert f"{kickstart}:{last + 6}:" in ran.err and "SC2086" in ran.err


def test_python_in_post_is_not_read_as_shell(tmp_path: Path) -> None:
    good = (CHECKED / "KF2105/pass.ks").read_text()
    (tmp_path / "a.ks").write_text(
        f"{good}\n%post --interpreter=/usr/libexec/platform-python --erroronfail\nprint('x' if [] else {{}})\n%end\n"
    )
    assert not [i for i in ids(kfimage("check", tmp_path / "a.ks").err) if i.startswith("KF4")]


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    data = (CHECKED / "KF2105/fail.ks").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    ran = kfimage("check", "-")
    assert "stdin:" in ran.err and "KF2105" in ran.err


@pytest.mark.parametrize("name", ["nothing.ks", "empty", "notes.txt", "fifo"])
def test_paths_that_cannot_be_checked(name: str, tmp_path: Path) -> None:
    import os

    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello\n")
    os.mkfifo(tmp_path / "fifo")
    ran = kfimage("check", tmp_path / name)
    assert ran.code == 2 and "KF9001" in ran.err and "hint: " in ran.err and name in ran.err


def test_a_file_too_large_is_refused_quickly(tmp_path: Path) -> None:
    with open(tmp_path / "big.ks", "wb") as file:
        file.truncate(200 * 1024 * 1024)
    ran = kfimage("check", tmp_path / "big.ks")
    assert ran.code == 1 and "200 MB" in ran.err


@pytest.mark.parametrize("form", ["--json", "--sarif"])
def test_forms(form: str) -> None:
    ran = kfimage("check", form, CHECKED / "KF2105/fail.ks")
    found = json.loads(ran.out)
    if form == "--json":
        (one,) = (p for p in found if p["id"] == "KF2105")
        assert one["severity"] == "warning" and one["file"].endswith("fail.ks") and one["line"] and one["hint"]
    else:
        (run,) = found["runs"]
        rules = {r["id"] for r in run["tool"]["driver"]["rules"]}
        assert found["version"] == "2.1.0" and {r["ruleId"] for r in run["results"]} == rules and "KF2105" in rules
    assert ran.err.startswith("checked 1 kickstart")


def test_strict_and_ignore() -> None:
    path = CHECKED / "KF2105/fail.ks"
    assert kfimage("check", path).code == 0
    assert kfimage("check", path, "--strict").code == 1
    assert "KF2105" not in ids(kfimage("check", path, "--ignore", "kf2105").err)


def test_the_release_decides(tmp_path: Path) -> None:
    assert "for rhel-8.7" in kfimage("check", CHECKED / "KF2105/pass.ks").err
    assert "for rocky-8.10" in kfimage("check", CHECKED / "KF2105/pass.ks", "--release", "rocky-8.10").err
    wrong = kfimage("check", CHECKED / "KF2105/pass.ks", "--release", "rhel-8.77")
    assert wrong.code == 2 and "did you mean 'rhel-8.7'?" in wrong.err


def test_a_tree_names_its_own_release(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(GOOD_SITE + "release: rocky-8.10\n")
    assert kfimage("render", "--site", tmp_path / "site.yaml", "-o", tmp_path / "out").code == 0
    assert "for rocky-8.10" in kfimage("check", tmp_path / "out").err


def test_a_sites_unused_role_is_resolved(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(GOOD_SITE + "roles: {odd: {steps: [nothing-like-it]}}\n")
    ran = kfimage("check", tmp_path / "site.yaml")
    assert ran.code == 1 and "no step 'nothing-like-it'" in ran.err
