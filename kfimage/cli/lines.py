"""`kfimage explain NAME --line N`: where a kickstart's line comes from, found out by trying what changes it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from kfimage.cli.origins import Origin, origins
from kfimage.cli.steps import GUIDE
from kfimage.cli.usage import wrong_use
from kfimage.errors import KfimageError
from kfimage.model import Plan
from kfimage.pipeline import Pipeline
from kfimage.render.kickstart import Piece
from kfimage.render.view import OWN

_FACT = re.compile(r'^(KF_[A-Z0-9_]+)="(.*)"$')
_PRINTED = re.compile(r"\{% if .*?\{% endif %\}|\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
_LONGEST = 160
_WORN = frozenset(("yes", "no", "true", "false", "none", "auto", "0", "1"))
"""Values too common to be recognised in a line by their text alone."""


def explain_line(pipeline: Pipeline, name: str, number: int) -> str:
    """Section, guide steps, source line and the keys that shape line `number`; wrong use when there is no such line."""
    plan = _plan(pipeline, name)
    pieces = pipeline.renderer.pieces(plan)
    whole = "".join(p.text for p in pieces).split("\n")[:-1]
    if not 1 <= number <= len(whole):
        raise wrong_use(f"kickstart/{name}.ks has no line {number}", f"it has {len(whole)} lines")
    piece, inside = _piece(pieces, number)
    line = whole[number - 1]
    rows = [f"kickstart/{name}.ks:{number}: {line if len(line) <= _LONGEST else line[:_LONGEST] + '...'}"]
    rows.append(f"  section: {pipeline.catalog.find(piece.section.path)[1]} ({piece.section.title})")  # type: ignore[index]
    fact = _FACT.match(line) if piece.section.name.startswith("9") else None
    if fact:
        rows.extend(_fact(pipeline, plan, fact[1]))
    elif piece.section.guide:
        rows.append(f"  guide: {_guide(piece.section.guide)}")
    source = _pasted(pipeline, piece, inside) or _template(pipeline, piece, line)
    if source:
        rows.append(f"  written at: {source}")
    given = _keys(pipeline, plan, piece, line) if line.strip() else []
    rows.extend(f"  from: {origin}" for origin in given)
    named = (
        plan.node is not None and bool(_parts(pipeline, piece) & OWN) and re.search(rf"(?<![\w-]){re.escape(plan.name)}(?![\w-])", line)
    )
    if named:
        rows.append(f"  from: the node's name   <- {pipeline.source.nodes.key_mark(name)}")
    if not given and not named:
        rows.append(
            "  from: no key that a layer gives; the line would be the same whatever the site says"
            if source
            else "  from: no key that a layer gives"
        )
    return "\n".join(rows) + "\n"


def _plan(pipeline: Pipeline, name: str) -> Plan:
    resolver = pipeline.resolver
    plan = resolver.node_plan(name) if name in resolver.node_names else resolver.role_plan(name)
    if plan is None:
        raise KfimageError(resolver.report)
    # A file of the site's that is not there is found by the advice; rendering takes it for granted.
    pipeline.advise(plan)
    if resolver.report.failed():
        raise KfimageError(resolver.report)
    return plan


def _piece(pieces: tuple[Piece, ...], number: int) -> tuple[Piece, int]:
    """The section that holds a line's first character, and the line's number within it."""
    done = 0
    for piece in pieces:
        count = piece.text.count("\n")
        if number <= done + count:
            return piece, number - done
        done += count
    return pieces[-1], number - done


def _guide(steps: tuple[int, ...]) -> str:
    return "; ".join(f"step {n}, {GUIDE[n]}" for n in steps) or "no step of the guide's"


def _fact(pipeline: Pipeline, plan: Plan, fact: str) -> Iterator[str]:
    readers = []
    for name in plan.steps:
        step = pipeline.catalog.step(name)
        if any(fact.startswith(need[:-1]) if need.endswith("*") else fact == need for need in step.needs):
            readers.append(step)
    if not readers:
        yield f"  fact: {fact}, read by the runner or by nothing this role has"
        return
    yield f"  fact: {fact}, read by {', '.join(step.name for step in readers)}"
    for step in readers:
        yield f"    {step.name}: {step.title} (guide: {_guide(step.guide)})"


def _pasted(pipeline: Pipeline, piece: Piece, inside: int) -> str:
    """FILE:LINE when the line belongs to a script that the section pastes as it is."""
    for folder in ("kickstart/pre", "kickstart/post"):
        for top in pipeline.catalog.folders:
            for file in top.files(folder):
                content = (top.read(f"{folder}/{file}") or b"").decode("utf-8", "replace")
                start = piece.text.find(content.rstrip("\n")) if content.strip() else -1
                first = piece.text[:start].count("\n") + 1 if start >= 0 else 0
                if first and first <= inside <= first + content.rstrip("\n").count("\n"):
                    return f"{top.name(f'{folder}/{file}')}:{inside - first + 1}"
    return ""


def _template(pipeline: Pipeline, piece: Piece, line: str) -> str:
    """FILE:LINE of the template line that can have made this one; the one that says most of it literally wins."""
    data, label = pipeline.catalog.find(piece.section.path) or (b"", "")
    best = (0, 0)
    for number, source in enumerate(data.decode("utf-8").split("\n"), 1):
        parts = _PRINTED.split(source)
        literal = sum(len(part.strip()) for part in parts)
        if literal > best[0] and re.fullmatch(".*".join(re.escape(part) for part in parts), line):
            best = (literal, number)
    return f"{label}:{best[1]}" if best[1] else ""


# -- which keys ------------------------------------------------------------------------------------------------------


def _keys(pipeline: Pipeline, plan: Plan, piece: Piece, line: str) -> list[Origin]:
    """Origins of the keys without which the line would read otherwise: each value is changed and the section rendered again."""
    known = origins(pipeline, plan.name)
    parts = _parts(pipeline, piece)
    found: dict[str, Origin] = {}
    for path, changed in variations(plan, sorted(parts - OWN)):
        origin = _nearest(known, path)
        if origin is None or origin.key in found:
            continue
        try:
            other = pipeline.renderer.views.text(changed, piece.section)
        except (TypeError, ValueError, KeyError, AttributeError):
            # No such value can be; the text alone must tell.
            if _stands_in(origin, line):
                found[origin.key] = origin
            continue
        if line not in other.split("\n"):
            found[origin.key] = origin
    if parts & OWN:
        for origin in known.values():
            if origin.path[0] in ("mac", "address", "gateway", "interfaces", "network") and _stands_in(origin, line):
                found.setdefault(origin.key, origin)
    return [found[key] for key in sorted(found)]


def _parts(pipeline: Pipeline, piece: Piece) -> set[str]:
    """The plan's own fields a section depends on, through whatever is worked out from them."""
    derived = pipeline.renderer.views.derived
    return {part for name in piece.section.reads for part in (derived[name][0] if name in derived else (name,))}


