"""Where each value of a node or role comes from: the layer that won, its place, and what it overrides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from kfimage.errors import Mark
from kfimage.located import RIVALS, Mapping, Node, Scalar, Sequence, merge
from kfimage.pipeline import Pipeline
from kfimage.resolve import NamedLayer

BUILTIN = "kfimage:"

Path = tuple[str, ...]


@dataclass(frozen=True)
class Layered:
    """A value that one layer gives: as written, which layer, where."""

    text: str
    layer: str
    mark: Mark

    @property
    def place(self) -> str:
        return str(self.mark).replace(BUILTIN, "", 1) if self.layer == "built-in default" else str(self.mark)


@dataclass(frozen=True)
class Origin:
    """A key's value, and the lower layers' values it overrides, nearest first."""

    path: Path
    won: Layered
    overridden: tuple[Layered, ...]

    @property
    def key(self) -> str:
        return ".".join(self.path)

    def __str__(self) -> str:
        line = f"{self.key} = {self.won.text}   <- {self.won.place} ({self.won.layer})"
        lower = "; ".join(f"{o.text} ({o.layer}, {o.place})" for o in self.overridden)
        return f"{line}, overrides {lower}" if lower else line


def origins(pipeline: Pipeline, name: str) -> dict[str, Origin]:
    """Every key that some layer of a node or role gives, by dotted name, sorted."""
    layers = pipeline.resolver.layers(name)
    tree = Mapping(Mark(pipeline.source.file))
    for layer in layers:
        tree = merge(tree, layer.tree)
    found = {}
    for path, node in leaves(tree):
        given = list(_given(layers, path))
        if given:
            found[".".join(path)] = Origin(path, Layered(shown(node), given[0].layer, node.mark), tuple(given[1:]))
    return dict(sorted(found.items()))


def leaves(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every value below a node that is no mapping (or an empty one), with its path."""
    if isinstance(node, Mapping) and node.entries:
        for key, child in node:
            yield from leaves(child, (*path, key))
    elif path:
        yield path, node


def shown(node: Node) -> str:
    """A value on one line, as it would be written."""
    if isinstance(node, Scalar):
        if not node.text.isprintable():
            return json.dumps(node.text)
        return f'"{node.text}"' if node.text == "" and node.quoted else node.text or "(no value)"
    if isinstance(node, Sequence):
        return "[" + ", ".join(f'"{shown(e)}"' if "," in shown(e) else shown(e) for e in node.elements) + "]"
    return "{" + ", ".join(f"{key}: {shown(child)}" for key, child in node) + "}"


def _given(layers: tuple[NamedLayer, ...], path: Path) -> Iterator[Layered]:
    """What each layer says at a path, the highest first; a plain value above it, or a rival key, counts as said."""
    for layer in reversed(layers):
        found = _at(layer.tree, path)
        if found is not None:
            at, node = found
            text = shown(node) if at == path else f"{'.'.join(at)}: {shown(node)}"
            yield Layered(text, layer.name, node.mark)


def _at(tree: Mapping, path: Path) -> Optional[tuple[Path, Node]]:
    node: Optional[Node] = tree
    for depth, key in enumerate(path):
        if not isinstance(node, Mapping):
            # A short form: `tools.helm: 3.13.2` below `tools.helm.version`.
            return (path[:depth], node) if node is not None else None
        below = node.get(key)
        if below is None:
            rivals = {rival for group in RIVALS if key in group for rival in group}
            other = next(((k, n) for k, n in node if k in rivals and k != key), None)
            return ((*path[:depth], other[0]), other[1]) if other and depth == len(path) - 1 else None
        node = below
    return (path, node) if node is not None else None


def reason(pipeline: Pipeline, mark: Mark) -> str:
    """The comment that stands directly above a built-in value, on one line; nothing when there is none."""
    if not mark.file.startswith(BUILTIN) or not mark.line:
        return ""
    found = pipeline.catalog.find(mark.file[len(BUILTIN) :])
    lines = found[0].decode("utf-8").split("\n")[: mark.line - 1] if found else []
    words: list[str] = []
    while lines and lines[-1].lstrip().startswith("#"):
        words.insert(0, lines.pop().strip().lstrip("#").strip())
    # What stands at the top of a file speaks of the file.
    return " ".join(words) if lines else ""
