"""Values that are of their kind and yet cannot be meant: refused, or warned of, where they were written."""

from __future__ import annotations

import kit
import pytest

from kfimage.kinds import SYSTEM_USERS, Bad, user
from kfimage.verify import shell
from kfimage.verify.kickstart import RULES, parse

NODE = "nodes: {n: {role: cpu-worker, mac: 52:54:00:00:00:01}}\n"
GPU = "nodes: {n: {role: gpu-worker, mac: 52:54:00:00:00:01}}\n"
REPO = "repositories: {lab: {url: http://10.20.0.5/lab, key: {url: http://10.20.0.5/key, fingerprint: DE15B14486CD377B9E876E1A234654DA9A296436}}}\n"


def found(site: str, ident: str) -> list[tuple[str, str, str]]:
    """(line:column, message, hint) of every problem of one id, whatever its severity."""
    pipeline = kit.pipeline(kit.HEAD + site)
    pipeline.plans()
    return [(f"{p.mark.line}:{p.mark.column}", p.message, p.hint) for p in pipeline.report if p.id == ident]


@pytest.mark.parametrize(
    ("site", "place", "words"),
    [
        ("kernel: {args: [quiet, selinux=0]}\n", "3:24", "'selinux=0' is no kernel argument"), ("kernel: {args: [enforcing=0]}\n", "3:17", "enforcing=0"),
        ("kernel: {args: [resume=/dev/sda2]}\n", "3:17", "resume=/dev/sda2"), ("kernel: {args: [zswap.enabled=1]}\n", "3:17", "zswap.enabled=1"),
        ("kernel: {args: [rd.lvm.lv=rhel/swap]}\n", "3:17", "rd.lvm.lv=rhel/swap"),
        ("access: {admin: adm}\n", "3:17", "user name 'adm' belongs to the system"), ("access: {admin: systemd-resolve}\n", "3:17", "belongs to the system"),
        ("disk: {volumes: {root: 4G}}\n", "3:24", "'4G' is too small"), ("disk: {volumes: {boot: 511M}}\n", "3:24", "'511M' is too small"),
        ("disk: {volumes: {var: 1G}}\n", "3:23", "'1G' is too small"), ("disk: {volumes: {containers: 9G, var: rest}}\n", "3:30", "'9G' is too small"),
        ("disk: {volumes: {boot: rest}}\n", "3:24", "'rest' is not a size"),
        ("install: {nfs: {server: h, path: /x, options: None}}\n", "3:47", "'None' is what a template writes"),
        ("access: {admin: nil}\n", "3:17", "'nil' is what a template writes"), ("packages: {install: [tmux, None]}\n", "3:28", "'None' is what a template writes"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_in_its_place(site: str, place: str, words: str) -> None:
    ((where, message, hint),) = found(site + NODE, "KF1100")
    assert where == place and words in message and hint, (where, message)


def test_values_beside_those_pass() -> None:
    assert not kit.problems(kit.HEAD + "kernel: {args: [quiet, selinux.x=1, noresume, swapaccount=1], sysctl: {net.ipv4.ip_forward: 1}}\naccess: {admin: admin}\n" + NODE)
    assert not kit.problems(kit.HEAD + "disk: {volumes: {boot: 512M, root: 8G, var: 2G, containers: rest}}\n" + NODE)


@pytest.mark.parametrize("key", ["net.ipv4.ip_forward", "net/ipv4/ip_forward", "net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"])
def test_a_sysctl_against_kubernetes_is_refused(key: str) -> None:
    ((where, message, _),) = found(f"kernel: {{sysctl: {{{key}: 0}}}}\n{NODE}", "KF1202")
    assert where == "3:19" and f"kernel.sysctl.{key} is 0" in message


def test_a_zone_that_resembles_none_gets_no_list() -> None:
    ((_, _, hint),) = found("time: {zone: Mars/Olympus}\n" + NODE, "KF1100")
    assert "known here" not in hint and "Europe/Berlin" in hint
    ((_, _, near),) = found("time: {zone: Europe/Berln}\n" + NODE, "KF1100")
    assert near == "did you mean 'Europe/Berlin'?"


def test_system_users_are_one_list_for_sites_and_kickstarts() -> None:
    for name in SYSTEM_USERS:
        with pytest.raises(Bad):
            user(name)
    parsed, report = parse("user --name=adm --lock\n", "x.ks", "RHEL8")
    for rule in RULES:
        rule(parsed, report)
    assert [p.message for p in report if p.id == "KF2404"] == ["user name 'adm' belongs to the system"]


# -- packages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [("lab-agent", "KF8024"), ("java-1.8.0-openjdk", "KF8024"), ("lab-agent.x86_64", "KF8024"), ("lab-agent-1.0", "KF8004"), ("lab-agent-1.0-1.el8", ""), ("lab-agent-3:1.0-1.el8", "")],
)
def test_a_third_party_package_is_pinned_or_told(name: str, said: str) -> None:
    site = f"packages: {{third_party: ['{name}']}}\n" + NODE
    hits = {ident: [hit for hit in found(site, ident) if name in hit[1]] for ident in ("KF8004", "KF8024")}
    assert {ident for ident, these in hits.items() if these} == ({said} if said else set())
    assert all(where == "3:12" for these in hits.values() for where, _, _ in these)


def test_a_drivers_packages_are_pinned_or_a_stream_and_have_a_repository() -> None:
    packages = "nvidia: {driver: {mode: kmod, packages: ['@nvidia-driver:545', kmod-nvidia, nvidia-driver-545.23.08-1.el8]}}\n"
    hits = found(REPO + packages + GPU, "KF8024")
    assert [(where, message) for where, message, _ in hits] == [("4:31", "nvidia.driver.packages: kmod-nvidia has no version")]
    assert not found(REPO + packages + GPU, "KF8002")
    ((where, message, _),) = found(packages + GPU, "KF8002")
    assert where == "3:31" and "no repository of the site's" in message


@pytest.mark.parametrize("name", ["firewalld", "chrony", "policycoreutils*"])
def test_removing_what_a_step_needs_is_refused(name: str) -> None:
    ((where, message, _),) = found(f"packages: {{remove: [plymouth, '{name}']}}\n{NODE}", "KF1202")
    assert where == "3:12" and f"packages.remove: {name}, but the step '" in message
    assert not found(f"packages: {{remove: ['{name}']}}\nroles: {{cpu-worker: {{steps: [packages, access]}}}}\n{NODE}", "KF1202")


# -- groups and steps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "hint"),
    [("{role: cpu-workers}", "did you mean 'cpu-worker'?"), ("{name: 'gpu-b0?'}", "did you mean 'gpu-a01'?"), ("{network: 10.9.0.0/16}", "correct its `match`, or remove the group")],
)
def test_a_group_without_nodes_is_told(match: str, hint: str) -> None:
    site = f"groups: {{rack: {{match: {match}, selinux: permissive}}}}\nnodes: {{gpu-a01: {{role: cpu-worker}}}}\n"
    assert found(site, "KF1211") == [("3:10", "groups.rack holds no node", hint)]


def test_a_group_is_empty_only_where_there_are_nodes() -> None:
    assert not found("groups: {rack: {match: {name: 'x*'}, selinux: permissive}}\n", "KF1211")


@pytest.mark.parametrize(
    "layer", ["steps: [nettwork]\n", "roles: {gpu-worker: {steps: [nettwork]}}\n", "groups: {g: {match: {name: 'x*'}, steps: [nettwork]}}\n", "groups: {g: {match: {name: n}, priority: 0, steps: [nettwork]}}\n"],
)
def test_an_unknown_step_is_told_in_every_layer(layer: str) -> None:
    hits = found(layer + "nodes: {n: {role: cpu-worker, steps: [packages]}}\n", "KF1203")
    assert [(message, hint) for _, message, hint in hits] == [("no step 'nettwork'", "did you mean 'network'?")]


# -- scripts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "ident"),
    [
        ("dnf -y --nogpgcheck install a-1-1", "KF4107"), ("dnf -y --setopt=lab.gpgcheck=0 install a-1-1", "KF4107"), ("rpm -Uvh --nosignature a.rpm", "KF4107"),
        ("rpm --install --nodigest a.rpm", "KF4107"), ("rpm -q --nosignature a", ""), ("yum install -y https://h/a.rpm", "KF4108"), ("rpm -ivh http://h/a.rpm", "KF4108"),
        ("rpm --import https://h/key", ""), ("printf '[a]\\ngpgcheck=0\\n' > /etc/yum.repos.d/a.repo", "KF4109"), ("echo gpgcheck=0 >> /etc/yum.repos.d/a.repo", "KF4109"),
        ("sed -i 's/gpgcheck=1/gpgcheck=0/' /etc/yum.repos.d/a.repo", "KF4109"), ("sed -i 's/gpgcheck=0/gpgcheck=1/' /etc/yum.repos.d/a.repo", ""),
        ("echo gpgcheck=0 is not wanted here", ""), ("dnf install -y kubelet", "KF4110"), ("dnf install -y kubeadm.x86_64", "KF4110"),
        ("dnf install -y kubectl-1.25.10", ""), ("dnf install -y \"kubelet-$version\"", ""), ("dnf list kubelet", ""), ("# dnf install -y --nogpgcheck kubelet", ""),
    ],
)
def test_packages_that_nobody_signed_or_pinned(line: str, ident: str) -> None:
    report = shell.check_script(f"set -e\n{line}\n", "x.sh")
    assert {p.id for p in report} == ({ident} if ident else set()), [str(p) for p in report]
