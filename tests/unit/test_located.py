"""YAML to a located tree: marks, limits, and every way a file can be broken."""

from __future__ import annotations

import time
from pathlib import Path

import kit
import pytest

from kfimage.errors import Mark, Report
from kfimage.located import MAX_BYTES, Mapping, Scalar, Sequence, at, canonical, decode, merge, parse


def read(text: str) -> tuple[Mapping, list[str]]:
    report = Report()
    return parse(text, "f", report) or Mapping(Mark("f")), [str(p).splitlines()[0] for p in report]


def leaf(tree: Mapping, path: str) -> Scalar:
    found = at(tree, path)
    assert isinstance(found, Scalar)
    return found


def test_every_scalar_is_text() -> None:
    tree, faults = read("mac: 52:54:00:12:34:56\nv: 1.30\nn: no\no: 010\nt: 2024-01-01\ne:\nq: ''\nf: .inf\n")
    assert not faults
    assert [leaf(tree, k).text for k in "v n o t e q f".split()] == ["1.30", "no", "010", "2024-01-01", "", "", ".inf"]
    assert leaf(tree, "mac").text == "52:54:00:12:34:56"
    assert leaf(tree, "e").empty and not leaf(tree, "q").empty


def test_marks_count_from_one_and_name_the_value() -> None:
    tree, _ = read("a: 1\nb:\n  - x\n  - {c: deep}\n")
    assert leaf(tree, "a").mark == Mark("f", 1, 4)
    listed = tree.get("b")
    assert isinstance(listed, Sequence)
    assert listed.elements[0].mark == Mark("f", 3, 5)
    inner = listed.elements[1]
    assert isinstance(inner, Mapping)
    assert inner.keys["c"] == Mark("f", 4, 6)
    assert leaf(inner, "c").mark == Mark("f", 4, 9)


def test_a_byte_order_mark_moves_no_mark() -> None:
    report = Report()
    text = decode(b"\xef\xbb\xbfa: 1\n", "f", report)
    assert text == "a: 1\n" and not report


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\na: 2\n", "f:2:1", "already given on line 1"),
        ("a:\n  b: 1\n  b: 2\n", "f:3:3", "already given"),
        ("a: 1\n---\nb: 2\n", "f:2:1", "second YAML document"),
        ("a:\n\tb: 1\n", "f:2:1", "tab"),
        ("a: [1\n", "f:2:1", "expected"),
        ("a: 'x\n", "f:2:1", ""),
        ("a: *x\n", "f:1:4", "no finished anchor"),
        ("&a [*a]\n", "f:1:5", "no finished anchor"),
        ("a: !!python/object:os.system x\n", "f:1:4", "tag"),
        ("a: !secret x\n", "f:1:4", "tag"),
        ("? [a, b]\n: c\n", "f:1:3", "a key must be a word"),
        ("? {a: b}\n: c\n", "f:1:3", "a key must be a word"),
        ("- a\n- b\n", "f:1:1", "not a mapping"),
        ("just text\n", "f:1:1", "not a mapping"),
        ("a: x\x00y\n", "f:1:5", "U+0000"),
        ("a: x\x07\n", "f:1:5", "U+0007"),
        ("<<: 3\na: 1\n", "f:1:1", "'<<' takes"),
        ("a: b: c\n", "f:1:5", "not allowed"),
        ("x: }\n", "f:1:4", ""),
        ("a: @b\n", "f:1:4", ""),
    ],
)
def test_a_broken_text_is_one_problem_at_its_place(text: str, place: str, words: str) -> None:
    _, faults = read(text)
    assert len(faults) == 1, faults
    assert faults[0].startswith(f"{place}: error KF10"), faults
    assert words in faults[0]


def test_broken_utf8_is_told_by_line_and_column() -> None:
    report = Report()
    assert decode("a: 1\nb: ü".encode() + b"\xff\n", "f", report) is None
    assert [str(p).splitlines()[0] for p in report] == ["f:2:5: error KF1000: byte 0xff is not UTF-8"]


