"""From a located tree to frozen typed values, every fault in one pass; and the same grammar as JSON Schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Optional, TypeVar, Union

from kfimage.errors import ERROR, Report, define, did_you_mean
from kfimage.kinds import Bad, Kind
from kfimage.located import Mapping, Node, Scalar, Sequence

UNKNOWN_KEY = define(
    "KF1001", ERROR, "a key the grammar does not have",
    why="A misspelt key would be ignored and its default used: the node would differ from what was written.",
    fix="see `kfimage schema` or kfimage-site(5) for the keys there are",
)
WRONG_SHAPE = define(
    "KF1005", ERROR, "a mapping, a list or a plain value where another of them belongs",
    why="The value cannot mean what its place needs.",
    fix="see kfimage-site(5) for an example of this key",
)
NO_VALUE = define(
    "KF1006", ERROR, "a key without a value",
    why="An empty value is most often an unfinished edit; kfimage does not guess.",
    fix="give a value or remove the key to keep the default",
)
BAD_VALUE = define(
    "KF1100", ERROR, "a value that is not of its kind",
    why="It would make a broken line on the node, or another line than the one meant.",
    fix="see kfimage-site(5) for what this key takes",
)
MISSING = define(
    "KF1007", ERROR, "a key that must be given",
    why="The part cannot work without it and no default would be right.",
    fix="add the key",
)

C = TypeVar("C")
NOTHING: MappingType[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Spec:
    """What one key takes: a kind or a struct, alone, as a list, or under keys of a kind."""

    of: Union[Kind[Any], type]
    doc: str
    shape: str = "one"
    key: Optional[Kind[str]] = None
    required: bool = False


def one(of: Union[Kind[Any], type], doc: str, *, required: bool = False) -> Any:
    """A field holding one value, or None when no layer gives it."""
    return dataclasses.field(default=None, metadata={"spec": Spec(of, doc, "one", None, required)})


def listing(of: Union[Kind[Any], type], doc: str) -> Any:
    """A field holding a tuple; a single value counts as a list of one."""
    return dataclasses.field(default=(), metadata={"spec": Spec(of, doc, "list")})


def table(key: Kind[str], of: Union[Kind[Any], type], doc: str) -> Any:
    """A field holding a read-only mapping, sorted by key so that the order written never shows."""
    return dataclasses.field(default_factory=lambda: NOTHING, metadata={"spec": Spec(of, doc, "table", key)})


_SPECS: dict[type, dict[str, Spec]] = {}


def specs(cls: type) -> dict[str, Spec]:
    """The keys of a struct in the order they are declared."""
    found = _SPECS.get(cls)
    if found is None:
        found = {f.name: f.metadata["spec"] for f in dataclasses.fields(cls) if "spec" in f.metadata}
        _SPECS[cls] = found
    return found


def whole(cls: type[C], values: dict[str, Any]) -> C:
    """A struct of values for every field. Frozen dataclasses set each field by a call of its own, a third of what a node takes."""
    struct = object.__new__(cls)
    struct.__dict__.update(values)
    return struct


def build(cls: type[C], node: Node, path: str, report: Report, *, partial: bool = False) -> C:
    """The struct that a located node spells. Never raises: faults go to the report and leave their field at None.

    `partial` looks at one layer alone: what is written must be right, but nothing need be complete.
    """
    known = specs(cls)
    short = getattr(cls, "SHORT", None)
    if isinstance(node, Scalar) and node.empty:
        node = Mapping(node.mark)
    if short and not isinstance(node, Mapping):
        wrapped = Mapping(node.mark)
        wrapped.put(short, node, node.mark)
        node = wrapped
    if not isinstance(node, Mapping):
        report.add(WRONG_SHAPE, node.mark, f"{path}: a mapping is needed", f"keys here: {', '.join(known)}")
        return cls()
    before = len(report)
    values: dict[str, Any] = {}
    for key, child in node:
        spec = known.get(key)
        where = f"{path}.{key}" if path else key
        if spec is None:
            report.add(UNKNOWN_KEY, node.keys[key], f"unknown key '{_clean(key)}'{f' in {path}' if path else ''}", did_you_mean(key, known))
            continue
        value = _value(spec, child, where, report, partial)
        if value is not None:
            values[key] = value
    if not partial:
        for key, spec in known.items():
            if spec.required and key not in values and key not in node.entries:
                report.add(MISSING, node.mark, f"{f'{path}: ' if path else ''}'{key}' is missing", f"{spec.doc}")
    struct = cls(**values)
    rules = getattr(struct, "rules", None)
    if rules is not None and not partial and len(report) == before:
        rules(node, path, report)
    return struct


def _clean(key: str) -> str:
    return key if key.isprintable() and len(key) <= 60 else ascii(key[:60])[1:-1]


def value(spec: Spec, node: Node, path: str, report: Report, *, partial: bool = False) -> Any:
    """What one key's node spells, in the key's shape; None (or an empty shape) when it has problems."""
    found = _value(spec, node, path, report, partial)
    if found is None:
        return {"list": (), "table": NOTHING}.get(spec.shape)
    return found


def _value(spec: Spec, node: Node, path: str, report: Report, partial: bool) -> Any:
    if spec.shape == "list":
        nodes = node.elements if isinstance(node, Sequence) else (node,)
        if isinstance(node, Scalar) and node.empty:
            nodes = ()
        found = [_single(spec.of, child, path, report, partial) for child in nodes]
        return tuple(value for value in found if value is not None)
    if spec.shape == "table":
        return _table(spec, node, path, report, partial)
    return _single(spec.of, node, path, report, partial)


def _table(spec: Spec, node: Node, path: str, report: Report, partial: bool) -> Optional[MappingType[str, Any]]:
    if isinstance(node, Scalar) and node.empty:
        return NOTHING
    if not isinstance(node, Mapping):
        report.add(WRONG_SHAPE, node.mark, f"{path}: a mapping is needed, each key with its value")
        return None
    found: dict[str, Any] = {}
    assert spec.key is not None
    for key, child in node:
        try:
            name = spec.key(key)
        except Bad as bad:
            report.add(BAD_VALUE, node.keys[key], f"{path}: {bad}", bad.hint or None)
            continue
        if name in found:
            report.add(BAD_VALUE, node.keys[key], f"{path}: '{_clean(key)}' means the same as another key here")
        value = _single(spec.of, child, f"{path}.{_clean(key)}", report, partial)
        if value is not None:
            found[name] = value
    return MappingProxyType(dict(sorted(found.items())))


def _single(of: Union[Kind[Any], type], node: Node, path: str, report: Report, partial: bool) -> Any:
    if isinstance(of, type):
        return build(of, node, path, report, partial=partial)
    if not isinstance(node, Scalar):
        report.add(WRONG_SHAPE, node.mark, f"{path}: one {of.name} is needed, not a {'list' if isinstance(node, Sequence) else 'mapping'}")
        return None
    if node.empty:
        report.add(NO_VALUE, node.mark, f"{path}: no value given")
        return None
    try:
        return of(node.text)
    except Bad as bad:
        report.add(BAD_VALUE, node.mark, f"{path}: {bad}", bad.hint or None)
        return None


def schema(cls: type, *, title: str) -> dict[str, Any]:
    """The grammar as JSON Schema (draft 7), so that editors complete and check a site while it is written."""
    definitions: dict[str, Any] = {}
    top = _struct_schema(cls, definitions)
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": title, **top, "definitions": dict(sorted(definitions.items()))}


def _struct_schema(cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    properties = {}
    for key, spec in specs(cls).items():
        properties[key] = {**_spec_schema(spec, definitions), "description": spec.doc}
    # What a lower layer may complete is not required where it is written.
    required = [key for key, spec in specs(cls).items() if spec.required] if getattr(cls, "WHOLE", False) else []
    found: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    # A dataclass without a docstring is given its signature as one.
    if cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}("):
        found["description"] = cls.__doc__.strip()
    if required:
        found["required"] = required
    return found


def _spec_schema(spec: Spec, definitions: dict[str, Any]) -> dict[str, Any]:
    inner = _of_schema(spec.of, definitions)
    if spec.shape == "list":
        return {"anyOf": [{"type": "array", "items": inner}, inner]}
    if spec.shape == "table":
        assert spec.key is not None
        names = {"propertyNames": spec.key.schema} if "pattern" in spec.key.schema else {}
        return {"type": "object", "additionalProperties": inner, **names}
    return inner


def _of_schema(of: Union[Kind[Any], type], definitions: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(of, type):
        return {"type": ["string", "number", "boolean"], **of.schema} if "enum" not in of.schema else {"enum": of.schema["enum"]}
    if of.__name__ not in definitions:
        definitions[of.__name__] = {}
        definitions[of.__name__] = _struct_schema(of, definitions)
    reference = {"$ref": f"#/definitions/{of.__name__}"}
    short = getattr(of, "SHORT", None)
    if short:
        return {"anyOf": [reference, _spec_schema(specs(of)[short], definitions)]}
    return reference


