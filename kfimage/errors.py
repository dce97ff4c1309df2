"""What can be wrong, where it is wrong, and how a run ends: the words every other part speaks."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Optional


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    PROBLEM = 1
    USAGE = 2
    DIFFERS = 3
    REFUSED = 4
    INTEGRITY = 5
    INTERRUPTED = 130


class Mark(NamedTuple):
    """A place in a text; line and column count from 1, line 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True)
class Check:
    """One thing kfimage looks for; `explain --check ID` prints it."""

    id: str
    severity: str
    title: str
    why: str
    fix: str
    source: str = ""


CHECKS: dict[str, Check] = {}


def define(id: str, severity: str, title: str, *, why: str, fix: str, source: str = "") -> Check:
    """Register a check under its stable id; an id is never reused, so a second definition raises ValueError."""
    if id in CHECKS:
        raise ValueError(f"check {id} is defined twice")
    check = Check(id, severity, title, why, fix, source)
    CHECKS[id] = check
    return check


@dataclass(frozen=True)
class Problem:
    """One finding: which check, where, in words, and what to do."""

    check: Check
    mark: Mark
    message: str
    hint: str = ""

    @property
    def id(self) -> str:
        return self.check.id

    @property
    def severity(self) -> str:
        return self.check.severity

    def __str__(self) -> str:
        line = f"{self.mark}: {self.severity} {self.id}: {self.message}"
        return f"{line}\n  hint: {self.hint}" if self.hint else line


def _order(problem: Problem) -> tuple[Mark, str, str]:
    return problem.mark, problem.id, problem.message


def one_line(text: str) -> str:
    """A message's text as one line: what a file's author wrote into a key or tag can neither break it nor drive a terminal."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return text if len(text) <= 600 else f"{text[:600]}..."


class Report:
    """Collected problems; reads back sorted by place and without repeats."""

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self._problems: dict[Problem, None] = dict.fromkeys(problems)

    def add(self, check: Check, mark: Mark, message: str, hint: Optional[str] = None) -> None:
        """Note a problem; the check's own fix is the hint unless a better one is given."""
        self._problems[Problem(check, mark, one_line(message), one_line(check.fix if hint is None else hint))] = None

    def extend(self, other: Iterable[Problem]) -> None:
        self._problems.update(dict.fromkeys(other))

    def __iter__(self) -> Iterator[Problem]:
        return iter(sorted(self._problems, key=_order))

    def __len__(self) -> int:
        return len(self._problems)

    def __bool__(self) -> bool:
        return bool(self._problems)

    def without(self, ids: Iterable[str]) -> Report:
        """The same report less the checks named."""
        gone = frozenset(ids)
        return Report(p for p in self if p.id not in gone)

    def count(self, severity: str) -> int:
        return sum(p.severity == severity for p in self._problems)

    def failed(self, *, strict: bool = False) -> bool:
        """Whether this report stops the work: any error, or with `strict` any warning."""
        return any(p.severity == ERROR or (strict and p.severity == WARNING) for p in self._problems)


class KfimageError(Exception):
    """Work that cannot go on: carries the report to show and the exit code to end with."""

    def __init__(self, report: Report, code: Exit = Exit.PROBLEM) -> None:
        super().__init__("\n".join(str(p) for p in report))
        self.report = report
        self.code = code


def near(word: str, known: Iterable[str]) -> str:
    """The hint for a misspelt word, or nothing when none is near."""
    found = difflib.get_close_matches(word, sorted(set(known)), n=1, cutoff=0.6)
    return f"did you mean '{found[0]}'?" if found else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The hint for a misspelt word, or the words there are when none is near."""
    words = sorted(set(known))
    found = near(word, words)
    if found:
        return found
    shown = ", ".join(words[:12]) + (", ..." if len(words) > 12 else "")
    return f"known here: {shown}" if words else ""
