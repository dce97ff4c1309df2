"""From a site to a proven tree: resolve, render and verify in one pass, every effect left to the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Optional

from kfimage import __version__, advice, exports, fleet
from kfimage.artefact import Artefact
from kfimage.catalog import Catalog
from kfimage.errors import KfimageError, Mark, Report
from kfimage.exports import made
from kfimage.inputs import Inputs
from kfimage.located import Scalar, at
from kfimage.model import Plan
from kfimage.render import facts, netboot
from kfimage.render.kickstart import Kickstarts, Piece, text
from kfimage.render.payload import Payload
from kfimage.render.templates import Templates
from kfimage.render.view import Views
from kfimage.resolve import Resolver
from kfimage.sinks.memory import Made, Memory
from kfimage.sitefile import SiteSource
from kfimage.verify.prove import Prover, SiteScript, Stand, own_scripts, site_scripts


class Pipeline:
    """One site on its way to a tree. `report` gathers everything found; raise_for() ends the work when that forbids going on."""

    def __init__(self, source: SiteSource, catalog: Catalog, parse_report: Report) -> None:
        self.source = source
        self.catalog = catalog
        self.report = Report(parse_report)
        self.lock = catalog.lock()
        self.resolver = Resolver(source, catalog)
        self._advised: set[tuple[int, ...]] = set()
        self._render: Optional[Renderer] = None
        self._proven: Optional[Sequence[Plan]] = None
        self.chosen: list[Plan] = []

    @property
    def renderer(self) -> Renderer:
        if self._render is None:
            self._render = Renderer(self.catalog, self.source)
        return self._render

    def plans(self, roles: Sequence[str] = (), nodes: Sequence[str] = ()) -> list[Plan]:
        """Plans of the nodes asked for (all when none are named), or of roles when the site has no nodes.

        Every node of the site is resolved, so that a fault or clash anywhere is told whatever was asked for.
        """
        resolver = self.resolver
        every = [plan for plan in map(resolver.node_plan, resolver.node_names) if plan]
        fleet.check(every, self.source.nodes, resolver.report)
        resolver.empty_groups()
        if resolver.node_names:
            chosen = [p for p in every if (not roles or p.role in roles) and (not nodes or p.name in nodes)]
        else:
            chosen = [plan for plan in map(resolver.role_plan, roles or resolver.role_names()) if plan]
        for plan in chosen:
            self.advise(plan)
        self.report.extend(resolver.report)
        self.chosen = chosen
        return chosen

    def advise(self, plan: Plan) -> None:
        """Add what is to be said of a plan to the resolver's report, once for plans that share all their parts."""

        def where(*path: str) -> Mark:
            return self.resolver.where(plan.name, *path)

        advice.advise_interfaces(plan, where, self.resolver.report)
        key = tuple(map(id, plan.shared))
        if key in self._advised:
            return
        self._advised.add(key)
        folder = self.source.folder

        def exists(path: str) -> bool:
            return folder is not None and folder.read(path) is not None

        advice.advise(plan, self.catalog, self.lock, where, exists, self.resolver.report)

    def raise_for(self, *, strict: bool = False) -> None:
        if self.report.failed(strict=strict):
            raise KfimageError(self.report)

    def others(self, plans: Sequence[Plan]) -> tuple[Optional[Plan], bool]:
        """What an unknown MAC's boot files offer: a plan (or none), and whether it is taken by default."""
        if not plans:
            return None, False
        wanted = plans[0].boot.others or "local"
        if wanted != "local":
            plan = self.resolver.role_plan(wanted, self.resolver.where(plans[0].name, "boot", "others"))
            self.report.extend(self.resolver.report)
            return plan, True
        return (plans[0], False) if plans[0].node is None and len(plans) == 1 else (None, False)

    def prove(self, plans: Sequence[Plan], *, memory: Optional[Memory] = None, progress: Callable[[int], None] = lambda done: None) -> None:
        """Render and prove every kickstart of the plans and the payload, keeping none of the texts; findings go to `report`.

        What `memory` knows to be proven without a finding, by the same code for the same inputs, is not proven again.
        """
        renderer, prover = self.renderer, self.renderer.prover
        self._proven = plans
        if memory is not None:
            prover.remember(memory.proven)
        stands = []
        for done, plan in enumerate(self.rendered(plans)):
            stands += renderer.sort(plan, memory.made.get(plan.name) if memory else None)
            progress(done + 1)
        own = {stand.path: renderer.site_scripts(stand.plan) for stand in stands}
        scripts = {s.path: s.text for s in (*(own_scripts(renderer.payload) if stands else ()), *(s for several in own.values() for s in several))}
        shellcheck = prover.shellcheck({**{stand.path: _generated(stand.pieces) for stand in stands}, **scripts})
        for stand in stands:
            boot = netboot.node_artefacts(stand.plan)
            prover.prove(stand, {**facts.own(stand.plan), **facts.shared(stand.plan, renderer.views.lock)}, boot, own[stand.path])
        prover.boot_files(netboot.default_artefacts(*self.others(plans), plans[0].boot.local if plans else None))
        for release in {plan.release.name: plan.release for plan in plans}.values():
            prover.payload(renderer.payload, self.catalog.units_table(release))
        shellcheck()
        self.report.extend(prover.report)

    def artefacts(
        self, plans: Sequence[Plan], *, leave: Callable[[Plan], bool] = lambda plan: False, progress: Callable[[int], None] = lambda done: None
    ) -> Iterator[Artefact]:
        """Every artefact of the plans but those of the nodes to `leave`; all are proven, and `report` is whole, before the first."""
        if self._proven is not plans:
            self.prove(plans, progress=progress)
        renderer = self.renderer
        for plan in self.rendered(plans):
            if plan.node is None or not leave(plan):
                yield renderer.kickstart(plan)
                yield from netboot.node_artefacts(plan)
        yield from netboot.default_artefacts(*self.others(plans), plans[0].boot.local if plans else None)
        yield from renderer.payload.artefacts()

    def exporting(self, name: str, plans: Sequence[Plan]) -> tuple[exports.Export, made.Made]:
        """Another tool's format and what it is made from; from here on every kickstart has the sections that tool needs."""
        export, renderer = exports.load(name), self.renderer
        renderer.extra = export.sections
        generator, payload = f"kfimage {__version__}", renderer.payload.artefacts()[-1]
        return export, made.Made(self.resolver.site_name, generator, plans, renderer.pieces, payload, self.resolver.where)

    def world(self) -> str:
        """The digest of everything but the plans themselves that files are made from."""
        nodes = at(self.source.top, "nodes_from.file")
        return self.renderer.inputs.world(less=[nodes.text] if isinstance(nodes, Scalar) else [])

    def rendered(self, plans: Sequence[Plan]) -> list[Plan]:
        """The plans and, when unknown MACs are installed as a role, that role's."""
        entry, _ = self.others(plans)
        return [*plans, *([entry] if entry is not None and not any(entry is plan for plan in plans) else ())]


