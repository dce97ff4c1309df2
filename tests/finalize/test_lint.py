"""`kfimage finalize lint`: every check has a stream that it finds and one that it does not, and the real stream's findings are golden."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kfimage.cli.checks import load_all
from kfimage.errors import CHECKS, Report
from kfimage.finalize.lint import lint
from kfimage.finalize.stream import read

from . import rig
from .program import kfimage

HERE = Path(__file__).parent
FOLDERS = sorted(p for p in (HERE / "checks").iterdir() if p.is_dir())
GOLDEN = HERE / "golden"
ELSEWHERE = {
    "KF9603": "test_program", "KF9660": "test_converge", "KF9661": "test_answers", "KF9662": "test_program", "KF9663": "test_converge", "KF9664": "test_converge",
    "KF9665": "test_journal", "KF9666": "test_program", "KF9667": "test_credentials", "KF9668": "test_credentials", "KF9669": "test_credentials",
    "KF9671": "test_preflight", "KF9672": "test_preflight", "KF9673": "test_preflight", "KF9674": "test_preflight",
}
"""Checks that a cluster or a command line shows, and the module of the test that does."""


def ids(path: Path) -> set[str]:
    report = Report()
    lint(read(path.read_bytes(), path.name, report), 25, report)
    return {p.id for p in report}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_the_check_finds_what_it_should_and_nothing_else(folder: Path) -> None:
    assert folder.name in ids(folder / "fail.yaml")
    assert folder.name not in ids(folder / "pass.yaml")


def test_every_check_of_finalize_is_shown() -> None:
    load_all()
    assert {i for i in CHECKS if i.startswith("KF96")} == {f.name for f in FOLDERS} | set(ELSEWHERE)
    for check, module in ELSEWHERE.items():
        assert check in (HERE / f"{module}.py").read_text(encoding="utf-8"), f"{check} is not in {module}"


@pytest.mark.parametrize("minor", [22, 25, 26])
def test_the_real_stream(minor: int) -> None:
    report = Report()
    lint(rig.real(), minor, report)
    found = "".join(f"{p}\n" for p in report)
    golden = GOLDEN / f"kubeflow-1.7.0-on-1.{minor}.txt"
    if os.environ.get("KFIMAGE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8"), "read the difference; KFIMAGE_GOLDEN=1 writes it"


def test_the_command_prints_json_and_ends_by_severity(tmp_path: Path) -> None:
    stream = tmp_path / "s.yaml"
    stream.write_bytes((HERE / "checks/KF9612/fail.yaml").read_bytes())
    said = kfimage("finalize", "lint", stream, "--json")
    assert said.code == 0 and [p["id"] for p in json.loads(said.out)] == ["KF9612"]
    assert kfimage("finalize", "lint", stream, "--strict").code == 1
    later = kfimage("finalize", "lint", stream, "--kubernetes", "1.26")
    assert later.code == 1 and "KF9611" in later.err and "use autoscaling/v2" in later.err
    assert kfimage("finalize", "lint", stream, "--kubernetes", "2.0").code == 2
    assert kfimage("finalize", "lint", tmp_path / "absent").code == 1
    assert json.loads(kfimage("finalize", "lint", stream, "--sarif").out)["version"] == "2.1.0"
