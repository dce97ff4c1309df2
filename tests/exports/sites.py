"""The rack of the golden files without its waived secret, which no export takes."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import kit

from kfimage.artefact import Artefact
from kfimage.errors import Report
from kfimage.exports.made import Made

RACK = re.sub(r"^ *waive: .*\n", "", (kit.SITES / "rack.yaml").read_text("utf-8"), flags=re.M)


def exported(name: str, site: str = RACK, folder: Path = kit.SITES, *, roles: tuple[str, ...] = ()) -> tuple[dict[str, Artefact], Made]:
    """The files of an export, proven, and what they were made from."""
    found = kit.pipeline(site, folder)
    plans = found.plans(roles)
    found.raise_for()
    export, made = found.exporting(name, plans)
    found.prove(plans)
    export.check(made, found.report)
    found.raise_for()
    return {a.path: a for a in export.export(made)}, made


def refused(name: str, site: str, folder: Path = kit.SITES, *, roles: tuple[str, ...] = ()) -> list[str]:
    """What an export's own check says of a site."""
    found = kit.pipeline(site, folder)
    export, made = found.exporting(name, found.plans(roles))
    report = Report()
    export.check(made, report)
    return [str(problem) for problem in report]


@cache
def rack(name: str) -> tuple[dict[str, Artefact], Made]:
    """The rack in one format, made once for all tests."""
    return exported(name)
