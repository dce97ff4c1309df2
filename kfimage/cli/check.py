"""`kfimage check`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from kfimage.assets import builtin
from kfimage.catalog import Catalog
from kfimage.cli.examine import Examiner
from kfimage.cli.kindof import below, one
from kfimage.cli.output import as_json, as_sarif, print_report
from kfimage.cli.tree import ALTERED, prove
from kfimage.cli.usage import known_checks, reporting, wrong_use
from kfimage.errors import Exit, Mark, Report, did_you_mean
from kfimage.located import MAX_BYTES
from kfimage.model import Release

DEFAULT_RELEASE = "rhel-8.7"


def run(paths: list[str], release: Optional[str], strict: bool, ignore: list[str], json: bool, sarif: bool) -> None:
    with reporting(json, sarif):
        skipped = known_checks(ignore)
        examiner = examine(paths, release)
        report = examiner.report.without(skipped)
    if json or sarif:
        sys.stdout.write(as_json(report) if json else as_sarif(report))
    else:
        print_report(report)
    sys.stderr.write(_summary(examiner, report) + "\n")
    code = exit_code(report, strict=strict)
    if code:
        raise SystemExit(int(code))


def examine(paths: Sequence[str], release: Optional[str] = None) -> Examiner:
    """Everything the paths hold, checked; the examiner's report is whole. Raises wrong use for a path that cannot be checked."""
    catalog = Catalog(builtin())
    if not paths:
        raise wrong_use("nothing to check", "name a tree, kickstart, unit, script, site or folder")
    examiner = Examiner(_release(catalog, release or _own_release(paths) or DEFAULT_RELEASE), catalog)
    for path in dict.fromkeys(paths):
        place = Path(path)
        if path == "-" or not place.is_dir():
            examiner.files([one(path)])
        elif (place / "index.json").is_file():
            prove(place, examiner)
        else:
            before = sum(examiner.counts.values())
            trees: list[Path] = []
            examiner.files(below(place, trees), one_set=True)
            for tree in trees:
                prove(tree, examiner)
            if sum(examiner.counts.values()) == before:
                raise wrong_use(
                    f"{path}: nothing in this folder can be checked", "a rendered tree has an index.json; kickstarts are called *.ks"
                )
    examiner.finish()
    return examiner


def exit_code(report: Report, *, strict: bool) -> Exit:
    """5 when a tree is not what its index says, 1 for any other error."""
    if any(p.check is ALTERED for p in report):
        return Exit.INTEGRITY
    return Exit.PROBLEM if report.failed(strict=strict) else Exit.OK


def _release(catalog: Catalog, name: str) -> Release:
    if name not in catalog.releases():
        raise wrong_use(f"no release '{name}'", did_you_mean(name, catalog.releases()))
    report = Report()
    found = catalog.release(name, Mark("command line"), report)
    assert found is not None, name
    return found


def _own_release(paths: Sequence[str]) -> Optional[str]:
    """The release that kfimage's own kickstarts name, when all the paths agree on it and it is one there is."""
    known, named = Catalog(builtin()).releases(), set()
    for path in paths:
        place = Path(path)
        for file in sorted((place / "kickstart").glob("*.ks"))[:1] if (place / "index.json").is_file() else [place]:
            if file.suffix == ".ks" and file.is_file() and file.stat().st_size <= MAX_BYTES:
                match = re.search(rb'^KF_RELEASE="([A-Za-z0-9._-]+)"$', file.read_bytes(), re.M)
                named.add(match[1].decode() if match else "")
    name = named.pop() if len(named) == 1 else ""
    return name if name in known else None


def _summary(examiner: Examiner, report: Report) -> str:
    counts = ", ".join(f"{n} {kind}{'s' * (n > 1)}" for kind, n in examiner.counts.items())
    # A site names its own release.
    release = "" if examiner.counts.keys() == {"site"} else f" for {examiner.release.name}"
    return f"checked {counts}{release}{'' if report else ': no problems'}"
