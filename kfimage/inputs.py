"""What a plan's files are made from, as one digest: equal digests, equal files and equal proof."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from kfimage.assets import Folder, builtin
from kfimage.model import Plan


class Inputs:
    """Digests of the plans of one run. `site` is the site's folder, whose files a plan may name."""

    def __init__(self, site: Folder | None) -> None:
        self._site = site
        self._shared: dict[tuple[int, ...], tuple[object, bytes]] = {}

    def world(self, *, less: Iterable[str] = ()) -> str:
        """What every file of a run depends on: kfimage's code and data, its parsers, and each file of the site's folder
        that was read, `less` those that only plans are made of. Ask once the plans are made: that is what reads them."""
        found = hashlib.sha256(repr((sys.version_info[:3], _versions())).encode())
        code = Folder(Path(__file__).resolve().parent)
        for folder, names in ((code, [f for f in code.files("") if f.endswith(".py")]), *((f, _data(f)) for f in (builtin(), self._site) if f)):
            for name in names:
                _add(found, name, folder.read(name))
        if self._site is not None:
            for name, data in self._site.known():
                if name not in less:
                    _add(found, name, data)
        return found.hexdigest()

    def of(self, plan: Plan) -> str:
        """The digest of a plan: of every value in it."""
        parts = plan.shared
        key = tuple(map(id, parts))
        if key not in self._shared:
            # The parts are kept with the digest: an id is only unique while its object lives.
            self._shared[key] = (parts, hashlib.sha256(repr(parts).encode()).digest())
        return hashlib.sha256(self._shared[key][1] + repr((plan.name, plan.node, plan.nics)).encode()).hexdigest()


def _data(folder: Folder) -> list[str]:
    return [f"{top}/{path}" for top in ("kickstart", "firstboot") for path in folder.files(top)]


def _add(found: hashlib._Hash, name: str, data: bytes | None) -> None:
    found.update(f"{name}\0{-1 if data is None else len(data)}\0".encode())
    found.update(data or b"")


def _versions() -> list[str]:
    from importlib.metadata import version

    return [version(name) for name in ("jinja2", "pykickstart", "pyyaml")]
