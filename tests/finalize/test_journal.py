"""The journal: each line on the disk before the next thing is done, and whole again after a kill."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kfimage.errors import KfimageError
from kfimage.finalize.journal import Journal, history


def test_lines_are_synced_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append((tmp_path / "j").read_bytes()), real(fd))[1])
    with Journal(tmp_path / "j") as book:
        book.write({"event": "one"})
        book.write({"event": "two", "what": "line\nbreak"})
    assert synced == [b'{"event": "one"}\n', b'{"event": "one"}\n{"event": "two", "what": "line\\nbreak"}\n']
    assert [e["event"] for e in history(tmp_path / "j")] == ["one", "two"]
    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o600


def test_a_line_cut_off_by_a_kill_is_no_event_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "j"
    for cut in range(1, 20):
        path.write_bytes(b'{"event": "whole"}\n' + b'{"event": "half", "object": "x"}'[:cut])
        with Journal(path) as book:
            book.write({"event": "after"})
        assert [e["event"] for e in history(path)] == ["whole", "after"]


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "j"):
        with pytest.raises(KfimageError) as caught:
            Journal(tmp_path / "j")
        assert [p.id for p in caught.value.report] == ["KF9665"]
    Journal(tmp_path / "j").close()
