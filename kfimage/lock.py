"""What is pinned: name, version, address and sha256 of everything a node fetches, from kickstart/kfimage.lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from kfimage.errors import Report
from kfimage.located import Mapping, Scalar, at, parse


@dataclass(frozen=True)
class Pin:
    """One fetched file: where it is, what its bytes hash to, and who says so."""

    name: str
    version: str
    url: str
    sha256: str
    source: str


class Lock:
    """Pins by name and version; what is not here is not pinned, and nothing is invented for it."""

    def __init__(self, top: Mapping) -> None:
        self._top = top

    def pin(self, name: str, version: str) -> Optional[Pin]:
        entry = self._entry("files", name, version)
        if not isinstance(entry, Mapping):
            return None
        text = {key: node.text for key, node in entry if isinstance(node, Scalar)}
        return Pin(name, version, text["url"], text["sha256"], text["source"])

    def package(self, name: str, version: str) -> Optional[str]:
        """NAME-VERSION-RELEASE of an RPM whose release is known."""
        entry = self._entry("packages", name, version)
        return entry.text if isinstance(entry, Scalar) else None

    def versions(self, name: str) -> tuple[str, ...]:
        files = at(self._top, f"files.{name}")
        return tuple(sorted(files.entries)) if isinstance(files, Mapping) else ()

    def _entry(self, kind: str, name: str, version: str) -> object:
        node = at(self._top, f"{kind}.{name}")
        return node.get(version) if isinstance(node, Mapping) else None


def read(data: bytes, file: str) -> Lock:
    """The lock in a file; a broken one raises ValueError, because it is ours."""
    report = Report()
    top = parse(data.decode("utf-8"), file, report)
    if top is None or report:
        raise ValueError("\n".join(str(p) for p in report))
    return Lock(top)
