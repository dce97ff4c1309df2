"""From a site to a proven tree: resolve, render and verify in one pass, every effect left to the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Optional

from kfimage import advice, fleet
from kfimage.artefact import Artefact
from kfimage.catalog import Catalog
from kfimage.errors import KfimageError, Report
from kfimage.model import Plan
from kfimage.render import facts, netboot
from kfimage.render.kickstart import Kickstarts, Piece, text
from kfimage.render.payload import Payload
from kfimage.render.templates import Templates
from kfimage.render.view import Views
from kfimage.resolve import Resolver
from kfimage.sitefile import SiteSource
from kfimage.verify.prove import Prover


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
        if resolver.node_names:
            chosen = [p for p in every if (not roles or p.role in roles) and (not nodes or p.name in nodes)]
        else:
            chosen = [plan for plan in map(resolver.role_plan, roles or resolver.role_names()) if plan]
        for plan in chosen:
            self._advise(plan)
        self.report.extend(resolver.report)
        self.chosen = chosen
        return chosen

    def _advise(self, plan: Plan) -> None:
        key = tuple(id(v) for name, v in vars(plan).items() if name not in ("name", "node", "nics"))
        if key in self._advised:
            return
        self._advised.add(key)
        folder = self.source.folder

        def exists(path: str) -> bool:
            return folder is not None and folder.read(path) is not None

        advice.advise(plan, self.lock, lambda *path: self.resolver.where(plan.name, *path), exists, self.resolver.report)

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

    def artefacts(self, plans: Sequence[Plan], *, progress: Callable[[int], None] = lambda done: None) -> Iterator[Artefact]:
        """Render and prove every artefact of the plans; what is wrong with them is in `report` when the iterator ends."""
        renderer = self.renderer
        prover = renderer.prover
        entry, install = self.others(plans)
        rendered = list(plans)
        if entry is not None and entry not in rendered:
            rendered.append(entry)
        if plans:
            prover.payload(renderer.payload, self.catalog.units_table(plans[0].release))
        for done, plan in enumerate(rendered):
            yield renderer.kickstart(plan)
            yield from netboot.node_artefacts(plan)
            progress(done + 1)
        yield from netboot.default_artefacts(entry, install)
        yield from renderer.payload.artefacts()
        prover.shellcheck(renderer.generated)
        self.report.extend(prover.report)


class Renderer:
    """Everything that renders for one catalog and site."""

    def __init__(self, catalog: Catalog, source: SiteSource) -> None:
        self.payload = Payload(catalog)
        self.catalog = catalog
        self.templates = Templates(catalog)
        self.views = Views(catalog.lock(), self.payload, lambda path: catalog.read(path).decode("utf-8"), _reader(source))
        self.kickstarts = Kickstarts(catalog, self.templates, self.views)
        self.prover = Prover(catalog)
        self.generated: dict[str, str] = {}
        self._facts_seen: set[int] = set()

    def pieces(self, plan: Plan) -> tuple[Piece, ...]:
        return self.kickstarts.pieces(plan)

    def kickstart(self, plan: Plan) -> Artefact:
        """A plan's kickstart, proven."""
        path = f"kickstart/{plan.name}.ks"
        pieces = self.pieces(plan)
        if self.prover.kickstart(plan, pieces, path) == path:
            self.generated[path] = _generated(pieces)
            self.prover.steps(plan, {**facts.own(plan), **facts.shared(plan, self.views.lock)})
        return Artefact(path, "kickstart", text(pieces).encode("utf-8"), 0o644, plan.name)


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
