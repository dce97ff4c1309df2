"""A stream of Kubernetes objects (kustomize, helm, by hand) as values that know where they were written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Optional, Union

from kfimage import located
from kfimage.errors import ERROR, Mark, Report, define
from kfimage.finalize.apis import BUILTIN, Resource, group_of
from kfimage.located import Mapping, Node, Scalar

NO_OBJECT = define(
    "KF9601", ERROR, "a document that is no Kubernetes object",
    why="The API server refuses it, and an object half written may be one that others wait for.",
    fix="give it apiVersion, kind and metadata.name, or remove it",
)
TWICE = define(
    "KF9602", ERROR, "the same object twice in one stream",
    why="The second overwrites the first, so what the cluster gets depends on the order.",
    fix="keep one of the two",
)
OTHER_STREAM = define(
    "KF9603", ERROR, "a stream that is not the one meant",
    why="What was read and tested before is something else than what would be applied.", fix="fetch the stream again, or give the checksum of this one",
)

Path = tuple[Union[str, int], ...]


def mapping(node: Any, *path: str) -> dict[str, Any]:
    """The mapping at a path; an empty one when something else, or nothing, is there: a stream need not be well-formed to be looked at."""
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def words(node: Any, *path: str) -> dict[str, str]:
    """The texts of the mapping at a path."""
    return {key: value for key, value in mapping(node, *path).items() if isinstance(value, str)}


def entries(node: Any, *path: str) -> list[tuple[int, dict[str, Any]]]:
    """The mappings in the list at a path, each with its index."""
    found = mapping(node, *path[:-1]).get(path[-1])
    return [(index, entry) for index, entry in enumerate(found) if isinstance(entry, dict)] if isinstance(found, list) else []


class Key(NamedTuple):
    """What tells one object of a cluster from all others."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Object:
    """One object: its content as JSON values, and the text it came from. Equal content compares equal wherever it was written."""

    body: dict[str, Any]
    file: str = field(default="", compare=False)
    offset: int = field(default=0, compare=False)
    tree: Optional[Mapping] = field(default=None, compare=False, repr=False)

    @property
    def api(self) -> str:
        return str(self.body["apiVersion"])

    @property
    def group(self) -> str:
        return group_of(self.api)

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.body["metadata"].get("namespace") or "")

    @property
    def labels(self) -> dict[str, str]:
        return words(self.body, "metadata", "labels")

    @property
    def annotations(self) -> dict[str, str]:
        return words(self.body, "metadata", "annotations")

    @cached_property
    def key(self) -> Key:
        return Key(self.group, self.kind, self.namespace, self.name)

    @property
    def id(self) -> str:
        return str(self.key)

    def but(self, body: dict[str, Any]) -> Object:
        """The same place in the text with another content."""
        return Object(body, self.file, self.offset, self.tree)

    def mark(self, *path: Union[str, int]) -> Mark:
        """Where the value at a path was written, or the nearest thing above it that was."""
        node: Optional[Node] = self.tree
        mark = node.mark if node is not None else Mark(self.file)
        for part in path:
            if isinstance(node, Mapping) and isinstance(part, str) and part in node.entries:
                mark, node = node.keys[part], node.entries[part]
            elif isinstance(node, located.Sequence) and isinstance(part, int) and part < len(node.elements):
                node = node.elements[part]
                mark = node.mark
            else:
                break
        return Mark(mark.file, mark.line + self.offset, mark.column) if mark.line else mark


class Stream:
    """Objects in the order written, with the kinds that the CRDs among them define."""

    def __init__(self, objects: tuple[Object, ...]) -> None:
        self.objects = objects
        self.by_key = {o.key: o for o in objects}
        self.kinds = dict(_defined(objects))

    def __iter__(self) -> Iterator[Object]:
        return iter(self.objects)

    def __len__(self) -> int:
        return len(self.objects)

    def of(self, *kinds: str) -> tuple[Object, ...]:
        return tuple(o for o in self.objects if o.kind in kinds)

    def resource(self, o: Object) -> Optional[Resource]:
        """How an object's kind appears in a URL; None when neither Kubernetes nor a CRD of the stream defines it."""
        return self.kinds.get((o.group, o.kind)) or BUILTIN.get((o.group, o.kind))


