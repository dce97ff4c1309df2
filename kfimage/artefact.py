"""A rendered file as a value, and the index that lists a whole tree of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

KINDS = ("kickstart", "payload", "firstboot", "netboot", "index")


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


def index(entries: Iterable[dict[str, Any]], head: dict[str, Any]) -> bytes:
    """index.json: what the tree was made from, then one line for each artefact, sorted by path."""
    lines = ",\n".join(json.dumps(e, sort_keys=True, separators=(",", ":")) for e in sorted(entries, key=lambda e: str(e["path"])))
    top = json.dumps(head, sort_keys=True, indent=1)
    return (top[:-2] + ',\n "artefacts": [\n' + lines + "\n ]\n}\n").encode()
