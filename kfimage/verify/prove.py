"""Proof of a rendered tree: kickstarts once for each distinct shape, the payload once, and no secret anywhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
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


ROOT = "firstboot/root/"
"""Where a tree shows what lands on a node."""


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
        self._described: dict[str, Report] = {}
        self._unsure: set[str] = set()

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

    def prove(
        self, stand: Stand, facts: Optional[Mapping[str, str]] = None, boot: Iterable[Artefact] = (), scripts: Iterable[SiteScript] = ()
    ) -> None:
        """Prove one kickstart, its boot files and the site's scripts that it carries; with the `facts` it writes, also
        that its steps find those they need."""
        found = self._read(stand.plan, stand.pieces, stand.path)
        _boot_files(boot, found)
        for script in scripts:
            found.extend(self._once(f"{script.place}\0{script.path}\0{script.text}", partial(_script, script.text, script.path, 1, script.place)))
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
                place = section.name.lstrip("%")
                body = self._without_pasted(section.body)
                report.extend(self._once(section.name + blank(body), partial(_script, body, path, section.first, place, section.name)))
        return report

    def _without_pasted(self, body: str) -> str:
        """A script less what is pasted into it and proven as it stands; its lines keep their numbers, and `set` its effect."""
        for name in PASTED:
            data = self.catalog.read(name)
            text = data.decode("utf-8")
            if text in body and digest(name, data) in proven():
                body = body.replace(text, "".join(line if line.startswith("set ") else "\n" for line in text.splitlines(keepends=True)))
        return body

    def _once(self, key: str, check: Callable[[], Report]) -> Report:
        """What a script's check finds, looked for once."""
        if key not in self._scripts:
            self._scripts[key] = check()
        return self._scripts[key]

    def payload(self, payload: Payload, release_units: str) -> None:
        """Prove the payload's units and scripts."""
        key = hashlib.sha256(f"{payload.sha256} {release_units}".encode()).hexdigest()
        if key not in self._before:
            found = Report()
            own = {f"{ROOT}{path}": name for path, name in payload.own.items()}
            prove_firstboot({f"{ROOT}{path}": data for path, (data, _) in payload.files.items()}, release_units, found, own)
            self.report.extend(found)
            if found:
                return
        self._clean.add(key)
        if payload.own:
            self._unsure.add(key)

    def _steps(self, plan: Plan, facts: Mapping[str, str], report: Report) -> None:
        for name in plan.steps:
            for need in self.catalog.step(name).needs:
                known = any(fact.startswith(need[:-1]) for fact in facts) if need.endswith("*") else need in facts
                if not known:
                    report.add(MISMATCH, Mark(f"firstboot/steps/{name}/step.yaml"), f"step '{name}' needs {need}, and no such fact is written")
            if name not in self._described:
                self._described[name] = compare_step(self.catalog, name)
            report.extend(self._described[name])

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
                self._clean -= self._shapes_seen | self._unsure

        return wait


_SAID = re.compile(r"^#[ \t]*(needs|after):[ \t]*(.*)$", re.M)


def compare_step(catalog: Catalog, name: str) -> Report:
    """What the comment lines `# needs:` and `# after:` of a step's scripts say against its step.yaml; a step without scripts has none."""
    report, step = Report(), catalog.step(name)
    scripts = [found for file in ("install.sh", "run.sh") if (found := catalog.find(f"firstboot/steps/{name}/{file}")) is not None]
    described = catalog.find(f"firstboot/steps/{name}/step.yaml")
    said: dict[str, set[str]] = {"needs": set(), "after": set()}
    meant = {"needs": set(step.needs), "after": set(step.after)}
    for data, path in scripts:
        text = data.decode("utf-8", "replace")
        for line in _SAID.finditer(text):
            said[line[1]].update(line[2].split())
            for word in sorted(set(line[2].split()) - meant[line[1]]):
                mark = Mark(path, text.count("\n", 0, line.start()) + 1, 1)
                report.add(MISMATCH, mark, f"`# {line[1]}:` names {word}, and `{line[1]}` of step.yaml does not")
    for key in meant if scripts and described else ():
        for word in sorted(meant[key] - said[key]):
            report.add(MISMATCH, Mark(described[1] if described else name), f"`{key}` names {word}, and no `# {key}:` of the step's scripts does")
    return report


