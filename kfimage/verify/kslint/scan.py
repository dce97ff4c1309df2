"""Reads a kickstart's lines the way pykickstart does, but with places, and goes on after a fault."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import Any, Optional

from kfimage.errors import ERROR, Mark, Report, define
from kfimage.verify.kslint.model import Command, Endings, Section, heredocs

SECTION_WORDS = frozenset(
    {"%pre", "%pre-install", "%post", "%onerror", "%traceback", "%packages", "%addon", "%anaconda", "%certificate"}
)

UNREADABLE = define(
    "KF2001",
    ERROR,
    "the kickstart cannot be parsed",
    why="Anaconda stops at the first line it cannot parse: the machine shows an error dialog and installs nothing.",
    fix="correct the line; `ksvalidator -v RHEL8` knows the same grammar",
    source="pykickstart 3.78, RHEL8 handler",
)
HEREDOC_WORD = define(
    "KF2013",
    ERROR,
    "a section word inside a here-document",
    why="The kickstart parser knows no here-documents: a line whose first word is %end, %include or a section name is "
    "obeyed even inside one, so the script ends there and the rest is read as commands.",
    fix="carry the text as base64, or give each of its lines a prefix that sed takes off again",
    source="pykickstart 3.78 parser.py, _readSection",
)
UNCLOSED = define(
    "KF2014",
    ERROR,
    "a section is not closed by %end",
    why="Since Fedora 8 every section must end with %end; Anaconda refuses the whole file.",
    fix="put %end on a line of its own where this section ends",
    source="pykickstart 3.78 parser.py, _readSection",
)
BODY_INCLUDE = define(
    "KF2015",
    ERROR,
    "%include inside a script",
    why="The parser opens the file at once, while it reads the kickstart, and puts its lines into the script. "
    "A file that the script itself would write does not exist yet, and a missing one ends the installation.",
    fix="source the file in shell (`. /path/file`), or move the %include to the command section",
    source="pykickstart 3.78 parser.py, _handleInclude",
)

OptionTable = dict[str, dict[str, bool]]  # command -> option -> takes a value

_SCRIPT_OPTIONS = {"--erroronfail": False, "--interpreter": True, "--log": True, "--logfile": True}
HEADERS: OptionTable = {
    "%pre": _SCRIPT_OPTIONS,
    "%pre-install": _SCRIPT_OPTIONS,
    "%post": {**_SCRIPT_OPTIONS, "--nochroot": False},
    "%onerror": _SCRIPT_OPTIONS,
    "%traceback": _SCRIPT_OPTIONS,
    "%addon": {"--reserve-mb": True},
    "%packages": {
        "--inst-langs": True, "--instLangs": True, "--retries": True, "--timeout": True,
        **dict.fromkeys(("--default", "--excludedocs", "--ignoremissing", "--nocore", "--multilib"), False),
        **dict.fromkeys(("--exclude-weakdeps", "--excludeWeakdeps", "--ignorebroken"), False),
    },
}
_SECRETIVE = frozenset(
    {"rootpw", "user", "sshpw", "rhsm", "realm", "iscsi", "vnc", "bootloader", "network", "autopart", "part", "logvol"}
)
_SECRET_OPTIONS = frozenset(
    {"--password", "--md5pass", "--reverse-password", "--activation-key", "--passphrase", "--wepkey", "--wpakey"}
)
_CLOSER = re.compile(
    r"\s*%(?:end|include|pre|pre-install|post|onerror|traceback|packages|addon|anaconda|certificate)\b"
)


@dataclass
class Scan:
    """What the scan leaves: our view, and `feed`, the text with each fault repaired so pykickstart can go on."""

    path: str
    report: Report
    options: OptionTable
    lines: list[str] = field(default_factory=list)
    line_numbers: list[int] = field(default_factory=list)
    endings: Endings = field(default_factory=lambda: Endings(()))
    commands: list[Command] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    includes: list[tuple[str, int]] = field(default_factory=list)
    feed: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    words: set[str] = field(default_factory=lambda: set(SECTION_WORDS))

    def put(self, text: str, number: int) -> None:
        self.feed.append(text)
        self.numbers.append(number)

    def fault(self, number: int, message: str) -> None:
        self.report.add(UNREADABLE, Mark(self.path, number), message)
        self.put("#\n", number)


def scan(text: str, path: str, options: OptionTable, report: Report) -> Scan:
    """Split a kickstart into commands and sections; lines count as an editor counts them, at line feeds only."""
    found = Scan(path, report, {**options, **HEADERS})
    found.lines = text[1:].splitlines(True) if text.startswith("\ufeff") else text.splitlines(True)
    found.endings = Endings(found.lines)
    number = 1
    for line in found.lines:
        found.line_numbers.append(number)
        number += line.endswith("\n")
    index = 0
    while index < len(found.lines):
        command = _command(found.lines[index], found.line_numbers[index], found)
        index += 1
        if command is None:
            continue
        if command.name.startswith("%") and command.name != "%ksappend":
            index = _section(command, index, found)
        else:
            found.commands.append(command)
    return found


def _command(line: str, number: int, found: Scan) -> Optional[Command]:
    """Read one line outside sections; None for a blank, a remark, an %include and whatever cannot be read."""
    bare = line.lstrip()
    if not bare or bare[0] == "#":
        found.put(line, number)
        return None
    tokens, fault = _split(line)
    if fault:
        found.fault(number, fault)
        return None
    found.put(line, number)
    if tokens[0] == "%include":
        found.includes.append((tokens[1], number))
        return None
    return read_options(tokens[0], tokens[1:], number, line.rstrip("\r\n"), found.options.get(tokens[0], {}))


def _split(line: str) -> tuple[list[str], str]:
    """The line's tokens, or what is wrong with it; here pykickstart would raise without naming the line."""
    try:
        tokens = shlex.split(line, comments=True)
    except ValueError as error:
        return [], "a quotation mark is opened and not closed" if "quotation" in str(error) else str(error)
    if not tokens or not tokens[0]:
        return [], "the line starts with an empty word where a command belongs"
    if tokens[0] == "%include" and (len(tokens) == 1 or not tokens[1]):
        return [], "%include names no file"
    if tokens[0] == "%end":
        return [], "%end where no section is open"
    return tokens, ""


