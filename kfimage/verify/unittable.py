"""What one release's systemd understands, and a unit file read the way that release reads it.

The table (directives, value words, specifiers) is data: `systemd.json` in the release's folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from kfimage.errors import ERROR, WARNING, Check, Mark, Report, define, did_you_mean


def row(id: str, severity: str, title: str, why: str, fix: str, source: str = "") -> Check:
    """A check defined on few lines."""
    return define(id, severity, title, why=why, fix=fix, source=source)


# fmt: off
_READER, _TABLE = "systemd-rhel8 conf-parser.c", "systemd239-directives.json"
UNREADABLE = row("KF3001", ERROR, "A line the unit parser cannot read", "Without '=', or with a broken section "
    "header, reading ends: the whole unit is not loaded.", "write Key=value, or [Section] alone on its line", _READER)
OUTSIDE = row("KF3002", ERROR, "An assignment before the first section", "It is ignored with a log line, so what it "
    "says does not happen.", "move it under its [Section]", _READER)
CONTINUATION = row("KF3003", WARNING, "A line continuation that takes in too much or too little",
    "RHEL 8 joins lines before it looks for comments: a comment that ends in a backslash swallows the next line, a "
    "comment inside a continued value becomes part of it. systemd 252 skips comments first.",
    "put the value on one line, or keep comments out of it", _READER)
CONTROL = row("KF3004", ERROR, "A control character in a unit file", "A carriage return breaks line continuations; a "
    "NUL ends the line.", "use LF and no control characters")
UNKNOWN = row("KF3012", ERROR, "A directive no systemd knows", "It is ignored with a log line; the unit runs without "
    "it.", "correct the name", _TABLE)
NEWER = row("KF3013", ERROR, "A directive of a newer systemd", "This release logs 'Unknown lvalue' and ignores it; "
    "systemd-analyze of a newer systemd says nothing.", "use what this release has, or do it in the script", _TABLE)
CONDITION = row("KF3014", ERROR, "A condition this release does not know", "An unknown Condition or Assert is only "
    "logged: the unit runs UNCONDITIONALLY.", "test it in the script, or in ExecCondition=", f"{_TABLE}, rules")
VOID = row("KF3015", WARNING, "A directive read without effect", "Kept for old units, or compiled out: nothing "
    "happens.", "remove it", _TABLE)
VALUE = row("KF3101", ERROR, "A value the directive does not take", "The line is ignored and the default holds.",
    "use one of the words the directive takes", f"{_TABLE}, value_tables")
SYNTAX = row("KF3102", ERROR, "Not a boolean, a time span or a file mode", "The line is ignored and the default "
    "holds.", "yes or no; 90, 5min 20s or infinity; 0644", "load-fragment-gperf.gperf.m4, parser column")
SPECIFIER = row("KF3103", ERROR, "A specifier this release does not know", "An unknown %letter refuses an Exec line "
    "and drops any other line.", "write %% for a percent sign", f"{_TABLE}, specifiers")
# fmt: on

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
BLANK = " \t\n\r"


BOOLEAN_WORDS = frozenset(["1", "yes", "y", "true", "t", "on", "0", "no", "n", "false", "f", "off"])
TRUE_WORDS = frozenset(["1", "yes", "y", "true", "t", "on"])
_SPAN = re.compile(
    r"(?:\d+(?:\.\d+)?|\.\d+)\s*(?:seconds?|sec|s|minutes?|min|months?|M|msec|ms|m|hours?|hr|h|days?|d|weeks?|w|years?|y"
    r"|usec|us|µs|μs)?(?=[\s\d.]|$)\s*"
)
_SPECIFIER = re.compile(r"%(.?)", re.DOTALL)
_CONDITION = re.compile(r"(Condition|Assert)[A-Z]")
_PIPES = re.compile(r"\|?\s*!?\s*")


class Section(NamedTuple):
    """The directives of one section: read here, read without effect, read only by a newer systemd."""

    here: frozenset[str]
    void: frozenset[str]
    newer: frozenset[str]


@dataclass(frozen=True)
class UnitTable:
    """One release's table; `words` is keyed `Section.Key` where the words hold in that section only, else `Key`."""

    release: str
    sections: Mapping[str, Section]
    words: Mapping[str, frozenset[str]]
    kinds: Mapping[str, frozenset[str]]
    specifiers: frozenset[str]
    newer_specifiers: frozenset[str]
    newer_prefixes: frozenset[str]
    timer_bases: frozenset[str]
    path_types: frozenset[str]
    system_order: Mapping[str, tuple[str, ...]]
    system_units: frozenset[str]
    homes: Mapping[str, tuple[str, ...]] = field(repr=False)

    def words_for(self, section: str, key: str) -> Optional[frozenset[str]]:
        return self.words.get(f"{section}.{key}") or self.words.get(key)

    def takes(self, kind: str, key: str) -> bool:
        """Whether the parser of `key` takes this kind of value, as the table's `kinds` name them."""
        return key in self.kinds[kind]


