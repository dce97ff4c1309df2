"""Every example in the documentation is a site that kfimage accepts, and the key tables are those of the grammar."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from kfimage.assets import Folder, builtin
from kfimage.catalog import Catalog
from kfimage.errors import Report
from kfimage.pipeline import Pipeline
from kfimage.sitefile import read_site

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "man").glob("*.md")])
EXAMPLES = [
    pytest.param(match.group(1), page, text[: match.start()].count("\n") + 2, id=f"{page.name}:{text[: match.start()].count(chr(10)) + 2}")
    for page in PAGES
    for text in [page.read_text(encoding="utf-8")]
    for match in re.finditer(r"```yaml\n(.*?)```", text, re.S)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A site's folder that holds the files the examples name."""
    root = tmp_path_factory.mktemp("site")
    for path, text in {
        "nodes.csv": "Hostname,MAC Address,IP,Role,Rack,Service Tag\ngpu-01,52:54:00:12:34:56,10.20.1.11/24,gpu-worker,a,XYZ\n",
        "keys/lab.asc": "key\n", "files/lab-ca.crt": "cert\n", "hooks/asset-tag.sh": "#!/bin/bash\nset -e\ntrue\n",
        "hooks/register-cmdb.sh": "#!/bin/bash\nset -e\ntrue\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return Folder(root)


@pytest.mark.parametrize(("text", "page", "line"), EXAMPLES)
def test_every_example_is_accepted(text: str, page: Path, line: int, folder: Folder) -> None:
    report = Report()
    source = read_site(text.encode(), f"{page.name}:{line}", folder, report)
    pipeline = Pipeline(source, Catalog(builtin(), folder), report)
    plans = pipeline.plans()
    assert not pipeline.report.failed(), "\n".join(map(str, pipeline.report))
    assert plans


def test_examples_were_found() -> None:
    assert len(EXAMPLES) >= 10


def test_the_key_tables_are_up_to_date() -> None:
    module = runpy.run_path(str(ROOT / "scripts" / "reference.py"))
    text = (ROOT / "man" / "kfimage-site.5.md").read_text(encoding="utf-8")
    assert module["page"](text) == text, "run scripts/reference.py"
