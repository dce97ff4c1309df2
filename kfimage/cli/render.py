"""`kfimage render`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from json import loads as json_of
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from kfimage import __version__, exports
from kfimage.cli.load import load
from kfimage.cli.output import as_json, as_sarif, print_report, summary
from kfimage.cli.usage import known_checks, reporting, wrong_use
from kfimage.errors import did_you_mean
from kfimage.model import Plan
from kfimage.pipeline import Pipeline

if TYPE_CHECKING:
    from kfimage.sinks.secrets import Secrets


def run(
    roles: list[str], nodes: list[str], site: Optional[Path], output: str, format: str, strict: bool, ignore: list[str], json: bool, sarif: bool,
) -> None:
    if format not in ("tree", *exports.names()):
        raise wrong_use(f"no format '{format}'", did_you_mean(format, ("tree", *exports.names())))
    if format != "tree" and nodes:
        raise wrong_use(f"--node does not go with '{format}'", "a template of some nodes would be wrong for their role's others; choose by --role")
    if format != "tree" and output == "-":
        raise wrong_use(f"-o - prints one kickstart, and '{format}' is many files", "name a folder with --output")
    if output == "-" and (json or sarif):
        raise wrong_use(f"-o - and {'--json' if json else '--sarif'} both want stdout", "write the tree to a folder, or leave the report to stderr")
    with reporting(json, sarif):
        skipped = known_checks(ignore)
        if output != "-":
            check_folder(Path(output))
            _check_format(Path(output), format)
        pipeline = load(site)
        _check_names(pipeline, roles, nodes)
        plans = pipeline.plans(roles, nodes)
        _settle(pipeline, skipped, strict)
        if not plans:
            raise wrong_use("no node fits", "the site has no node of that role and name")
        if output == "-":
            _print_one(pipeline, plans, skipped, strict)
        else:
            if format == "tree":
                _write(pipeline, plans, output, skipped, strict)
            else:
                _export(pipeline, plans, format, output, skipped, strict)
            if json or sarif:
                sys.stdout.write(as_json(pipeline.report) if json else as_sarif(pipeline.report))


def check_folder(folder: Path) -> None:
    """Raise wrong use when the tree cannot be written there: told before the work, not after it."""
    if not folder.name:
        return
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise wrong_use(f"{folder}: {'this' if place == folder else place} is a file, and a tree needs a folder", "name another folder with --output")
    if not os.access(place, os.W_OK | os.X_OK):
        raise wrong_use(f"{folder}: {place} is not writable", "name another folder with --output, or change its permissions")


def _settle(pipeline: Pipeline, ignore: Sequence[str], strict: bool) -> None:
    pipeline.report = pipeline.report.without(ignore)
    pipeline.raise_for(strict=strict)


def _print_one(pipeline: Pipeline, plans: list[Plan], ignore: Sequence[str], strict: bool) -> None:
    if len(plans) > 1:
        raise wrong_use(f"-o - prints one kickstart, and {len(plans)} fit", "choose one with --role or --node, or write to a folder")
    wanted = next(a for a in pipeline.artefacts(plans) if a.kind == "kickstart" and a.owner == plans[0].name)
    secrets = _secrets(pipeline, plans)
    _settle(pipeline, ignore, strict)
    print_report(pipeline.report)
    sys.stdout.buffer.write(secrets.fill(wanted).content)


def _secrets(pipeline: Pipeline, plans: list[Plan]) -> Secrets:
    """The secrets of the plans, proven to be readable where they are waived and to stand nowhere else."""
    from kfimage.sinks.secrets import Secrets

    folder = pipeline.source.folder
    secrets = Secrets(pipeline.rendered(plans), folder.root if folder else None)
    secrets.prove(pipeline.artefacts(plans))
    pipeline.report.extend(secrets.report)
    return secrets


def _write(pipeline: Pipeline, plans: list[Plan], output: str, ignore: Sequence[str], strict: bool) -> None:
    from kfimage.cli.progress import counter
    from kfimage.sinks import directory
    from kfimage.sinks.memory import Memory, content

    renderer, prover = pipeline.renderer, pipeline.renderer.prover
    # The memory is of nodes; a role or two are made and proven as quickly as they are looked up.
    world = pipeline.world() if plans[0].node else ""
    memory = Memory(Path(output), world)
    with counter("proving", len(plans)) as progress:
        pipeline.prove(plans, memory=memory, progress=progress)
    secrets = _secrets(pipeline, plans)
    _settle(pipeline, ignore, strict)

    def leave(plan: Plan) -> bool:
        from kfimage.sinks.secrets import references

        # What a secret is filled in from is no input of the plan.
        return not references(plan) and memory.leave(plan.name, renderer.made[plan.name].inputs)

    def remember(index: bytes) -> bytes:
        return content(renderer.made, prover.proven, world, index)

    tree = map(secrets.fill, pipeline.artefacts(plans, leave=leave))
    remembered = remember if world else None
    written = directory.write(Path(output), tree, _head(pipeline, ignore), memory=memory, remember=remembered, stays=_others(pipeline, plans))
    print_report(pipeline.report)
    what = f"{len(plans)} {'node' if plans[0].node else 'role'}{'s' * (len(plans) > 1)}"
    shapes = prover.shapes
    removed = f", removed {written.removed} that no longer belong" if written.removed else ""
    proven = f"{shapes} distinct kickstart{'s' * (shapes > 1)} proven"
    sys.stderr.write(f"wrote {written.changed} of {written.files} files for {what} to {output.rstrip('/')}/{removed} ({proven})\n")


def _others(pipeline: Pipeline, plans: Sequence[Plan]) -> Callable[[dict[str, Any]], bool]:
    """Which entries of an earlier index.json stay: those of the site's nodes (or roles) that this run was not asked for."""
    resolver = pipeline.resolver
    others = {*(resolver.node_names or resolver.role_names())} - {plan.name for plan in plans}
    # Their kickstarts may name an earlier payload.
    return lambda entry: bool(others) and (entry.get("of") in others or entry.get("kind") == "payload")


