"""The folder a tree is written to: whole files only, unchanged ones untouched, nothing outside of it ever touched."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfimage.artefact import Artefact
from kfimage.sinks import directory

A = Artefact("kickstart/a.ks", "kickstart", b"one\n", 0o644, "a")
B = Artefact("kickstart/b.ks", "kickstart", b"two\n", 0o600, "b")
HEAD: dict[str, object] = {"site": "lab"}
C = Artefact("netboot/grub/grub.cfg", "netboot", b"three\n")


def listing(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_ino


def test_the_folder_holds_what_the_index_lists(tmp_path: Path) -> None:
    assert directory.write(tmp_path, [C, B, A], {"site": "lab"})[:2] == (3, 3)
    index = json.loads((tmp_path / "index.json").read_text())
    assert [e["path"] for e in index["artefacts"]] == sorted([A.path, B.path, C.path])
    assert index["site"] == "lab"
    found = listing(tmp_path)
    for artefact in (A, B, C):
        assert found[artefact.path] == artefact.content
        assert artefact.entry() in index["artefacts"]
    assert sorted(found) == ["index.json", *sorted([A.path, B.path, C.path])]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    (tmp_path / "kickstart").mkdir()
    (tmp_path / "netboot" / "grub").mkdir(parents=True)
    before = os.umask(umask)
    try:
        directory.write(tmp_path, [A, B, C], HEAD)
    finally:
        os.umask(before)
    assert [(tmp_path / p.path).stat().st_mode & 0o7777 for p in (A, B, C)] == [0o644, 0o600, 0o644]
    assert (tmp_path / "index.json").stat().st_mode & 0o7777 == 0o644


def test_unchanged_files_are_not_touched(tmp_path: Path) -> None:
    directory.write(tmp_path, [A, B, C], HEAD)
    before = {p.path: state(tmp_path / p.path) for p in (A, B, C)}
    changed = Artefact(B.path, B.kind, b"other\n", B.mode, B.owner)
    assert directory.write(tmp_path, [A, changed, C], HEAD)[:2] == (3, 1)
    after = {p.path: state(tmp_path / p.path) for p in (A, B, C)}
    assert [p for p in after if after[p] != before[p]] == [B.path]


def test_a_file_somebody_changed_is_written_again(tmp_path: Path) -> None:
    directory.write(tmp_path, [A, B, C], HEAD)
    (tmp_path / A.path).write_text("edited\n")
    (tmp_path / B.path).chmod(0o666)
    (tmp_path / C.path).unlink()
    assert directory.write(tmp_path, [A, B, C], HEAD)[:2] == (3, 3)
    assert (tmp_path / A.path).read_bytes() == A.content
    assert (tmp_path / B.path).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / C.path).exists()


def test_files_of_removed_nodes_go_and_foreign_ones_stay(tmp_path: Path) -> None:
    directory.write(tmp_path, [A, B, C], HEAD)
    (tmp_path / "kickstart" / "mine.ks").write_text("mine\n")
    (tmp_path / "notes.txt").write_text("mine\n")
    directory.write(tmp_path, [A, C], HEAD)
    assert sorted(listing(tmp_path)) == ["index.json", A.path, "kickstart/mine.ks", C.path, "notes.txt"]


def test_a_failure_half_way_leaves_every_file_whole_and_the_old_index(tmp_path: Path) -> None:
    directory.write(tmp_path, [A, B, C], {"run": 1})
    before = listing(tmp_path)

    def broken() -> Iterator[Artefact]:
        yield Artefact(A.path, A.kind, b"new\n", A.mode, A.owner)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        directory.write(tmp_path, broken(), {"run": 2})
    after = listing(tmp_path)
    assert after.pop(A.path) in (b"one\n", b"new\n")
    before.pop(A.path)
    assert after == before
    assert directory.write(tmp_path, [A, B, C], {"run": 3})[0] == 3
    assert listing(tmp_path)[A.path] == A.content


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.write(tmp_path, [A, B], HEAD)
    before = listing(tmp_path)

    def refuse(source: str, target: str) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no space"):
        directory.write(tmp_path, [Artefact(A.path, A.kind, b"new\n"), B], HEAD)
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    "path", ["../victim", "/{outside}/victim", "a/../../victim", "./../victim", "link/victim", "kickstart", "", ".", "a\0b", "/etc/passwd", "..", "link/../victim"]
)
def test_a_hostile_index_deletes_nothing_outside(tmp_path: Path, path: str) -> None:
    root, outside = tmp_path / "out", tmp_path / "outside"
    outside.mkdir()
    for victim in (outside / "victim", tmp_path / "victim"):
        victim.write_text("precious\n")
    directory.write(root, [A], HEAD)
    (root / "link").symlink_to(outside)
    entry = {**A.entry(), "path": path.replace("{outside}", str(outside)[1:])}
    (root / "index.json").write_text(json.dumps({"artefacts": [A.entry(), entry]}))
    directory.write(root, [A, C], HEAD)
    assert (outside / "victim").read_text() == (tmp_path / "victim").read_text() == "precious\n"
    assert (root / A.path).read_bytes() == A.content


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"artefacts": 3}', '{"artefacts": [3]}', '{"artefacts": [{"path": 3}]}', '{"artefacts": [{}]}', '{"artefacts": {"a": "b"}}', "\xff",
             '{"artefacts": [{"path": ["a"]}]}', "[" * 100_000, '{"artefacts": [{"path": "kickstart/a.ks"}, null]}']
)
def test_a_broken_index_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_bytes(text.encode("latin-1"))
    assert directory.write(tmp_path, [A, B], HEAD)[0] == 2
    assert (tmp_path / A.path).read_bytes() == A.content
    assert json.loads((tmp_path / "index.json").read_text())["artefacts"]


def test_links_in_the_folder_are_replaced_and_never_written_through(tmp_path: Path) -> None:
    root, victim = tmp_path / "out", tmp_path / "victim"
    victim.write_text("precious\n")
    (root / "kickstart").mkdir(parents=True)
    (root / "kickstart" / "a.ks").symlink_to(victim)
    (root / "kickstart" / "b.ks.new").symlink_to(victim)
    (root / "index.json.new").symlink_to(victim)
    directory.write(root, [A, B], HEAD)
    assert victim.read_text() == "precious\n"
    assert not (root / A.path).is_symlink() and (root / A.path).read_bytes() == A.content
    assert (root / B.path).read_bytes() == B.content
    assert not (root / "kickstart" / "b.ks.new").exists()


def test_what_a_killed_run_left_beside_a_file_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "kickstart").mkdir()
    (tmp_path / "kickstart" / "a.ks.new").write_text("half")
    directory.write(tmp_path, [A], HEAD)
    assert sorted(listing(tmp_path)) == ["index.json", A.path]


def test_the_index_is_the_last_thing_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    whole = os.replace

    def watched(source: str, target: str) -> None:
        order.append(os.path.relpath(target, tmp_path))
        whole(source, target)

    monkeypatch.setattr(os, "replace", watched)
    directory.write(tmp_path, [A, B, C], HEAD)
    assert order == [A.path, B.path, C.path, "index.json"]