def _defined(objects: tuple[Object, ...]) -> Iterator[tuple[tuple[str, str], Resource]]:
    for o in objects:
        if o.kind == "CustomResourceDefinition":
            spec = mapping(o.body, "spec")
            names = mapping(spec, "names")
            if names.get("plural") and names.get("kind"):
                yield (str(spec.get("group")), str(names["kind"])), Resource(str(names["plural"]), spec.get("scope") == "Namespaced")


_DOCUMENT = re.compile(r"^---(?=[ \t\r\n]|\Z)[^\n]*\n?", re.M)
_CONTENT = re.compile(r"^[ \t]*[^#\s]", re.M)


def read(data: bytes, file: str, report: Report) -> Stream:
    """The objects of a stream, lists taken apart; what is no object goes to the report and is left out. Never raises."""
    text = located.decode(data, file, report)
    objects: dict[Key, Object] = {}
    for line, document in _documents(text or ""):
        for o in _objects(document, line, file, report):
            first = objects.get(o.key)
            if first is None:
                objects[o.key] = o
            else:
                report.add(TWICE, o.mark("metadata", "name"), f"{o.id} is already on line {first.mark('metadata', 'name').line}")
    return Stream(tuple(objects.values()))


def _documents(text: str) -> Iterator[tuple[int, str]]:
    """Each document with the number of lines before it. `---` in the first column ends one, in block scalars too: those are indented."""
    start = line = 0
    for match in _DOCUMENT.finditer(text):
        yield line, text[start : match.start()]
        line += text.count("\n", start, match.end())
        start = match.end()
    yield line, text[start:]


def _objects(document: str, line: int, file: str, report: Report) -> Iterator[Object]:
    if not _CONTENT.search(document):
        return
    found = Report()
    tree = located.parse(document, file, found)
    for p in found:
        report.add(p.check, Mark(p.mark.file, p.mark.line + line, p.mark.column) if p.mark.line else p.mark, p.message, p.hint)
    if tree is None or not tree.entries:
        return
    o = Object(_typed(tree), file, line, tree)
    if o.body.get("kind") == "List" or (isinstance(o.body.get("items"), list) and str(o.body.get("kind", "")).endswith("List")):
        yield from _items(o, tree, report)
    elif _is_object(o.body):
        yield o
    else:
        report.add(NO_OBJECT, o.mark(), _lacks(o.body))


def _items(top: Object, tree: Mapping, report: Report) -> Iterator[Object]:
    items = tree.get("items")
    for node in items.elements if isinstance(items, located.Sequence) else ():
        if isinstance(node, Mapping):
            o = Object(_typed(node), top.file, top.offset, node)
            if _is_object(o.body):
                yield o
                continue
        report.add(NO_OBJECT, Mark(top.file, node.mark.line + top.offset, node.mark.column), "an entry of this list has no apiVersion, kind or metadata.name")


def _is_object(body: dict[str, Any]) -> bool:
    meta = body.get("metadata")
    parts = [body.get("apiVersion"), body.get("kind"), meta.get("name") if isinstance(meta, dict) else None]
    return all(isinstance(p, str) and p for p in parts)


def _lacks(body: dict[str, Any]) -> str:
    gone = [key for key in ("apiVersion", "kind") if not isinstance(body.get(key), str)]
    meta = body.get("metadata")
    if isinstance(meta, dict) and meta.get("generateName") and not meta.get("name"):
        return "generateName makes another object at each apply; an object applied again needs a name"
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        gone.append("metadata.name")
    return f"no {', '.join(gone)}"


_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]+)?\Z")
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def plain(text: str) -> Any:
    """The JSON value of an unquoted scalar, as Kubernetes' own reader types it: YAML 1.1 without dates and base 60."""
    lower = text.lower()
    if lower in _WORDS and text in (lower, lower.title(), lower.upper()):
        return _WORDS[lower]
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if _INTEGER.match(text):
        digits = text.replace("_", "")
        base = re.sub(r"^([-+]?)0(?=[0-7])", r"\g<1>0o", digits)
        return int(base, 0)
    if _FLOAT.match(text):
        return float(text.replace("_", ""))
    return text


def _typed(node: Node) -> Any:
    """JSON values of a tree; it is at most located.MAX_DEPTH deep, so recursion is bounded."""
    if isinstance(node, Scalar):
        return node.text if node.quoted else plain(node.text)
    if isinstance(node, Mapping):
        return {key: _typed(value) for key, value in node.entries.items()}
    return [_typed(element) for element in node.elements]
