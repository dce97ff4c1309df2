"""A kickstart is its sections in order; each is rendered once for the parts of a plan it reads, and knows what it came from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Union

from kfimage.catalog import Catalog
from kfimage.model import Plan
from kfimage.render.storage import unlock_address
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
        self._shared: dict[tuple[int, ...], tuple[object, tuple[Union[Piece, Section], ...]]] = {}

    def pieces(self, plan: Plan) -> tuple[Piece, ...]:
        """The sections of a plan's kickstart, in order."""
        return tuple([p if isinstance(p, Piece) else Piece(p, self._views.text(plan, p), True) for p in self._common(plan)])

    def _common(self, plan: Plan) -> tuple[Union[Piece, Section], ...]:
        # By identity, as in view.py: one look-up for all the sections that plans with the same parts have in common.
        parts = plan.shared
        key = tuple(map(id, parts))
        if key not in self._shared:
            sections = self.sections(plan.release.name)
            self._shared[key] = (parts, tuple(s if own else Piece(s, self._views.text(plan, s), False) for s, own in sections))
        return self._shared[key][1]

    def sections(self, release: str) -> tuple[tuple[Section, bool], ...]:
        """The compiled sections of a release, and whether each one's text belongs to a single node."""
        if release not in self._sections:
            compiled = [self._templates.section(path) for _, path in self._catalog.sections(release)]
            self._sections[release] = tuple((s, not OWN.isdisjoint(s.reads)) for s in compiled)
        return self._sections[release]


def text(pieces: tuple[Piece, ...]) -> str:
    return "".join([piece.text for piece in pieces])


class Shapes:
    """Tells which kickstarts are one and the same but for who the nodes are."""

    def __init__(self) -> None:
        self._shared: dict[tuple[int, ...], tuple[object, bytes]] = {}

    def of(self, plan: Plan, pieces: tuple[Piece, ...]) -> str:
        """A digest that two plans share exactly when they and their kickstarts differ in nothing but who the nodes are.

        Names, MACs, addresses and gateways are put back to placeholders; each is of a kind that no parser can take for
        anything else, so what is proven for one kickstart of a shape holds for all. Any other difference makes another
        shape, be it in the text or in the plan: a value that a template forgot must not hide behind an equal text.
        """
        blank = masked(plan)
        found = hashlib.sha256(self._common(plan, pieces))
        found.update(blank(repr(plan.nics)).encode())
        for piece in pieces:
            if piece.own:
                found.update(blank(piece.text).encode())
        return found.hexdigest()

    def _common(self, plan: Plan, pieces: tuple[Piece, ...]) -> bytes:
        parts = plan.shared
        key = tuple(map(id, parts))
        if key not in self._shared:
            texts = [None if piece.own else piece.text for piece in pieces]
            self._shared[key] = (parts, hashlib.sha256(_without_disks(plan, repr((parts, texts))).encode()).digest())
        return self._shared[key][1]


def _without_disks(plan: Plan, text: str) -> str:
    """The text with the names of this plan's disks put back to placeholders: each node of a rack may name its own.

    They are single words of a kind (no blank, quote, '#' or '$'), which every parser takes alike.
    """
    rule = plan.disk.root
    named = [*rule.id, *rule.wwn, *rule.serial, *rule.path] if rule else []
    for number, value in sorted(enumerate(named), key=lambda pair: -len(pair[1])):
        if len(value) >= 6:
            text = text.replace(value, f"\0d{number}")
    return text


def masked(plan: Plan) -> Callable[[str], str]:
    """What puts a plan's names, MACs, addresses and gateways in a text back to placeholders, whole words only."""
    marks: dict[str, str] = {}
    parts = [part for nic in plan.nics for part in (nic, *nic.vlans.values())]
    if plan.node is not None:
        for number, value in enumerate((plan.node.hostname, plan.node.name, *plan.node.macs)):
            marks.setdefault(value, f"\0n{number}")
    for number, address in enumerate(a for part in parts for a in part.address):
        marks.setdefault(address.ip, f"\0a{number}")
        marks.setdefault(address.network.partition("/")[0], f"\0w{number}")
    for number, gateway in enumerate(part.gateway for part in parts):
        marks.setdefault(gateway or "", f"\0g{number}")
    for argument in unlock_address(plan):
        # One word made of several that are masked alone; what else is in it, device and netmask, stands in the plan's interfaces.
        if argument.startswith("ip="):
            marks.setdefault(argument[3:], "\0u")
    return lambda text: _WORD.sub(lambda word: marks.get(word[0], word[0]), text)


_WORD = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.:-]*[0-9A-Za-z])?")
