"""Each role's %post, executed as Anaconda does in a real root with real dnf, gpg, firewalld and systemctl; then the root."""

from __future__ import annotations

import json
import re

import kit
import pytest

from .conftest import Installed, Lab
from .rendering import SECRET
from .world import CRIO, DRIVER, HELM, KUBE, KUSTOMIZE, TOOLKIT

pytestmark = pytest.mark.slow
NODES = ("gpu-01", "cp-01")
_KUBERNETES = {"kubelet": KUBE, "kubeadm": KUBE, "kubectl": KUBE, "cri-tools": "1.25.0", "kubernetes-cni": "1.2.0"}
_NVIDIA = ("nvidia-container-toolkit", "nvidia-container-toolkit-base", "libnvidia-container-tools", "libnvidia-container1")
_GPU = {**_KUBERNETES, **dict.fromkeys(_NVIDIA, TOOLKIT), "kmod-nvidia": DRIVER, "nvidia-driver": DRIVER}
# What two runs may say differently: logs, dnf's caches, sqlite's own working files, and where scripts lie while they run.
_MOVING = (r"^/var/log/", r"^/var/cache/", r"^/tmp/", r"^/var/tmp/", r"/(rpmdb|history)\.sqlite-(shm|wal)$", r"^/run/", r"/\.rpm\.lock$")


def here(installed: dict[str, Installed], name: str) -> Installed:
    found = installed[name]
    assert found.result.status == 0, found.result.output
    return found


@pytest.mark.parametrize("name", NODES)
def test_the_post_ends_well_and_says_so_of_each_step(installed: dict[str, Installed], name: str, lab: Lab) -> None:
    found = here(installed, name)
    steps = kit.facts(lab.kickstarts[name])["KF_STEPS"].split()
    said = re.findall(r"^<5>([a-z]+): installed$", found.result.output, re.M)
    assert said == steps
    assert not re.findall(r"^<3>.*", found.result.output, re.M)
    assert "kfimage: the installation has stopped" not in found.result.output
    # The log is on disk while the script runs, not only when it has ended: a script that holds never ends.
    # nspawn kills `tee` with the script, perhaps before its last lines are written; Anaconda waits for it.
    log = found.node.text("/var/log/kfimage/post.log")
    assert len(log) > 2000
    assert found.result.output.startswith(log) or log.startswith(found.result.output)


@pytest.mark.parametrize("name", NODES)
def test_exactly_the_pinned_packages_are_there_and_each_is_signed_by_its_repository(installed: dict[str, Installed], name: str, lab: Lab) -> None:
    node = here(installed, name).node
    listing = node.sh("rpm -qa --qf '%{NAME} %{VERSION} %{RSAHEADER:pgpsig}\\n'")
    rows = {line.split()[0]: line.split(" ", 2)[1:] for line in listing.splitlines() if not line.startswith(("gpg-pubkey", "redhat-userland", "container-selinux"))}
    want = _GPU if name == "gpu-01" else _KUBERNETES
    assert {package: row[0] for package, row in rows.items()} == want
    world = lab.rack.world
    for package, (_, signature) in rows.items():
        key = world.kubernetes if package in _KUBERNETES else world.drivers if package in ("kmod-nvidia", "nvidia-driver") else world.nvidia
        assert signature.endswith(f"Key ID {key[-16:].lower()}"), f"{package}: {signature}"
    keys = set(re.findall(r"^gpg-pubkey-([0-9a-f]{8})", node.sh("rpm -qa 'gpg-pubkey*'"), re.M))
    pinned = {world.kubernetes, world.nvidia, world.drivers} if name == "gpu-01" else {world.kubernetes, world.drivers}
    assert keys == {key[-8:].lower() for key in pinned}
    assert node.sh("rpm -Va --nodeps --noconfig") == ""


@pytest.mark.parametrize("name", NODES)
def test_the_repositories_check_signatures_and_the_pins_hold_against_an_update(installed: dict[str, Installed], name: str) -> None:
    node = here(installed, name).node
    repos = sorted(p.name for p in node.file("/etc/yum.repos.d").iterdir())
    # A control plane has no toolkit, so it does not get its repository.
    assert repos == [f"kfimage-{r}.repo" for r in ("kubernetes", "lab-drivers", *(["nvidia-container-toolkit"] if name == "gpu-01" else []))]
    for repo in repos:
        text = node.text(f"/etc/yum.repos.d/{repo}")
        assert "\ngpgcheck=1\n" in text
        assert "\nskip_if_unavailable=0\n" in text
        assert "proxy=" not in text
    main = node.text("/etc/dnf/dnf.conf")
    assert main.startswith("[main]\ngpgcheck=1\n")
    assert "kernel*" in re.search(r"^excludepkgs=(.*)$", main, re.M).group(1).split()  # type: ignore[union-attr]
    # The mirror has newer ones; an administrator's update must not take them.
    assert node.sh("dnf -q --refresh list --upgrades 2>&1 || true") == ""
    newer = node.sh("dnf -q --disableexcludes=all list --upgrades 2>&1 || true")
    assert "1.25.16" in newer


