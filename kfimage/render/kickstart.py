"""A kickstart is its sections in order; each is rendered once for the parts of a plan it reads, and knows what it came from."""

from __future__ import annotations

from dataclasses import dataclass

from kfimage.catalog import Catalog
from kfimage.model import Plan
from kfimage.render.templates import Section, Templates
from kfimage.render.view import OWN, Views


@dataclass(frozen=True)
class Piece:
    """One section's text in one kickstart; `own` when it is that node's alone."""

    section: Section
    text: str
    own: bool


class Kickstarts:
    """Renders kickstarts of a catalog."""

    def __init__(self, catalog: Catalog, templates: Templates, views: Views) -> None:
        self._catalog = catalog
        self._templates = templates
        self._views = views
        self._sections: dict[str, tuple[tuple[Section, bool], ...]] = {}

    def pieces(self, plan: Plan) -> tuple[Piece, ...]:
        """The sections of a plan's kickstart, in order."""
        return tuple(Piece(section, self._views.text(plan, section), own) for section, own in self.sections(plan.release.name))

    def sections(self, release: str) -> tuple[tuple[Section, bool], ...]:
        """The compiled sections of a release, and whether each one's text belongs to a single node."""
        if release not in self._sections:
            compiled = [self._templates.section(path) for _, path in self._catalog.sections(release)]
            self._sections[release] = tuple((s, not OWN.isdisjoint(s.reads)) for s in compiled)
        return self._sections[release]


def text(pieces: tuple[Piece, ...]) -> str:
    return "".join([piece.text for piece in pieces])


def shape(plan: Plan, pieces: tuple[Piece, ...]) -> tuple[str, ...]:
    """What the kickstarts of two nodes share exactly when they differ in nothing but who the nodes are.

    Names, MACs and addresses are put back to placeholders; each is of a kind that no parser can take for anything else, so
    what is proven for one text of a shape holds for all. Any other difference makes another shape.
    """
    node = plan.node
    if node is None:
        return tuple(piece.text for piece in pieces)
    values = [(node.hostname, "\0h"), (node.name, "\0n"), *((mac, f"\0m{i}") for i, mac in enumerate(node.macs))]
    ips = dict.fromkeys(a.ip for nic in plan.nics for part in (nic, *nic.vlans.values()) for a in part.address)
    values += [(ip, f"\0a{i}") for i, ip in enumerate(ips)]
    values.sort(key=lambda pair: -len(pair[0]))
    return tuple(_placeheld(piece.text, values) if piece.own else piece.text for piece in pieces)


def _placeheld(text: str, values: list[tuple[str, str]]) -> str:
    for value, mark in values:
        text = text.replace(value, mark)
    return text
