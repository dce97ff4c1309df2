"""Random sites over most of the grammar, as plain Python trees: right ones, and layers of one key for the law of layers."""

from __future__ import annotations

from typing import Any

from fields import KEY
from hypothesis import strategies as st

Tree = dict[str, Any]
NAMES = ["a", "gpu-a01", "n-1", "link", "bond0", "lo", "static", "eno1", "network", "kf", "lab", "cpu-worker.x", "m0", "dhcp", "x86-64", "a0"]
BOOL = st.sampled_from(["yes", "no"])


def some(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Tree]:
    """A mapping of any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def listed(words: list[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(words), max_size=most, unique=True)


_TREE = "http://10.20.0.5/rhel"
INSTALL = st.one_of(
    st.just({"url": f"{_TREE}/BaseOS", "repos": {"appstream": f"{_TREE}/AppStream"}}), st.just({"cdrom": "yes"}), st.sampled_from([{"kernel_line": "yes"}, {"kernel_line": "nfs:10.20.0.5:/rhel", "stage2": _TREE}]),
    st.just({"nfs": {"server": "10.20.0.5", "path": "/srv/rhel", "options": "nfsvers=4.1,ro"}}), st.just({"harddrive": {"partition": "LABEL=RHEL", "path": "/iso"}}),
    st.just({"url": f"{_TREE}/BaseOS", "rhsm": {"organization": "1234", "activation_key": {"env": "rhsm_key"}}}),
)
BOOT = some({
    "url": st.just("http://10.20.0.5/kfimage"), "order": st.sampled_from(["net-first", "disk-first", "keep"]), "nodes": st.sampled_from(["install", "local"]),
    "others": st.sampled_from(["local", "gpu-worker"]), "payload": st.sampled_from(["auto", "embed"]), "timeout": st.sampled_from(["0", "5", "60"]), "secure": BOOL,
    "on_failure": st.sampled_from(["hold", "poweroff", "reboot"]), "network": st.sampled_from(["dhcp", "static", "dhcp6", "auto6"]),
    "local": some({"bios": st.sampled_from(["localboot", "chain"]), "uefi": st.sampled_from(["exit", "chainload"])}),
})
DISK = some({
    "root": some({"model": st.sampled_from(["DELLBOSS VD", "*", "PERC*"]), "size": st.sampled_from([">=400G", "<=1T", "400G..600G", "480G"]), "pick": st.sampled_from(["smallest", "largest"])}),
    "raid": st.sampled_from(["none", "mirror"]), "wipe": st.sampled_from(["guard", "all"]), "layout": st.just("lvm"),
    "volumes": st.sampled_from([{"containers": "none", "var": "rest"}, {"root": "70G"}, {"var": "none", "containers": "rest"}]),
    "encrypt": st.sampled_from([{"tpm2": "7"}, {"tang": [{"url": "http://10.20.0.6", "thumbprint": "abc"}]}, {"tpm2": "0,7", "tang": [{"url": "http://10.20.0.6", "thumbprint": "abc"}], "threshold": "2"}]),
})
_LAB = {"lab": {"url": "http://10.20.0.5/lab", "key": {"url": "http://10.20.0.5/key", "fingerprint": "DE15B14486CD377B9E876E1A234654DA9A296436"}}}
LAYER: dict[str, st.SearchStrategy[Any]] = {
    "release": st.sampled_from(["rhel-8.7", "rhel-8.10", "rocky-8.10"]),
    "install": INSTALL, "boot": BOOT, "disk": DISK,
    "locale": some({"language": st.sampled_from(["de_DE.UTF-8", "en_GB.UTF-8"]), "keyboard": st.sampled_from(["de", "us", "de-nodeadkeys"])}),
    "time": some({"zone": st.sampled_from(["Europe/Berlin", "Etc/GMT+5", "UTC"]), "ntp": listed(["10.20.0.1", "ntp.lab", "fd00::123"])}),
    "access": some({"admin": st.sampled_from(["ops", "admin_1"]), "ssh_keys": st.just([KEY]), "sudo": st.sampled_from(["nopasswd", "password"])}),
    "network": some({"dns": listed(["10.20.0.1", "10.20.0.2", "fd00::1"]), "search": listed(["lab", "example.org"]), "domain": st.sampled_from(["lab", "a.b"]),
                     "mtu": st.sampled_from(["1500", "9000"]), "gateway": st.sampled_from(["10.20.1.1", "10.20.1.254", "fd00:1::1"]), "device": st.sampled_from(["link", "bootif", "eno1"])}),
    "proxy": some({"http": st.just("http://proxy.lab:3128"), "https": st.just("http://proxy.lab:3129"), "except_for": listed([".lab", "10.0.0.0/8"])}),
    "kernel": some({"args": listed(["quiet", "iommu=pt", "hugepagesz=1G"]), "console": listed(["tty0", "ttyS0,115200n8"]), "modules": listed(["nvme_tcp", "ip_vs"]),
                    "sysctl": st.just({"vm.swappiness": "0"}), "lock": BOOL}),
    "selinux": st.sampled_from(["permissive", "enforcing"]),
    "firewall": some({"mode": st.sampled_from(["firewalld", "disabled"]), "preset": st.sampled_from(["role", "guide"]), "extra": listed(["9100/tcp", "53/udp", "80-90/tcp", "7/sctp"]),
                      "cluster": listed(["10.20.0.0/16", "fd00::/32"]), "trusted": listed(["10.30.0.0/16"]), "ssh_from": listed(["10.20.0.0/24"])}),
    "kubernetes": some({"api": st.sampled_from(["api.lab:6443", "[fd00::10]:6443", "10.20.0.10"]), "labels": st.sampled_from([{"a": "b"}, {"example.org/rack": ""}]),
                        "taints": listed(["a=b:NoSchedule", "c:NoExecute"]), "kubelet": st.just({"maxPods": "110"})}),
    "calico": some({"encapsulation": st.sampled_from(["ipip", "vxlan", "none"]), "typha": BOOL, "wireguard": BOOL}),
    "crio": some({"version": st.sampled_from(["1.26.4", "1.26.3"]), "runtime": st.sampled_from(["runc", "crun"]), "registries": listed(["docker.io", "quay.io"]),
                  "mirrors": st.just({"docker.io": "mirror.lab:5000/docker"}), "insecure": listed(["mirror.lab:5000"]), "pull_credentials": st.just({"file": "auth.json"})}),
    "nvidia": some({"driver": st.sampled_from(["preinstalled", "none", {"mode": "kmod", "version": "545.23.08", "packages": ["kmod-nvidia-545.23.08-1"]},
                                               {"mode": "dkms", "packages": ["nvidia-driver-dkms"]}]), "toolkit": st.just("1.17.8"), "cdi": BOOL,
                    "fabric_manager": st.sampled_from(["auto", "yes", "no"]), "persistence": BOOL}),
    "tools": st.sampled_from([{"helm": "3.12.3"}, {"helm": "3.13.2", "kustomize": "5.0.1"}]),
    "repositories": st.just(_LAB),
    "packages": some({"install": listed(["tmux", "@development", "lldpd"]), "remove": listed(["iwl7260-firmware", "plymouth"]), "third_party": listed(["lab-agent-1.0-1"])}),
    "files": st.sampled_from([{"/etc/motd": {"content": "hello\n"}}, {"/etc/a": {"content": "%end\n", "mode": "0600"}, "/etc/b": {"content": "ü"}}, {"/etc/empty": {"content": ""}}]),
    "report": some({"url": st.just("http://10.20.0.5/report"), "syslog": st.sampled_from(["10.20.0.9:514", "log.lab"])}),
    "waive": st.just(["crio.pull_credentials"]),
}
layer = some(LAYER)


def _mac(number: int) -> str:
    return f"52:54:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


@st.composite
def node(draw: st.DrawFn, number: int) -> Tree:
    """One node, with addresses and MACs of its own by its number; short form or long."""
    made: Tree = {"role": draw(st.sampled_from(["gpu-worker", "cpu-worker", "control-plane"]))}
    made.update(draw(st.one_of(st.just({}), some({k: LAYER[k] for k in ("disk", "kubernetes", "selinux", "kernel", "proxy", "locale", "nvidia", "release", "network")}))))
    base, four, six = number * 8, f"10.20.1.{10 + number}/24", f"fd00:1::{number + 16:x}/64"
    addresses = st.sampled_from([[four], [four, six], [six], []])
    form = draw(st.sampled_from(["none", "mac", "short", "plain", "bond", "bridge"]))
    if form == "mac":
        made["mac"] = _mac(base)
    elif form == "short":
        made.update({"mac": _mac(base), "address": draw(addresses)})
    elif form == "plain":
        made["interfaces"] = {"ens3": {"mac": _mac(base), "address": draw(addresses), **draw(some({"mtu": st.just("9000"), "ipv6": st.sampled_from(["auto", "dhcp", "ignore"])}))},
                              "ens4": {"mac": _mac(base + 1), "default_route": "no"}}
    elif form in ("bond", "bridge"):
        top, mode = ("bond0", draw(st.sampled_from(["802.3ad", "active-backup"]))) if form == "bond" else ("br0", "bridge")
        upper: Tree = {"mode": mode, **draw(some({"mtu": st.just("9000"), "address": st.just([four])}))}
        if draw(st.booleans()):
            upper["vlans"] = {"120": {"address": f"10.21.1.{10 + number}/24", **draw(some({"routes": st.just([{"to": "10.9.0.0/16", "via": "10.21.1.254"}]), "dns": st.just(["10.20.0.1"])}))}, "7": {}}
        made["interfaces"] = {"eno1": {"mac": _mac(base), form: top}, "eno2": {"mac": _mac(base + 1), form: top, **draw(some({"boot": st.just("yes")}))}, top: upper}
    return made


@st.composite
def sites(draw: st.DrawFn, most: int = 3, names: bool = False) -> Tree:
    """A site that is right by construction but for combinations the grammar forbids; a test passes over those."""
    made: Tree = {"kfimage": "1", "site": draw(st.sampled_from(["lab", "rack-1"])), **draw(layer)}
    made["roles"] = draw(some({"gpu-worker": layer, "cpu-worker": some({"description": st.just("ours"), **LAYER})}))
    made["groups"] = draw(some({"g1": some({**LAYER, "priority": st.just("5")}).map(lambda t: {**t, "match": {"role": "cpu-worker"}}),
                               "g2": layer.map(lambda t: {**t, "priority": "7", "match": {"name": "n*"}})}))
    count = draw(st.integers(1, most))
    chosen = draw(st.lists(st.sampled_from(NAMES), min_size=count, max_size=count, unique=True)) if names else [f"n{i}" for i in range(count)]
    made["nodes"] = {name: draw(node(number)) for number, name in enumerate(chosen)}
    return _with_drivers(made)


@st.composite
def racks(draw: st.DrawFn) -> Tree:
    """Many nodes of few forms: what the sharing of proofs lives on, and names that are words of the kickstart's own."""
    made: Tree = {"kfimage": "1", "site": "lab", **draw(layer)}
    form = draw(node(0))
    made["nodes"] = {}
    for number, name in enumerate(draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=5, unique=True))):
        made["nodes"][name] = _renumbered(form, number) if draw(st.booleans()) else draw(node(number))
    return _with_drivers(made)


def _with_drivers(site: Tree) -> Tree:
    """A site that installs a driver has a repository that holds one."""
    if "kmod" in repr(site) or "dkms" in repr(site):
        site.setdefault("repositories", _LAB)
    return site


def _renumbered(tree: Any, number: int) -> Any:
    if isinstance(tree, dict):
        return {key: _renumbered(value, number) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_renumbered(value, number) for value in tree]
    if tree.startswith("52:54:00:"):
        return _mac(number * 8 + int(tree[-2:], 16))
    for start in ("10.20.1.", "10.21.1."):
        if tree == f"{start}10/24":
            return f"{start}{10 + number}/24"
    return f"fd00:1::{number + 16:x}/64" if tree == "fd00:1::10/64" else tree
