"""YAML text to a tree in which every scalar is text and every value knows its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Optional, Union

from kfimage.errors import ERROR, Mark, Report, define

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 50
MAX_NODES = 5_000_000

SYNTAX = define(
    "KF1000", ERROR, "not a YAML text kfimage can read",
    why="A file that cannot be read to its end says nothing reliable about the nodes it describes.",
    fix="mend the line named; `yamllint` or an editor with the schema shows the same place",
)
DUPLICATE = define(
    "KF1002", ERROR, "the same key twice in one mapping",
    why="YAML readers keep the last one silently, so one of the two values is never used.",
    fix="keep one of the two",
)
TOO_LARGE = define(
    "KF1003", ERROR, "the file is larger, deeper or more repetitive than any site",
    why="Ten thousand nodes need about two megabytes; a file beyond the limit is a mistake or an attack on the reader.",
    fix="check that this is the site file; split the nodes into a CSV if the site is real",
)
TAGGED = define(
    "KF1004", ERROR, "a YAML tag",
    why="Tags ask a YAML reader for a type or an object; here the grammar alone gives types.",
    fix="write the plain value without the tag",
)


class Scalar(NamedTuple):
    """A leaf: its text as written, and whether it was quoted (a plain empty scalar is 'no value')."""

    text: str
    mark: Mark
    quoted: bool = False

    @property
    def empty(self) -> bool:
        return not self.quoted and self.text in ("", "~", "null")


class Sequence(NamedTuple):
    elements: tuple[Node, ...]
    mark: Mark


class Mapping:
    """Keys to nodes; `keys` holds where each key was written."""

    __slots__ = ("entries", "keys", "mark")

    def __init__(self, mark: Mark) -> None:
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, Mark] = {}
        self.mark = mark

    def get(self, key: str) -> Optional[Node]:
        return self.entries.get(key)

    def key_mark(self, key: str) -> Mark:
        return self.keys.get(key, self.mark)

    def put(self, key: str, node: Node, mark: Mark) -> None:
        self.entries[key] = node
        self.keys[key] = mark

    def __iter__(self) -> Iterator[tuple[str, Node]]:
        return iter(self.entries.items())


Node = Union[Scalar, Sequence, Mapping]


RIVALS = (
    frozenset(("url", "cdrom", "nfs", "harddrive", "kernel_line")),
    frozenset(("url", "file")),
    frozenset(("file", "env")),
    frozenset(("content", "source")),
)
"""Keys of which one mapping holds one: a layer that names one takes the others of the layers below away."""


def merge(base: Mapping, over: Optional[Mapping]) -> Mapping:
    """Lay `over` on `base`: mappings merge, everything else replaces. What neither changes keeps its identity."""
    if over is None or not over.entries:
        return base
    if not base.entries:
        return over
    merged = Mapping(over.mark)
    merged.entries.update(base.entries)
    merged.keys.update(base.keys)
    for key, node in over.entries.items():
        for rivals in RIVALS:
            if key in rivals:
                for rival in rivals - over.entries.keys():
                    merged.entries.pop(rival, None)
        merged.put(key, lay(base.entries.get(key), node), over.keys[key])
    return merged


def lay(below: Optional[Node], over: Node) -> Node:
    """One value over another: mappings merge, a section left empty says nothing, everything else replaces."""
    if isinstance(below, Mapping):
        if isinstance(over, Mapping):
            return merge(below, over)
        if isinstance(over, Scalar) and over.empty:
            return below
    return over


def at(node: Optional[Node], path: str) -> Optional[Node]:
    """The node under a dotted path, or None."""
    for part in path.split("."):
        if not isinstance(node, Mapping):
            return None
        node = node.entries.get(part)
    return node


def canonical(node: Node) -> str:
    """A text that two nodes share exactly when they mean the same, whatever their key order or place."""
    if isinstance(node, Scalar):
        return repr(node.text)
    if isinstance(node, Sequence):
        return "[" + ",".join([canonical(e) for e in node.elements]) + "]"
    return "{" + ",".join([f"{k!r}:{canonical(node.entries[k])}" for k in sorted(node.entries)]) + "}"


def decode(data: bytes, file: str, report: Report) -> Optional[str]:
    """UTF-8 text of a file; a broken byte is reported at its place and gives None."""
    if len(data) > MAX_BYTES:
        report.add(TOO_LARGE, Mark(file), f"{len(data) // 1048576} MB, the limit is {MAX_BYTES // 1048576} MB")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        bad = data[error.start]
        report.add(SYNTAX, Mark(file, line, column), f"byte 0x{bad:02x} is not UTF-8", "save the file as UTF-8")
        return None


def parse(text: str, file: str, report: Report) -> Optional[Mapping]:
    """The located tree of one YAML document whose top is a mapping; faults go to the report and give None.

    Built from libyaml's event stream with a stack of our own: the composers recurse, and 200,000 open brackets end the process.
    """
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        top = _Builder(file, report).build(yaml.parse(text, Loader=loader))
    except _Stop:
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file)
        report.add(SYNTAX, where, _said(error, text, mark))
        return None
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        where = Mark(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        code = error.character if isinstance(error.character, int) else ord(error.character)
        report.add(SYNTAX, where, f"character U+{code:04X} is not allowed", "remove it; control characters are never needed")
        return None
    if top is None or (isinstance(top, Scalar) and top.empty):
        return Mapping(Mark(file, 1, 1))
    if not isinstance(top, Mapping):
        report.add(SYNTAX, top.mark, "the file is not a mapping of keys to values", "start with a line like `kfimage: 1`")
        return None
    return top


def _said(error: Any, text: str, mark: Any) -> str:
    """libyaml's words; a character it could not place is named, for a tab cannot be seen."""
    what = error.problem or error.context or "not YAML"
    if mark and "cannot start any token" in what:
        line = text.split("\n", mark.line + 1)[mark.line]
        found = line[mark.column : mark.column + 1]
        return "a tab; YAML is indented with spaces" if found == "\t" else f"'{found}' cannot start a value; put quotes around it"
    return f"{what}{f' ({error.context})' if error.problem and error.context else ''}"


