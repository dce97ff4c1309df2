"""What is said of a plan: errors that stop it, warnings, notes, each at the place that gave the value."""

from __future__ import annotations

import fields
import kit
import pytest

GOOD = (
    kit.HEAD + "release: rhel-8.10\ninstall: {url: http://h/t}\nboot: {url: http://b/k}\nfirewall: {cluster: [10.0.0.0/8]}\n"
    f"access: {{ssh_keys: ['{fields.KEY}']}}\nkubernetes: {{api: 'h:6443', pods: 172.16.0.0/16}}\n"
)
REPO = "repositories: {lab: {url: http://h/lab, key: {url: http://h/key, fingerprint: DE15B14486CD377B9E876E1A234654DA9A296436}}}\n"


def said(more: str, role: str = "cpu-worker") -> dict[str, str]:
    found = kit.pipeline(GOOD + more + f"nodes: {{n: {{role: {role}, mac: 52:54:00:00:00:01}}}}\n")
    found.plans()
    return {p.id: str(p.mark) for p in found.report if p.severity != "note" or p.id in ("KF5002", "KF8004")}


def test_a_site_that_says_everything_is_told_nothing() -> None:
    assert said("") == {}


@pytest.mark.parametrize(
    ("more", "role", "wanted", "line"),
    [
        ("access: {admin: ops}\n", "cpu-worker", "KF8010", 0), ("boot: {order: net-first, url: http://b/k}\n", "cpu-worker", "KF8016", 0), ("selinux: enforcing\n", "cpu-worker", "KF8015", 9),
        ("crio: {insecure: [m:5000]}\n", "cpu-worker", "KF8019", 9), ("crio: {version: 1.26.9}\n", "cpu-worker", "KF8003", 9), ("tools: {helm: 3.0.0}\n", "control-plane", "KF8003", 9),
        ("nvidia: {driver: dkms}\n", "gpu-worker", "KF8002", 9), ("nvidia: {driver: {mode: dkms, packages: [a]}}\nkernel: {lock: yes}\n", "gpu-worker", "KF8004", 0),
        ("nvidia: {driver: preinstalled}\n", "gpu-worker", "KF8014", 9), ("crio: {pull_credentials: {env: x}}\n", "cpu-worker", "KF5002", 9),
        ("files: {/etc/x: {source: nothing}}\n", "cpu-worker", "KF1008", 9),
    ],
)
def test_what_a_site_leaves_open_is_told_where_it_stands(more: str, role: str, wanted: str, line: int) -> None:
    key = more.split(":")[0]
    base = "".join(part for part in GOOD.splitlines(keepends=True) if not part.startswith(f"{key}:"))
    found = kit.pipeline(base + more + f"nodes: {{n: {{role: {role}, mac: 52:54:00:00:00:01}}}}\n")
    found.plans()
    hits = [p for p in found.report if p.id == wanted]
    assert hits, [str(p) for p in found.report]
    if line:
        assert hits[0].mark == hits[0].mark._replace(file="site.yaml", line=line), str(hits[0])


def test_dkms_under_secure_boot_is_refused() -> None:
    boot = GOOD.replace("boot: {", "boot: {secure: yes, ")
    errors = kit.problems(boot + "nvidia: {driver: {mode: dkms, packages: [a]}}\nnodes: {n: {role: gpu-worker}}\n")
    assert any("KF8001" in e for e in errors)
    assert not kit.problems(boot + REPO + "nvidia: {driver: {mode: kmod, packages: [a]}}\nnodes: {n: {role: gpu-worker}}\n")


@pytest.mark.parametrize(
    ("secret", "name"), [("access: {password: {env: hash}}\n", "access.password"), ("install: {rhsm: {organization: a, activation_key: {env: k}}}\n", "install.rhsm.activation_key")]
)
def test_a_secret_that_only_the_kickstart_could_carry_must_be_waived_by_name(secret: str, name: str) -> None:
    node = "nodes: {n: {role: cpu-worker}}\n"
    assert any("KF5001" in e for e in kit.problems(kit.HEAD + secret + node))
    found = kit.pipeline(kit.HEAD + secret + f"waive: [{name}]\n" + node)
    (made,) = kit.rendered(found.plans())
    assert not kit.errors(found.report) and not kit.errors(made.report)
    assert made.kickstart.count(f"@kfimage:plain:{name}@") == 1


def test_one_shared_layer_is_advised_on_once_for_all_its_nodes() -> None:
    nodes = "".join(f"  n{i}: {{role: gpu-worker, mac: 52:54:00:00:00:{i:02x}}}\n" for i in range(1, 50))
    found = kit.pipeline(kit.HEAD + "nodes:\n" + nodes)
    found.plans()
    assert sum(p.id == "KF8014" for p in found.report) == 1
