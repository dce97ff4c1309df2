"""Characters and spelling: what the parser silently drops, splits at, or was never meant to see."""

from __future__ import annotations

import re

from kfimage.errors import ERROR, WARNING, Report, define
from kfimage.verify.kslint.model import Command, Parsed, rule

UNRENDERED = define(
    "KF2003",
    ERROR,
    "a template was not rendered",
    why="pykickstart takes `{{ name }}`, `<%= name %>` or `--hostname=None` as plain text; the node gets it literally.",
    fix="render the template with a value for this field, or leave the option out",
    source="pykickstart 3.78: `--hostname=None` and `{{ x }}` in scripts parse without a word",
)
CRLF = define(
    "KF2004",
    ERROR,
    "the file has DOS line ends",
    why="Commands survive a carriage return, scripts do not: bash reads it as part of the last word of each line.",
    fix="convert it with `dos2unix` or `sed -i 's/\\r$//'`",
    source="pykickstart 3.78 keeps the carriage return in script bodies",
)
CONTROL = define(
    "KF2005",
    ERROR,
    "a control character",
    why="A NUL ends a string inside the installer, and other control characters are invisible to whoever reads the "
    "file; a tab inside a value becomes part of it.",
    fix="delete the character, or write a space",
    source="pykickstart 3.78 accepts them",
)
HIDDEN_BREAK = define(
    "KF2006",
    ERROR,
    "a character that the parser takes for a line end",
    why="pykickstart splits lines with str.splitlines, which also splits at form feeds, NEL and U+2028: what an "
    "editor shows as one line is read as two commands.",
    fix="delete the character",
    source="pykickstart 3.78 parser.py, readKickstartFromString",
)
BOM = define(
    "KF2007",
    ERROR,
    "the file starts with a byte order mark",
    why="The parser sees it as part of the first word: 'Unknown command'.",
    fix="save the file as UTF-8 without BOM",
    source="pykickstart 3.78",
)
NON_ASCII = define(
    "KF2008",
    WARNING,
    "a command has letters beyond ASCII",
    why="Scripts and tools of the installer run with LC_ALL=C; names with such letters come out mangled or end a tool.",
    fix="write it in ASCII",
    source="anaconda 33.16.7.12 core/util.py, startProgram",
)
TYPOGRAPHIC = define(
    "KF2009",
    ERROR,
    "typographic quotes, dashes or blanks",
    why="Text copied from a document carries curly quotes, long dashes and unbreakable blanks. They look like syntax "
    "and are read as letters.",
    fix="type the plain ASCII character",
    source="shlex, which pykickstart splits lines with, knows only ASCII quotes and blanks",
)
HASH = define(
    "KF2010",
    ERROR,
    "`#` cuts a value short",
    why="An unquoted # starts a comment even in the middle of a word: `rootpw --plaintext pa#ss` sets the password pa.",
    fix="put the value in quotes",
    source="pykickstart 3.78 parser.py: shlex.split(comments=True)",
)
QUOTES = define(
    "KF2011",
    WARNING,
    "quotes inside a word vanish",
    why="`a'b c'd` is stored as `ab cd`: quotes group words, they are not kept.",
    fix="quote the whole value, and put a quote that must stay inside the other kind of quotes",
    source="pykickstart 3.78 parser.py: shlex.split",
)
ABBREVIATED = define(
    "KF2012",
    WARNING,
    "an abbreviated option",
    why="The argument parser completes unique prefixes, so it works until a release adds a second option with that "
    "beginning.",
    fix="write the option in full",
    source="pykickstart 3.78: argparse prefix matching",
)
EMPTY = define(
    "KF2016",
    ERROR,
    "an option without its value",
    why="`--hostname=` parses and sets nothing: mostly a template whose value was missing.",
    fix="give the value, or leave the option out",
    source="pykickstart 3.78 accepts empty values",
)

_TEMPLATE = re.compile(
    r"\{\{.*?\}\}|\{%.*?%\}|<%.*?%>|@@\w+@@|\$SNIPPET\(|\$\{[A-Za-z_]\w*\}|\$(?!releasever|basearch|arch)[A-Za-z_]\w*|__[A-Z][A-Z0-9_]+__"
)
# Go templates (`podman --format '{{.Id}}'`) are legitimate in scripts: they start with a dot or one of these words.
_SCRIPT_TEMPLATE = re.compile(
    r"\{\{-?[ ]*(?!(?:end|else|json|range|if|with|len|index|println?|printf|join|or|and|not|eq|ne|block|define|template"
    r"|break|continue|upper|lower|split|title|pad|truncate|table)\b)[A-Za-z_]\w*(?:\.\w+)*[ ]*(?:\|[^}]*)?-?\}\}"
    r"|\{%-?[ ]*(?:if|for|set|include|elif|else|end\w+|macro|block|raw|import|from)\b[^%]*%\}|<%[=-]?[ ]*\w[^%]*%>"
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
_BREAK = re.compile("[\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]|\r(?!\n)")
_TYPOGRAPHIC = re.compile("[\u00a0\u00ad\u2000-\u200f\u2010-\u2015\u2018-\u201f\u202a-\u202f\u2060\u2212\u3000]")
_NOTHING = frozenset({"None", "null", "undefined", "nil", "NaN"})


def _names(char: str) -> str:
    return f"U+{ord(char):04X}"


@rule
def characters(parsed: Parsed, report: Report) -> None:
    text = parsed.text
    if text.startswith("\ufeff"):
        report.add(BOM, parsed.mark(1, 1), "the file starts with U+FEFF")
    if "\r\n" in text:
        line = text.count("\n", 0, text.index("\r\n")) + 1
        report.add(CRLF, parsed.mark(line), f"{text.count(chr(13) + chr(10))} lines end in CR LF, this is the first")
    if text.isprintable() or (text.isascii() and not _CONTROL.search(text) and not _BREAK.search(text)):
        return
    for check, pattern in ((CONTROL, _CONTROL), (HIDDEN_BREAK, _BREAK)):
        for match in pattern.finditer(text):
            start = match.start()
            mark = parsed.mark(text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))
            report.add(check, mark, f"{_names(match.group())} in the text")
            if len(report) > 200:  # a binary file: enough is said
                return


