"""The tree on disk: each file written beside and renamed, unchanged ones untouched, index.json last."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from kfimage.artefact import Artefact, index


def write(root: Path, artefacts: Iterable[Artefact], head: dict[str, object]) -> tuple[int, int]:
    """Make `root` hold exactly these artefacts among those kfimage wrote there; returns (files, files written).

    Files that an earlier index.json lists and this tree does not have are removed. Other files are left alone.
    """
    before = _listed(root)
    entries, changed = [], 0
    made: set[str] = set()
    for artefact in artefacts:
        entry = artefact.entry()
        entries.append(entry)
        path = root / artefact.path
        old = before.pop(artefact.path, None)
        if old == entry and _same(path, artefact):
            continue
        folder = os.path.dirname(path)
        if folder not in made:
            os.makedirs(folder, exist_ok=True)
            made.add(folder)
        _put(str(path), artefact.content, artefact.mode)
        changed += 1
    for path in before:
        (root / path).unlink(missing_ok=True)
    _put(str(root / "index.json"), index(entries, head), 0o644)
    return len(entries), changed


def _put(path: str, content: bytes, mode: int) -> None:
    beside = path + ".new"
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # The umask must not show in the tree.
        os.chmod(beside, mode)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def _same(path: Path, artefact: Artefact) -> bool:
    try:
        return path.read_bytes() == artefact.content and path.stat().st_mode & 0o777 == artefact.mode
    except OSError:
        return False


def _listed(root: Path) -> dict[str, dict[str, object]]:
    import json

    try:
        found = json.loads((root / "index.json").read_bytes())
        return {entry["path"]: entry for entry in found["artefacts"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