PASTED = {"kickstart/pre/storage.sh": "pre", "kickstart/post/clevis.sh": "post", "kickstart/post/guard.sh": "post"}
"""Scripts that sections paste as they are, and where they run."""


class SiteScript(NamedTuple):
    """A shell script of the site's own: where it is written, its text, and where it runs (pre, post, node)."""

    path: str
    text: str
    place: str


_SHELL = re.compile(rb"#![^\n]*\b(?:ba|da|k)?sh\b")


def site_scripts(plan: Plan, read: Callable[[str], bytes], name: Callable[[str], str]) -> tuple[SiteScript, ...]:
    """The site's hooks and those of its files that are shell scripts; `name` tells how messages name a file of its folder."""
    hooks = [(name(hook), read(hook), place) for kind, place in _PLACES for hook in getattr(plan.hooks, kind)]
    # A hook without a `#!` line is run by bash.
    found = [part for part in hooks if _SHELL.match(part[1]) or (part[1][:2] != b"#!" and b"\0" not in part[1])]
    for path, file in plan.files.items():
        where, data = (name(file.source), read(file.source)) if file.source else (path, (file.content or "").encode())
        if _SHELL.match(data) or (data[:2] != b"#!" and where.endswith((".sh", ".bash"))):
            found.append((where, data, "node"))
    return tuple(SiteScript(path, data.decode("utf-8", "replace"), place) for path, data, place in found)


_PLACES = (("pre", "pre"), ("post", "post"), ("firstboot", "node"))


def own_scripts(payload: Payload) -> tuple[SiteScript, ...]:
    """The scripts among the site's own steps."""
    files = ((path, name, payload.files[path][0]) for path, name in payload.own.items())
    return tuple(SiteScript(name, data.decode("utf-8", "replace"), place_of(path)) for path, name, data in files if is_script(path, data))


def place_of(path: str) -> str:
    """Where a script of the payload runs: a step's install.sh in the installer's chroot, all else on the node."""
    return "post" if re.search(r"(?:^|/)steps/[^/]+/install\.sh\Z", path) else "node"


def _script(body: str, path: str, first: int, place: str, name: str = "") -> Report:
    from kfimage.verify import guide, shell

    found = shell.check_script(body, path, first_line=first, name=name, place=place)
    found.extend(guide.check_text(body, path, first_line=first))
    return found


def _boot_files(files: Iterable[Artefact], report: Report) -> None:
    from kfimage.verify import netboot

    for file in files:
        report.extend(netboot.check_boot_file(file.content.decode("utf-8"), file.path))


def prove_firstboot(files: Mapping[str, bytes], table_json: str, report: Report, own: Optional[Mapping[str, str]] = None) -> None:
    """The units and scripts among `files` (path in the tree: bytes); messages name those in `own` as it does."""
    from kfimage.verify import units, unitset

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
            report.extend(_script(body, (own or {}).get(path, path), 1, place_of(path)))
    report.extend(unitset.check_unit_set(found, table, wanted=()))


def is_script(path: str, data: bytes) -> bool:
    return data[:2] == b"#!" or path.endswith(".sh")


def digest(path: str, data: bytes) -> str:
    return hashlib.sha256(path.encode() + b"\0" + data).hexdigest()


@cache
def proven() -> frozenset[str]:
    """The scripts of kfimage's own, payload and pasted, that were proven, without a finding, before they were shipped.

    They are the same bytes on every node of every site, and reading them again takes as long as all else of a small run.
    `make proven` writes the list; a test proves each of them again and that none is missing.
    """
    return frozenset(line.split()[0] for line in (Path(__file__).parent / "proven.txt").read_text("ascii").splitlines())


def _is_unit(path: str) -> bool:
    return path.endswith((".service", ".target", ".timer", ".path", ".socket", ".mount"))