def _headers(parsed: Parsed) -> list[Command]:
    return [*parsed.commands, *(section.header for section in parsed.sections)]


@rule
def foreign_letters(parsed: Parsed, report: Report) -> None:
    if parsed.text.isascii():
        return
    lines = [(command.line, command.raw) for command in _headers(parsed)] + parsed.packages
    for line, raw in lines:
        if raw.isascii():
            continue
        code = _before_comment(raw)
        sly = _TYPOGRAPHIC.search(code)
        if sly:
            report.add(TYPOGRAPHIC, parsed.mark(line, sly.start() + 1), f"{_names(sly.group())} looks like plain ASCII")
        other = next((char for char in code if ord(char) > 126 and not _TYPOGRAPHIC.match(char)), "")
        if other:
            report.add(NON_ASCII, parsed.mark(line, code.index(other) + 1), f"{_names(other)} in a command")


def _before_comment(raw: str) -> str:
    cut = re.search(r"(?:^|\s)#", raw)
    return raw[: cut.start()] if cut and "'" not in raw and '"' not in raw else raw


@rule
def unrendered(parsed: Parsed, report: Report) -> None:
    for command in _headers(parsed):
        if not any(sign in command.raw for sign in "{<$@_N"):
            continue
        found = _TEMPLATE.search(_before_comment(command.raw))
        if found and not (command.name in ("rootpw", "user", "sshpw") and found.group().startswith("$")):
            mark = parsed.mark(command.line, found.start() + 1)
            report.add(UNRENDERED, mark, f"'{found.group()}' is still in the text")
    for line, entry in parsed.packages:
        found = _TEMPLATE.search(entry)
        if found:
            report.add(UNRENDERED, parsed.mark(line), f"'{found.group()}' is still in the text")
    for section in parsed.sections:
        if "{{" not in section.body and "{%" not in section.body and "<%" not in section.body:
            continue
        for line, text in section.lines:
            found = _SCRIPT_TEMPLATE.search(text)
            if found:
                mark = parsed.mark(line, found.start() + 1)
                report.add(UNRENDERED, mark, f"'{found.group()}' is still in the script")


@rule
def values(parsed: Parsed, report: Report) -> None:
    for command in _headers(parsed):
        for option, value in command.options:
            if value in _NOTHING:
                report.add(UNRENDERED, parsed.at(command, f"{option}={value}"), f"{option} is '{value}'")
            elif not value and f"{option}=" in command.raw:
                report.add(EMPTY, parsed.at(command, f"{option}="), f"{option} has no value")
        for word in command.words:
            # `part None --fstype=biosboot` is Anaconda's own spelling of "no mount point": two of them are one too many as names.
            if word in _NOTHING and not (word == "None" and command.get("--fstype") in ("biosboot", "prepboot")):
                report.add(UNRENDERED, parsed.at(command, word), f"'{word}' is no value for {command.name}")
            elif not word:
                report.add(EMPTY, parsed.at(command), f"{command.name} has an empty word")
        for token in command.args:
            if "\t" in token:
                report.add(CONTROL, parsed.at(command, "\t"), "a tab inside a value")
        for typed, option in command.abbreviated:
            report.add(ABBREVIATED, parsed.at(command, typed), f"'{typed}' is short for '{option}'")


@rule
def quoting(parsed: Parsed, report: Report) -> None:
    for command in _headers(parsed):
        raw = command.raw
        if "#" not in raw and "'" not in raw and '"' not in raw:
            continue
        hash_at, quote_at = _walk(raw)
        if hash_at:
            report.add(HASH, parsed.mark(command.line, hash_at), "everything from this # on is dropped")
        if quote_at:
            report.add(QUOTES, parsed.mark(command.line, quote_at), "a quotation mark inside a word is removed")


def _walk(raw: str) -> tuple[int, int]:
    """Columns of the first # glued to a word and of the first quote inside one, 0 for none."""
    open_quote, quote_at, previous, escaped = "", 0, " ", False
    for column, char in enumerate(raw, 1):
        if escaped:
            escaped = False
        elif char == "\\" and open_quote != "'":
            escaped = True
        elif open_quote:
            if char == open_quote:
                open_quote = ""
                after = raw[column : column + 1]
                if after and not after.isspace() and not quote_at:
                    quote_at = column
        elif char in "'\"":
            open_quote = char
            if not previous.isspace() and previous != "=" and not quote_at:
                quote_at = column
        elif char == "#":
            return (0 if previous.isspace() else column), quote_at
        previous = char
    return 0, quote_at
