"""Every field of the grammar, found by walking it: a field added tomorrow is attacked by tomorrow's tests.

Each field comes with the path of keys that leads to it and a site around it that is right apart from its value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional, Union

from kfimage.grammar import Spec, specs
from kfimage.kinds import Kind
from kfimage.model import WAIVABLE, GroupLayer, NodeLayer, RoleLayer, SiteFile

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB3KXFKLahgIm9yOq3Ga3Eozs3a8mWXBM/XPFUpWxjt6 ops@lab"

HARMLESS: dict[str, str] = {
    "MAC address": "52:54:00:12:34:56", "host name": "lab", "name": "lab", "text": "plain", "word": "plain", "user name": "ops", "interface name": "eno1",
    "locale": "en_US.UTF-8", "keyboard layout": "us", "key fingerprint": "DE15B14486CD377B9E876E1A234654DA9A296436", "sha256": "ab" * 32, "version": "1.26.4",
    "package": "tmux-3.2-1.el8", "package or @group": "tmux", "image": "registry.k8s.io/pause:3.8", "registry": "mirror.lab:5000", "kernel module": "nvme_tcp",
    "sysctl": "net.core.somaxconn", "label key": "example.org/rack", "label value": "a", "kernel argument": "quiet", "console": "tty0", "file mode": "0644",
    "address": "http://10.0.0.1/tree", "absolute path": "/srv/tree", "path of a file on the node": "/etc/lab", "path beside the site file": "file.txt", "address/prefix": "10.0.0.11/24",
    "IP address": "10.0.0.1", "network": "10.244.0.0/16", "host": "ntp.lab", "host:port": "10.0.0.10:6443", "port": "9100/tcp", "public ssh key": KEY,
    "time zone": "UTC", "size": "1G", "size rule": "400G", "taint": "a=b:NoSchedule", "pattern": "n*", "size or rest": "70G", "size, rest or none": "70G",
    "PCR list": "7", "VLAN id": "120", "KubeletConfiguration field": "maxPods", "yes or no": "yes", "environment variable": "hash", "handler": "RHEL8",
    "proxy": "http://10.0.0.9:3128", "value of inst.repo=, or yes": "nfs:10.0.0.1:/srv/tree",
}
"""A value of each kind that is right wherever the kind stands."""

FITTING: dict[tuple[str, ...], str] = {
    ("kubernetes", "version"): "1.25.10", ("kubernetes", "services"): "10.96.0.0/12", ("release",): "rhel-8.7", ("waive",): WAIVABLE[0], ("steps",): "packages",
    ("kfimage",): "1", ("site",): "lab", ("boot", "others"): "local", ("nvidia", "toolkit"): "1.17.8", ("groups", "*", "match", "role"): "cpu-worker",
    ("nodes", "*", "role"): "cpu-worker", ("disk", "volumes", "containers"): "none", ("nodes_from", "columns", "*"): "role",
    ("groups", "*", "match", "network"): "10.0.0.0/24", ("nodes", "*", "interfaces", "*", "bond"): "bond0", ("nodes", "*", "interfaces", "*", "bridge"): "br0",
    ("nodes", "*", "interfaces", "*", "options", "*"): "100", ("network", "gateway"): "10.0.0.1", ("tools", "*", "version"): "3.13.2",
}
"""Where the harmless value of the kind would be wrong for a reason other than its kind."""


@dataclass(frozen=True)
class Field:
    """A place for text: the keys that lead to it ("*" is a key of a table), and whether the text is such a key."""

    path: tuple[str, ...]
    spec: Spec
    is_key: bool = False

    @property
    def id(self) -> str:
        return ".".join(self.path) + (" (key)" if self.is_key else "")


def walk(cls: type, path: tuple[str, ...] = (), skip: tuple[str, ...] = ()) -> Iterator[Field]:
    """Every field below a struct, table keys included."""
    for name, spec in specs(cls).items():
        if name in skip:
            continue
        here = (*path, name)
        if spec.shape == "table":
            assert spec.key is not None
            yield Field((*here, "*"), spec, is_key=True)
            here = (*here, "*")
        if isinstance(spec.of, type):
            yield from walk(spec.of, here)
        else:
            yield Field(here, spec)


LAYERED = tuple(specs(RoleLayer).keys() - {"description"})


def every() -> list[Field]:
    """All fields; what every layer may say is taken once, at the top, and what only a role, group or node says where it stands."""
    found = list(walk(SiteFile, skip=("roles", "groups", "nodes")))
    for key, cls in (("roles", RoleLayer), ("groups", GroupLayer), ("nodes", NodeLayer)):
        found.append(Field((key, "*"), specs(SiteFile)[key], is_key=True))
        found += walk(cls, (key, "*"), LAYERED)
    return found


def layered(key: str) -> list[Field]:
    """The fields of a layer as a role, a group or a node says them."""
    return [Field((key, "*", *f.path), f.spec, f.is_key) for f in walk(RoleLayer, skip=("description",))]


def harmless(field: Field) -> str:
    """A right value for a field. A kind that is new here fails the tests until it has one."""
    kind: Union[Kind[Any], type, None] = field.spec.key if field.is_key else field.spec.of
    layer = field.path[2:] if field.path[0] in ("roles", "groups", "nodes") and len(field.path) > 2 else field.path
    for path in (field.path, layer):
        if path in FITTING and not field.is_key:
            return FITTING[path]
    assert isinstance(kind, Kind)
    if field.is_key and layer[-2:] == ("options", "*"):
        return "miimon"
    if field.is_key and layer[:2] == ("nodes_from", "columns"):
        return "Rolle"
    if kind.name == "choice":
        return str(kind.schema["enum"][0])
    if kind.name == "number":
        return str(kind.schema["minimum"])
    if layer[:2] == ("kubernetes", "version"):
        return "1.25.10"
    assert kind.name in HARMLESS, f"tests/fields.py: give HARMLESS a value of kind '{kind.name}' ({field.id})"
    return HARMLESS[kind.name]


Tree = Union[str, list[Any], dict[str, Any]]

_AROUND: dict[tuple[str, ...], dict[str, Tree]] = {
    # What a struct needs beside the field under attack; structs whose rules look at several keys.
    ("repositories", "*"): {"url": "http://10.0.0.1/repo", "key": {"fingerprint": HARMLESS["key fingerprint"], "url": "http://10.0.0.1/key"}},
    ("repositories", "*", "key"): {"fingerprint": HARMLESS["key fingerprint"], "url": "http://10.0.0.1/key"},
    ("files", "*"): {"content": "x"},
    ("install", "nfs"): {"server": "10.0.0.1", "path": "/srv/tree"},
    ("install", "harddrive"): {"partition": "sdb1", "path": "/tree"},
    ("install", "rhsm"): {"organization": "1", "activation_key": {"env": "key"}},
    ("install", "repos", "*"): {"url": "http://10.0.0.1/tree"},
    ("disk", "encrypt"): {"tpm2": "7"},
    ("disk", "encrypt", "tang"): {"url": "http://10.0.0.1", "thumbprint": "abc"},
    ("tools", "*"): {"version": "3.13.2"},
}
_RIVALS = (("url", "file"), ("url", "cdrom", "nfs", "harddrive", "kernel_line"), ("content", "source"), ("file", "env"))


def _put(tree: dict[str, Any], path: tuple[str, ...], done: tuple[str, ...], field: Field, text: str) -> None:
    name = path[0]
    key = name
    if name == "*":
        key = text if field.is_key and len(path) == 1 else _table_key(done, field)
    here = (*done, name)
    if len(path) == 1 and not field.is_key:
        tree[key] = [text] if field.spec.shape == "list" else text
        return
    layer = here[2:] if here[0] in ("roles", "groups", "nodes") else here
    inner = dict(_AROUND.get(layer, {}))
    if here == ("nodes", "*"):
        inner["role"] = "cpu-worker"
    if here == ("groups", "*"):
        inner["match"] = {"name": "n1"}
    if len(path) > 1:
        for rivals in _RIVALS:
            if path[1] in rivals:
                for rival in rivals:
                    inner.pop(rival, None)
        _put(inner, path[1:], here, field, text)
    elif field.is_key and not inner:
        inner = _table_value(here, field)  # type: ignore[assignment]
    if layer[-3:] == ("repositories", "*", "key") and field.path[-1] == "accept_expired":
        inner.setdefault("url", "http://10.0.0.1/key")
    tree[key] = [inner] if layer[-1:] in (("tang",), ("routes",)) else inner


def _table_key(done: tuple[str, ...], field: Field) -> str:
    layer = done[2:] if done[0] in ("roles", "groups", "nodes") else done
    known = {
        ("nodes",): "n1", ("roles",): "cpu-worker", ("groups",): "g1", ("install", "repos"): "appstream", ("kernel", "sysctl"): "vm.swappiness",
        ("kubernetes", "labels"): "example.org/rack", ("kubernetes", "kubelet"): "maxPods", ("crio", "mirrors"): "docker.io", ("tools",): "helm",
        ("repositories",): "lab", ("files",): "/etc/lab", ("nodes_from", "columns"): "Rolle", ("interfaces",): "eno1", ("interfaces", "*", "vlans"): "120",
        ("interfaces", "*", "options"): "miimon",
    }
    found: Optional[str] = known.get(layer if layer else done) or known.get(done)
    assert found, f"tests/fields.py: name a harmless key for the table {'.'.join(done)}"
    return found


def _table_value(here: tuple[str, ...], field: Field) -> Tree:
    if isinstance(field.spec.of, type):
        return {}
    return harmless(Field(here, field.spec))


def site(field: Field, text: str) -> str:
    """A site that says `text` at a field (JSON, hence YAML), as small as a right one can be."""
    tree: dict[str, Any] = {"kfimage": "1", "site": "lab", "nodes": {"n1": {"role": "cpu-worker", "mac": "52:54:00:12:34:56", "address": "10.0.0.11/24"}}}
    if field.path[0] == "nodes" and len(field.path) > 2 and field.path[2] in ("interfaces", "mac", "address", "gateway"):
        tree["nodes"] = {}
    if field.path == ("nodes", "*") and field.is_key:
        tree["nodes"] = {}
    own: dict[str, Any] = {}
    _put(own, field.path, (), field, text)
    _lay(tree, own)
    _complete(tree, field)
    return json.dumps(tree)


def _lay(base: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        below = base.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            _lay(below, value)
        else:
            base[key] = value


def _complete(tree: dict[str, Any], field: Field) -> None:
    """What other fields must say for this one to be right and to show in what is rendered."""
    layer = tree
    for part in field.path[:-1]:
        if part in ("roles", "groups", "nodes"):
            name = field.path[1]
            layer = tree[part][_table_key((part,), field) if name == "*" and len(field.path) > 2 else next(iter(tree[part]))]
            break
        break
    path = field.path[2:] if field.path[0] in ("roles", "groups", "nodes") else field.path
    if path[:2] == ("install", "rhsm"):
        layer.setdefault("waive", ["install.rhsm.activation_key"])
    if path[:2] == ("access", "password"):
        layer.setdefault("waive", ["access.password"])
    if path[:1] == ("interfaces",) and len(path) > 2 and path[2] in ("bond", "bridge"):
        mode = "bridge" if path[2] == "bridge" else "802.3ad"
        layer["interfaces"]["br0" if mode == "bridge" else "bond0"] = {"mode": mode}
        layer["interfaces"]["eno1"]["mac"] = "52:54:00:12:34:56"
    if path[:1] == ("interfaces",) and len(path) > 2 and path[2] in ("mode", "options"):
        nic = layer["interfaces"]["eno1"]
        nic.setdefault("mode", "802.3ad")
        layer["interfaces"]["eno2"] = {"mac": "52:54:00:12:34:56", "bond": "eno1"}
    if path[:1] == ("interfaces",) and ("gateway" in path or "routes" in path):
        part = layer["interfaces"]["eno1"]
        part = part["vlans"]["120"] if "vlans" in path else part
        part["address"] = "10.0.0.11/24"
        for route in part.get("routes", []):
            route.setdefault("to", "10.9.0.0/16")
            route.setdefault("via", "10.0.0.1")
    if path[:1] == ("interfaces",) and "boot" in path:
        layer["interfaces"]["eno1"]["mac"] = "52:54:00:12:34:56"
    if path == ("gateway",):
        layer["address"] = "10.0.0.11/24"
    if path[:2] == ("disk", "volumes"):
        sizes = layer["disk"]["volumes"]
        for key in ("root", "var", "containers"):
            sizes.setdefault(key, "rest" if key == ("containers" if path[2] != "containers" else "root") else "30G")
    if path[:1] == ("nodes_from",):
        layer["nodes_from"].setdefault("file", "file.txt")
        layer["nodes_from"].setdefault("columns", {}).setdefault("Rolle", "role")
    if path == ("crio", "sha256"):
        layer["crio"]["url"] = "http://10.0.0.1/crio.tar.gz"
