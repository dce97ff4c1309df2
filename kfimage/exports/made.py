"""What an export is given: the plans with their kickstarts in pieces, and what every export refuses alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import jinja2

from kfimage.artefact import Artefact
from kfimage.errors import ERROR, Mark, Report, define
from kfimage.model import Plan
from kfimage.render import netboot
from kfimage.render.kickstart import Piece, text
from kfimage.render.templates import Section

SECRET = define(
    "KF7501", ERROR, "a waived secret in another tool's template",
    why="Cobbler shows templates, host data and kickstarts to anybody who asks, without a token; Foreman shows them to every user who may see the host.",
    fix="take the name out of `waive` and put the secret on the node instead, as /etc/kfimage/secrets/NAME (mode 0600)",
    source="cobbler#255, cobbler#2795",
)
NEEDS_URL = define(
    "KF7502", ERROR, "an export that needs boot.url, which is not set",
    why="The other tool tells nodes where to fetch their kickstart; without an address there is nothing to tell.",
    fix="set boot.url to the address at which the folder written by `kfimage render` is served",
)

_PLACEHOLDER = re.compile(r"@kfimage:(?:plain|base64):([a-z0-9_.]+)@")


@dataclass(frozen=True)
class Kickstart:
    """A plan's kickstart as its pieces."""

    plan: Plan
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return text(self.pieces)

    @property
    def path(self) -> str:
        return f"kickstart/{self.plan.name}.ks"

    def artefact(self) -> Artefact:
        return Artefact(self.path, "kickstart", self.text.encode("utf-8"), 0o644, self.plan.name)


@dataclass(frozen=True)
class Made:
    """A site's plans, rendered and proven. `where` tells where a plan's key was written; `payload` is the first-boot tar."""

    site: str
    generator: str
    plans: Sequence[Plan]
    pieces: Callable[[Plan], tuple[Piece, ...]]
    payload: Artefact
    where: Callable[..., Mark]

    def kickstarts(self) -> Iterator[Kickstart]:
        """Each made when it is asked for; the pieces that plans have in common are the same objects."""
        return (Kickstart(plan, self.pieces(plan)) for plan in self.plans)

    def by_template(self) -> dict[str, list[Kickstart]]:
        """The kickstarts by role and release: what one template of another tool can serve, which boots one release."""
        found: dict[str, list[Kickstart]] = {}
        for one in self.kickstarts():
            found.setdefault(template_name(one.plan), []).append(one)
        return dict(sorted(found.items()))


def template_name(plan: Plan) -> str:
    return f"{plan.role}-{plan.release.name}"


def installer_args(kickstarts: Sequence[Kickstart]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """The installer's kernel arguments that all have in common, and each one's own; where the kickstart is stays out."""
    found = {one.plan.name: tuple(a for a in netboot.inst_args(one.plan, "") if not a.startswith("inst.ks")) for one in kickstarts}
    common = tuple(arg for arg in next(iter(found.values())) if all(arg in args for args in found.values()))
    return common, {name: tuple(arg for arg in args if arg not in common) for name, args in found.items()}


def refuse_secrets(made: Made, report: Report) -> None:
    """Report every secret that a kickstart of these would hold, where it is waived."""
    told: set[tuple[Mark, str]] = set()
    for one in made.kickstarts():
        for piece in one.pieces:
            if "@kfimage:" not in piece.text:
                continue
            for name in dict.fromkeys(_PLACEHOLDER.findall(piece.text)):
                mark = made.where(one.plan.name, "waive")
                if (mark, name) not in told:
                    told.add((mark, name))
                    report.add(SECRET, mark, f"{one.plan.name}: {name} is waived, and would be readable by all in the other tool")


def need_url(made: Made, report: Report) -> None:
    """Report plans without boot.url, once for all of them."""
    without = [plan for plan in made.plans if plan.boot.url is None]
    if without:
        others = f" and {len(without) - 1} more" if len(without) > 1 else ""
        report.add(NEEDS_URL, made.where(without[0].name, "boot"), f"{without[0].name}{others}: boot.url is not set, and this format cannot do without it")


def section(name: str, title: str, content: str) -> Piece:
    """A kickstart section of an export's own; `name` decides its place among kfimage's (10-head ... 95-install)."""
    return Piece(Section(name, f"kfimage/exports/{name}", (), title, (), lambda plan: content), content, False)


def beside(file: str, name: str) -> str:
    """The text of a file that lies beside an export.py; `file` is that module's __file__."""
    return (Path(file).parent / name).read_text("utf-8")


def fill(file: str, name: str, **values: Any) -> str:
    """A .j2 file beside an export.py, filled in; an undefined name raises."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    return environment.from_string(beside(file, name)).render(**values)


def file(path: str, content: str, owner: str = "", mode: int = 0o644) -> Artefact:
    """One file of an export."""
    return Artefact(path, "export", content.encode("utf-8"), mode, owner)


def first_line(text: str, pattern: re.Pattern[str]) -> Optional[tuple[int, int, str]]:
    """Line, column and text of a pattern's first match."""
    match = pattern.search(text)
    if match is None:
        return None
    return text.count("\n", 0, match.start()) + 1, match.start() - text.rfind("\n", 0, match.start()), match.group()
