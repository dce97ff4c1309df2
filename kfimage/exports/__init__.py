"""Other tools' formats. Each folder with an export.py is one `render --format`; nothing else knows their names.

An export.py is a module of pure functions:

    TITLE: str                              what it is, one line
    sections(plan) -> tuple[Piece, ...]     kickstart sections the other tool's nodes need beside kfimage's own
    check(made, report) -> None             what cannot be said in the other tool's words; errors stop the run
    export(made) -> Iterator[Artefact]      the files

The kickstarts, with those sections, are proven before `check` is asked, and `check` before anything is written.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from kfimage.artefact import Artefact
from kfimage.errors import Report
from kfimage.exports.made import Made
from kfimage.model import Plan
from kfimage.render.kickstart import Piece


class Export(Protocol):
    """What an export.py holds."""

    TITLE: str

    def sections(self, plan: Plan) -> tuple[Piece, ...]: ...

    def check(self, made: Made, report: Report) -> None: ...

    def export(self, made: Made) -> Iterator[Artefact]: ...


@cache
def names() -> tuple[str, ...]:
    """The formats there are; a folder's _ is written - on the command line."""
    top = Path(__file__).resolve().parent
    return tuple(sorted(f.parent.name.replace("_", "-") for f in top.glob("*/export.py")))


def load(name: str) -> Export:
    """An export by its name; KeyError when there is none."""
    if name not in names():
        raise KeyError(name)
    return cast(Export, importlib.import_module(f"{__name__}.{name.replace('-', '_')}.export"))
