"""shellcheck's own findings, as problems at our places; the only part of script checking that starts a program."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfimage.errors import ERROR, NOTE, WARNING, Mark, Report, define

NOT_RUN = define(
    "KF4400",
    NOTE,
    "shellcheck was not run",
    why="The program is absent or did not finish, so nothing of what it finds is known.",
    fix="install shellcheck, or run kfimage check where it is",
)
_SAYS = {
    "error": define(
        "KF4401",
        ERROR,
        "an error that shellcheck, or else bash -n, finds",
        why="The script does not parse, or a command cannot mean what it says.",
        fix="see the SC number's page in shellcheck's wiki",
    ),
    "warning": define(
        "KF4402",
        WARNING,
        "shellcheck: a warning",
        why="A construct that often does something else than it seems to.",
        fix="see the SC number's page in shellcheck's wiki",
    ),
}
_SAYS["info"] = _SAYS["style"] = define(
    "KF4403",
    NOTE,
    "shellcheck: a remark",
    why="Harmless today; it hides the next fault.",
    fix="see the SC number's page in shellcheck's wiki",
)
_SECONDS = 300
_PER_CALL = 200


def run(scripts: Mapping[str, str], *, severity: str = "warning", program: str = "shellcheck") -> Report:
    """Check all scripts, keyed by the path to report, in as few calls as fit; `severity` is the lowest one reported.

    The files it sees are copies: `source` lines are not followed and no .shellcheckrc of the caller is read.
    """
    report, paths = Report(), sorted(scripts)
    with tempfile.TemporaryDirectory(prefix="kfimage-shellcheck-") as folder:
        for start in range(0, len(paths), _PER_CALL):
            _batch(paths[start : start + _PER_CALL], scripts, [program, f"--severity={severity}"], folder, report)
    return report


def _batch(paths: list[str], scripts: Mapping[str, str], command: list[str], folder: str, report: Report) -> None:
    names = {str(Path(folder, f"{number}.sh")): path for number, path in enumerate(paths)}
    for name, path in names.items():
        Path(name).write_bytes(scripts[path].encode("utf-8", "surrogatepass"))
    try:
        done = subprocess.run(
            [*command, "--format=json1", "--shell=bash", "--norc", *names], capture_output=True, timeout=_SECONDS
        )
        comments: list[dict[str, Any]] = json.loads(done.stdout)["comments"]
    except FileNotFoundError:
        report.add(NOT_RUN, Mark(paths[0]), f"{command[0]} is not installed: {len(paths)} script(s) not looked at")
        _parse(names, report)
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as fault:
        report.add(NOT_RUN, Mark(paths[0]), f"{command[0]} gave no answer for {len(paths)} script(s): {fault}")
    else:
        for comment in comments:
            mark = Mark(names[comment["file"]], comment["line"], comment["column"])
            report.add(_SAYS[comment["level"]], mark, f"SC{comment['code']}: {comment['message']}")


def _parse(names: Mapping[str, str], report: Report) -> None:
    """What bash itself says of each file's syntax, where there is no shellcheck to say more."""
    for name, path in names.items():
        try:
            done = subprocess.run(["bash", "-n", name], capture_output=True, timeout=_SECONDS, env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "")})
        except (OSError, subprocess.TimeoutExpired):
            return
        found = re.search(r": line (\d+): (.*)", done.stderr.decode("utf-8", "replace"))
        if done.returncode and found:
            report.add(_SAYS["error"], Mark(path, int(found[1])), f"bash -n: {found[2]}")
