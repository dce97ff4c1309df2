"""Reports for people (stderr), for scripts (JSON) and for code-scanning tools (SARIF)."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from kfimage.errors import CHECKS, ERROR, WARNING, Problem, Report

_COLOURS = {"error": "\x1b[31m", "warning": "\x1b[33m", "note": "\x1b[36m"}
_RESET = "\x1b[0m"


def coloured() -> bool:
    """Whether stderr takes colours: a terminal, and NO_COLOR is not set."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def print_report(report: Report, *, ending: str = "") -> None:
    """Every problem with its hint on stderr, then one line that counts them."""
    colour = coloured()
    lines = []
    for problem in report:
        text = str(problem)
        if colour:
            text = text.replace(f" {problem.severity} ", f" {_COLOURS[problem.severity]}{problem.severity}{_RESET} ", 1)
        lines.append(text)
    counts = summary(report)
    if counts:
        lines.append(f"{counts}{f'; {ending}' if ending else ''}")
    if lines:
        sys.stderr.write("\n".join(lines) + "\n")


def summary(report: Report) -> str:
    """'2 errors, 1 warning', or nothing."""
    found = [(report.count(severity), severity) for severity in (ERROR, WARNING, "note")]
    return ", ".join(f"{n} {word}{'s' * (n > 1)}" for n, word in found if n)


def as_json(report: Report) -> str:
    """The report as a JSON list, one object for each problem."""
    return json.dumps([_entry(p) for p in report], indent=1) + "\n"


def _entry(problem: Problem) -> dict[str, Any]:
    mark = problem.mark
    return {
        "id": problem.id, "severity": problem.severity, "file": mark.file, "line": mark.line or None, "column": mark.column or None,
        "message": problem.message, "hint": problem.hint or None,
    }


def as_sarif(report: Report) -> str:
    """The report as SARIF 2.1.0."""
    from kfimage import __version__

    used = sorted({p.id for p in report})
    rules = [
        {"id": i, "shortDescription": {"text": CHECKS[i].title}, "fullDescription": {"text": CHECKS[i].why}, "help": {"text": CHECKS[i].fix or CHECKS[i].title}}
        for i in used
    ]
    run = {
        "tool": {"driver": {"name": "kfimage", "version": __version__, "rules": rules}},
        "results": [_result(p) for p in report],
    }
    return json.dumps({"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _result(problem: Problem) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": problem.mark.file}}
    if problem.mark.line:
        place["region"] = {"startLine": problem.mark.line, **({"startColumn": problem.mark.column} if problem.mark.column else {})}
    text = f"{problem.message}\n{problem.hint}" if problem.hint else problem.message
    return {"ruleId": problem.id, "level": problem.severity, "message": {"text": text}, "locations": [{"physicalLocation": place}]}
