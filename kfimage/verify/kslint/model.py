"""What a rule sees: commands, sections and scripts with their lines, and the few questions every rule asks."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Optional

from kfimage.errors import Mark, Report

SCRIPTS = frozenset({"%pre", "%pre-install", "%post", "%onerror", "%traceback"})
ENDINGS = frozenset({"reboot", "poweroff", "halt", "shutdown"})
DISPLAYS = frozenset({"text", "cmdline", "graphical"})
SOURCES = frozenset({"url", "cdrom", "nfs", "harddrive", "hmc", "liveimg", "ostreesetup", "rhsm", "method"})
PARTITIONS = frozenset({"part", "partition"})
LAYOUT = frozenset({"part", "partition", "raid", "volgroup", "logvol", "mount", "autopart", "btrfs"})

_HEREDOC = re.compile(r"(?<!<)<<(-?)[ \t]*(?:'([^'\n]+)'|\"([^\"\n]+)\"|\\?([A-Za-z_][\w.-]*))(?!<)")


@dataclass(frozen=True)
class Command:
    """One command line; options keep their order, abbreviations are already spelled out."""

    name: str
    args: tuple[str, ...]
    line: int
    raw: str
    options: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()
    abbreviated: tuple[tuple[str, str], ...] = ()

    def get(self, *names: str) -> Optional[str]:
        """The value that counts (the last one given), or None when no such option was."""
        values = self.values(*names)
        return values[-1] if values else None

    def values(self, *names: str) -> list[str]:
        return [value for option, value in self.options if option in names]

    def has(self, *names: str) -> bool:
        return any(option in names for option, _ in self.options)


@dataclass(frozen=True)
class Section:
    """One %section; `first` is the line of `body`'s first line, so body line n lies at `first + n`."""

    name: str
    header: Command
    line: int
    first: int
    body: str

    @property
    def args(self) -> tuple[str, ...]:
        return self.header.args

    @property
    def is_script(self) -> bool:
        return self.name in SCRIPTS

    @property
    def interpreter(self) -> str:
        return self.header.get("--interpreter") or "/bin/sh"

    @property
    def is_shell(self) -> bool:
        return self.is_script and self.interpreter.rsplit("/", 1)[-1] in ("sh", "bash", "dash", "ksh")

    @property
    def in_chroot(self) -> bool:
        return self.name == "%post" and not self.header.has("--nochroot")

    @cached_property
    def lines(self) -> list[tuple[int, str]]:
        """(line number, text without its line end) of each body line, blank ones included."""
        return [(self.first + n, text.rstrip("\r")) for n, text in enumerate(self.body.split("\n"))]

    @cached_property
    def code(self) -> list[tuple[int, str]]:
        """The lines a shell executes: no blank line, no comment, no here-document's text."""
        return list(shell_lines(self.lines))


@dataclass(frozen=True)
class Parsed:
    """A kickstart as read: pykickstart's handler beside our own located view of the same text."""

    path: str
    text: str
    handler: Any
    commands: tuple[Command, ...]
    sections: tuple[Section, ...]
    includes: tuple[tuple[str, int], ...]

    def mark(self, line: int = 0, column: int = 0) -> Mark:
        return Mark(self.path, line, column)

    def at(self, command: Command, needle: str = "") -> Mark:
        """The place of a command, or of `needle` in its line when it stands there literally."""
        column = command.raw.find(needle) + 1 if needle else 0
        return Mark(self.path, command.line, column)

    @cached_property
    def _by_name(self) -> dict[str, list[Command]]:
        table: dict[str, list[Command]] = {}
        for command in self.commands:
            table.setdefault(command.name, []).append(command)
        return table

    def all(self, *names: str) -> list[Command]:
        """Every command with one of these names, in file order."""
        found = [command for name in names for command in self._by_name.get(name, ())]
        return found if len(names) == 1 else sorted(found, key=lambda command: command.line)

    def section(self, *names: str) -> list[Section]:
        return [section for section in self.sections if section.name in names]

    @cached_property
    def scripts(self) -> list[Section]:
        return [section for section in self.sections if section.is_script]

    @cached_property
    def packages(self) -> list[tuple[int, str]]:
        """(line, entry) of every %packages line, comments removed."""
        entries = []
        for section in self.section("%packages"):
            for line, text in section.lines:
                entry = text.partition("#")[0].strip()
                if entry and not entry.startswith("%"):
                    entries.append((line, entry))
        return entries

    @cached_property
    def package_names(self) -> frozenset[str]:
        return frozenset(entry for _, entry in self.packages if entry[0] not in "-@")

    @cached_property
    def _pre_text(self) -> str:
        return "\n".join(section.body for section in self.section("%pre"))

    def written_by_pre(self, include: str) -> bool:
        """Whether some %pre names this file; the file itself cannot exist when a kickstart is checked."""
        return include in self._pre_text or include.rsplit("/", 1)[-1] in self._pre_text

    def may_have(self, *names: str) -> bool:
        """Whether one of the commands is here, or could come with an included file nobody can see yet."""
        if any(name in self._by_name for name in names):
            return True
        if not self.includes:
            return False
        if any(not self.written_by_pre(include) for include, _ in self.includes):
            return True
        return any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", self._pre_text) for name in names)

    def mentions(self, pattern: str) -> bool:
        """Whether some script contains this pattern."""
        return any(re.search(pattern, section.body) for section in self.scripts)

    @property
    def storage_is_here(self) -> bool:
        """False when an included file may bring partitions: then nothing can be said to be missing."""
        return not self.includes


Rule = Callable[[Parsed, Report], None]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    """Make a function one of the rules check_kickstart runs."""
    RULES.append(function)
    return function


class Endings:
    """Where here-documents end, looked up rather than searched: hostile text must not cost n squared."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._exact: dict[str, list[int]] = {}
        for index, line in enumerate(lines):
            text = line.rstrip("\r\n")
            self._exact.setdefault(text, []).append(index)
            if text.startswith("\t"):
                self._exact.setdefault("\t" + text.lstrip("\t"), []).append(index)

    def after(self, index: int, delimiter: str, dashed: bool) -> Optional[int]:
        """Index of the first line beyond `index` that ends this here-document."""
        found = [self._first(delimiter, index)] + ([self._first("\t" + delimiter, index)] if dashed else [])
        return min((end for end in found if end is not None), default=None)

    def _first(self, text: str, index: int) -> Optional[int]:
        places = self._exact.get(text, [])
        position = bisect_right(places, index)
        return places[position] if position < len(places) else None


def shell_lines(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Drop blank lines, comments and here-document texts; a `<<` whose end never comes is no here-document."""
    endings = Endings(text for _, text in lines)
    index = -1
    while index + 1 < len(lines):
        index += 1
        number, text = lines[index]
        bare = text.strip()
        if not bare or bare.startswith("#"):
            continue
        yield number, text
        for delimiter, dashed in heredocs(text):
            end = endings.after(index, delimiter, dashed)
            index = index if end is None else end


def heredocs(line: str) -> list[tuple[str, bool]]:
    """The here-documents one shell line opens, as (delimiter, whether leading tabs are stripped)."""
    if "<<" not in line or line.lstrip().startswith("#"):
        return []
    return [(m.group(2) or m.group(3) or m.group(4), bool(m.group(1))) for m in _HEREDOC.finditer(line)]


def commas(value: Optional[str]) -> list[str]:
    """The elements of a comma separated value, stripped, empty ones left out."""
    return [item.strip() for item in (value or "").split(",") if item.strip()]


def integer(value: Optional[str]) -> Optional[int]:
    """A whole number in ASCII digits, else None."""
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 19 else None