def load_table(json_text: str) -> UnitTable:
    """The table in a release's `systemd.json`; raises ValueError or KeyError when the file is not one."""
    raw: dict[str, Any] = json.loads(json_text)
    sections = {
        name: Section(
            frozenset(part["directives"]),
            frozenset(part["accepted_but_ignored_legacy"]) | frozenset(part["accepted_but_compiled_out"]),
            frozenset(part["newer_known_to_252_not_here"]),
        )
        for name, part in raw["sections"].items()
    }
    homes: dict[str, tuple[str, ...]] = {}
    for name, part in sections.items():
        for key in part.here:
            homes[key] = (*homes.get(key, ()), name)
    return UnitTable(
        release=raw["release"],
        sections=sections,
        words={key: frozenset(words) for key, words in raw["value_tables"].items()},
        kinds={kind: frozenset(keys) for kind, keys in raw["kinds"].items()},
        specifiers=frozenset(raw["specifiers"]),
        newer_specifiers=frozenset(raw["specifiers_not_here_but_in_252"]),
        newer_prefixes=frozenset(raw["exec_prefixes_not_here"]),
        timer_bases=frozenset(raw["timer_bases"]),
        path_types=frozenset(raw["path_types"]),
        system_order={unit: tuple(firsts) for unit, firsts in raw["system_order"].items()},
        system_units=frozenset(raw["system_units"]).union(raw["system_order"], *raw["system_order"].values()),
        homes=homes,
    )


@dataclass(frozen=True)
class Assignment:
    """One `Key=value`, continuations joined; `pieces` maps offsets in the value back to (line, column)."""

    section: str
    key: str
    value: str
    mark: Mark
    pieces: tuple[tuple[int, int, int], ...]

    def at(self, offset: int) -> Mark:
        """The place of the value's character at `offset`."""
        start, line, column = max((p for p in self.pieces if p[0] <= offset), default=self.pieces[0])
        return Mark(self.mark.file, line, column + offset - start)


@dataclass(frozen=True)
class UnitFile:
    """A unit as read: every assignment in file order, and where each section header stands."""

    path: str
    assignments: tuple[Assignment, ...]
    headers: tuple[tuple[str, Mark], ...]

    @property
    def name(self) -> str:
        """The unit's file name; for a drop-in, the unit it belongs to."""
        folder, _, base = self.path.rpartition("/")
        return folder.rpartition("/")[2][:-2] if base.endswith(".conf") and folder.endswith(".d") else base

    @property
    def dropin(self) -> bool:
        return self.path.endswith(".conf")

    @property
    def kind(self) -> str:
        return self.name.rpartition(".")[2]

    def all(self, *keys: str) -> tuple[Assignment, ...]:
        """Assignments of these keys that still count: an empty value forgets the ones before it."""
        live: list[Assignment] = []
        for item in self.assignments:
            if item.key in keys:
                live = [*live, item] if item.value else [other for other in live if other.key != item.key]
        return tuple(live)

    def last(self, key: str) -> str:
        """The value in force, or an empty text."""
        rows = self.all(key)
        return rows[-1].value if rows else ""

    def true(self, key: str, default: bool = False) -> bool:
        value = self.last(key)
        return value.lower() in TRUE_WORDS if value else default


