"""What an earlier run left in a folder: which nodes' files need not be made again, and which shapes are proven already."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kfimage.artefact import CLOSING, OPENING

FILE = ".kfimage-memory.json"
"""Beside index.json; no part of the tree. Losing it costs time and nothing else."""


class Made(NamedTuple):
    """What one node's files were made from, and the shape of its kickstart."""

    inputs: str
    shape: str


class Memory:
    """A folder as kfimage left it, or an empty one. It is believed only as far as nothing can have changed since:

    the same world (code, data, parsers), an index.json with the very bytes that were written with it, and files whose
    inode was last changed, by write, rename or chmod, before the memory itself was written.
    """

    def __init__(self, root: Path, world: str) -> None:
        self.root = root
        self._entries: dict[str, dict[str, Any]] = {}
        self._lines: dict[str, str] = {}
        self._of: dict[str, list[str]] = {}
        self.made: dict[str, Made] = {}
        self.proven: frozenset[str] = frozenset()
        self._written = 0
        self._left: list[str] = []
        try:
            data = (root / "index.json").read_bytes()
            self._read_index(data)
            self._read(hashlib.sha256(data).hexdigest(), world)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.made, self.proven = {}, frozenset()

    def _read_index(self, data: bytes) -> None:
        text = data.decode()
        listed = json.loads(text)["artefacts"]
        for entry in listed:
            self._of.setdefault(entry["of"], []).append(entry["path"])
        self._entries = {entry["path"]: entry for entry in listed}
        body = text.partition(OPENING)[2].rpartition(CLOSING)[0]
        self._lines = dict(zip(self._entries, body.split(",\n")))

    def _read(self, index: str, world: str) -> None:
        with open(self.root / FILE, "rb") as file:
            self._written = os.fstat(file.fileno()).st_mtime_ns
            found = json.load(file)
        if found["index"] == index and found["world"] == world:
            self.made = {name: Made(*made) for name, made in found["nodes"].items()}
            self.proven = frozenset(found["proven"])

    def listed(self) -> dict[str, dict[str, Any]]:
        """The entries of index.json, by path; none that points out of the folder."""
        return {path: entry for path, entry in self._entries.items() if path[:1] != "/" and ".." not in path.split("/")}

    def leave(self, name: str, inputs: str) -> bool:
        """Leave a node's files as they are, if they are in place as they would be written for these inputs."""
        made = self.made.get(name)
        if made is None or made.inputs != inputs or not all(map(self._untouched, self._of.get(name, ()))):
            return False
        self._left.append(name)
        return True

    def left(self) -> dict[str, str]:
        """The lines of index.json, by path, of the nodes left as they are."""
        return {path: self._lines[path] for name in self._left for path in self._of.get(name, ())}

    def _untouched(self, path: str) -> bool:
        try:
            found = os.lstat(f"{self.root}/{path}")
        except OSError:
            return False
        entry = self._entries[path]
        # A file that was changed within the clock tick in which the memory was written is not believed.
        return (
            found.st_ctime_ns < self._written and found.st_size == entry["size"]
            and found.st_mode == stat.S_IFREG | int(entry["mode"], 8)
        )


def content(made: Mapping[str, Made], proven: frozenset[str], world: str, index: bytes) -> bytes:
    """The memory of a run as a file."""
    found = {"index": hashlib.sha256(index).hexdigest(), "nodes": made, "proven": sorted(proven), "world": world}
    return json.dumps(found, sort_keys=True, separators=(",", ":")).encode()
