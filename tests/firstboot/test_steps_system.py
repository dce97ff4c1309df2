"""packages, register, network, swap, selinux, firewalld, kernel, time, bootorder, hooks: exact files and commands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import FAKES, Node

DATA = Path(__file__).parent / "data"
VALID, EXPIRED, REVOKED = (
    "E9BA43E18785FA1B97719B6860781282295CE9DC",
    "6B210117A636A67DEDBE7CDE752EF27262409873",
    "E65548BBD9C48CAE5619943A333D79C43B0CA22E",
)
MASK = "systemctl mask swap.target"


def unchanged(node: Node, name: str, *, install: bool = False) -> None:
    """Law: the same again, stamp or no stamp, changes no byte."""
    before = node.bytes()
    if not install:
        (node.root / "var/lib/kfimage/done" / name).unlink()
    assert (node.install(name) if install else node.boot(name)) == 0, node.err
    assert node.bytes() == before


# --- packages ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def repo(node: Node) -> Node:
    node.facts.update(
        {
            "KF_REPOS": "kubernetes",
            "KF_REPO_KUBERNETES_URL": "https://pkgs.k8s.io/core:/stable:/v1.25/rpm",
            "KF_REPO_KUBERNETES_PROXY": "",
            "KF_REPO_KUBERNETES_KEYPROXY": "",
            "KF_REPO_KUBERNETES_KEY": "https://pkgs.k8s.io/valid.asc",
            "KF_REPO_KUBERNETES_FINGERPRINT": VALID,
            "KF_REPO_KUBERNETES_EXPIRED_OK": "no",
            "KF_PACKAGES": "kubelet-1.25.10-150500.1.1 kubeadm-1.25.10-150500.1.1",
            "KF_PACKAGES_LOCK": "kubelet kubeadm",
        }
    )
    for key in ("valid", "expired", "revoked"):
        shutil.copy(DATA / f"{key}.asc", node.state / "www")
    node.write("/etc/dnf/dnf.conf", "[main]\ngpgcheck=1\ninstallonly_limit=3\n")
    return node


def test_packages(repo: Node) -> None:
    assert repo.install("packages") == 0, repo.err
    calls = repo.calls()
    assert [c for c in calls if c.startswith("dnf")] == [
        "dnf -y --setopt=install_weak_deps=False --setopt=retries=5 --setopt=timeout=60 --setopt=*.skip_if_unavailable=1 "
        "--setopt=kubernetes.skip_if_unavailable=0 --disableexcludes=all install "
        "kubelet-1.25.10-150500.1.1 kubeadm-1.25.10-150500.1.1"
    ]
    assert "rpm -q gpg-pubkey-295ce9dc" in calls
    assert f"rpm --import {repo.root}/etc/pki/rpm-gpg/RPM-GPG-KEY-kfimage-kubernetes" in calls
    assert repo.read("/etc/yum.repos.d/kfimage-kubernetes.repo").splitlines()[1:] == [
        "[kubernetes]",
        "name=kubernetes",
        "baseurl=https://pkgs.k8s.io/core:/stable:/v1.25/rpm",
        "enabled=1",
        "gpgcheck=1",
        "repo_gpgcheck=0",
        "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-kfimage-kubernetes",
        "skip_if_unavailable=0",
    ]
    assert repo.read("/etc/dnf/dnf.conf") == (
        "[main]\ngpgcheck=1\ninstallonly_limit=3\n"
        "# kfimage holds: kubelet kubeadm kernel*\nexcludepkgs=kubelet kubeadm kernel*\n"
    )
    repo.tell("rpms", repo.state.joinpath("rpms").read_text() + "gpg-pubkey-295ce9dc\n")
    unchanged(repo, "packages", install=True)
    assert not [c for c in repo.calls() if c.startswith("dnf") or "--import" in c]


def test_packages_keep_what_an_administrator_excluded(repo: Node) -> None:
    repo.write("/etc/dnf/dnf.conf", "[main]\nexclude=foo, kubelet\nbest=1\n[other]\nexclude=bar\n")
    assert repo.install("packages") == 0
    repo.facts.update({"KF_PACKAGES_LOCK": "kubeadm", "KF_KERNEL_LOCK": "no"})
    assert repo.install("packages") == 0
    assert (
        repo.read("/etc/dnf/dnf.conf")
        == "[main]\nbest=1\n# kfimage holds: kubeadm\nexcludepkgs=foo kubeadm\n[other]\nexclude=bar\n"
    )


def test_packages_go_through_the_proxy_that_was_rendered_for_each_address(repo: Node) -> None:
    repo.facts.update(
        {
            "KF_HTTPS_PROXY": "http://proxy.lab:3128",
            "KF_NO_PROXY": "10.20.0.0/16,.lab",
            "KF_REPO_KUBERNETES_PROXY": "http://proxy.lab:3128",
        }
    )
    repo.fake("dnf", 'env | grep _proxy= | sort >"$S/env"\n' + FAKES["dnf"])
    assert repo.install("packages") == 0, repo.err
    assert "\nproxy=http://proxy.lab:3128\n" in repo.read("/etc/yum.repos.d/kfimage-kubernetes.repo")
    (got,) = repo.calls("curl")
    assert "--proxy  --output" in got, "the key's own address is reached directly, whatever the environment says"
    assert (repo.state / "env").read_text() == "https_proxy=http://proxy.lab:3128\nno_proxy=10.20.0.0/16,.lab\n"
    repo.facts.update({"KF_REPO_KUBERNETES_PROXY": "", "KF_REPO_KUBERNETES_KEYPROXY": "http://proxy.lab:3128"})
    assert repo.install("packages") == 0
    assert "proxy=" not in repo.read("/etc/yum.repos.d/kfimage-kubernetes.repo")
    assert "--proxy http://proxy.lab:3128 " in repo.calls("curl")[0]


@pytest.mark.parametrize(
    ("key", "fingerprint", "ok", "says"),
    [
        ("valid", EXPIRED, "no", f"holds the key {VALID}, which repository kubernetes does not pin"),
        ("expired", EXPIRED, "no", f"the key {EXPIRED} of repository kubernetes expired on 2020-01-31"),
        ("revoked", REVOKED, "yes", f"the key {REVOKED} of repository kubernetes is revoked"),
        ("valid", "", "no", "has no pinned fingerprint"),
    ],
)
def test_packages_refuse_a_key(repo: Node, key: str, fingerprint: str, ok: str, says: str) -> None:
    repo.facts.update(
        {
            "KF_REPO_KUBERNETES_KEY": f"https://x/{key}.asc",
            "KF_REPO_KUBERNETES_FINGERPRINT": fingerprint,
            "KF_REPO_KUBERNETES_EXPIRED_OK": ok,
        }
    )
    assert repo.install("packages") == 1
    assert says in repo.err
    assert "<3>packages: next: " in repo.err
    assert not [c for c in repo.calls() if c.startswith("dnf") or "--import" in c]


def test_packages_take_an_expired_key_that_the_site_accepts_by_name(repo: Node) -> None:
    repo.write("/etc/kfimage/keys/k8s.asc", (DATA / "expired.asc").read_text())
    repo.facts.update(
        {
            "KF_REPO_KUBERNETES_KEY": "/etc/kfimage/keys/k8s.asc",
            "KF_REPO_KUBERNETES_FINGERPRINT": EXPIRED,
            "KF_REPO_KUBERNETES_EXPIRED_OK": "yes",
        }
    )
    assert repo.install("packages") == 0, repo.err
    assert "expired on 2020-01-31; the site accepts that by name" in repo.err
    assert not repo.calls("curl")


def test_packages_refuse_a_file_that_is_no_key(repo: Node) -> None:
    repo.tell("www/valid.asc", "<html>404</html>")
    assert repo.install("packages") == 1
    assert "holds no OpenPGP key" in repo.err


def test_packages_refuse_a_repository_without_a_key(repo: Node) -> None:
    repo.facts["KF_REPO_KUBERNETES_KEY"] = ""
    assert repo.install("packages") == 1
    assert "repository kubernetes has no signing key" in repo.err


def test_packages_see_what_dnf_does_not_say(repo: Node) -> None:
    repo.tell("dnf-output", "warning: %post(kubelet-1.25.10) scriptlet failed, exit status 1\n")
    assert repo.install("packages") == 1
    assert "a package's script failed: warning: %post(kubelet-1.25.10) scriptlet failed" in repo.err
    repo.fake("dnf", "echo Complete!")
    repo.tell("rpms", "")
    assert repo.install("packages") == 1
    assert "not installed after dnf said yes: kubelet-1.25.10-150500.1.1 kubeadm-1.25.10-150500.1.1" in repo.err


def test_packages_dnf_fails(repo: Node) -> None:
    repo.fail("dnf", "Error: Unable to find a match: kubelet")
    assert repo.install("packages") == 1
    assert "dnf could not install the pinned packages" in repo.err
    assert "Unable to find a match: kubelet" in repo.read("/var/log/kfimage-dnf.log")
    assert not repo.has("/var/lib/kfimage/installed/packages")


# --- register ---------------------------------------------------------------------------------------------------------
def test_register_without_organization_does_nothing(node: Node) -> None:
    assert node.boot("register") == 0
    assert not node.calls("subscription-manager")


def test_register(node: Node) -> None:
    node.facts.update(
        {"KF_RHSM_ORGANIZATION": "12345", "KF_RHSM_PROXY": "http://proxy.lab:3128/", "KF_RHSM_SERVER": "sat.lab"}
    )
    node.write("/etc/kfimage/secrets/rhsm-activation-key", "s3cret-key\n", 0o600)
    assert node.boot("register") == 0, node.err
    assert node.calls("subscription-manager") == [
        "subscription-manager config --server.proxy_hostname=proxy.lab --server.proxy_port=3128",
        "subscription-manager identity",
        "subscription-manager register --org 12345 --activationkey s3cret-key --serverurl sat.lab",
        "subscription-manager identity",
        "subscription-manager release --show",
        "subscription-manager release --set=8.7",
        "subscription-manager release --show",
    ]
    assert "s3cret" not in node.err
    assert not node.has("/etc/kfimage/secrets/rhsm-activation-key")
    unchanged(node, "register")
    assert not [c for c in node.calls() if " register " in c or "--set" in c]


def test_register_through_a_proxy_with_an_ipv6_address(node: Node) -> None:
    node.facts.update({"KF_RHSM_ORGANIZATION": "12345", "KF_RHSM_PROXY": "http://[fd00::9]:3128"})
    node.tell("registered", "")
    assert node.boot("register") == 0, node.err
    assert node.calls("subscription-manager")[0] == "subscription-manager config --server.proxy_hostname=fd00::9 --server.proxy_port=3128"


def test_register_failures(node: Node) -> None:
    node.facts["KF_RHSM_ORGANIZATION"] = "12345"
    assert node.boot("register") == 1
    assert "there is no activation key" in node.err
    key = node.write("/etc/kfimage/secrets/rhsm-activation-key", "s3cret-key\n", 0o600)
    node.fail("subscription-manager", "invalid key s3cret-key")
    assert node.boot("register") == 1
    assert "was refused" in node.err and "s3cret" not in node.err
    assert key.exists()


# --- network ----------------------------------------------------------------------------------------------------------
def test_network(node: Node) -> None:
    node.tell("enabled", "nm-cloud-setup.timer\n")
    assert node.install("network") == 0, node.err
    assert "systemctl disable nm-cloud-setup.timer" in node.calls()
    assert node.read("/etc/hostname") == "gpu-a01\n"
    assert node.boot("network") == 0, node.err
    assert (
        "[keyfile]\nunmanaged-devices=interface-name:cali*;interface-name:tunl*;interface-name:vxlan.calico;interface-name:vxlan-v6.calico;"
        "interface-name:wireguard.cali;interface-name:wg-v6.cali\n"
        in node.read("/etc/NetworkManager/conf.d/99-zz-kfimage-calico.conf")
    )
    assert "systemctl reload NetworkManager" not in node.calls()
    unchanged(node, "network")


def test_network_keeps_a_full_name_and_tells_of_other_files(node: Node) -> None:
    node.write("/etc/hostname", "gpu-a01.lab.example.org\n")
    node.write("/usr/lib/NetworkManager/conf.d/50-x.conf", "[keyfile]\nunmanaged-devices = mac:00:11\n")
    node.tell("active", "NetworkManager\n")
    assert node.boot("network") == 0, node.err
    assert node.read("/etc/hostname") == "gpu-a01.lab.example.org\n"
    assert "<4>network: /usr/lib/NetworkManager/conf.d/50-x.conf also says unmanaged-devices=" in node.err
    assert "systemctl reload NetworkManager" in node.calls()  # the file came at boot, under a running NetworkManager


def test_network_routes_and_search_domains(node: Node) -> None:
    node.facts["KF_ROUTES"] = (
        "bond0.120,10.9.0.0/16,10.20.2.1 bond0.120,10.8.0.0/16,10.20.2.1,200 eno1,fd00:9::/64,fd00::1"
    )
    node.facts["KF_DNS_SEARCH"] = "lab.example.org example.org"
    scripts = "/etc/sysconfig/network-scripts"
    node.write(f"{scripts}/ifcfg-bond0.120", "DEVICE=bond0.120\nDOMAIN=old\n")
    node.write(f"{scripts}/ifcfg-eno1", "DEVICE=eno1\nMASTER=bond0\n")
    assert node.install("network") == 0, node.err
    routes = "10.9.0.0/16 via 10.20.2.1 dev bond0.120\n10.8.0.0/16 via 10.20.2.1 dev bond0.120 metric 200\n"
    assert node.read(f"{scripts}/route-bond0.120") == routes
    assert node.read(f"{scripts}/route6-eno1") == "fd00:9::/64 via fd00::1 dev eno1\n"
    assert node.read(f"{scripts}/ifcfg-bond0.120") == 'DEVICE=bond0.120\nDOMAIN="lab.example.org example.org"\n'
    assert "DOMAIN" not in node.read(f"{scripts}/ifcfg-eno1")
    unchanged(node, "network", install=True)
    assert node.boot("network") == 1
    assert "there is no route to 10.9.0.0/16 via 10.20.2.1" in node.err
    node.tell("routes", "x via 10.20.2.1 dev bond0.120\ny via fd00::1 dev eno1\n")
    assert node.boot("network") == 0, node.err
    node.facts["KF_ROUTES"] = "eno1,,"
    assert node.install("network") == 1
    assert "'eno1,,' is not a route" in node.err


def test_network_not_in_force(node: Node) -> None:
    node.fake("NetworkManager", "echo unmanaged-devices=eth9")
    assert node.boot("network") == 1
    assert "does not know that cali* is Calico's" in node.err


# --- swap -------------------------------------------------------------------------------------------------------------
def test_swap_on_a_clean_node(node: Node) -> None:
    node.write("/etc/fstab", "/dev/sda1 / xfs defaults 0 0\n")
    assert node.install("swap") == 0
    assert node.calls("systemctl") == ["systemctl is-enabled swap.target", MASK]
    assert node.boot("swap") == 0, node.err
    assert not [c for c in node.calls() if c.startswith("swapoff") or " mask " in c]
    unchanged(node, "swap")


FSTAB = [
    ("/dev/sda2 swap swap defaults 0 0\n", "#/dev/sda2 swap swap defaults 0 0\n"),
    ("/dev/sda2\tnone\tswap\tsw\t0\t0\n", "#/dev/sda2\tnone\tswap\tsw\t0\t0\n"),
    ("  UUID=1 none swap sw 0 0\n", "#  UUID=1 none swap sw 0 0\n"),
    ("# a swap comment swap\n", "# a swap comment swap\n"),
    ("#/dev/sda2 swap swap defaults 0 0\n", "#/dev/sda2 swap swap defaults 0 0\n"),
    ("\t# swap swap swap\n", "\t# swap swap swap\n"),
    ("/dev/sda3 /swap xfs defaults 0 0\n", "/dev/sda3 /swap xfs defaults 0 0\n"),
    ("/dev/mapper/swap /srv ext4 swap 0 0\n", "/dev/mapper/swap /srv ext4 swap 0 0\n"),
    ("/swapfile none swap sw 0 0", "#/swapfile none swap sw 0 0\n"),
    ("\n", "\n"),
]


@pytest.mark.parametrize(("line", "want"), FSTAB)
def test_swap_in_fstab(node: Node, line: str, want: str) -> None:
    first = "/dev/sda1 / xfs defaults 0 0\n"
    node.write("/etc/fstab", first + line, 0o640)
    for _ in range(2):
        assert node.install("swap") == 0, node.err
        assert node.read("/etc/fstab") == first + want
    assert (node.root / "etc/fstab").stat().st_mode & 0o777 == 0o640


def test_swap_that_is_on(node: Node) -> None:
    node.tell("masked", "swap.target\n")
    node.tell("swaps", "/dev/sda3\n")
    node.tell("swap-units", "dev-sda3.swap loaded active active GPT swap\ndev-zram0.swap loaded active active zram\n")
    node.tell("enabled", "zram-swap\n")
    node.write("/usr/lib/systemd/system-generators/zram-generator", "")
    node.write("/proc/cmdline", "root=x resume=/dev/rhel/swap ro\n")
    assert node.boot("swap") == 0, node.err
    assert [c for c in node.calls() if " is-" not in c and not c.startswith(("restorecon", "swapon"))] == [
        "systemctl list-units --type=swap --all --plain --no-legend",
        "systemctl mask dev-sda3.swap",
        "systemctl mask dev-zram0.swap",
        "systemctl disable --now zram-swap.service",
        "swapoff -a",
    ]
    assert node.read("/etc/systemd/zram-generator.conf") == ""
    assert "<4>swap: the kernel line has resume=" in node.err


def test_swap_that_stays(node: Node) -> None:
    node.tell("swaps", "/dev/sda3\n")
    node.fake("swapoff")
    assert node.boot("swap") == 1
    assert "<3>swap: swap is still on: /dev/sda3" in node.err
    assert "next: swapoff -v /dev/sda3" in node.err


# --- selinux ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def labelled(node: Node) -> Node:
    node.write("/etc/selinux/config", "# SELINUX= can be one of\nSELINUX = enforcing\nSELINUXTYPE=targeted\n")
    node.write("/usr/local/bin/crio", "")
    node.tell("rpms", "container-selinux\n")
    return node


def test_selinux(labelled: Node) -> None:
    assert labelled.install("selinux") == 0, labelled.err
    assert (
        labelled.read("/etc/selinux/config") == "# SELINUX= can be one of\nSELINUX=permissive\nSELINUXTYPE=targeted\n"
    )
    labelled.calls()
    assert labelled.boot("selinux") == 0, labelled.err
    assert f"restorecon -RF {labelled.root}/usr/local" in labelled.calls()
    unchanged(labelled, "selinux")


def test_selinux_sets_the_mode_and_teaches_an_older_policy(labelled: Node) -> None:
    labelled.facts["KF_SELINUX"] = "enforcing"
    labelled.fake("matchpathcon", "echo system_u:object_r:bin_t:s0")
    assert labelled.boot("selinux") == 0, labelled.err
    calls = labelled.calls()
    assert "setenforce 1" in calls
    assert "semanage fcontext -a -t container_runtime_exec_t /usr/local/bin/crio" in calls


def test_selinux_failures(labelled: Node) -> None:
    labelled.facts["KF_SELINUX"] = "disabled"
    assert labelled.install("selinux") == 1
    assert "disabled is not offered" in labelled.err
    labelled.facts["KF_SELINUX"] = "enforcing"
    labelled.tell("getenforce", "Disabled\n")
    assert labelled.boot("selinux") == 1
    assert "SELinux is disabled in the running kernel" in labelled.err
    labelled.tell("getenforce", "Enforcing\n")
    labelled.tell("rpms", "")
    assert labelled.boot("selinux") == 1
    assert "container-selinux is not installed" in labelled.err


# --- firewalld --------------------------------------------------------------------------------------------------------
CONF = (
    "# firewalld\n#FirewallBackend=iptables\n FirewallBackend = nftables\nDefaultZone=work\nFirewallBackend=nftables\n"
)


@pytest.fixture
def wall(node: Node) -> Node:
    node.write("/etc/firewalld/firewalld.conf", CONF)
    return node


def test_firewalld(wall: Node) -> None:
    wall.facts["KF_FIREWALL_SSH_FROM"] = "10.9.0.0/24 fd00::/8"
    assert wall.install("firewalld") == 0, wall.err
    assert (
        wall.read("/etc/firewalld/firewalld.conf")
        == "# firewalld\n#FirewallBackend=iptables\nFirewallBackend=iptables\nDefaultZone=public\n"
    )
    public = wall.read("/etc/firewalld/zones/public.xml")
    rule = '  <rule family="{}">\n    <source address="{}"/>\n    {}\n    <accept/>\n  </rule>\n'
    assert public.split("<short>Public</short>\n")[1] == (
        '  <service name="dhcpv6-client"/>\n  <port port="30000-32767" protocol="tcp"/>\n'
        + rule.format("ipv4", "10.9.0.0/24", '<service name="ssh"/>')
        + rule.format("ipv6", "fd00::/8", '<service name="ssh"/>')
        + rule.format("ipv4", "10.20.0.0/16", '<port port="10250" protocol="tcp"/>')
        + rule.format("ipv4", "10.20.0.0/16", '<protocol value="4"/>')
        + "</zone>\n"
    )
    assert '<source address="10.244.0.0/16"/>\n  <source address="10.96.0.0/12"/>' in wall.read(
        "/etc/firewalld/zones/trusted.xml"
    )
    calls = wall.calls()
    assert "firewall-offline-cmd --check-config" in calls and "systemctl enable firewalld" in calls
    assert wall.has("/etc/systemd/system/crio.service.d/10-kfimage-firewalld.conf")
    unchanged(wall, "firewalld", install=True)


def test_firewalld_open_cluster(wall: Node) -> None:
    wall.facts["KF_FIREWALL_CLUSTER"] = ""
    assert wall.install("firewalld") == 0, wall.err
    public = wall.read("/etc/firewalld/zones/public.xml")
    assert (
        '  <service name="ssh"/>\n' in public
        and '  <port port="10250" protocol="tcp"/>\n  <protocol value="4"/>\n' in public
    )
    assert "<rule" not in public


def test_firewalld_what_a_fact_no_longer_says_is_gone(wall: Node) -> None:
    assert wall.install("firewalld") == 0
    wall.facts["KF_FIREWALL_PORTS"] = ""
    assert wall.install("firewalld") == 0
    assert "30000" not in wall.read("/etc/firewalld/zones/public.xml")


@pytest.mark.parametrize(
    ("fact", "value", "says"),
    [
        ("KF_FIREWALL_PORTS", "6443:tcp", "'6443:tcp' is not a port"),
        ("KF_FIREWALL_CLUSTER", "lab", "'lab' is not a network"),
        ("KF_FIREWALL", "on", "firewall mode 'on' is unknown"),
    ],
)
def test_firewalld_refuses(wall: Node, fact: str, value: str, says: str) -> None:
    wall.facts[fact] = value
    assert wall.install("firewalld") == 1
    assert says in wall.err


@pytest.mark.skipif(shutil.which("firewall-offline-cmd") is None, reason="firewalld is not installed")
def test_firewalld_itself_understands_the_zones(wall: Node) -> None:
    wall.facts["KF_FIREWALL_SSH_FROM"] = "10.9.0.0/24"
    assert wall.install("firewalld") == 0
    config = wall.root / "etc/firewalld"
    tool = [shutil.which("firewall-offline-cmd") or "", "--system-config", str(config)]
    assert subprocess.run([*tool, "--check-config"], capture_output=True, timeout=30).returncode == 0
    listing = subprocess.run([*tool, "--zone=public", "--list-all"], capture_output=True, text=True, timeout=30).stdout
    assert "ports: 30000-32767/tcp\n" in listing
    assert 'rule family="ipv4" source address="10.20.0.0/16" port port="10250" protocol="tcp" accept' in listing
    assert 'rule family="ipv4" source address="10.20.0.0/16" protocol value="4" accept' in listing
    assert 'rule family="ipv4" source address="10.9.0.0/24" service name="ssh" accept' in listing


def test_firewalld_run(wall: Node) -> None:
    assert wall.install("firewalld") == 0
    wall.tell("active", "firewalld\n")
    wall.calls()
    assert wall.boot("firewalld") == 0, wall.err
    assert not [c for c in wall.calls() if "restart" in c or "reload" in c]
    unchanged(wall, "firewalld")


def test_firewalld_restarts_only_before_the_join(wall: Node) -> None:
    assert wall.install("firewalld") == 0
    wall.tell("active", "firewalld\n")
    wall.tell("fw-runtime", "9090/tcp\n")
    wall.write("/etc/kubernetes/kubelet.conf", "")
    assert wall.boot("firewalld") == 1
    assert "this node has joined" in wall.err
    assert "systemctl restart firewalld" not in wall.calls()
    (wall.root / "etc/kubernetes/kubelet.conf").unlink()
    assert wall.boot("firewalld") == 1  # restarted, and still not what was written
    assert "systemctl restart firewalld" in wall.calls()
    assert "firewalld does not run as configured" in wall.err


def test_firewalld_disabled(wall: Node) -> None:
    wall.facts["KF_FIREWALL"] = "disabled"
    wall.tell("enabled", "firewalld\n")
    wall.tell("active", "firewalld\n")
    assert wall.install("firewalld") == 0
    assert "systemctl disable firewalld" in wall.calls()
    assert wall.boot("firewalld") == 0
    assert "systemctl stop firewalld" in wall.calls()
    assert not wall.has("/etc/firewalld/zones/public.xml")


# --- kernel -----------------------------------------------------------------------------------------------------------
def test_kernel(node: Node) -> None:
    node.facts.update(
        {"KF_MODULES": "ip_vs overlay", "KF_SYSCTLS": "net.core.somaxconn=1024 fs.inotify.max_user_instances=9000"}
    )
    assert node.install("kernel") == 0, node.err
    assert node.read("/etc/modules-load.d/kfimage.conf").splitlines()[1:] == [
        "overlay",
        "br_netfilter",
        "ip_vs",
        "ipip",
    ]
    assert not [c for c in node.calls() if c.startswith(("modprobe", "sysctl"))]
    assert node.boot("kernel") == 0, node.err
    calls = node.calls()
    assert [c for c in calls if c.startswith("modprobe") and "--" not in c][:5] == [
        "modprobe overlay",
        "modprobe br_netfilter",
        "modprobe ip_vs",
        "modprobe ipip",
        "modprobe iptable_nat",
    ]
    assert f"sysctl -q -p {node.root}/etc/sysctl.d/99-zz-kfimage.conf" in calls
    assert "xt_owner" not in node.read("/etc/modules-load.d/kfimage-optional.conf")
    assert "iptable_nat\n" in node.read("/etc/modules-load.d/kfimage-optional.conf")
    unchanged(node, "kernel")
    assert not [c for c in node.calls() if c.startswith(("sysctl -q", "modprobe over"))]


def test_kernel_failures(node: Node) -> None:
    node.tell("sysctl-stuck", "")
    assert node.boot("kernel") == 1
    assert "<3>kernel: not in force: fs.inotify.max_user_instances is not there, not 8192;" in node.err
    node.fail("modprobe")
    shutil.rmtree(node.root / "sys/module/br_netfilter")
    assert node.boot("kernel") == 1
    assert "the kernel cannot load br_netfilter" in node.err
    node.facts["KF_SYSCTLS"] = "nonsense"
    assert node.install("kernel") == 1
    assert "'nonsense' is not a kernel setting" in node.err


# --- time -------------------------------------------------------------------------------------------------------------
def test_time(node: Node) -> None:
    node.facts["KF_NTP"] = "10.20.0.1 ntp.lab"
    node.write("/etc/chrony.conf", "# x\npool 2.rhel.pool.ntp.org iburst\n\tserver old\nmakestep 1.0 3\n")
    assert node.install("time") == 0, node.err
    assert node.read("/etc/chrony.conf") == (
        "# x\nmakestep 1.0 3\n# kfimage: the servers of the site, and no others.\n"
        "server 10.20.0.1 iburst\nserver ntp.lab iburst\n"
    )
    node.tell("active", "chronyd\n")
    node.calls()
    assert node.boot("time") == 0, node.err
    assert node.calls("chronyc") == ["chronyc -n waitsync 30 0.5 0 2"]
    unchanged(node, "time")
    assert not [c for c in node.calls() if "restart" in c]


def test_time_not_synchronized(node: Node) -> None:
    node.write("/etc/chrony.conf", "makestep 1.0 3\n")
    node.fail("chronyc")
    assert node.boot("time") == 1
    assert "not synchronized after a minute with: 10.20.0.1" in node.err
    node.facts["KF_NTP"] = ""
    assert node.boot("time") == 0
    assert "<4>time: the clock is not synchronized" in node.err


# --- bootorder --------------------------------------------------------------------------------------------------------
EFI = """BootCurrent: 0003
BootOrder: 0004,0003,0001,0002
Boot0001* PXE NIC 1\tPciRoot(0x0)/MAC(525400123456,1)/IPv4(0.0.0.0)
Boot0002  PXE NIC 2\tPciRoot(0x0)/MAC(525400123457,1)/IPv4(0.0.0.0)
Boot0003* UEFI Shell\tFv(abc)
Boot0004* Red Hat Enterprise Linux\tHD(1,GPT,aaaa)/File(\\EFI\\redhat\\shimx64.efi)
"""


@pytest.mark.parametrize(
    ("order", "start", "want"),
    [
        ("net-first", "0004,0003,0001,0002", "0001,0004,0003,0002"),
        ("disk-first", "0003,0001,0004,0002", "0004,0003,0001,0002"),
        ("disk-first", "0004,0003,0001,0002", None),
        ("keep", "0004,0003,0001,0002", None),
    ],
)
def test_bootorder(node: Node, order: str, start: str, want: str) -> None:
    node.facts["KF_BOOT_ORDER"] = order
    node.write("/sys/firmware/efi/x", "")
    node.tell("efi", EFI.replace("0004,0003,0001,0002", start))
    assert node.install("bootorder") == 0, node.err
    assert [c for c in node.calls() if " -o " in c] == ([f"efibootmgr -q -o {want}"] if want else [])
    assert node.install("bootorder") == 0
    assert not [c for c in node.calls() if " -o " in c]


def test_bootorder_elsewhere(node: Node) -> None:
    node.facts["KF_BOOT_ORDER"] = "net-first"
    assert node.install("bootorder") == 0
    assert not node.calls("efibootmgr")
    node.write("/sys/firmware/efi/x", "")
    node.tell("efi", "BootOrder: 0004\nBoot0004* RHEL\tHD(1)/File(x)\n")
    assert node.install("bootorder") == 0
    assert "no network boot entry" in node.err
    node.tell("efi", EFI)
    node.fake("efibootmgr", 'if [[ $1 == -q ]]; then exit 5; fi; cat "$S/efi"')
    assert node.install("bootorder") == 1
    assert "the firmware refuses the boot order 0001,0004,0003,0002" in node.err


# --- hooks ------------------------------------------------------------------------------------------------------------
def test_hooks(node: Node) -> None:
    node.fake("site")
    node.write("/etc/kfimage/hooks/post.d/10-a", '#!/bin/bash\nsite post "$KF_NODE"\n', 0o755)
    for name in ("20-b", "10-a"):
        node.write(f"/etc/kfimage/hooks/firstboot.d/{name}", f"#!/bin/bash\nsite {name}\n", 0o755)
    assert node.install("hooks") == 0, node.err
    assert node.calls("site") == ["site post gpu-a01"]
    assert node.boot("hooks") == 0, node.err
    assert node.calls("site") == ["site 10-a", "site 20-b"]
    unchanged(node, "hooks")
    assert node.calls("site") == []
    node.write("/etc/kfimage/hooks/firstboot.d/20-b", "#!/bin/bash\nsite changed\n", 0o755)
    assert node.boot("hooks") == 0
    assert node.calls("site") == ["site changed"]


def test_hooks_that_fail_do_not_repeat_those_that_did_not(node: Node) -> None:
    node.fake("site")
    node.write("/etc/kfimage/hooks/firstboot.d/10-a", "#!/bin/bash\nsite a\n", 0o755)
    hook = node.write("/etc/kfimage/hooks/firstboot.d/20-b", "#!/bin/bash\nexit 3\n", 0o644)
    assert node.boot("hooks") == 1
    assert "/etc/kfimage/hooks/firstboot.d/20-b is not executable" in node.err
    hook.chmod(0o755)
    assert node.boot("hooks") == 1
    assert "/etc/kfimage/hooks/firstboot.d/20-b ended with status 3" in node.err
    assert node.calls("site") == ["site a"]