class Renderer:
    """Everything that renders for one catalog and site."""

    def __init__(self, catalog: Catalog, source: SiteSource) -> None:
        self.payload = Payload(catalog)
        self.catalog = catalog
        self.templates = Templates(catalog)
        self.views = Views(catalog.lock(), self.payload, lambda path: catalog.read(path).decode("utf-8"), _reader(source))
        self.kickstarts = Kickstarts(catalog, self.templates, self.views)
        self.prover = Prover(catalog)
        self.inputs = Inputs(source.folder)
        self._folder = source.folder
        self.made: dict[str, Made] = {}
        self.extra: Callable[[Plan], tuple[Piece, ...]] = lambda plan: ()

    def site_scripts(self, plan: Plan) -> tuple[SiteScript, ...]:
        """The shell scripts of the site's own that a plan's kickstart carries."""
        return site_scripts(plan, self.views.read, lambda path: self._folder.name(path) if self._folder else path)

    def pieces(self, plan: Plan) -> tuple[Piece, ...]:
        """A kickstart's sections in the order of their names, an export's own among them."""
        found, extra = self.kickstarts.pieces(plan), self.extra(plan)
        return tuple(sorted((*found, *extra), key=lambda piece: piece.section.name)) if extra else found

    def kickstart(self, plan: Plan) -> Artefact:
        """A plan's kickstart."""
        return Artefact(f"kickstart/{plan.name}.ks", "kickstart", text(self.pieces(plan)).encode("utf-8"), 0o644, plan.name)

    def sort(self, plan: Plan, before: Optional[Made]) -> list[Stand]:
        """Note what a plan is made from and its kickstart's shape; give the kickstart when it is the first of its shape.

        `before` tells the shape without rendering when the inputs are still the same.
        """
        inputs = self.inputs.of(plan)
        if before is not None and before.inputs == inputs and self.prover.stands(before.shape):
            self.made[plan.name] = before
            return []
        stand = self.prover.stand(plan, self.pieces(plan), f"kickstart/{plan.name}.ks")
        self.made[plan.name] = Made(inputs, stand.shape)
        return [stand] if stand.first else []


def _generated(pieces: tuple[Piece, ...]) -> str:
    """The lines of %post that render made, as one script for shellcheck: without what is pasted and proven in the source tree."""
    wanted = [p.text for p in pieces if p.section.name in ("93-files.ks.j2", "95-install.ks.j2")]
    return "set -euo pipefail\n" + "".join(wanted).replace("%end\n", "")


def _reader(source: SiteSource) -> Callable[[str], bytes]:
    def read(path: str) -> bytes:
        data = source.folder.read(path) if source.folder is not None else None
        # advice.py reports a file that is not there, and an error stops the run before anything is rendered.
        assert data is not None, path
        return data

    return read