@pytest.mark.parametrize("name", NODES)
def test_crio_is_laid_down_from_the_bundle(installed: dict[str, Installed], name: str) -> None:
    node = here(installed, name).node
    node.sh("cd / && tail -n +2 /var/lib/kfimage/crio.manifest | sha256sum --check --quiet")
    assert node.sh("crio --version").splitlines()[0] == f"crio version {CRIO}"
    # kubernetes-cni's files stay the RPM's; what only the bundle has comes from it.
    assert node.sh("/opt/cni/bin/bridge; /opt/cni/bin/macvlan") == "bridge of the RPM\nmacvlan of the bundle\n"
    conf = node.text("/etc/crio/crio.conf.d/10-kfimage.conf")
    assert 'default_runtime = "runc"' in conf
    assert 'pause_image = "registry.k8s.io/pause:3.8"' in conf
    assert sorted(p.name for p in node.file("/etc/crio/crio.conf.d").iterdir()) == ["10-kfimage.conf"]
    assert not node.file("/etc/cni/net.d").exists()
    registries = node.text("/etc/containers/registries.conf.d/10-kfimage.conf")
    assert 'location = "mirror.lab:5000/docker"' in registries
    assert not list(node.file("/var/cache/kfimage").glob("*"))


@pytest.mark.parametrize("name", NODES)
def test_the_steps_of_the_role_are_enabled_and_no_others(installed: dict[str, Installed], name: str, lab: Lab) -> None:
    node = here(installed, name).node
    steps = kit.facts(lab.kickstarts[name])["KF_STEPS"].split()
    enabled = node.sh("systemctl list-unit-files --state=enabled --no-legend 'kfimage*' | awk '{print $1}'").split()
    run = {step for step in steps if (kit.ROOT / "firstboot" / "steps" / step / "run.sh").is_file()}
    assert set(enabled) == {f"kfimage-{step}.service" for step in run} | {"kfimage.target", "kfimage-retry.timer"}
    assert ("kfimage-nvidia.service" in enabled) == (name == "gpu-01")
    for unit in ("crio", "kubelet", "firewalld", "chronyd"):
        assert node.sh(f"systemctl is-enabled {unit}").strip() == "enabled"
    assert node.sh("systemctl is-enabled swap.target || true").strip() == "masked"
    assert sorted(p.name for p in node.file("/var/lib/kfimage/installed").iterdir()) == sorted(steps)
    assert not list(node.file("/var/lib/kfimage/done").iterdir())


