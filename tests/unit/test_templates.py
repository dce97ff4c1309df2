"""The templates' guard: one object, no undefined names, one line for each value."""

from __future__ import annotations

import shlex

import kit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfimage.render.templates import Block, Templates, ks, one_line, sh


@given(st.text(max_size=60))
def test_a_value_is_one_line_or_refused(text: str) -> None:
    try:
        assert one_line(text) == text
    except ValueError:
        assert any(not c.isprintable() for c in text)
        return
    assert len(text.splitlines()) <= 1


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=40))
def test_what_ks_quotes_pykickstarts_reader_takes_for_one_word(text: str) -> None:
    try:
        quoted = ks(text)
    except ValueError:
        assert '"' in text or "\\" in text or any(not c.isprintable() for c in text)
        return
    assert shlex.split(f"x --y={quoted} z", comments=True) == ["x", f"--y={text}", "z"]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=40))
def test_what_sh_quotes_bash_takes_for_one_word(text: str) -> None:
    try:
        assert shlex.split(sh(text)) == [text]
    except ValueError:
        assert any(not c.isprintable() for c in text)


def test_only_a_block_of_ours_may_have_several_lines() -> None:
    assert one_line(Block("a\nb\n")) == "a\nb\n"
    assert one_line(7) == 7
    for value in ("a\nb", None, True, 1.5, ("a",), b"a", "a\x7f", "a\u2029"):
        with pytest.raises((TypeError, ValueError)):
            one_line(value)


def test_every_built_in_section_says_what_it_is_and_what_it_reads() -> None:
    templates = Templates(kit.catalog())
    for release in kit.catalog().releases():
        for _, path in kit.catalog().sections(release):
            section = templates.section(path)
            assert section.title, path
            assert all(1 <= step <= 14 for step in section.guide)