def _joined(lines: list[str], path: str, report: Report) -> Iterator[tuple[str, list[tuple[int, int, int]]]]:
    """Logical lines as RHEL 8 joins them, each with (offset, line, column) pieces."""
    text = ""
    pieces: list[tuple[int, int, int]] = []
    for number, line in enumerate(lines, 1):
        comment = line.lstrip(BLANK)[:1] in ("#", ";")
        if pieces and comment:
            report.add(CONTINUATION, Mark(path, number, 1), "this comment becomes part of the value continued above it")
        pieces.append((len(text), number, 1))
        slashes = len(line) - len(line.rstrip("\\"))
        if slashes % 2 == 0:
            if line.rstrip(BLANK).endswith("\\") and not comment:
                report.add(CONTINUATION, Mark(path, number, len(line.rstrip(BLANK))),
                           "blanks after the backslash: the line is not continued")  # fmt: skip
            yield text + line, pieces
            text, pieces = "", []
            continue
        if comment and len(pieces) == 1:
            report.add(CONTINUATION, Mark(path, number, len(line)), "this comment's backslash swallows the next line")
        text += line[:-1] + " "
    if pieces:
        report.add(CONTINUATION, Mark(path, pieces[-1][1], 1), "the file ends inside a continued line")
        yield text, pieces


def _shift(pieces: list[tuple[int, int, int]], start: int) -> tuple[tuple[int, int, int], ...]:
    """The same pieces, offsets counted from `start`; the piece that holds `start` comes first."""
    before = [p for p in pieces if p[0] <= start]
    offset, line, column = before[-1]
    return ((0, line, column + start - offset), *((o - start, n, c) for o, n, c in pieces if o > start))


def read_unit(text: str, path: str, report: Report) -> UnitFile:
    """The unit as this release reads it; what its reader would log or refuse goes to the report."""
    lines = text.removeprefix("\ufeff").split("\n")
    for number, line in enumerate(lines, 1):
        bad = _CONTROL.search(line)
        if bad:
            report.add(CONTROL, Mark(path, number, bad.start() + 1), f"control character {bad.group()!r}")
    section, assignments, headers = "", [], []
    for logical, pieces in _joined(lines, path, report):
        start = len(logical) - len(logical.lstrip(BLANK))
        line = logical.strip(BLANK)
        where = _shift(pieces, start)
        mark = Mark(path, where[0][1], where[0][2])
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            if not line.endswith("]"):
                report.add(UNREADABLE, mark, f"invalid section header {line[:60]!r}")
                continue
            section = line[1:-1]
            headers.append((section, mark))
            continue
        key, equals, value = line.partition("=")
        if not equals:
            report.add(UNREADABLE, mark, f"no '=' in {line[:60]!r}")
        elif not section:
            report.add(OUTSIDE, mark, f"{key.strip(BLANK)}= stands before the first section")
        else:
            begin = start + len(key) + 1 + len(value) - len(value.lstrip(BLANK))
            where = _shift(pieces, min(begin, len(logical)))
            assignments.append(Assignment(section, key.strip(BLANK), value.strip(BLANK), mark, where))
    return UnitFile(path, tuple(assignments), tuple(headers))


def timespan(value: str) -> bool:
    """Whether systemd reads this as a span of time ('90', '5min 20s', 'infinity')."""
    rest, position = value.strip(), 0
    while rest and rest != "infinity" and position < len(rest):
        found = _SPAN.match(rest, position)
        if not found:
            return False
        position = found.end()
    return bool(rest)


def specifiers(value: str) -> Iterator[tuple[int, str]]:
    """Each `%x` of a value as (offset, letter); a '%' at the very end has the letter ''."""
    for found in _SPECIFIER.finditer(value):
        yield found.start(), found.group(1)


class Word(NamedTuple):
    """A word of a value, quotes removed; `quoted` when any of it stood in quotes."""

    text: str
    offset: int
    quoted: bool


def split_words(value: str) -> tuple[tuple[Word, ...], bool]:
    """The words of a command line or list, and whether all quotes are closed; backslash escapes stay as typed."""
    words: list[Word] = []
    text, start, quote, quoted = "", -1, "", False
    position = 0
    while position < len(value):
        char = value[position]
        if not quote and char in BLANK:
            if start >= 0:
                words.append(Word(text, start, quoted))
            text, start, quoted = "", -1, False
        else:
            start = position if start < 0 else start
            if char == "\\" and quote != "'" and position + 1 < len(value):
                text += value[position : position + 2]
                position += 1
            elif quote and char == quote:
                quote = ""
            elif not quote and char in "\"'":
                quote, quoted = char, True
            else:
                text += char
        position += 1
    if start >= 0:
        words.append(Word(text, start, quoted))
    return tuple(words), not quote