def test_merge_keys_are_followed_and_the_own_key_wins() -> None:
    tree, faults = read("x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {<<: [*x, *y], a: 9}\nw: {a: 8, <<: *x}\n")
    assert not faults
    assert {k: leaf(tree, f"z.{k}").text for k in "abc"} == {"a": "9", "b": "2", "c": "4"}
    assert {k: leaf(tree, f"w.{k}").text for k in "ab"} == {"a": "8", "b": "2"}
    assert leaf(tree, "z.c").mark == Mark("f", 2, 17)


def test_an_empty_file_is_an_empty_mapping() -> None:
    for text in ("", "# only a comment\n", "---\n", "~\n", "{}\n"):
        tree, faults = read(text)
        assert not faults and not tree.entries


def test_merge_keeps_the_winner_and_what_nobody_touched() -> None:
    base, _ = read("a: {b: 1, c: {d: 2}}\nl: [1, 2]\n")
    over, _ = read("a: {b: 3}\nl: [4]\n")
    merged = merge(base, over)
    assert canonical(merged) == canonical(read("l: [4]\na: {c: {d: 2}, b: 3}\n")[0])
    assert at(merged, "a.c") is at(base, "a.c")
    assert merge(base, None) is base


def test_a_layer_that_names_one_source_takes_the_rivals_away() -> None:
    base, _ = read("install: {url: http://a/b, repos: {x: http://a/c}}\n")
    over, _ = read("install: {cdrom: yes}\n")
    assert canonical(merge(base, over)) == canonical(read("install: {cdrom: yes, repos: {x: http://a/c}}\n")[0])


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 200_000, "[" * 200_000, "{a: " * 200_000, "a: " + "[" * 60 + "]" * 60, BOMB,
        "".join(f"{' ' * i}a:\n" for i in range(3000)), "- " * 100_000, "? " * 100_000, "a: " + "'" * 99_999, "&a " * 1000 + "x", "a: " + "!" * 100_000,
    ],
    ids=["brackets", "bare brackets", "braces", "deep", "bomb", "indent", "dashes", "questions", "quotes", "anchors", "tags"],
)
def test_texts_made_to_kill_a_reader_end_quickly(text: str) -> None:
    before = time.monotonic()
    report = Report()
    parse(kit.HEAD + text, "f", report)
    assert len(report) >= 1
    assert time.monotonic() - before < 10


def test_merge_keys_cannot_multiply_work_without_end() -> None:
    keys = ", ".join(f"k{i}: v" for i in range(1000))
    text = f"b: &b {{{keys}}}\n" + "".join(f"m{i}: {{<<: *b}}\n" for i in range(20_000))
    report = Report()
    before = time.monotonic()
    assert parse(text, "f", report) is None
    assert [p.id for p in report] == ["KF1003"]
    assert time.monotonic() - before < 20


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)


FILES = {
    "nothing": (None, "there is no such file"),
    "folder": ("folder", "this is a folder"),
    "huge": (_sparse, "200 MB, the limit is"),
    "bomb": (kit.HEAD + BOMB, "error KF1003"),
    "brackets": (kit.HEAD + "a: " + "[" * 200_000, "error KF1003"),
    "utf8": (kit.HEAD.encode() + b"a: \xff\n", "byte 0xff is not UTF-8"),
    "tab": (kit.HEAD + "time:\n\tzone: UTC\n", "site.yaml:4:1: error KF1000"),
    "twice": (kit.HEAD + "site: other\n", "site.yaml:3:1: error KF1002"),
    "nul": (kit.HEAD + "time: {zone: U\0TC}\n", "character U+0000 is not allowed"),
    "second": (kit.HEAD + "---\na: b\n", "a second YAML document"),
    "binary": (bytes(range(256)) * 100, "is not UTF-8"),
    "utf16": ((kit.HEAD).encode("utf-16"), "is not UTF-8"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_a_site_is_one_clear_message(case: str, tmp_path: Path) -> None:
    content, words = FILES[case]
    site = tmp_path / "site.yaml"
    if content == "folder":
        site.mkdir()
    elif callable(content):
        content(site)
    elif content is not None:
        site.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = kit.run("render", "--site", "site.yaml", cwd=tmp_path, timeout=60)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert "1 error" in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()


def test_the_limit_is_looked_at_before_the_file_is_read() -> None:
    report = Report()
    assert decode(b"x" * (MAX_BYTES + 1), "f", report) is None
    assert [p.id for p in report] == ["KF1003"]
