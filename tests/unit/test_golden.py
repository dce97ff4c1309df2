"""The golden trees are what is rendered today, and each of their kickstarts means what its plan says."""

from __future__ import annotations

from functools import cache

import golden_tool
import kit
import pytest

from kfimage.errors import Report
from kfimage.verify.kickstart import check_kickstart, parse
from kfimage.verify.meaning import compare

_AGAIN = "run `make golden` and read the diff"


@cache
def made(name: str) -> golden_tool.Case:
    return golden_tool.case(name)


@pytest.mark.parametrize("name", golden_tool.names())
def test_the_golden_tree_is_what_is_rendered(name: str) -> None:
    case = made(name)
    wanted = {**case.files(), "findings.json": golden_tool.summary(case)}
    folder = golden_tool.GOLDEN / name
    there = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert sorted(there) == sorted(wanted), _AGAIN
    for path, data in wanted.items():
        assert there[path].decode() == data.decode(), f"{name}/{path}: {_AGAIN}"


def test_no_golden_tree_is_left_over() -> None:
    there = {p.name for p in golden_tool.GOLDEN.iterdir() if p.is_dir()} - {"messages"}
    assert there == set(golden_tool.names()), _AGAIN


def test_the_payload_is_what_its_golden_listing_says() -> None:
    case = made("@".join(golden_tool.EMBEDDED))
    assert (golden_tool.GOLDEN / "payload.txt").read_bytes().decode() == golden_tool.payload_listing(case).decode(), _AGAIN


@pytest.mark.parametrize("name", golden_tool.names())
def test_each_golden_kickstart_means_what_its_plan_says(name: str) -> None:
    case = made(name)
    assert kit.errors(case.pipeline.report) == []
    for plan in case.plans:
        path = f"kickstart/{plan.name}.ks"
        text = case.artefacts[path].content.decode("ascii")
        parsed, report = parse(text, path, plan.release.pykickstart)
        assert kit.errors(report) == []
        meant = Report()
        compare(parsed.handler, plan, path, meant)
        assert kit.errors(meant) == []
        assert kit.errors(check_kickstart(text, path, handler=plan.release.pykickstart)) == []


def test_the_golden_kickstarts_carry_what_they_say() -> None:
    case = made("rack")
    kickstart = case.artefacts["kickstart/gpu-b1.ks"].content.decode()
    files = kit.heredocs(kickstart)
    for path, source in (("/etc/motd", "motd"), ("/etc/pki/ca-trust/source/anchors/lab.pem", "lab-ca.pem")):
        assert files[path] == (kit.SITES / "rack" / "files" / source).read_bytes()
    assert files["/etc/kfimage/hooks/post.d/01-asset-tag.sh"] == (kit.SITES / "rack" / "hooks" / "asset-tag.sh").read_bytes()
    assert files["/etc/kfimage/hooks/firstboot.d/01-burn-in.sh"] == (kit.SITES / "rack" / "hooks" / "burn-in.sh").read_bytes()
    assert files["/etc/pki/rpm-gpg/kfimage-lab-drivers"] == (kit.SITES / "rack" / "keys" / "drivers.asc").read_bytes()


def test_a_secret_stands_in_no_rendered_file() -> None:
    import base64

    case = made("rack")
    secret = (kit.SITES / "rack" / "secrets" / "pull-auth.json").read_bytes()
    for artefact in case.artefacts.values():
        for form in (secret.strip(), b"dGVzdDpub3QtYS1zZWNyZXQ", base64.b64encode(secret)[:40]):
            assert form not in artefact.content, artefact.path
    waived = [a.path for a in case.artefacts.values() if b"@kfimage:base64:crio.pull_credentials@" in a.content]
    assert waived == ["kickstart/cp-a1.ks", "kickstart/cp-a2.ks", "kickstart/cp-b1.ks"]


def test_the_rack_is_the_site_the_tests_promise() -> None:
    plans = {p.name: p for p in made("rack").plans}
    assert len(plans) == 12
    assert {p.role for p in plans.values()} == {"gpu-worker", "cpu-worker", "control-plane"}
    bond = next(nic for nic in plans["gpu-b1"].nics if nic.device == "bond0")
    assert (bond.mode, bond.mtu, sorted(bond.vlans)) == ("802.3ad", 9000, ["120", "121"])
    assert plans["gpu-b1"].network.gateway == "10.20.2.1"
    assert plans["gpu-a1"].kubernetes.labels == {"example.org/rack": "a", "example.org/site": "rack"}
    assert plans["gpu-b4"].release.name == "rhel-8.10"
    assert plans["cpu-a1"].nics[0].dhcp
    assert not plans["cp-a1"].nics[0].dhcp