def _nearest(known: Mapping[str, Origin], path: tuple[str, ...]) -> Optional[Origin]:
    """The key that gave a plan's value: itself, or the short form above it."""
    for end in range(len(path), 0, -1):
        origin = known.get(".".join(path[:end]))
        if origin is not None:
            return origin
    return None


def _stands_in(origin: Origin, line: str) -> bool:
    words = re.split(r"[\[\], ]+", origin.won.text.strip("[]{}").lower())
    words += [word.partition("/")[0] for word in words]
    return any(
        len(word) > 1 and word not in _WORN and re.search(rf"(?<![\w.:-]){re.escape(word.strip(chr(34)))}(?![\w:-]|\.\w)", line.lower())
        for word in words
    )


def variations(plan: Plan, parts: list[str]) -> Iterator[tuple[tuple[str, ...], Plan]]:
    """The plan with one value changed, for each value in these parts, with the path of the value."""
    for part in parts:
        for path, changed in _changed(getattr(plan, part), (part,)):
            yield path, dataclasses.replace(plan, **{part: changed})


def _changed(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, bool):
        yield path, not value
    elif isinstance(value, int):
        yield path, value + 1
    elif isinstance(value, str):
        last = value[-1:]
        yield path, value[:-1] + str((int(last) + 1) % 10) if last.isdigit() and last.isascii() else value + "x"
    elif isinstance(value, tuple):
        yield path, value[:-1]
        for index, element in enumerate(value):
            for _, other in _changed(element, path):
                yield path, (*value[:index], other, *value[index + 1 :])
    elif isinstance(value, Mapping):
        for key, element in value.items():
            yield (*path, key), {k: v for k, v in value.items() if k != key}
            for below, other in _changed(element, (*path, key)):
                yield below, {**value, key: other}
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            for below, other in _changed(getattr(value, field.name), (*path, field.name)):
                yield below, dataclasses.replace(value, **{field.name: other})
