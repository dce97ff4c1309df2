"""What finalize did, one JSON object for each line, on the disk before the next thing is done. It is history; the cluster is the truth."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from kfimage.errors import ERROR, Exit, KfimageError, Mark, Report, define

IN_USE = define(
    "KF9665", ERROR, "another finalize works with this journal",
    why="Two at once would send everything twice and judge each other's half-done work.", fix="let the other one end, or stop it",
)


class Journal:
    """A journal open for writing, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Private: names of a cluster's objects are nobody's business, though no secret is ever written.
        self._file: Optional[int] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            report = Report()
            report.add(IN_USE, Mark(str(path)), "it is locked by a running finalize")
            raise KfimageError(report, Exit.PROBLEM) from None
        self._mend()

    def _mend(self) -> None:
        """End a line that a killed process left half written, so that the next one stands alone."""
        assert self._file is not None
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")

    def write(self, event: Mapping[str, object]) -> None:
        """Append one event and wait until the disk has it."""
        assert self._file is not None, "the journal is closed"
        os.write(self._file, json.dumps(event, ensure_ascii=False).encode() + b"\n")
        os.fsync(self._file)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def history(path: Path) -> tuple[dict[str, Any], ...]:
    """The events of a journal; lines cut off by a kill are left out."""
    events = []
    for line in path.read_bytes().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return tuple(events)
