"""Check any kickstart: what pykickstart's release handler rejects, and what it lets pass in silence."""

from __future__ import annotations

import copy
import importlib
import re
import sys
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Optional

from kfimage.errors import WARNING, Mark, Report, define
from kfimage.verify.kslint import (  # noqa: F401  (importing a theme registers its rules)
    accounts,
    boot,
    disks,
    firewall,
    network,
    packages,
    scripts,
    secrets,
    sections,
    spelling,
    storage,
    system,
    urls,
    whole,
)
from kfimage.verify.kslint.model import RULES as RULES
from kfimage.verify.kslint.model import Command, Parsed, Section
from kfimage.verify.kslint.scan import UNREADABLE, OptionTable, Scan, option_table, redacted, scan

__all__ = ["Command", "Parsed", "Section", "check_kickstart", "parse"]

WARNED = define(
    "KF2002",
    WARNING,
    "pykickstart warns about this line",
    why="Deprecated or doubled commands are taken today and refused by the next release, and `inst.ksstrict` makes "
    "each of these warnings fatal.",
    fix="do what the warning says",
    source="pykickstart 3.78, KickstartParseWarning and KickstartDeprecationWarning",
)

_LINE_WORDS = re.compile(r"^(?:The following problem occurred on line \d+ of the kickstart file:\s*)")


def check_kickstart(text: str, path: str, *, handler: str = "RHEL8") -> Report:
    """Everything that is wrong with a kickstart, in one report; never raises because of the text."""
    parsed, report = parse(text, path, handler)
    for rule in RULES:
        rule(parsed, report)
    return report


def parse(text: str, path: str, handler: str = "RHEL8") -> tuple[Parsed, Report]:
    """Read a kickstart; the report holds only what could not be read. Lines with faults are left out and reading
    goes on, so `handler` has understood every good line. No file is opened: %include is not followed."""
    pristine, options, shared = _pristine(handler)
    report = Report()
    found = scan(text, path, options, report)
    # A used handler would accumulate, a new one costs 14 ms; argument parsers keep nothing, so copies share them.
    understood = copy.deepcopy(pristine, dict(shared))
    _read(found, understood)
    parsed = Parsed(path, text, understood, tuple(found.commands), tuple(found.sections), tuple(found.includes))
    return parsed, report


@cache
def _pristine(name: str) -> tuple[Any, OptionTable, dict[int, Any]]:
    """A handler nothing was read with, its options, and the deepcopy memo that keeps its argument parsers shared."""
    # makeVersion() appends to sys.path on every call and imports each handler a second time: import it directly.
    _postpone_loader()
    try:
        module = importlib.import_module(f"pykickstart.handlers.{name.lower()}")
    except ModuleNotFoundError as error:
        raise ValueError(f"pykickstart has no handler {name!r}") from error
    handler = getattr(module, f"{name}Handler")()
    parsers = [getattr(command, "op", None) for command in handler.commands.values()]
    return handler, option_table(handler), {id(parser): parser for parser in parsers if parser is not None}


def _postpone_loader() -> None:
    """Have pykickstart's loader of files and URLs imported when it is called: it imports requests, which takes as long as
    the whole parser, and kfimage hands the parser lines and never a place to load from."""
    name = "pykickstart.load"

    def load_to_str(location: str) -> Any:
        if sys.modules.get(name) is late:
            del sys.modules[name]
        return importlib.import_module(name).load_to_str(location)

    late = types.ModuleType(name)
    late.load_to_str = load_to_str  # type: ignore[attr-defined]
    sys.modules.setdefault(name, late)


class _Lines:
    """The iterator pykickstart's state machine wants, which knows how far it was read."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = [*lines, ""]
        self.read = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.read >= len(self._lines):
            raise StopIteration
        self.read += 1
        return self._lines[self.read - 1]

    def put(self, line: str) -> None:
        self.read -= 1


def _read(found: Scan, handler: Any) -> None:
    """Let pykickstart read the repaired lines; its errors and warnings become problems at our line numbers."""
    module = importlib.import_module("pykickstart.parser")
    lines = _Lines(found.feed)
    by_line = {command.line: command for command in found.commands}

    def here(index: Optional[int] = None) -> int:
        position = (index or lines.read) - 1
        return found.numbers[min(position, len(found.numbers) - 1)] if found.numbers else 0

    def fault(error: Exception) -> None:
        number = here(getattr(error, "lineno", None))
        said = str(getattr(error, "message", "") or error) or type(error).__name__
        said = redacted(" ".join(_LINE_WORDS.sub("", said).split()), by_line.get(number), found.options)
        found.report.add(UNREADABLE, Mark(found.path, number), said)

    def guarded(function: Callable[..., Any], *args: Any) -> None:
        # An index error of pykickstart's own must not hide the rest of the file (`-` alone in %packages).
        try:
            function(*args)
        except Exception as error:
            fault(error)

    def warned(message: Any, *_: Any, **__: Any) -> None:
        number = here()
        if "unknown section" in str(message):
            word = " ".join(str(message).split()[-1:])
            found.report.add(UNREADABLE, Mark(found.path, number), f"unknown section {word}")
        elif not _is_noise(str(message), by_line.get(number), found.commands):
            said = redacted(" ".join(str(message).split()), by_line.get(number), found.options)
            found.report.add(WARNED, Mark(found.path, number), said)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = warned
        reader = module.KickstartParser(handler, followIncludes=False, unknownSectionIsFatal=False)
        # _tryFunc prints to stderr or gives up at the first error; this keeps going and keeps the place.
        reader._tryFunc = guarded
        packages_section = reader.getSection("%packages")
        take = packages_section.handleLine
        packages_section.handleLine = lambda line: guarded(take, line)
        guarded(reader._stateMachine, lines)


def _is_noise(message: str, command: Optional[Command], commands: Iterable[Command]) -> bool:
    """Whether pykickstart takes for a repeat what is the documented way to say two things."""
    if command is None:
        return False
    # `--device=bond0 --vlanid=120` puts a VLAN on bond0, and each further `sshkey` of a user adds a key.
    if command.name == "sshkey" and "ssh user" in message:
        return not any(other.line < command.line and other.args == command.args for other in commands)
    return command.has("--vlanid") and "network device" in message