def zone(listing: str) -> dict[str, list[str]]:
    """firewall-offline-cmd --list-all, as key to values."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in listing.splitlines()[1:]:
        if line.startswith("\t"):
            found[key].append(line.strip())
        elif ":" in line:
            key, _, rest = line.strip().partition(":")
            found[key] = rest.split()
    return found


@pytest.mark.parametrize("name", NODES)
def test_firewalld_reads_the_zones_as_planned(installed: dict[str, Installed], name: str) -> None:
    node = here(installed, name).node
    public = zone(node.sh("firewall-offline-cmd --zone=public --list-all"))
    trusted = zone(node.sh("firewall-offline-cmd --zone=trusted --list-all"))
    assert node.sh("firewall-offline-cmd --get-default-zone").strip() == "public"
    node.sh("firewall-offline-cmd --check-config")
    # Everybody: only what firewall.extra says. ssh and the role's ports: by source.
    assert public["ports"] == ["9100/tcp"]
    assert public["services"] == ["dhcpv6-client"]
    assert public["target"] == ["default"]
    assert trusted["target"] == ["ACCEPT"]
    assert trusted["sources"] == ["10.244.0.0/16", "10.96.0.0/12"]
    role = {"10250/tcp", "10256/tcp", "179/tcp", "30000-32767/tcp", "30000-32767/udp"}
    if name == "cp-01":
        role |= {"6443/tcp", "2379-2380/tcp"}
    want = {'rule family="ipv4" source address="10.20.0.0/24" service name="ssh" accept'}
    for family, source in (("ipv4", "10.20.1.0/24"), ("ipv6", "fd00:20:1::/64")):
        head = f'rule family="{family}" source address="{source}"'
        want |= {f'{head} port port="{p.split("/")[0]}" protocol="{p.split("/")[1]}" accept' for p in role}
        want.add(f'{head} protocol value="4" accept')
    assert set(public["rich rules"]) == want
    assert re.search(r"^FirewallBackend=iptables$", node.text("/etc/firewalld/firewalld.conf"), re.M)


@pytest.mark.parametrize("name", NODES)
def test_the_files_of_the_system_say_what_the_site_says(installed: dict[str, Installed], name: str, lab: Lab) -> None:
    node = here(installed, name).node
    assert node.text("/etc/kfimage/facts.env") == kit.heredocs(lab.kickstarts[name])["/etc/kfimage/facts.env"].decode()
    assert oct(node.file("/etc/sudoers.d/kfimage").stat().st_mode & 0o777) == "0o440"
    node.sh("visudo -c -q")
    sshd = node.sh("mkdir -p /run/sshd && ssh-keygen -q -t ed25519 -N '' -f /tmp/k && sshd -T -h /tmp/k")
    for line in ("passwordauthentication no", "permitrootlogin no", "kbdinteractiveauthentication no"):
        assert f"\n{line}\n" in sshd
    assert "interface-name:cali*" in node.sh("NetworkManager --print-config")
    modules = node.text("/etc/modules-load.d/kfimage.conf").split("\n")[1:-1]
    assert modules == ["overlay", "br_netfilter", "nvme_tcp", "ipip"]
    sysctls = node.text("/etc/sysctl.d/99-zz-kfimage.conf").splitlines()
    for line in ("net.ipv4.ip_forward = 1", "net.bridge.bridge-nf-call-iptables = 1", "vm.max_map_count = 262144"):
        assert line in sysctls
    assert node.text("/etc/fstab").splitlines()[1].startswith("#/dev/mapper/rhel-swap\t")
    assert "SELINUX=permissive\n" in node.text("/etc/selinux/config")
    assert [line for line in node.text("/etc/chrony.conf").splitlines() if line.startswith(("server", "pool"))] == ["server 10.20.0.1 iburst"]
    assert node.text("/etc/hostname") == f"{name}\n"
    assert 'DOMAIN="lab.example.org"\n' in node.text("/etc/sysconfig/network-scripts/ifcfg-eno1")
    assert node.text("/etc/profile.d/lab.sh") == "export LAB=rack\n"
    assert node.text("/etc/asset-tag") == f"{name} {'gpu-worker' if name == 'gpu-01' else 'control-plane'}\n"
    assert not node.file("/var/lib/burn-in").exists()
    node.sh("rsyslogd -N1 -f /etc/rsyslog.d/10-kfimage.conf")


def test_the_control_plane_has_its_tools(installed: dict[str, Installed]) -> None:
    node = here(installed, "cp-01").node
    assert node.sh("helm version --short; kustomize version") == f"v{HELM}+g2a2fb3b\nv{KUSTOMIZE}\n"
    assert not here(installed, "gpu-01").node.file("/usr/local/bin/helm").exists()


def test_a_secret_is_where_it_was_waived_and_nowhere_else(installed: dict[str, Installed]) -> None:
    waived, other = here(installed, "cp-01"), here(installed, "gpu-01")
    secret = waived.node.file("/etc/kfimage/secrets/pull-auth")
    assert json.loads(secret.read_text())["auths"]["docker.io"]["auth"] == SECRET
    assert oct(secret.stat().st_mode & 0o777) == "0o600"
    assert oct(secret.parent.stat().st_mode & 0o777) == "0o700"
    assert not list(other.node.file("/etc/kfimage/secrets").iterdir())
    for node in (waived.node, other.node):
        for path, change in node.changes().items():
            if change.kind == "-" and not path.endswith("/secrets/pull-auth"):
                assert SECRET.encode() not in node.file(path).read_bytes(), path
    assert SECRET not in waived.result.output


def test_the_command_fills_a_waived_secret_in(session: Lab) -> None:
    written = (session.rack.world.folder / "kfimage" / "kickstart" / "cp-01.ks").read_text()
    assert "@kfimage:" not in written


@pytest.mark.parametrize("name", NODES)
def test_a_second_run_changes_no_byte(lab: Lab, name: str) -> None:
    node, first = lab.install(name)
    assert first.status == 0, first.output
    before, asked = node.changes(*_MOVING), len(lab.rack.asked())
    second = node.execute(lab.post(name))
    assert second.status == 0, second.output
    after = node.changes(*_MOVING)
    assert {p: c[:4] for p, c in after.items()} == {p: c[:4] for p, c in before.items()}
    # What steps keep is not even written again; the %post's own here-documents and the payload are.
    kept = ("/etc/yum.repos.d/", "/etc/dnf/", "/etc/crio/", "/etc/firewalld/", "/usr/local/", "/opt/", "/etc/fstab", "/etc/ssh/", "/etc/sudoers.d/")
    for path, change in after.items():
        if path.startswith(kept):
            assert change.mtime == before[path].mtime, path
    # No RPM and no archive is fetched a second time.
    assert not [line for line in lab.rack.asked()[asked:] if ".rpm" in line or ".tar.gz" in line]
