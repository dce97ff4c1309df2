"""A reader of shell scripts that knows what is code and what is a comment, a quotation or a here-document."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from kfimage.errors import Mark


class Token(NamedTuple):
    """A piece of a script; all pieces joined are the script.

    Kinds: space newline comment op pattern (the `)` of a case) plain single double param arith open close here;
    `end` is empty text and stands for what is never closed, at the place that opened it.
    """

    kind: str
    text: str
    offset: int


@dataclass
class _Frame:
    kind: str
    closer: str
    start: int
    parens: int = 0
    cases: list[int] = field(default_factory=list)
    cond: bool = False


_PLAIN = re.compile(r"[^\s'\"`$\\;&|()<>#{}\[\]]+|.", re.DOTALL)
_DOUBLE = re.compile(r"(?:[^\"`$\\]|\\.)+|.", re.DOTALL)
_BRACE = re.compile(r"(?:[^\"'`$\\{}]|\\.)+|.", re.DOTALL)
_BODY = re.compile(r"(?:[^`$\\]|\\.)+|.", re.DOTALL)
_SINGLE = {1: re.compile(r"[^']*"), 2: re.compile(r"(?:[^'\\]|\\.)*", re.DOTALL)}
_BLANKS = re.compile(r"(?:[^\S\n])+")
_PARAM = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!_-])")
_OP = re.compile(r"&&|\|\||;;&|;;|;&|<<<|<<-|<<|&>>|&>|>>|>&|<&|<>|>\||\|&|[;&|()<>]")
_HERE_WORD = re.compile(r"[ \t]*((?:'[^'\n]*'|\"[^\"\n]*\"|\\.|[^\s;&|<>()'\"\\])+)")
_PAREN = re.compile(r"[()]")
_RESERVED = frozenset(["if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "coproc"])
_DEPTH = 20


class _Lexer:
    """One pass with an explicit stack; every step takes at least one character, so it always ends."""

    def __init__(self, text: str, base: str = "code", depth: int = 0) -> None:
        self.text, self.at, self.depth = text, 0, depth
        self.tokens: list[Token] = []
        self.bodies: list[tuple[int, int]] = []
        self.stack = [_Frame(base, "", 0)]
        self.waiting: list[tuple[str, bool, bool, int]] = []
        self.word_start = self.command_start = True

    def run(self) -> tuple[Token, ...]:
        steps = {"code": self.code, "array": self.code, "double": self.double, "brace": self.brace, "body": self.body}
        while self.at < len(self.text):
            steps[self.stack[-1].kind]()
        self.tokens.extend(Token("end", "", where) for _, _, _, where in self.waiting)
        self.tokens.extend(Token("end", "", frame.start) for frame in self.stack[1:])
        return tuple(self.tokens)

    def take(self, kind: str, end: int) -> None:
        self.tokens.append(Token(kind, self.text[self.at : end], self.at))
        self.at = end

    def match(self, kind: str, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        self.take(kind, found.end() if found else self.at + 1)

    def push(self, kind: str, closer: str, token: str, length: int) -> None:
        self.stack.append(_Frame(kind, closer, self.at))
        self.take(token, self.at + length)
        self.word_start = self.command_start = True

    def pop(self, token: str) -> None:
        self.take(token, self.at + 1)
        self.stack.pop()
        self.word_start = self.command_start = False

    def dollar(self) -> None:
        """A `$` or backquote, in code or in text that expands."""
        text, at = self.text, self.at
        if text[at] == "`":
            if self.stack[-1].closer == "`":
                self.pop("close")
            else:
                self.push("code", "`", "open", 1)
        elif text.startswith("$((", at) and self.arith(at + 3):
            self.word_start = self.command_start = False
        elif text.startswith("$(", at):
            self.push("code", ")", "open", 2)
        elif text.startswith("${", at):
            self.push("brace", "}", "param", 2)
        else:
            found = _PARAM.match(text, at)
            self.take("param" if found else "plain", found.end() if found else at + 1)
            self.word_start = self.command_start = False

    def arith(self, start: int) -> bool:
        """Take `$((...))` or `((...))` whole; false when it is not one, as in `$((cmd) | other)`."""
        depth, end = 2, start
        for found in _PAREN.finditer(self.text, start, start + 2000):
            depth += 1 if found.group() == "(" else -1
            end = found.end()
            if depth == 0:
                break
        if depth or self.text[end - 2 : end] != "))":
            return False
        self.take("arith", end)
        return True

    def double(self) -> None:
        if self.text[self.at] == '"':
            self.pop("double")
        elif self.text[self.at] in "$`":
            self.dollar()
        else:
            self.match("double", _DOUBLE)

    def body(self) -> None:
        if self.text[self.at] in "$`":
            self.dollar()
        else:
            self.match("here", _BODY)

    def brace(self) -> None:
        char = self.text[self.at]
        if char == "}":
            self.pop("param")
        elif char in "$`":
            self.dollar()
        elif char == '"':
            self.push("double", '"', "double", 1)
        elif char == "'" and not any(frame.kind == "double" for frame in self.stack[-3:]):
            self.single(1)
        else:
            self.match("param", _BRACE)

    def single(self, skip: int) -> None:
        found = _SINGLE[skip].match(self.text, self.at + skip)
        end = found.end() if found else len(self.text)
        if end >= len(self.text):
            self.tokens.append(Token("end", "", self.at))
        self.take("single", min(end + 1, len(self.text)))
        self.word_start = self.command_start = False

    def code(self) -> None:
        text, at, frame = self.text, self.at, self.stack[-1]
        char = text[at]
        if char == "\n":
            self.take("newline", at + 1)
            self.word_start = self.command_start = True
            self.heredocs()
        elif char == "\\":
            joined = text[at + 1 : at + 2] == "\n"
            self.take("space" if joined else "plain", min(at + 2, len(text)))
            self.word_start, self.command_start = joined, self.command_start and joined
        elif char.isspace():
            self.match("space", _BLANKS)
            self.word_start = True
        elif char == "#" and self.word_start:
            end = text.find("\n", at)
            self.take("comment", len(text) if end < 0 else end)
        elif char == "'" or text.startswith("$'", at):
            self.single(1 if char == "'" else 2)
        elif char == '"' or text.startswith('$"', at):
            self.push("double", '"', "double", 1 if char == '"' else 2)
        elif char in "$`":
            self.dollar()
        elif char in ";&|()<>" and not frame.cond:
            self.operator(frame)
        else:
            self.plain(frame)

    def plain(self, frame: _Frame) -> None:
        first = self.word_start and self.command_start
        found = _PLAIN.match(self.text, self.at)
        end = found.end() if found else self.at + 1
        word, after = self.text[self.at : end], self.text[end : end + 1]
        alone = self.word_start and (not after or after in " \t\n;&|()")
        if first and self.text.startswith("[[", self.at):
            frame.cond = True
        elif frame.cond and self.text.startswith("]]", self.at):
            frame.cond = False
        elif first and alone and word == "case":
            frame.cases.append(frame.parens)
            frame.parens = 0
        elif first and alone and word == "esac" and frame.cases:
            frame.parens = frame.cases.pop()
        self.take("plain", end)
        self.word_start, self.command_start = False, first and alone and word in _RESERVED
        if word.endswith("=") and after == "(":
            self.push("array", ")", "open", 1)

    def operator(self, frame: _Frame) -> None:
        found = _OP.match(self.text, self.at)
        op = found.group() if found else self.text[self.at]
        if op == "(" and self.command_start and self.text.startswith("((", self.at) and self.arith(self.at + 2):
            self.word_start = self.command_start = False
        elif op in ("<", ">") and self.word_start and self.text[self.at + 1 : self.at + 2] == "(":
            self.push("code", ")", "open", 2)
        elif op == ")" and frame.parens == 0 and frame.closer == ")" and not frame.cases:
            self.pop("close")
        else:
            pattern = op == ")" and frame.parens == 0 and bool(frame.cases)
            frame.parens = max(0, frame.parens + {"(": 1, ")": -1}.get(op, 0))
            self.take("pattern" if pattern else "op", self.at + len(op))
            self.word_start, self.command_start = True, "<" not in op and ">" not in op
            word = _HERE_WORD.match(self.text, self.at) if op in ("<<", "<<-") else None
            if word:
                name = re.sub(r"\\(.)|['\"]", r"\1", word[1])
                self.waiting.append((name, name != word[1], op == "<<-", self.at))

    def heredocs(self) -> None:
        """The bodies of the here-documents announced on the line just ended."""
        waiting, self.waiting = self.waiting, []
        for name, quoted, tabs, where in waiting:
            start = self.at
            found = re.compile(rf"^{chr(92) + 't*' if tabs else ''}{re.escape(name)}$\n?", re.M).search(
                self.text, start
            )
            end = found.end() if found else len(self.text)
            if not found:
                self.tokens.append(Token("end", "", where))
            self.bodies.append((start, found.start() if found else end))
            if quoted or self.depth >= _DEPTH:
                self.take("here", end)
                continue
            inner = _Lexer(self.text[start:end], "body", self.depth + 1)
            self.tokens.extend(Token(kind, text, start + offset) for kind, text, offset in inner.run() if kind != "end")
            self.bodies.extend((start + first, start + last) for first, last in inner.bodies)
            self.at = end


def tokens(text: str) -> tuple[Token, ...]:
    """The script as tokens; never raises, and the texts joined are the script."""
    return _Lexer(text).run()


class Word(NamedTuple):
    """One word of a command: quotes removed, expansions as written."""

    text: str
    offset: int
    quoted: bool


class Command(NamedTuple):
    """A simple command: reserved words before it, its words, and how it is joined to the one before and after.

    `argv` starts with the program's base name: assignments and wrappers such as sudo and timeout are stepped over.
    """

    lead: tuple[str, ...]
    words: tuple[Word, ...]
    offset: int
    piped: bool
    ender: str
    redirects: tuple[tuple[str, str], ...]
    argv: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.argv[0] if self.argv else ""

    @property
    def line(self) -> str:
        return " ".join(self.argv)


_ASSIGNMENT = re.compile(r"\w+\+?=")
_DURATION = re.compile(r"\d+[smhd]?\Z")


def _argv(words: list[Word]) -> tuple[str, ...]:
    at, texts = 0, [word.text for word in words]
    while at < len(texts) and (_ASSIGNMENT.match(texts[at]) or texts[at].rpartition("/")[2] in _WRAPPERS):
        at += 1
        while at < len(texts) and texts[at].startswith("-"):
            at += 1
        if at < len(texts) and _DURATION.match(texts[at]):
            at += 1
    return (texts[at].rpartition("/")[2], *texts[at + 1 :]) if at < len(texts) else ()


_WRAPPERS = frozenset(
    [
        "sudo",
        "command",
        "builtin",
        "exec",
        "env",
        "nohup",
        "nice",
        "ionice",
        "timeout",
        "chroot",
        "stdbuf",
        "setsid",
        "time",
    ]
)


@dataclass(frozen=True)
class Script:
    """A script read once: tokens, commands in order (those of `$(...)` before the command they stand in), bodies."""

    text: str
    tokens: tuple[Token, ...]
    commands: tuple[Command, ...]
    bodies: tuple[tuple[int, str], ...]
    lines: tuple[int, ...] = field(repr=False)

    def mark(self, offset: int, path: str, first_line: int = 1) -> Mark:
        number = bisect_right(self.lines, offset)
        return Mark(path, first_line + number - 1, offset - self.lines[number - 1] + 1)


class _Open:
    """A command being collected, within one level of nesting."""

    def __init__(self, piped: bool = False, data: bool = False) -> None:
        self.words: list[Word] = []
        self.redirects: list[tuple[str, str]] = []
        self.piped, self.data = piped, data
        self.parts: list[str] = []
        self.start, self.quoted, self.redirect = -1, False, ""

    def part(self, text: str, token: Token) -> None:
        self.start = token.offset if self.start < 0 else self.start
        self.quoted = self.quoted or token.kind in ("single", "double")
        self.parts.append(text)

    def end_word(self) -> None:
        if self.start >= 0 and self.redirect:
            self.redirects.append((self.redirect, "".join(self.parts)))
            self.redirect = ""
        elif self.start >= 0:
            self.words.append(Word("".join(self.parts), self.start, self.quoted))
        self.parts, self.start, self.quoted = [], -1, False

    def finish(self, ender: str) -> Iterator[Command]:
        self.end_word()
        words, lead = self.words, []
        while words and words[0].text in _RESERVED and not words[0].quoted:
            lead.append(words.pop(0).text)
        if (words or lead) and not self.data:
            offset = words[0].offset if words else -1
            yield Command(tuple(lead), tuple(words), offset, self.piped, ender, tuple(self.redirects), _argv(words))


def _alternatives(script: tuple[Token, ...]) -> frozenset[int]:
    """The places of the bars in `a | b)` of a case, which are no pipes."""
    bars = set()
    for index, token in enumerate(script):
        if token.kind == "pattern":
            back = index - 1
            while back >= 0 and (script[back].kind in ("plain", "single", "double", "param", "space") or script[back].text == "|"):
                if script[back].text == "|":
                    bars.add(back)
                back -= 1
    return frozenset(bars)


def _commands(script: tuple[Token, ...]) -> Iterator[Command]:
    stack = [_Open()]
    bars = _alternatives(script)
    for index, token in enumerate(script):
        now = stack[-1]
        if index in bars:
            continue
        if token.kind in ("plain", "param", "arith", "single", "double"):
            now.part(_unquoted(token), token)
        elif token.kind == "open":
            now.part(token.text, token)
            stack.append(_Open(data=index > 0 and token.text == "("))
        elif token.kind == "close":
            yield from now.finish("")
            stack.pop() if len(stack) > 1 else None
            stack[-1].part(token.text, token)
        elif token.kind == "here":
            now.parts, now.start = [], -1
        elif token.kind in ("space", "comment"):
            now.end_word()
        elif token.kind in ("op", "newline", "pattern"):
            if "<" in token.text or ">" in token.text:
                if now.parts and not "".join(now.parts).isdigit():
                    now.end_word()
                now.parts, now.start, now.redirect = [], -1, token.text
                continue
            now.end_word()
            if token.kind == "newline" and not now.words:
                continue  # after `|` and `&&` the command goes on in the next line
            function = token.text == "(" and len(now.words) == 1
            if token.kind != "pattern" and not function and not (now.data and token.kind == "newline"):
                yield from now.finish(token.text)
            stack[-1] = _Open(token.text in ("|", "|&"), now.data)
    for now in reversed(stack):
        yield from now.finish("")


def _unquoted(token: Token) -> str:
    if token.kind == "single":
        return token.text[1 + token.text.startswith("$") : -1]
    if token.kind == "double" and token.text in ('"', '$"'):
        return ""
    return (
        re.sub(r"\\(.)", r"\1", token.text, flags=re.S)
        if token.kind == "plain" and token.text[0] == "\\"
        else token.text
    )


@lru_cache(maxsize=32)
def read_script(text: str) -> Script:
    """Tokens, commands and here-documents of a script; cached, because several checks read the same text."""
    lexer = _Lexer(text)
    pieces = lexer.run()
    starts = (0, *(found.end() for found in re.finditer("\n", text)))
    bodies = tuple((first, text[first:last]) for first, last in lexer.bodies)
    return Script(text, pieces, tuple(_commands(pieces)), bodies, starts)
