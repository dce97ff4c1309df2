"""A rendered file as a value, and the index that lists a whole tree of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

KINDS = ("kickstart", "payload", "firstboot", "netboot", "export", "index")


@dataclass(frozen=True)
class Artefact:
    """One file: relative path, what it is, its bytes, its mode, and the node or role it belongs to ("" for shared ones)."""

    path: str
    kind: str
    content: bytes
    mode: int = 0o644
    owner: str = ""

    def entry(self) -> dict[str, Any]:
        """Its line in index.json."""
        return {
            "kind": self.kind, "mode": f"{self.mode:04o}", "of": self.owner, "path": self.path,
            "sha256": hashlib.sha256(self.content).hexdigest(), "size": len(self.content),
        }


_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def line(entry: dict[str, Any]) -> str:
    """An entry as its line of index.json."""
    return _ENCODE(entry)


def index(entries: Iterable[dict[str, Any]], head: dict[str, Any]) -> bytes:
    """index.json: what the tree was made from, then one line for each artefact, sorted by path."""
    return index_of({str(entry["path"]): line(entry) for entry in entries}, head)


def index_of(lines: dict[str, str], head: dict[str, Any]) -> bytes:
    """index.json of lines by path."""
    top = json.dumps(head, sort_keys=True, indent=1)
    return (top[:-2] + OPENING + ",\n".join([lines[path] for path in sorted(lines)]) + CLOSING).encode()


OPENING, CLOSING = ',\n "artefacts": [\n', "\n ]\n}\n"
