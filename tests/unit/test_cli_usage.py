"""How the command ends: exit codes, streams, lazy imports, completion, a reader that goes away, an interrupt."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runner import GOOD_SITE, ROOT, kfimage, process

from kfimage import __version__


def test_version() -> None:
    assert kfimage("--version") == (0, f"kfimage {__version__}\n", "")


def test_no_command_is_wrong_use_and_shows_help() -> None:
    ran = kfimage()
    assert ran.code == 2 and not ran.out and "render" in ran.err


@pytest.mark.parametrize("args", [("--help",), ("render", "--help"), ("check", "--help"), ("explain", "--help")])
def test_help(args: tuple[str, ...]) -> None:
    ran = kfimage(*args)
    assert ran.code == 0 and "Usage:" in ran.out and not ran.err


@pytest.mark.parametrize(
    "args",
    [
        ("--bogus",),
        ("rendr",),
        ("render", "--bogus"),
        ("render", "--role"),
        ("check",),
        ("diff", "one"),
        ("explain", "--line", "x", "gpu-worker"),
        ("explain",),
        ("explain", "gpu-worker", "selinux", "--line", "3"),
        ("explain", "--check", "KF2105", "--step", "crio"),
        ("explain", "--check", "KF0000"),
        ("explain", "--step", "nothing"),
        ("explain", "nobody"),
        ("explain", "gpu-worker", "selinx"),
        ("explain", "gpu-worker", "--line", "0"),
        ("steps", "--role", "nobody"),
        ("check", "nowhere"),
        ("check", "--release", "rhel-99", "."),
        ("check", "--ignore", "KF0", "."),
        ("check", "--json", "--sarif", "."),
        ("render", "--role", "nobody"),
        ("render", "--node", "nobody"),
        ("render", "--format", "nothing"),
        ("render", "-o", "-"),
        ("render", "--role", "gpu-worker", "-o", "-", "--json"),
        ("render", "--json", "--sarif"),
        ("diff", "nowhere", "nowhere"),
    ],
)
def test_wrong_use_is_2_and_writes_nothing(args: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = kfimage(*args)
    assert (ran.code, ran.out) == (2, "") and ran.err
    assert "Traceback" not in ran.err
    assert not list(tmp_path.iterdir())


def test_help_imports_no_parser() -> None:
    code = "import sys\ntry:\n    from kfimage.cli.app import app; app(['--help'])\nexcept SystemExit: pass\n"
    code += "print('LOADED', sorted({m.split('.')[0] for m in sys.modules} & {'yaml', 'jinja2', 'pykickstart', 'requests', 'rich'}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert "LOADED []" in done.stdout


def test_completion_is_there() -> None:
    shown = process("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "complete" in shown.stdout and shown.returncode == 0


def test_completion_names_the_commands() -> None:
    code = "from kfimage.cli.app import app; app(prog_name='kfimage')"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_KFIMAGE_COMPLETE": "complete_bash",
        "COMP_WORDS": "kfimage re",
        "COMP_CWORD": "1",
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["render"]


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(GOOD_SITE)
    command = [sys.executable, "-m", "kfimage", "schema"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.close()
        said = running.stderr.read().decode()
    assert running.returncode == 1 and "Traceback" not in said and "Exception" not in said


def test_an_interrupt_is_130(tmp_path: Path) -> None:
    """The command waits for stdin, so that the interrupt finds it at work."""
    command = [sys.executable, "-m", "kfimage", "check", "-"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment) as running:
        assert running.stdin is not None and running.stderr is not None
        waits = Path(f"/proc/{running.pid}/wchan")
        for _ in range(200):
            if waits.exists() and "pipe" in waits.read_text():
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(0.05)
        running.send_signal(signal.SIGINT)
        said = running.stderr.read().decode()
    assert running.returncode == 130 and "interrupted" in said and "Traceback" not in said


def test_a_bad_site_is_told_in_the_form_asked_for(tmp_path: Path) -> None:
    import json

    site = tmp_path / "bad.yaml"
    site.write_text("kfimage: 1\nsite: lab\nnetwork: {gatway: 10.20.1.1}\nselinux: off\n")
    for form in ("--json", "--sarif"):
        ran = kfimage("render", "--site", site, "-o", tmp_path / "out", form)
        found = json.loads(ran.out)
        ids = [p["id"] for p in found] if form == "--json" else [r["ruleId"] for r in found["runs"][0]["results"]]
        assert ran.code == 1 and {"KF1001", "KF1100"} <= set(ids)
    people = kfimage("render", "--site", site, "-o", tmp_path / "out")
    assert people.code == 1 and not people.out and "did you mean 'gateway'?" in people.err and "nothing was written" in people.err
    assert not (tmp_path / "out").exists()


def test_a_broken_yaml_is_one_problem(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("kfimage: 1\nnetwork: {dns: [\n")
    ran = kfimage("check", site)
    assert ran.code == 1 and ran.err.count(": error ") == 1 and "KF1000" in ran.err


@pytest.mark.parametrize("what", ["file", "below a file"])
def test_output_that_cannot_be_a_folder(what: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine\n")
    ran = kfimage("render", "--role", "cpu-worker", "-o", tmp_path / ("taken" if what == "file" else "taken/out"))
    assert ran.code == 2 and "a tree needs a folder" in ran.err
    assert (tmp_path / "taken").read_text() == "mine\n"


def test_the_site_file_that_is_not_there() -> None:
    ran = kfimage("render", "--site", "/nowhere/site.yaml")
    assert ran.code == 1 and "there is no such file" in ran.err and "kfimage init" in ran.err
