"""Text goes through Cobbler's engines as it is: by the real Jinja2 and the real Cheetah, with Cobbler's own passes around."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from exports import as_cobbler
from exports.hostile import bodies
from kfimage.exports.cobbler import engine
from kfimage.exports.merge import Choice, Part, Text, Value, filled

cheetah = pytest.mark.skipif(importlib.util.find_spec("Cheetah") is None, reason="NOT TESTED: Cheetah is not installed; pip install CT3==3.4.0.post5")
ENGINES = [pytest.param(engine.jinja, id="jinja2"), pytest.param(engine.cheetah, id="cheetah", marks=cheetah)]
HEAD = "#version=RHEL8\n"


@pytest.mark.parametrize("write", ENGINES)
@given(body=bodies)
@example(body="x\n   #end raw\n")
@example(body="a\\\n")
@example(body="{% raw %}{%- endraw %}\n")
@example(body="gpgkey=https://x/\\$basearch\n")
def test_a_body_passes_unchanged(write: Callable[[Sequence[Part]], str], body: str) -> None:
    whole = HEAD + body
    assume(not engine.lost(whole))
    assert as_cobbler.render(write([Text(whole)]), {}) == whole


@pytest.mark.parametrize("write", ENGINES)
@given(first=bodies, second=bodies, third=bodies, values=st.tuples(bodies, bodies), chosen=st.sampled_from(["a1", "b2", "none"]))
def test_bodies_around_values_and_choices_pass_unchanged(
    write: Callable[[Sequence[Part]], str], first: str, second: str, third: str, values: tuple[str, str], chosen: str,
) -> None:
    parts: list[Part] = [Text(HEAD + first), Value("kf_x"), Text(second), Choice("kf_c", (("a1", (Text(third), Value("kf_y"))), ("b2", (Text(first),)))), Text(third)]
    table = {"kf_x": values[0], "kf_y": values[1], "kf_c": chosen}
    whole = filled(parts, table)
    assume(not engine.lost(whole) and all(part.text for part in parts if isinstance(part, Text)))
    assert as_cobbler.render(write(parts), table) == whole


@pytest.mark.parametrize("body", ["echo @@server@@\n", "@@@@\n", "a\rb\n", "\x07", "\n"])
@pytest.mark.parametrize("write", ENGINES)
def test_what_is_refused_would_indeed_be_changed(write: Callable[[Sequence[Part]], str], body: str) -> None:
    """Each kind of refusal has its reason: the engine, or XML, which knows neither control characters nor carriage returns."""
    import xmlrpc.client

    assert engine.lost(body)
    try:
        ((told,), _) = xmlrpc.client.loads(xmlrpc.client.dumps((as_cobbler.render(write([Text(body)]), {"server": "10.0.0.1"}),)))
    except Exception:
        return
    assert told != body


@pytest.mark.parametrize("write", ENGINES)
def test_unprotected_text_is_changed(write: Callable[[Sequence[Part]], str]) -> None:
    """The test above can fail: what the escape is for is real."""
    text = "a $name {{ name }}\n"
    head = write([Text("")]).split("\n")[0]
    assert as_cobbler.render(f"{head}\n{text}\n", {"name": "X"}).rstrip("\n") != text.rstrip("\n")
