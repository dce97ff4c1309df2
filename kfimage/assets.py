"""Where kickstart/ and firstboot/ are, and folders as values: what lies in one, read once, when it is asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Optional


class Folder:
    """A folder's files by relative path; `label` stands before the path in every message about one."""

    def __init__(self, root: Path, label: str = "") -> None:
        self.root = root
        self.label = label
        self._read: dict[str, Optional[bytes]] = {}
        self._listed: dict[str, tuple[str, ...]] = {}

    def read(self, path: str) -> Optional[bytes]:
        """A file's bytes, or None when there is no such file."""
        if path not in self._read:
            try:
                self._read[path] = (self.root / path).read_bytes()
            except OSError:
                self._read[path] = None
        return self._read[path]

    def known(self) -> tuple[tuple[str, Optional[bytes]], ...]:
        """Every file that was asked for so far, with its bytes, or None when it was not there."""
        return tuple(sorted(self._read.items()))

    def files(self, path: str) -> tuple[str, ...]:
        """Every file below a folder, as sorted paths relative to it; nothing when it is absent."""
        if path not in self._listed:
            top = self.root / path
            found = (f.relative_to(top).as_posix() for f in top.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
            self._listed[path] = tuple(sorted(found))
        return self._listed[path]

    def folders(self, path: str) -> tuple[str, ...]:
        """The folders directly in one, sorted."""
        top = self.root / path
        return tuple(sorted(d.name for d in top.iterdir() if d.is_dir())) if top.is_dir() else ()

    def name(self, path: str) -> str:
        """How a message names a file of this folder."""
        return f"{self.label}{path}"


@cache
def builtin() -> Folder:
    """The package's own kickstart/ and firstboot/: inside the wheel, else the checkout that holds this file."""
    here = Path(__file__).resolve().parent
    for root in (here / "_data", here.parent):
        if (root / "kickstart").is_dir() and (root / "firstboot").is_dir():
            return Folder(root, "kfimage:")
    raise RuntimeError(f"kickstart/ and firstboot/ lie neither in {here / '_data'} nor in {here.parent}; install kfimage again")
