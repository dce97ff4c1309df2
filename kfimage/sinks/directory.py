"""The tree on disk: each file written beside and renamed, unchanged ones untouched, index.json last."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from kfimage.artefact import Artefact, index_of, line
from kfimage.sinks.memory import FILE, Memory


class Written(NamedTuple):
    """How many files a tree has, and how many of them were written; how many of an earlier one were removed."""

    files: int
    changed: int
    removed: int


def write(
    root: Path, artefacts: Iterable[Artefact], head: dict[str, object], *,
    memory: Optional[Memory] = None, remember: Optional[Callable[[bytes], bytes]] = None,
    stays: Callable[[dict[str, Any]], bool] = lambda entry: False,
) -> Written:
    """Make `root` hold exactly these artefacts among those kfimage wrote there; returns (files, files written).

    Artefacts are taken one by one, so that a large tree never lies in memory whole; files that `memory` left in place
    meanwhile stay. Files that an earlier index.json lists and this tree does not have are removed, other files are left
    alone. `stays` tells which entries of the earlier index.json belong to nodes that were not asked for: they keep their
    files and their line. `remember` makes the next run's memory from the bytes of index.json.
    """
    memory = memory or Memory(root, "")
    gone = memory.listed()
    lines: dict[str, str] = {}
    changed = 0
    made: set[str] = set()
    for artefact in artefacts:
        entry = artefact.entry()
        lines[artefact.path] = line(entry)
        path = f"{root}/{artefact.path}"
        old = gone.pop(artefact.path, None)
        if old == entry and _same(path, artefact):
            continue
        folder = os.path.dirname(path)
        if folder not in made:
            os.makedirs(folder, exist_ok=True)
            made.add(folder)
        _put(path, artefact.content, artefact.mode)
        changed += 1
    left = memory.left()
    lines.update(left)
    lines.update((path, line(entry)) for path, entry in gone.items() if path not in left and stays(entry))
    unwanted = gone.keys() - lines.keys()
    _remove(root, unwanted)
    content = index_of(lines, head)
    if remember is not None:
        _put(str(root / FILE), remember(content), 0o644)
    else:
        (root / FILE).unlink(missing_ok=True)
    _put(str(root / "index.json"), content, 0o644)
    return Written(len(lines), changed, len(unwanted))


def _remove(root: Path, paths: Iterable[str]) -> None:
    """Remove files below `root`; not through a link that leads out of it, and not what is no file."""
    top = os.path.realpath(root)
    for path in paths:
        folder = os.path.realpath(root / os.path.dirname(path))
        if folder != top and not folder.startswith(top.rstrip("/") + "/"):
            continue
        try:
            os.unlink(f"{folder}/{os.path.basename(path)}")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, ValueError):
            continue


def _put(path: str, content: bytes, mode: int) -> None:
    beside = path + ".new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        handle = os.open(beside, flags, mode)
    except FileExistsError:
        # What a killed run left, or a link somebody laid there: never written through.
        os.unlink(beside)
        handle = os.open(beside, flags, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # The umask must not show in the tree.
        os.chmod(beside, mode)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def _same(path: str, artefact: Artefact) -> bool:
    try:
        with open(path, "rb") as file:
            return os.lstat(path).st_mode == stat.S_IFREG | artefact.mode and file.read() == artefact.content
    except OSError:
        return False
