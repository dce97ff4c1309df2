"""The linters as tests: each is one case, and what it says is the failure."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import kit
import pytest

from kfimage.verify import shellcheck

TEXTS = ("kfimage", "kickstart", "firstboot", "scripts", "tests", "man", "README.md", "NEWS.md", "Makefile", ".ci", "pyproject.toml")
SCRIPTS = sorted(
    path for top in ("firstboot", "kickstart", "scripts", ".ci", "tests/root", "tests/firstboot") for path in (kit.ROOT / top).rglob("*")
    if path.is_file() and path.suffix in ("", ".sh") and path.read_bytes()[:2] == b"#!" and b"bash" in path.read_bytes().split(b"\n", 1)[0]
)


def lint(*command: str) -> None:
    done = subprocess.run(command, cwd=kit.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def test_ruff() -> None:
    lint(sys.executable, "-m", "ruff", "check", ".")


def test_mypy_strict() -> None:
    lint(sys.executable, "-m", "mypy")


def test_layers() -> None:
    lint(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")


def test_codespell() -> None:
    lint(sys.executable, "-m", "codespell_lib", *TEXTS)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck() -> None:
    assert len(SCRIPTS) > 20
    texts = {str(path.relative_to(kit.ROOT)): path.read_text() for path in SCRIPTS}
    assert [str(problem) for problem in shellcheck.run(texts)] == []


def test_no_script_of_the_payload_is_waved_through() -> None:
    """kfimage/verify/proven.txt is what scripts/proven.py writes today: nothing stale, nothing with a finding, none missing."""
    import runpy

    module = runpy.run_path(str(kit.ROOT / "scripts/proven.py"))
    assert module["LIST"].read_text() == "".join(module["lines"]()), "run `make proven`"