def _check_format(folder: Path, format: str) -> None:
    """Raise wrong use when the folder holds another format: what is served from it would be removed."""
    try:
        there = json_of((folder / "index.json").read_bytes()).get("format", "tree")
    except (OSError, ValueError, AttributeError):
        return
    if there != format:
        raise wrong_use(f"{folder} holds the format '{there}'", "name another folder with --output")


def _export(pipeline: Pipeline, plans: list[Plan], format: str, output: str, ignore: Sequence[str], strict: bool) -> None:
    from kfimage.cli.progress import counter
    from kfimage.sinks import directory
    from kfimage.sinks.secrets import Secrets

    export, made = pipeline.exporting(format, plans)
    with counter("proving", len(plans)) as progress:
        pipeline.prove(plans, progress=progress)
    export.check(made, pipeline.report)
    folder = pipeline.source.folder
    secrets = Secrets(plans, folder.root if folder else None)
    if not pipeline.report.failed():
        secrets.prove(export.export(made))
        pipeline.report.extend(secrets.report)
    _settle(pipeline, ignore, strict)
    written = directory.write(Path(output), export.export(made), {**_head(pipeline, ignore), "format": format})
    print_report(pipeline.report)
    sys.stderr.write(f"wrote {written.changed} of {written.files} files of {format} to {output.rstrip('/')}/\n")


def _check_names(pipeline: Pipeline, roles: list[str], nodes: list[str]) -> None:
    known = pipeline.resolver.role_names()
    for role in roles:
        if role not in known:
            raise wrong_use(f"no role '{role}'", did_you_mean(role, known))
    names = pipeline.resolver.node_names
    for node in nodes:
        if node not in names:
            raise wrong_use(f"no node '{node}'", did_you_mean(node, names))


def _head(pipeline: Pipeline, ignore: Sequence[str]) -> dict[str, Any]:
    waived = sorted({name for plan in pipeline.chosen for name in plan.waive})
    report = pipeline.report
    return {
        "findings": summary(report) or "none", "generator": f"kfimage {__version__}", "ignored": sorted(set(ignore)), "schema": 1,
        "site": pipeline.resolver.site_name, "waived": waived,
    }