class _Stop(Exception):
    pass


class _Frame:
    __slots__ = ("anchor", "elements", "key", "key_mark", "mapping", "mark", "merges", "weight")

    def __init__(self, mark: Mark, anchor: Optional[str], mapping: Optional[Mapping]) -> None:
        self.mark = mark
        self.anchor = anchor
        self.mapping = mapping
        self.elements: list[Node] = []
        self.key: Optional[str] = None
        self.key_mark = mark
        self.merges: list[tuple[Node, Mark]] = []
        self.weight = 1


class _Builder:
    def __init__(self, file: str, report: Report) -> None:
        self.file = file
        self.report = report
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.top: Optional[Node] = None
        self.total = 0
        self.documents = 0

    def build(self, events: object) -> Optional[Node]:
        import yaml

        handlers = {
            yaml.ScalarEvent: self.scalar,
            yaml.MappingStartEvent: self.open_mapping,
            yaml.SequenceStartEvent: self.open_sequence,
            yaml.MappingEndEvent: self.close,
            yaml.SequenceEndEvent: self.close,
            yaml.AliasEvent: self.alias,
            yaml.DocumentStartEvent: self.document,
        }
        for event in events:  # type: ignore[attr-defined]
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event)
        return self.top

    def mark(self, event: object) -> Mark:
        start = event.start_mark  # type: ignore[attr-defined]
        return Mark(self.file, start.line + 1, start.column + 1)

    def document(self, event: object) -> None:
        self.documents += 1
        if self.documents > 1:
            self.report.add(SYNTAX, self.mark(event), "a second YAML document begins here", "one file holds one document")
            raise _Stop

    def tag(self, event: object) -> None:
        tag = event.tag  # type: ignore[attr-defined]
        if tag is not None and tag != "!":
            self.report.add(TAGGED, self.mark(event), f"tag '{tag}'")

    def grow(self, weight: int, mark: Mark) -> None:
        self.total += weight
        if self.total > MAX_NODES:
            self.report.add(TOO_LARGE, mark, f"more than {MAX_NODES} values once the aliases are followed")
            raise _Stop

    def scalar(self, event: object) -> None:
        if event.tag is not None:  # type: ignore[attr-defined]
            self.tag(event)
        start = event.start_mark  # type: ignore[attr-defined]
        mark = Mark(self.file, start.line + 1, start.column + 1)
        self.place(Scalar(event.value, mark, not event.implicit[0]), 1, event.anchor)  # type: ignore[attr-defined]

    def open_mapping(self, event: object) -> None:
        self.open(event, Mapping(self.mark(event)))

    def open_sequence(self, event: object) -> None:
        self.open(event, None)

    def open(self, event: object, mapping: Optional[Mapping]) -> None:
        self.tag(event)
        mark = self.mark(event)
        top = self.stack[-1] if self.stack else None
        if top is not None and top.mapping is not None and top.key is None:
            self.report.add(SYNTAX, mark, "a key must be a word, not a list or a mapping")
            raise _Stop
        if len(self.stack) >= MAX_DEPTH:
            self.report.add(TOO_LARGE, mark, f"nested more than {MAX_DEPTH} levels deep")
            raise _Stop
        self.stack.append(_Frame(mark, event.anchor, mapping))  # type: ignore[attr-defined]

    def close(self, event: object) -> None:
        frame = self.stack.pop()
        if frame.mapping is None:
            self.place(Sequence(tuple(frame.elements), frame.mark), frame.weight, frame.anchor)
            return
        for node, mark in reversed(frame.merges):
            self.inherit(frame.mapping, node, mark)
        self.place(frame.mapping, frame.weight, frame.anchor)

    def alias(self, event: object) -> None:
        anchor = event.anchor  # type: ignore[attr-defined]
        found = self.anchors.get(anchor)
        if found is None:
            self.report.add(SYNTAX, self.mark(event), f"alias '*{anchor}' has no finished anchor '&{anchor}' before it")
            raise _Stop
        self.grow(found[1], self.mark(event))
        self.place(found[0], found[1], None)

    def place(self, node: Node, weight: int, anchor: Optional[str]) -> None:
        if anchor is not None:
            self.anchors[anchor] = (node, weight)
        self.grow(1, node.mark)
        if not self.stack:
            self.top = node
            return
        frame = self.stack[-1]
        frame.weight += weight
        if frame.mapping is None:
            frame.elements.append(node)
        elif frame.key is None:
            self.take_key(frame, node)
        else:
            self.take_value(frame, frame.mapping, frame.key, node)

    def take_key(self, frame: _Frame, node: Node) -> None:
        if not isinstance(node, Scalar):
            self.report.add(SYNTAX, node.mark, "a key must be a word, not a list or a mapping")
            raise _Stop
        frame.key, frame.key_mark = node.text, node.mark

    def take_value(self, frame: _Frame, mapping: Mapping, key: str, node: Node) -> None:
        frame.key = None
        if key == "<<":
            frame.merges.append((node, frame.key_mark))
        elif key in mapping.entries:
            first = mapping.keys[key]
            self.report.add(DUPLICATE, frame.key_mark, f"key '{key}' is already given on line {first.line}")
        else:
            mapping.put(key, node, frame.key_mark)

    def inherit(self, mapping: Mapping, node: Node, mark: Mark) -> None:
        sources = node.elements if isinstance(node, Sequence) else (node,)
        for source in sources:
            if not isinstance(source, Mapping):
                self.report.add(SYNTAX, mark, "'<<' takes a mapping or a list of mappings")
                continue
            for key, value in source:
                if key not in mapping.entries:
                    mapping.put(key, value, source.keys[key])
