"""Proof of a rendered tree: kickstarts once for each distinct shape, the payload once, and no secret anywhere."""

from __future__ import annotations

from collections.abc import Mapping

from kfimage.catalog import Catalog
from kfimage.errors import ERROR, Mark, Report, define
from kfimage.model import Plan
from kfimage.render.kickstart import Piece, Shapes, masked, text
from kfimage.render.payload import Payload

MISMATCH = define(
    "KF4900", ERROR, "a first-boot step whose scripts and description differ",
    why="A fact that a script reads and nobody writes is empty on the node; one that nobody declares never re-runs the step.",
    fix="make `# needs:` of the scripts, `needs` of step.yaml and the facts of kfimage/render/facts.py agree",
)


class Prover:
    """Collects what is wrong with kickstarts and the payload of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.report = Report()
        self.shapes = 0
        self._shapes = Shapes()
        self._seen: dict[str, str] = {}
        self._scripts: set[str] = set()

    def kickstart(self, plan: Plan, pieces: tuple[Piece, ...], path: str) -> str:
        """Prove one kickstart, unless one of the same shape is proven; returns the path of the one that stood for it."""
        key = self._shapes.of(plan, pieces)
        known = self._seen.get(key)
        if known is not None:
            return known
        self._seen[key] = path
        self.shapes += 1
        self._prove(plan, pieces, path)
        return path

    def _prove(self, plan: Plan, pieces: tuple[Piece, ...], path: str) -> None:
        from kfimage.verify import kickstart, meaning

        whole = text(pieces)
        parsed, report = kickstart.parse(whole, path, plan.release.pykickstart)
        for rule in kickstart.RULES:
            rule(parsed, report)
        if not report.failed():
            meaning.compare(parsed.handler, plan, path, report)
        self.report.extend(report)
        blank = masked(plan)
        for section in parsed.sections:
            if section.name in ("%post", "%pre", "%onerror"):
                if section.name + blank(section.body) not in self._scripts:
                    self._scripts.add(section.name + blank(section.body))
                    self._script(section.body, path, section.first, section.name.lstrip("%"))

    def _script(self, body: str, path: str, first: int, place: str) -> None:
        from kfimage.verify import guide, shell

        self.report.extend(shell.check_script(body, path, first_line=first, name=f"%{place}", place=place))
        self.report.extend(guide.check_text(body, path, first_line=first))

    def payload(self, payload: Payload, release_units: str) -> None:
        """Prove the payload's units and scripts."""
        prove_firstboot({f"firstboot/root/{path}": data for path, (data, _) in payload.files.items()}, release_units, self.report)

    def steps(self, plan: Plan, facts: Mapping[str, str]) -> None:
        """Every fact that a step of the plan needs is one that is written."""
        for name in plan.steps:
            for need in self.catalog.step(name).needs:
                known = any(fact.startswith(need[:-1]) for fact in facts) if need.endswith("*") else need in facts
                if not known:
                    self.report.add(MISMATCH, Mark(f"firstboot/steps/{name}/step.yaml"), f"step '{name}' needs {need}, and no such fact is written")

    def shellcheck(self, scripts: Mapping[str, str]) -> None:
        """Run shellcheck over what was generated; its absence is recorded."""
        from kfimage.verify import shellcheck

        self.report.extend(shellcheck.run(scripts))


def prove_firstboot(files: Mapping[str, bytes], table_json: str, report: Report) -> None:
    """The units and scripts among `files` (path in the tree: bytes)."""
    from kfimage.verify import guide, shell, units, unitset

    table = units.load_table(table_json)
    found = {path.rsplit("/", 1)[-1]: data.decode("utf-8", "replace") for path, data in files.items() if _is_unit(path)}
    for path, data in files.items():
        body = data.decode("utf-8", "replace")
        if _is_unit(path):
            report.extend(units.check_unit(body, path, table))
            if unitset.is_step_unit(body, path):
                report.extend(unitset.check_house_shape(body, path))
        elif data[:2] == b"#!" or path.endswith(".sh"):
            report.extend(shell.check_script(body, path))
            report.extend(guide.check_text(body, path))
    report.extend(unitset.check_unit_set(found, table, wanted=()))


def _is_unit(path: str) -> bool:
    return path.endswith((".service", ".target", ".timer", ".path", ".socket", ".mount"))

