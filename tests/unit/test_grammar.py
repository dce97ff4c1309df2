"""The grammar itself: every field documented, every struct frozen, the schema agrees with the builder."""

from __future__ import annotations

import dataclasses
import json
import re

import fields
import kit
import pytest

from kfimage.errors import Report
from kfimage.grammar import build, schema, specs
from kfimage.kinds import Kind
from kfimage.located import parse
from kfimage.model import SiteFile


def structs() -> list[type]:
    found: list[type] = []
    todo: list[type] = [SiteFile]
    while todo:
        cls = todo.pop()
        if cls not in found:
            found.append(cls)
            todo += [s.of for s in specs(cls).values() if isinstance(s.of, type)]
    return found


@pytest.mark.parametrize("cls", structs(), ids=lambda c: c.__name__)
def test_every_struct_is_frozen_and_every_key_says_what_it_is_for(cls: type) -> None:
    made = cls()
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.anything = 1
    for key, spec in specs(cls).items():
        assert spec.doc and not spec.doc.endswith("."), key
        assert re.fullmatch(r"[a-z][a-z0-9_]*", key)
        value = getattr(made, key)
        assert value in (None, ()) or (spec.shape == "table" and not value)


def test_the_schema_takes_the_sites_of_the_tests_and_refuses_unknown_keys() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    import yaml

    published = schema(SiteFile, title="t")
    jsonschema.Draft7Validator.check_schema(published)
    validator = jsonschema.Draft7Validator(published)
    for path in (kit.SITES / "rack.yaml", kit.SITES / "own" / "site.yaml"):
        site = yaml.load(path.read_text(), Loader=yaml.BaseLoader)
        # `<<` is YAML's own, and followed before an editor looks at the schema.
        site["nodes"] = {name: {**node.get("<<", {}), **{k: v for k, v in node.items() if k != "<<"}} for name, node in site["nodes"].items()}
        assert [e.message for e in validator.iter_errors(site)] == []
    for wrong in ({"kfimage": "1", "site": "a", "relaese": "x"}, {"kfimage": "1", "site": "a", "time": {"zoen": "UTC"}}, {"site": "a"}, {"kfimage": "1", "site": "a", "selinux": "disabled"}):
        assert list(validator.iter_errors(wrong)), wrong


@pytest.mark.parametrize("field", fields.every(), ids=lambda f: f.id)
def test_the_schema_takes_the_harmless_value_of_every_field(field: fields.Field) -> None:
    kind = field.spec.key if field.is_key else field.spec.of
    assert isinstance(kind, Kind)
    value = fields.harmless(field)
    if "pattern" in kind.schema:
        assert re.search(kind.schema["pattern"], value), (kind.schema["pattern"], value)
    if "enum" in kind.schema:
        assert value in kind.schema["enum"]


def test_the_walk_over_the_grammar_misses_no_field() -> None:
    """What fields.every() lists, once for each struct's own keys, is what the structs declare."""
    listed = {f.path for f in fields.every()}
    for name, spec in specs(SiteFile).items():
        assert any(path[0] == name for path in listed), name
        if isinstance(spec.of, type) and spec.shape == "one":
            assert {p[1] for p in listed if p[0] == name and len(p) > 1} == set(specs(spec.of)), name
    assert len(listed) > 150


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("time: {zone: }", "KF1006"), ("time: {zone: [a]}", "KF1005"), ("time: a", "KF1005"), ("time: {ntp: {a: b}}", "KF1005"), ("files: [a]", "KF1005"), ("zeit: {}", "KF1001"),
        ("time: {zone: '', ntp: ['']}", "KF1100"), ("kernel: {sysctl: {'a b': c}}", "KF1100"),
    ],
)
def test_a_wrong_shape_has_its_own_id(text: str, wanted: str) -> None:
    report = Report()
    tree = parse(kit.HEAD + text + "\n", "f", report)
    assert tree is not None
    build(SiteFile, tree, "", report)
    assert wanted in {p.id for p in report}


def test_one_value_counts_as_a_list_of_one_and_nothing_as_the_default() -> None:
    site = kit.HEAD + "time: {ntp: 10.0.0.1}\nproxy:\nkernel: {args: }\nnodes: {n: {role: cpu-worker, locale: ~}}\n"
    plan = kit.plan(site, "n")
    assert plan.time.ntp == ("10.0.0.1",) and plan.kernel.args == () and plan.locale.keyboard == "us"


def test_the_schema_is_the_same_text_every_time() -> None:
    assert json.dumps(schema(SiteFile, title="t")) == json.dumps(schema(SiteFile, title="t"))
