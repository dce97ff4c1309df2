"""`init` and `schema`: the first site renders, teaches nothing false, and the schema takes what the loader takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cli_runner import GOOD_SITE, kfimage

from kfimage.cli.init import FIRST_SITE, SCHEMA

jsonschema = pytest.importorskip("jsonschema")
yaml = pytest.importorskip("yaml")


def schema() -> dict[str, Any]:
    ran = kfimage("schema")
    assert ran.code == 0 and not ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_init_writes_site_and_schema(tmp_path: Path) -> None:
    ran = kfimage("init", tmp_path)
    assert ran.code == 0 and not ran.out
    assert (tmp_path / "site.yaml").read_text() == FIRST_SITE
    assert FIRST_SITE.splitlines()[0] == f"# yaml-language-server: $schema={SCHEMA}"
    assert json.loads((tmp_path / SCHEMA).read_text()) == schema()
    assert sorted(p.name for p in tmp_path.iterdir()) == [SCHEMA, "site.yaml"]


def test_init_refuses_to_overwrite(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("mine\n")
    refused = kfimage("init", mine)
    assert refused.code == 2 and "--force" in refused.err
    assert mine.read_text() == "mine\n" and not (tmp_path / SCHEMA).exists()
    assert kfimage("init", mine, "--force").code == 0
    assert mine.read_text() == FIRST_SITE


def test_init_into_no_folder(tmp_path: Path) -> None:
    ran = kfimage("init", tmp_path / "no" / "site.yaml")
    assert ran.code == 2 and "no such folder" in ran.err


def test_the_first_site_has_no_error(tmp_path: Path) -> None:
    kfimage("init", tmp_path)
    ran = kfimage("check", tmp_path / "site.yaml")
    assert ran.code == 0 and ": error " not in ran.err
    assert "KF8010" in ran.err, "what a real site must still say is said"


def test_the_first_site_renders(tmp_path: Path) -> None:
    kfimage("init", tmp_path)
    ran = kfimage("render", "--site", tmp_path / "site.yaml", "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert (tmp_path / "out/kickstart/gpu-01.ks").is_file()


def test_what_is_commented_out_may_be_taken_in(tmp_path: Path) -> None:
    """Every commented example, uncommented alone or with what stands in it, is right: comments must not rot."""
    lines = FIRST_SITE.splitlines()
    for index, line in enumerate(lines):
        example = re.match(r"^( *)# (\w+:.*)$", line)
        if not example or line.startswith("# yaml-language-server"):
            continue
        depth = len(example[1]) + 2
        block = [f"{example[1]}{example[2]}"]
        for below in lines[index + 1 :]:
            more = re.match(rf"^{example[1]}# ( +\S.*)$", below)
            if not more or len(more[1]) - len(more[1].lstrip()) < depth - len(example[1]):
                break
            block.append(f"{example[1]}{more[1]}")
        text = "\n".join([*lines[:index], *block, *lines[index + len(block) :]]).replace("AAAAC3NzaC1lZDI1NTE5AAAA...", KEY)
        site = tmp_path / "site.yaml"
        site.write_text(text + "\n")
        ran = kfimage("check", site)
        assert not [e for e in re.findall(r": error (KF\d+)", ran.err) if e < "KF5000"], (block, ran.err)


KEY = "AAAAC3NzaC1lZDI1NTE5AAAAICv5iQ7m4p0N3m0hXk8b3h5r9n1u2w3x4y5z6A7B8C9D"


def documents(text: str) -> Any:
    """As editors read it: YAML's own types, dates apart."""
    return yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    [FIRST_SITE, GOOD_SITE.replace("52:54:00:12:34:56", '"52:54:00:12:34:56"').replace("52:54:00:12:34:57", '"52:54:00:12:34:57"')],
)
def test_the_schema_takes_good_sites(text: str) -> None:
    validator = jsonschema.Draft7Validator(schema())
    assert [e.message for e in validator.iter_errors(documents(text))] == []


@pytest.mark.parametrize(
    "bad",
    [
        "network: {gatway: 10.20.1.1}",
        "selinux: disabled",
        "nodes: {a: {mac: '52:54:00:12:34:56'}}",
        "network: []",
        "boot: {order: sometimes}",
        "kfimage: 2",
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(bad: str, tmp_path: Path) -> None:
    text = ("" if bad.startswith("kfimage") else "kfimage: 1\n") + f"site: lab\n{bad}\n"
    assert list(jsonschema.Draft7Validator(schema()).iter_errors(documents(text)))
    (tmp_path / "site.yaml").write_text(text)
    assert kfimage("check", tmp_path / "site.yaml").code == 1


def test_the_schema_itself_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