def _key(item: Assignment, table: UnitTable, report: Report) -> None:
    part = table.sections.get(item.section)
    if part is None or item.key.startswith("X-"):
        return
    condition = bool(_CONDITION.match(item.key)) and item.section == "Unit"
    homes = table.homes.get(item.key, ())
    if item.key in part.void:
        report.add(VOID, item.mark, f"{item.key}= has no effect on {table.release}")
    elif item.key in part.newer:
        check = CONDITION if condition else NEWER
        report.add(check, item.mark, f"{item.key}= is known to newer systemd, not to {table.release}")
    elif homes:
        report.add(UNKNOWN, item.mark, f"{item.key}= is not read in [{item.section}]", f"it belongs in [{homes[0]}]"
                   if len(homes) == 1 else f"it is read in {', '.join(f'[{h}]' for h in homes)}")  # fmt: skip
    else:
        check = CONDITION if condition else UNKNOWN
        report.add(check, item.mark, f"unknown directive {item.key}= in [{item.section}]",
                   did_you_mean(item.key, part.here))  # fmt: skip


def _value(item: Assignment, table: UnitTable, report: Report) -> None:
    key, value = item.key, item.value
    if _CONDITION.match(key):
        value = _PIPES.sub("", value, count=1)
    words = table.words_for(item.section, key)
    if not value:
        if table.takes("boolean", key) or table.takes("timespan", key) or (words and table.takes("single", key)):
            report.add(SYNTAX, item.at(0), f"{key}= has no value")
    elif words and not _takes(key, value, words):
        report.add(
            VALUE, item.at(0), f"{key}= does not take {value[:60]!r} on {table.release}", did_you_mean(value, words)
        )
    elif table.takes("boolean", key) and value.lower() not in BOOLEAN_WORDS:
        report.add(SYNTAX, item.at(0), f"{key}= takes yes or no, not {value[:60]!r}")
    elif table.takes("timespan", key) and not timespan(value):
        report.add(SYNTAX, item.at(0), f"{key}= takes a time span, not {value[:60]!r}")
    elif table.takes("mode", key) and not re.fullmatch(r"[0-7]{1,5}", value):
        report.add(SYNTAX, item.at(0), f"{key}= takes an octal mode, not {value[:60]!r}")


def _takes(key: str, value: str, words: Collection[str]) -> bool:
    """Whether a value table holds this value, or the forms beside the table: booleans, file:/path, fd:name."""
    head, colon, rest = value.partition(":")
    if colon and key.startswith("Standard"):
        return head in words and (rest.startswith(("/", "%")) if head in ("file", "append") else head == "fd")
    if key == "ConditionVirtualization":
        return value in words or value in ("vm", "container") or value.lower() in BOOLEAN_WORDS
    if key == "ConditionArchitecture":
        return value in words or value == "native"
    if "yes" in words:
        return value in words or value.lower() in BOOLEAN_WORDS
    return value in words and value not in ("file", "append")


def _specifiers(item: Assignment, table: UnitTable, report: Report) -> None:
    if not table.takes("specifier", item.key) and not (_CONDITION.match(item.key) and item.key[-8:] != "NeedsUpdate"):
        return
    for offset, letter in specifiers(item.value):
        if letter in table.specifiers:
            continue
        if letter in table.newer_specifiers:
            report.add(SPECIFIER, item.at(offset), f"%{letter} is known to newer systemd, not to {table.release}")
        else:
            report.add(SPECIFIER, item.at(offset), f"unknown specifier '%{letter}' in {item.key}=")


def check_assignment(item: Assignment, table: UnitTable, report: Report) -> bool:
    """One line against the table; false when this release does not read the directive in its section."""
    part = table.sections.get(item.section)
    if part is None or item.key not in part.here:
        _key(item, table, report)
        return False
    _value(item, table, report)
    _specifiers(item, table, report)
    return True