def _section(header: Command, index: int, found: Scan) -> int:
    """Read a section's body from `index`; returns the index of the line after it."""
    found.words.add(header.name)
    first = found.line_numbers[index] if index < len(found.lines) else header.line + 1
    start = index
    heredoc = -1
    while index < len(found.lines):
        line, number = found.lines[index], found.line_numbers[index]
        word = line.split(None, 1)[0] if line.lstrip().startswith("%") else ""
        if index > heredoc and (word == "%end" or word in found.words):
            break
        if word in ("%end", "%include") or word in found.words:
            _obeyed_word(header, index <= heredoc, line, number, found)
        else:
            found.put(line, number)
            if index > heredoc and "<<" in line:
                heredoc = max([heredoc, *_heredoc_ends(line, index, found)])
        index += 1
    body = "".join(found.lines[start:index])
    found.sections.append(Section(header.name, header, header.line, first, body))
    return _end(header, index, found)


def _obeyed_word(header: Command, in_heredoc: bool, line: str, number: int, found: Scan) -> None:
    """A word in a body that the parser acts on: fine as an %include in %packages, a trap everywhere else."""
    word = line.split(None, 1)[0]
    if word == "%include" and header.name == "%packages":
        tokens, fault = _split(line)
        if fault:
            found.fault(number, fault)
        else:
            found.includes.append((tokens[1], number))
            found.put(line, number)
        return
    check = HEREDOC_WORD if in_heredoc else BODY_INCLUDE
    mark = Mark(found.path, number, line.find(word) + 1)
    found.report.add(check, mark, f"{word} in the body of {header.name}")
    found.put("#\n", number)


def _end(header: Command, index: int, found: Scan) -> int:
    """Close a section in the feed, with the %end that should be there if need be."""
    if index < len(found.lines) and found.lines[index].split()[0] == "%end":
        found.put("%end\n", found.line_numbers[index])
        _check_end(found.lines[index], found.line_numbers[index], found)
        return index + 1
    stopper = "the file ends"
    if index < len(found.lines):
        stopper = f"{found.lines[index].split()[0]} opens in line {found.line_numbers[index]}"
    found.report.add(UNCLOSED, Mark(found.path, header.line), f"{header.name} has no %end before {stopper}")
    if not found.feed[-1].endswith("\n"):
        found.feed[-1] += "\n"
    found.put("%end\n", found.line_numbers[index - 1])
    return index


def _heredoc_ends(line: str, index: int, found: Scan) -> list[int]:
    """Where the here-documents of a line end, unless a new section would start on the way: then `<<` misleads."""
    ends = []
    for delimiter, dashed in heredocs(line):
        end = found.endings.after(index, delimiter, dashed)
        if end is None:
            continue
        between = found.lines[index + 1 : end]
        closers = [text.split()[0] for text in between if text[0] in "% \t" and _CLOSER.match(text)]
        if not any(a == "%end" and b not in ("%end", "%include") for a, b in zip(closers, closers[1:])):
            ends.append(end)
    return ends


def _check_end(line: str, number: int, found: Scan) -> None:
    # pykickstart splits this line without comments=True, so an apostrophe in a remark is an open quote.
    try:
        shlex.split(line)
    except ValueError:
        said = "a quotation mark after %end is opened and not closed"
        found.report.add(UNREADABLE, Mark(found.path, number), said)


def read_options(name: str, tokens: list[str], line: int, raw: str, table: dict[str, bool]) -> Command:
    """Sort tokens into options and words with the command's own option table, as argparse would."""
    options: list[tuple[str, str]] = []
    words: list[str] = []
    abbreviated: list[tuple[str, str]] = []
    rest = iter(tokens)
    for token in rest:
        if not token.startswith("--") or token == "--":
            words.append(token)
            continue
        typed, equals, value = token.partition("=")
        option = typed
        if table and typed not in table:
            matches = [known for known in table if known.startswith(typed)]
            if len(matches) == 1:
                option = matches[0]
                abbreviated.append((typed, option))
        if not equals and table.get(option, False):
            value = next(rest, "")
        options.append((option, value))
    return Command(name, tuple(tokens), line, raw, tuple(options), tuple(words), tuple(abbreviated))


def option_table(handler: Any) -> OptionTable:
    """Each command's options and whether they take a value, read off pykickstart's own argument parsers."""
    table: OptionTable = {}
    for name, command in handler.commands.items():
        parser = getattr(command, "op", None)
        actions = parser._actions if parser is not None else ()
        table[name] = {option: action.nargs != 0 for action in actions for option in action.option_strings}
    return table


def redacted(message: str, command: Optional[Command], table: OptionTable) -> str:
    """pykickstart quotes the words it rejects; where they may be a secret they are masked."""
    if command is None or command.name not in _SECRETIVE:
        return message
    known = table.get(command.name, {})
    values = [value for option, value in command.options if option in _SECRET_OPTIONS or option not in known]
    values += [word.partition("=")[2] or word for word in command.words]
    for value in sorted((v for v in values if len(v) > 2), key=len, reverse=True):
        message = message.replace(value, "***")
    return message
