"""Rendering some nodes of a site into a folder that holds all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_runner import GOOD_SITE, kfimage


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "site.yaml").write_text(GOOD_SITE)
    monkeypatch.chdir(tmp_path)
    assert kfimage("render").code == 0
    return tmp_path / "out"


def tree(out: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p.relative_to(out)): (p.read_bytes(), p.stat().st_ino) for p in out.rglob("*") if p.is_file() and not p.name.startswith(".")}


def test_the_other_nodes_keep_their_files(out: Path) -> None:
    before = tree(out)
    ran = kfimage("render", "--node", "gpu-a01")
    assert ran.code == 0, ran.err
    after = tree(out)
    assert {k: v for k, v in after.items() if k != "index.json"} == {k: v for k, v in before.items() if k != "index.json"}
    assert json.loads(after["index.json"][0])["artefacts"] == json.loads(before["index.json"][0])["artefacts"]
    assert kfimage("check", "out").code == 0


def test_only_the_node_asked_for_changes(out: Path) -> None:
    before = tree(out)
    (out.parent / "site.yaml").write_text(GOOD_SITE.replace("10.20.0.10:6443", "10.20.0.11:6443"))
    assert kfimage("render", "--node", "gpu-a01").code == 0
    after = tree(out)
    assert {k for k in after if after[k] != before.get(k)} == {"kickstart/gpu-a01.ks", "index.json"}
    assert kfimage("check", "out").code == 0


def test_a_node_that_left_the_site_goes_and_is_told(out: Path) -> None:
    (out.parent / "site.yaml").write_text("".join(line for line in GOOD_SITE.splitlines(True) if "cpu-b01" not in line))
    ran = kfimage("render")
    assert ran.code == 0 and "removed 4 that no longer belong" in ran.err
    assert not (out / "kickstart/cpu-b01.ks").exists()
