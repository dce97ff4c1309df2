"""What the tests of the core share: a site's text to plans, problems or a rendered tree, and the command as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Optional

from kfimage.artefact import Artefact
from kfimage.assets import Folder, builtin
from kfimage.catalog import Catalog
from kfimage.errors import Report
from kfimage.model import Plan
from kfimage.pipeline import Pipeline, Renderer
from kfimage.render import netboot
from kfimage.render.kickstart import text
from kfimage.sitefile import read_site
from kfimage.verify.prove import Prover

ROOT = Path(__file__).resolve().parent.parent
SITES = ROOT / "tests" / "sites"
HEAD = "kfimage: 1\nsite: lab\n"


@cache
def catalog() -> Catalog:
    """The built-in catalog, read once for all tests."""
    return Catalog(builtin())


def pipeline(site: str | bytes, folder: Optional[Path] = None, *, file: str = "site.yaml", over: Optional[Folder] = None) -> Pipeline:
    """A site's pipeline; `over` replaces the built-in folder."""
    report = Report()
    own = Folder(folder) if folder is not None else None
    data = site.encode() if isinstance(site, str) else site
    source = read_site(data, file, own, report)
    if own is None and over is None:
        return Pipeline(source, catalog(), report)
    return Pipeline(source, Catalog(over or builtin(), own), report)


def problems(site: str | bytes, folder: Optional[Path] = None) -> list[str]:
    """Everything the site's own report says, in its order, warnings and notes left out."""
    found = pipeline(site, folder)
    found.plans()
    return [str(p) for p in found.report if p.severity == "error"]


def places(site: str | bytes, folder: Optional[Path] = None) -> list[tuple[str, int, int]]:
    """(id, line, column) of each error."""
    found = pipeline(site, folder)
    found.plans()
    return [(p.id, p.mark.line, p.mark.column) for p in found.report if p.severity == "error"]


def plan(site: str, name: str, folder: Optional[Path] = None) -> Plan:
    """One plan of a site that must be right."""
    found = pipeline(site, folder)
    plans = found.plans()
    errors = [str(p) for p in found.report if p.severity == "error"]
    assert not errors, "\n".join(errors)
    return next(p for p in plans if p.name == name)


def tree(site: str | bytes, folder: Optional[Path] = None, **options: Any) -> dict[str, Artefact]:
    """The whole rendered tree of a site that must be right, proof included."""
    found = pipeline(site, folder, **options)
    plans = found.plans()
    found.raise_for()
    made = {a.path: a for a in found.artefacts(plans)}
    found.raise_for()
    return made


class Rendered(NamedTuple):
    """What one node's files say, and what the prover thought of the kickstart."""

    plan: Plan
    kickstart: str
    files: tuple[Artefact, ...]
    report: Report


_SCRIPTS: dict[str, Report] = {}


def _prover() -> Prover:
    """A prover that has seen no kickstart; what it found in a script is the same for all of them, and kept."""
    prover = Prover(catalog())
    prover._scripts = _SCRIPTS
    return prover


@cache
def _renderer() -> Renderer:
    return Renderer(catalog(), read_site(HEAD.encode(), "site.yaml", None, Report()))


def rendered(
    plans: Iterable[Plan], *, shared: bool = False, by: Optional[Renderer] = None, proven: Optional[dict[str, Report]] = None,
) -> Iterator[Rendered]:
    """Each plan's kickstart proven alone, or `shared`: once for each shape, as the pipeline does it. The payload is left out.

    `by` is the renderer of a site with a folder; one for all sites without is kept. `proven` remembers whole texts.
    """
    renderer = by or _renderer()
    prover = _prover()
    for one in plans:
        if not shared:
            prover = _prover()
        pieces = renderer.pieces(one)
        whole = text(pieces)
        report = proven.get(whole) if proven is not None else None
        if report is None:
            prover.kickstart(one, pieces, f"kickstart/{one.name}.ks")
            report = prover.report
            if proven is not None:
                proven[whole] = report
        yield Rendered(one, whole, tuple(netboot.node_artefacts(one)), report)


def errors(report: Report) -> list[str]:
    return [str(p) for p in report if p.severity == "error"]


def run(*arguments: str, cwd: Path, env: Optional[dict[str, str]] = None, umask: Optional[int] = None, timeout: int = 120) -> subprocess.CompletedProcess[str]:
    """`python -m kfimage` as a process of its own."""
    whole = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    preexec = None if umask is None else lambda: os.umask(umask) and None
    return subprocess.run(
        [sys.executable, "-m", "kfimage", *arguments], cwd=cwd, env=whole, capture_output=True, text=True, timeout=timeout, preexec_fn=preexec, check=False,
    )


_HERE = re.compile(r"^(?:cat|base64 -d) > (\S+) <<'KF_END'\n(.*?)^KF_END\n", re.M | re.S)
_FACT = re.compile(r'^(KF_[A-Z0-9_]+)="([][A-Za-z0-9 ._:/@,=+%~*-]*)"$')


def heredocs(kickstart: str) -> dict[str, bytes]:
    """The files a kickstart lays down: path to bytes, decoded."""
    import base64

    found = {}
    for match in _HERE.finditer(kickstart):
        body = match.group(2).encode()
        found[match.group(1)] = base64.b64decode(body) if match.group(0).startswith("base64") else body
    return found


def bare(kickstart: str) -> str:
    """A kickstart without the bodies of its here-documents."""
    return _HERE.sub(lambda m: f"HERE {m.group(1)}\n", kickstart)


def facts(kickstart: str) -> dict[str, str]:
    """facts.env as bash would read it; a line of another form fails the test."""
    found = {}
    for line in heredocs(kickstart)["/etc/kfimage/facts.env"].decode().splitlines():
        match = _FACT.match(line)
        assert match, line
        assert match.group(1) not in found, line
        found[match.group(1)] = match.group(2)
    return found
