"""`kfimage explain`: keys, checks and steps; lines are in lines.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional

from kfimage.cli.load import load
from kfimage.cli.origins import Origin, origins, reason
from kfimage.cli.usage import wrong_use
from kfimage.errors import CHECKS, Check, KfimageError, did_you_mean
from kfimage.grammar import specs
from kfimage.model import Layer, NodeLayer
from kfimage.pipeline import Pipeline


def run(
    name: Optional[str], key: Optional[str], line: Optional[int], check: Optional[str], step: Optional[str], site: Optional[Path]
) -> None:
    asked = [what for what, given in (("NODE|ROLE", name), ("--check", check), ("--step", step)) if given is not None]
    if len(asked) != 1:
        raise wrong_use(
            f"{' and '.join(asked)} together" if asked else "nothing to explain", "name a node or role, or give --check ID or --step NAME"
        )
    if name is None and (key is not None or line is not None):
        raise wrong_use("a key or --line needs a node or role", "as in `kfimage explain gpu-worker --line 12`")
    if key is not None and line is not None:
        raise wrong_use("a key and --line together", "ask for one of them")
    if check is not None:
        text = explain_check(check)
    elif step is not None:
        text = explain_step(load(site), step)
    else:
        assert name is not None
        pipeline = load(site)
        sys.stdout.write(_explain_name(pipeline, name, key, line))
        if pipeline.resolver.report.failed():
            # The answer is right for what is written; what is written has faults.
            raise KfimageError(pipeline.resolver.report)
        return
    sys.stdout.write(text)


def _explain_name(pipeline: Pipeline, name: str, key: Optional[str], line: Optional[int]) -> str:
    pipeline.raise_for()
    known = (*pipeline.resolver.node_names, *pipeline.resolver.role_names())
    if name not in known:
        raise wrong_use(f"no node or role '{name}'", did_you_mean(name, known))
    if line is not None:
        from kfimage.cli.lines import explain_line

        return explain_line(pipeline, name, line)
    found = origins(pipeline, name)
    if not found:
        raise KfimageError(pipeline.resolver.report)
    return explain_key(pipeline, name, found, key) if key else "".join(_entry(pipeline, origin) for origin in found.values())


def explain_key(pipeline: Pipeline, name: str, found: dict[str, Origin], key: str) -> str:
    """One key, or every key below it; wrong use for a key that the grammar does not have."""
    below = [origin for dotted, origin in found.items() if dotted == key or dotted.startswith(f"{key}.")]
    if below:
        return "".join(_entry(pipeline, origin) for origin in below)
    short = next((origin for dotted, origin in found.items() if key.startswith(f"{dotted}.")), None)
    doc = document(key)
    if short is not None and doc:
        return _entry(pipeline, short)
    if doc:
        return f"{key}: no layer of {name} gives it ({doc})\n"
    every = {*found, *(dotted.rsplit(".", n)[0] for dotted in found for n in range(1, dotted.count(".") + 1)), *_known(Layer)}
    raise wrong_use(f"no key '{key}'", did_you_mean(key, every))


def _entry(pipeline: Pipeline, origin: Origin) -> str:
    lines = [str(origin)]
    why = reason(pipeline, origin.won.mark)
    if why:
        lines.append(f"  why: {why}")
    for lower in origin.overridden:
        why = reason(pipeline, lower.mark)
        if why:
            lines.append(f"  why the {lower.layer}: {why}")
    return "\n".join(lines) + "\n"


def document(key: str) -> str:
    """What the grammar says of a dotted key, or nothing when it has no such key."""
    struct: object = NodeLayer
    doc = ""
    parts = key.split(".")
    while parts:
        known = specs(struct) if isinstance(struct, type) else {}
        spec = known.get(parts[0])
        if spec is None:
            return ""
        doc, struct = spec.doc, spec.of
        parts = parts[1:]
        if spec.shape == "table" and parts:
            # A table's own keys may hold dots (sysctls, file names): what follows is taken for one of them.
            parts = parts[1:] if isinstance(struct, type) else []
    return doc


def _known(struct: type, before: str = "", depth: int = 3) -> list[str]:
    found = []
    for key, spec in specs(struct).items():
        found.append(before + key)
        if isinstance(spec.of, type) and spec.shape == "one" and depth:
            found.extend(_known(spec.of, f"{before}{key}.", depth - 1))
    return found


def explain_check(name: str) -> str:
    from kfimage.cli.checks import load_all

    load_all()
    check: Optional[Check] = CHECKS.get(name.upper())
    if check is None:
        raise wrong_use(f"no check '{name}'", did_you_mean(name.upper(), CHECKS))
    source = f"  source: {check.source}\n" if check.source else ""
    return f"{check.id} ({check.severity}): {check.title}\n  why: {check.why}\n  fix: {check.fix}\n{source}"


def explain_step(pipeline: Pipeline, name: str) -> str:
    from kfimage.cli.steps import GUIDE, describe, steps_of

    step = describe(pipeline, name)
    roles = [role for role in pipeline.resolver.role_names() if name in steps_of(pipeline, role)]
    rows = [
        ("guide", "; ".join(f"{n}. {GUIDE[n]}" for n in step.guide) or "serves no step of the guide's"),
        ("acts", step.acts),
        ("why", step.why),
        ("differs", step.differs),
        ("after", " ".join(step.after)),
        ("needs", " ".join(step.needs)),
        ("roles", ", ".join(roles) or "none"),
    ]
    return f"{name}: {step.title}\n" + "".join(f"  {label}: {text}\n" for label, text in rows if text)
