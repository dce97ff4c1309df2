"""Checks of single things for `check`: a kickstart with its scripts, a set of units, scripts, boot files, a site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Optional

from kfimage.assets import builtin
from kfimage.catalog import Catalog
from kfimage.cli.kindof import BOOT, KICKSTART, PRESET, SCRIPT, SITE, UNIT, Found
from kfimage.errors import KfimageError, Mark, Problem, Report
from kfimage.located import Mapping as Tree
from kfimage.model import Release

SEVERITY = "style"
"""What shellcheck is asked for in files people name: remarks are notes and stop nothing."""


class Examiner:
    """Checks things for one release; what is wrong with them gathers in `report`, and `counts` says how many of each kind there were."""

    def __init__(self, release: Release, catalog: Optional[Catalog] = None, *, severity: str = SEVERITY) -> None:
        self.release = release
        self.catalog = catalog or Catalog(builtin())
        self.severity = severity
        self.report = Report()
        self.counts: dict[str, int] = {}
        self._scripts: dict[tuple[str, int], str] = {}

    def count(self, kind: str, number: int = 1) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + number

    def files(self, found: Iterable[Found], *, one_set: bool = False) -> None:
        """Check files of any kind; `one_set` when the units among them go to one node, so that what is missing can be told."""
        units: dict[str, str] = {}
        presets = []
        for file in found:
            self.count(file.kind)
            if file.kind == SITE:
                self.site(Path(file.path))
                continue
            text = file.text(self.report)
            if file.kind == KICKSTART:
                self.kickstart(text, file.path)
            elif file.kind == SCRIPT:
                self.script(text, file.path)
            elif file.kind == BOOT:
                self.boot(text, file.path)
            elif file.kind == UNIT:
                units[file.path] = text
            elif file.kind == PRESET:
                presets.append(text)
        self.units(units, presets, one_set=one_set)

    def kickstart(self, text: str, path: str) -> None:
        """A kickstart: what pykickstart refuses, what it lets pass, and its scripts."""
        from kfimage.verify import guide, kickstart, shell
        from kfimage.verify.kslint.model import RULES

        parsed, report = kickstart.parse(text, path, self.release.pykickstart)
        for rule in RULES:
            rule(parsed, report)
        self.report.extend(report)
        self.report.extend(guide.check_text(text, path))
        for section in parsed.sections:
            if section.is_shell:
                name = section.name.lstrip("%")
                place = name if name in ("pre", "post", "onerror") else "pre"
                self.report.extend(shell.check_script(section.body, path, first_line=section.first, name=section.name, place=place))
                self._scripts[path, section.first] = section.body

    def script(self, text: str, path: str) -> None:
        from kfimage.verify import guide, shell
        from kfimage.verify.prove import place_of

        # A script may say itself where it runs; only a step's install.sh is known by its name.
        place = place_of(path)
        self.report.extend(shell.check_script(text, path, place="" if place == "node" else place))
        self.report.extend(guide.check_text(text, path))
        self._scripts[path, 1] = text

    def boot(self, text: str, path: str) -> None:
        from kfimage.verify import netboot

        self.report.extend(netboot.check_boot_file(text, path))

    def units(self, units: Mapping[str, str], presets: Sequence[str] = (), *, one_set: bool = False) -> None:
        """Each unit by itself, then the sets they form: all of them, or each folder's when two files have one name."""
        if not units:
            return
        from kfimage.verify import units as rules
        from kfimage.verify import unitset

        table = rules.load_table(self.catalog.units_table(self.release))
        for path, text in units.items():
            self.report.extend(rules.check_unit(text, path, table))
            if unitset.is_step_unit(text, path):
                self.report.extend(unitset.check_house_shape(text, path))
        if not one_set:
            return
        lines = [line.split() for text in presets for line in text.splitlines()]
        wanted = [words[1] for words in lines if words[:1] == ["enable"] and len(words) > 1 and "*" not in words[1]]
        for together in _sets(units):
            self.report.extend(unitset.check_unit_set(together, table, wanted=wanted))

    def site(self, path: Path) -> None:
        """A site: every node and role resolved and advised on, then rendered and proven, nothing kept."""
        from kfimage.cli.load import load

        try:
            pipeline = load(path)
        except KfimageError as error:
            self.report.extend(error.report)
            return
        plans = pipeline.plans()
        roles = pipeline.source.top.get("roles")
        if isinstance(roles, Tree):
            unused = sorted(roles.entries.keys() - {plan.role for plan in plans})
            plans = [*plans, *(plan for plan in (pipeline.resolver.role_plan(name, roles.keys[name]) for name in unused) if plan)]
        self.report.extend(pipeline.report)
        self.report.extend(pipeline.resolver.report)
        if plans and not pipeline.report.failed() and not pipeline.resolver.report.failed():
            try:
                pipeline.prove(plans)
            except KfimageError as error:
                self.report.extend(error.report)
            self.report.extend(pipeline.report)

    def finish(self) -> Report:
        """The report, with shellcheck's findings over every script seen (each text once)."""
        from kfimage.verify import shellcheck

        once: dict[str, tuple[str, int]] = {}
        for place, body in sorted(self._scripts.items()):
            once.setdefault(body, place)
        # Lines before a section's script keep its line numbers; the key must differ for each section of one file.
        wanted = {f"{path}\0{first}": "\n" * (first - 1) + body for body, (path, first) in once.items()}
        if wanted:
            found = shellcheck.run(wanted, severity=self.severity)
            self.report.extend(Problem(p.check, Mark(p.mark.file.partition("\0")[0], *p.mark[1:]), p.message, p.hint) for p in found)
        self._scripts.clear()
        return self.report


def _sets(units: Mapping[str, str]) -> list[dict[str, str]]:
    names = [_unit_name(path) for path in units]
    if len(set(names)) == len(names):
        return [dict(units)]
    folders: dict[str, dict[str, str]] = {}
    for path, text in units.items():
        top, _, base = path.rpartition("/")
        folders.setdefault(top.rpartition("/")[0] if base.endswith(".conf") else top, {})[path] = text
    return list(folders.values())


def _unit_name(path: str) -> str:
    return "/".join(path.split("/")[-2:]) if path.endswith(".conf") else path.rpartition("/")[2]
