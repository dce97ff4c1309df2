"""Proof of a rendered tree: kickstarts once for each distinct shape, the payload once, and no secret anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from threading import Thread
from typing import NamedTuple, Optional

from kfimage.artefact import Artefact
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


class Stand(NamedTuple):
    """A kickstart, its shape, and whether it is the first of that shape."""

    plan: Plan
    pieces: tuple[Piece, ...]
    path: str
    shape: str
    first: bool


class Prover:
    """Collects what is wrong with kickstarts and the payload of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.report = Report()
        self._shapes = Shapes()
        self._shapes_seen: set[str] = set()
        self._clean: set[str] = set()
        self._before: frozenset[str] = frozenset()
        self._scripts: dict[str, Report] = {}

    @property
    def shapes(self) -> int:
        """How many distinct kickstarts there are."""
        return len(self._shapes_seen)

    @property
    def proven(self) -> frozenset[str]:
        """What was proven, now or before, without a single finding: digests of shapes and payloads."""
        return frozenset(self._clean)

    def remember(self, proven: frozenset[str]) -> None:
        """Take the word of an earlier run of the same code for what it proved without a finding."""
        self._before = proven

    def stands(self, shape: str) -> bool:
        """Whether a kickstart of this shape is proven, or about to be."""
        if shape not in self._shapes_seen and shape in self._before:
            self._shapes_seen.add(shape)
            self._clean.add(shape)
        return shape in self._shapes_seen

    def stand(self, plan: Plan, pieces: tuple[Piece, ...], path: str) -> Stand:
        """A kickstart and its shape; the first of a shape stands for all the others and is the one to prove."""
        shape = self._shapes.of(plan, pieces)
        first = not self.stands(shape)
        self._shapes_seen.add(shape)
        return Stand(plan, pieces, path, shape, first)

    def kickstart(self, plan: Plan, pieces: tuple[Piece, ...], path: str) -> None:
        """Prove one kickstart unless one of its shape is proven."""
        stand = self.stand(plan, pieces, path)
        if stand.first:
            self.prove(stand)

    def prove(self, stand: Stand, facts: Optional[Mapping[str, str]] = None, boot: Iterable[Artefact] = ()) -> None:
        """Prove one kickstart and its boot files; with the `facts` it writes, also that its steps find those they need."""
        found = self._read(stand.plan, stand.pieces, stand.path)
        _boot_files(boot, found)
        if facts is not None:
            self._steps(stand.plan, facts, found)
        if not found:
            self._clean.add(stand.shape)
        self.report.extend(found)

    def boot_files(self, files: Iterable[Artefact]) -> None:
        """Prove boot files that are no node's own."""
        _boot_files(files, self.report)

    def _read(self, plan: Plan, pieces: tuple[Piece, ...], path: str) -> Report:
        from kfimage.verify import kickstart, meaning

        parsed, report = kickstart.parse(text(pieces), path, plan.release.pykickstart)
        for rule in kickstart.RULES:
            rule(parsed, report)
        if not report.failed():
            meaning.compare(parsed.handler, plan, path, report)
        blank = masked(plan)
        for section in parsed.sections:
            if section.name in ("%post", "%pre", "%onerror"):
                key = section.name + blank(section.body)
                if key not in self._scripts:
                    self._scripts[key] = _script(section.body, path, section.first, section.name.lstrip("%"))
                report.extend(self._scripts[key])
        return report

    def payload(self, payload: Payload, release_units: str) -> None:
        """Prove the payload's units and scripts."""
        key = hashlib.sha256(f"{payload.sha256} {release_units}".encode()).hexdigest()
        if key not in self._before:
            found = Report()
            prove_firstboot({f"firstboot/root/{path}": data for path, (data, _) in payload.files.items()}, release_units, found)
            self.report.extend(found)
            if found:
                return
        self._clean.add(key)

    def _steps(self, plan: Plan, facts: Mapping[str, str], report: Report) -> None:
        for name in plan.steps:
            for need in self.catalog.step(name).needs:
                known = any(fact.startswith(need[:-1]) for fact in facts) if need.endswith("*") else need in facts
                if not known:
                    report.add(MISMATCH, Mark(f"firstboot/steps/{name}/step.yaml"), f"step '{name}' needs {need}, and no such fact is written")

    def shellcheck(self, scripts: Mapping[str, str]) -> Callable[[], None]:
        """Start shellcheck over what was generated; call what is returned to wait for it. Its absence is recorded."""
        from kfimage.verify import shellcheck

        done: list[Report] = []
        beside = Thread(target=lambda: done.append(shellcheck.run(scripts)), daemon=True)
        beside.start()

        def wait() -> None:
            beside.join()
            # Nothing is done when the thread raised: then it raises here, where it is seen.
            found = done[0] if done else shellcheck.run(scripts)
            self.report.extend(found)
            if found:
                # Which shapes it spares is not worth telling apart: all are proven again next time.
                self._clean -= self._shapes_seen

        return wait


def _script(body: str, path: str, first: int, place: str) -> Report:
    from kfimage.verify import guide, shell

    found = shell.check_script(body, path, first_line=first, name=f"%{place}", place=place)
    found.extend(guide.check_text(body, path, first_line=first))
    return found


def _boot_files(files: Iterable[Artefact], report: Report) -> None:
    from kfimage.verify import netboot

    for file in files:
        report.extend(netboot.check_boot_file(file.content.decode("utf-8"), file.path))


def prove_firstboot(files: Mapping[str, bytes], table_json: str, report: Report) -> None:
    """The units and scripts among `files` (path in the tree: bytes)."""
    from kfimage.verify import guide, shell, units, unitset

    before = proven()
    table = units.load_table(table_json)
    found = {path.rsplit("/", 1)[-1]: data.decode("utf-8", "replace") for path, data in files.items() if _is_unit(path)}
    for path, data in files.items():
        body = data.decode("utf-8", "replace")
        if _is_unit(path):
            report.extend(units.check_unit(body, path, table))
            if unitset.is_step_unit(body, path):
                report.extend(unitset.check_house_shape(body, path))
        elif is_script(path, data) and digest(path, data) not in before:
            report.extend(shell.check_script(body, path))
            report.extend(guide.check_text(body, path))
    report.extend(unitset.check_unit_set(found, table, wanted=()))


def is_script(path: str, data: bytes) -> bool:
    return data[:2] == b"#!" or path.endswith(".sh")


def digest(path: str, data: bytes) -> str:
    return hashlib.sha256(path.encode() + b"\0" + data).hexdigest()


@cache
def proven() -> frozenset[str]:
    """The scripts of kfimage's own payload that were proven, without a finding, before they were shipped.

    They are the same bytes on every node of every site, and reading them again takes as long as all else of a small run.
    `make proven` writes the list; a test proves each of them again and that none is missing.
    """
    return frozenset(line.split()[0] for line in (Path(__file__).parent / "proven.txt").read_text("ascii").splitlines())


def _is_unit(path: str) -> bool:
    return path.endswith((".service", ".target", ".timer", ".path", ".socket", ".mount"))

