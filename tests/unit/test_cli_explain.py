"""`explain` and `steps`: every value's origin, every line's, every check and step."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli_runner import GOOD_SITE, kfimage

from kfimage.assets import builtin
from kfimage.catalog import Catalog
from kfimage.cli.checks import load_all
from kfimage.cli.steps import GUIDE
from kfimage.errors import CHECKS


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(GOOD_SITE)
    return tmp_path / "site.yaml"


def at(text: str, file: str, wanted: str) -> str:
    """FILE:LINE:COLUMN of a value in a text."""
    line = next(n for n, row in enumerate(text.splitlines(), 1) if wanted in row)
    return f"{file}:{line}:{text.splitlines()[line - 1].index(wanted) + 1}"


def defaults(wanted: str) -> str:
    data = builtin().read("kickstart/defaults.yaml")
    assert data is not None
    return at(data.decode(), "kickstart/defaults.yaml", wanted)


def test_a_value_with_what_it_overrides_and_why(site: Path) -> None:
    ran = kfimage("explain", "gpu-a01", "kubernetes.pods", "--site", site)
    assert ran.code == 0 and not ran.err
    assert ran.out.splitlines() == [
        f"kubernetes.pods = 10.244.0.0/16   <- {at(GOOD_SITE, str(site), '10.244.0.0/16')} (site), "
        f"overrides 192.168.0.0/16 (built-in default, {defaults('192.168.0.0/16')})",
        "  why the built-in default: Calico's own default pool.",
    ]


def test_every_layer_is_named(site: Path) -> None:
    rows = dict(row.split(" = ", 1) for row in kfimage("explain", "gpu-a01", "--site", site).out.splitlines() if not row.startswith(" "))
    assert rows["kubernetes.labels.rack"].endswith("(group rack-a)")
    assert rows["mac"].endswith("(node gpu-a01)")
    assert rows["firewall.ports"].endswith("(role gpu-worker)")
    assert rows["selinux"].endswith("(built-in default)")
    assert kfimage("explain", "cpu-b01", "selinux", "--site", site).out.startswith("selinux = enforcing   <- ")


def test_a_key_above_values_shows_them_all(site: Path) -> None:
    rows = [r for r in kfimage("explain", "gpu-a01", "calico", "--site", site).out.splitlines() if not r.startswith(" ")]
    assert [r.split(" = ")[0] for r in rows] == ["calico.encapsulation", "calico.typha", "calico.wireguard"]


def test_a_rival_key_counts_as_overridden(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("kfimage: 1\nsite: lab\ninstall: {cdrom: yes}\nroles: {cpu-worker: {install: {url: http://10.20.0.5/x}}}\n")
    ran = kfimage("explain", "cpu-worker", "install", "--site", site)
    assert (
        ran.out
        == f"install.url = http://10.20.0.5/x   <- {site}:4:37 (role cpu-worker), overrides install.cdrom: yes (site, {site}:3:18)\n"
    )


def test_a_short_form_is_found_by_its_long_key(site: Path) -> None:
    assert kfimage("explain", "gpu-a01", "tools.helm.version", "--site", site).out.startswith("tools.helm = ")


def test_known_and_unknown_keys(site: Path) -> None:
    given = kfimage("explain", "gpu-a01", "proxy.http", "--site", site)
    assert given.code == 0 and "no layer of gpu-a01 gives it" in given.out
    unknown = kfimage("explain", "gpu-a01", "kubernets.pods", "--site", site)
    assert unknown.code == 2 and "did you mean 'kubernetes.pods'?" in unknown.err
    nobody = kfimage("explain", "gpu-a02", "--site", site)
    assert nobody.code == 2 and "did you mean 'gpu-a01'?" in nobody.err


def test_a_role_without_any_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = kfimage("explain", "gpu-worker", "kubernetes.pods")
    assert (
        ran.out.startswith("kubernetes.pods = 192.168.0.0/16   <- kickstart/defaults.yaml:")
        and "why: Calico's own default pool." in ran.out
    )


def test_a_fault_is_told_beside_the_answer(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("kfimage: 1\nsite: lab\nselinux: enforcing\nnetwork: {gatway: 10.20.1.1}\n")
    ran = kfimage("explain", "cpu-worker", "selinux", "--site", site)
    assert ran.code == 1 and ran.out.startswith("selinux = enforcing") and "did you mean 'gateway'?" in ran.err


# -- lines -----------------------------------------------------------------------------------------------------------


def kickstart(site: Path, name: str) -> list[str]:
    ran = kfimage("render", "--site", site, "--node", name, "-o", "-")
    assert ran.code == 0, ran.err
    return ran.out.splitlines()


def explained(site: Path, name: str, line: int) -> str:
    ran = kfimage("explain", name, "--line", line, "--site", site)
    assert ran.code == 0, ran.err
    return ran.out


@pytest.mark.parametrize(
    ("start", "wanted"),
    [
        ("selinux ", ["55-security.ks.j2:", "step 2, SELinux permissive", "from: selinux = permissive"]),
        ("timezone ", ["30-locale.ks.j2:4", "from: time.zone = UTC"]),
        ("url ", ["20-source.ks.j2:", "from: install.url = http://10.20.0.5/rhel-8.7/BaseOS"]),
        (
            "network --device",
            ["step 7", "from: address = 10.20.1.11/24", "from: mac = 52:54:00:12:34:56", "from: network.gateway = 10.20.1.1"],
        ),
        ("network --hostname", ["from: the node's name   <- "]),
        ("firewall ", ["step 3, firewall", "from: firewall.ports = ", "from: calico.encapsulation = ipip"]),
        ("sshkey ", ["from: access.ssh_keys = ", "from: access.admin = ops"]),
        ("zerombr", []),
        ("KF_POD_CIDR=", ["fact: KF_POD_CIDR, read by ", "from: kubernetes.pods = 10.244.0.0/16"]),
        ("KF_CRIO_SHA256=", ["fact: KF_CRIO_SHA256, read by crio", "crio: ", "step 5, CRI-O", "from: crio.version = "]),
        ("KF_KERNEL_LOCK=", ["from: kernel.lock = yes"]),
        ("KF_NODE_LABELS=", ["from: kubernetes.labels.rack = a"]),
        ("KF_NODE_IP=", ["from: address = 10.20.1.11/24"]),
        ("KF_DISK_VOLUMES=", ["81-storage-script.ks.j2", "from: disk.volumes.root = "]),
        ("stop() {", ["written at: kfimage:kickstart/pre/storage.sh:", "from: no key that a layer gives"]),
        ("announce() {", ["written at: kfimage:kickstart/"]),
    ],
)
def test_lines(start: str, wanted: list[str], site: Path) -> None:
    lines = kickstart(site, "gpu-a01")
    number = next((n for n, line in enumerate(lines, 1) if line.startswith(start)), None)
    if start == "zerombr":
        assert number is None, "storage is written by %pre"
        return
    assert number is not None
    text = explained(site, "gpu-a01", number)
    assert text.startswith(f"kickstart/gpu-a01.ks:{number}: {lines[number - 1][:100]}")
    for part in wanted:
        assert part in text


def test_a_pasted_line_is_named_by_its_own_number(site: Path) -> None:
    lines = kickstart(site, "gpu-a01")
    source = (builtin().read("kickstart/pre/storage.sh") or b"").decode().splitlines()
    first = lines.index(source[0]) + 1
    for offset in (0, 7, len(source) - 1):
        assert f"written at: kfimage:kickstart/pre/storage.sh:{offset + 1}\n" in explained(site, "gpu-a01", first + offset)


def test_every_line_has_an_explanation(site: Path) -> None:
    """Each tenth line, and every line before the first script."""
    lines = kickstart(site, "cpu-b01")
    script = next(n for n, line in enumerate(lines, 1) if line.startswith("%pre"))
    for number in [*range(1, script), *range(script, len(lines) + 1, 40)]:
        assert "\n  section: kfimage:kickstart/sections/" in explained(site, "cpu-b01", number)
    beyond = kfimage("explain", "cpu-b01", "--line", len(lines) + 1, "--site", site)
    assert beyond.code == 2 and f"it has {len(lines)} lines" in beyond.err


def test_a_key_named_for_a_line_does_change_it(site: Path) -> None:
    """What `explain --line` blames is to blame: change the value in the site, and the line changes."""
    lines = kickstart(site, "gpu-a01")
    number = next(n for n, line in enumerate(lines, 1) if line.startswith("KF_SERVICE_CIDR="))
    assert re.findall(r"from: (\S+) =", explained(site, "gpu-a01", number)) == ["kubernetes.services"]
    site.write_text(GOOD_SITE.replace("pods: 10.244.0.0/16", "pods: 10.244.0.0/16, services: 10.112.0.0/12"))
    assert lines[number - 1] not in kickstart(site, "gpu-a01")


# -- checks and steps --------------------------------------------------------------------------------------------------


def test_every_check_can_be_explained() -> None:
    load_all()
    for name, check in CHECKS.items():
        ran = kfimage("explain", "--check", name.lower())
        assert ran.code == 0 and ran.out.startswith(f"{name} ({check.severity}): {check.title}\n  why: ") and "\n  fix: " in ran.out


def test_every_step_can_be_explained() -> None:
    for name in Catalog(builtin()).steps():
        ran = kfimage("explain", "--step", name)
        assert ran.code == 0 and ran.out.startswith(f"{name}: ")
        assert all(f"\n  {word}: " in ran.out for word in ("guide", "acts", "why", "roles"))


def test_a_misspelt_step_or_check() -> None:
    assert "did you mean 'crio'?" in kfimage("explain", "--step", "cri-o").err
    assert "did you mean 'KF8010'?" in kfimage("explain", "--check", "KF8O10").err


def test_steps_table() -> None:
    ran = kfimage("steps")
    names = [row.split()[1] for row in ran.out.splitlines()[1:]]
    assert ran.code == 0 and sorted(names) == sorted(Catalog(builtin()).steps())
    assert names[-1] == "ready" and names.index("crio") < names.index("kubelet") < names.index("nvidia")


def test_steps_of_a_role_are_in_its_order() -> None:
    rows = json.loads(kfimage("steps", "--role", "cpu-worker", "--json").out)
    assert [r["order"] for r in rows] == list(range(1, len(rows) + 1))
    assert "nvidia" not in {r["step"] for r in rows} and all("cpu-worker" in r["roles"] for r in rows)


def test_the_guides_steps_have_names() -> None:
    catalog = Catalog(builtin())
    assert {n for name in catalog.steps() for n in catalog.step(name).guide} <= set(GUIDE)


def test_a_step_of_the_sites_own(tmp_path: Path) -> None:
    step = tmp_path / "firstboot/steps/odd"
    step.mkdir(parents=True)
    (step / "step.yaml").write_text("title: odd\nacts: nowhere\nwhy: for this test\n")
    (tmp_path / "site.yaml").write_text("kfimage: 1\nsite: lab\nroles: {odd-worker: {steps: [odd]}}\n")
    rows = json.loads(kfimage("steps", "--json", "--site", tmp_path / "site.yaml").out)
    assert [r["roles"] for r in rows if r["step"] == "odd"] == [["odd-worker"]]
    assert "odd: odd" in kfimage("explain", "--step", "odd", "--site", tmp_path / "site.yaml").out
