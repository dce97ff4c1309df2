"""`kfimage init` and `kfimage schema`: a first site.yaml that teaches, and the grammar for editors."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from kfimage.cli.usage import wrong_use
from kfimage.grammar import schema
from kfimage.model import SiteFile

SCHEMA = "kfimage.schema.json"

FIRST_SITE = f"""\
# yaml-language-server: $schema={SCHEMA}
#
# One site: everything kfimage needs to know of your machines. Addresses and names below are examples; put in yours.
# What you leave out keeps its default. `kfimage explain gpu-01` shows every value of a node and where it comes from,
# `kfimage check site.yaml` finds what is wrong or missing, `kfimage render` writes the tree.
kfimage: 1
site: lab
release: rhel-8.7

# Where the installer takes RHEL from: the vendor's DVD, copied to a web server. Without it, the DVD itself is expected.
install:
  url: http://10.20.0.5/rhel-8.7
  # repos: {{appstream: http://10.20.0.5/mirror/AppStream/os}}   # where the url is a mirror's BaseOS, which has no AppStream beside it

# Where the output folder (out/) is served, for network boot. Nodes start from disk first, so that an installed node stays installed.
boot:
  url: http://10.20.0.5/kfimage
  # order: net-first          # disk-first is the default; keep leaves the firmware's order alone
  # nodes: local              # a node's boot entry no longer installs it; change it back to install again
  # secure: yes               # the nodes run with Secure Boot: no driver is built on the node (dkms)

# Who can log in. root is locked and ssh takes keys only: without a key of yours, nobody gets in.
access:
  admin: ops
  # ssh_keys:
  #   - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA... you@example.org

time:
  zone: UTC
  # ntp: [10.20.0.1]

# What every interface inherits. An interface without an address asks DHCP.
network:
  dns: [10.20.0.1]
  search: [lab.example.org]
  gateway: 10.20.1.1

# The system disk. Removable and virtual media are never taken, and a disk with somebody else's data stops the install.
disk:
  layout: lvm
  # root: {{model: "DELLBOSS VD"}}         # or id, wwn, serial, path, size: 400G..600G; needed where a node has several disks
  # raid: mirror                          # two disks, mdraid1
  # volumes: {{boot: 1G, root: 70G, var: 50G, containers: rest}}

# The cluster the nodes will join. The networks must not overlap each other or the machines' own.
kubernetes:
  version: 1.25.10
  api: 10.20.0.10:6443
  pods: 10.244.0.0/16
  services: 10.96.0.0/12
  # labels: {{rack: a}}
  # kubelet: {{maxPods: 110}}
calico: {{encapsulation: ipip}}

# permissive is what the guide uses; enforcing is offered, and nobody has proven it without RHEL's policy.
selinux: permissive

# firewall:
#   ssh_from: [10.20.0.0/24]              # everyone otherwise
#   cluster: [10.20.1.0/24]               # the role's ports are open to these networks only
# proxy:
#   http: http://10.20.0.6:3128
# crio:
#   mirrors: {{docker.io: "10.20.0.7:5000"}}
# report:
#   url: http://10.20.0.5:8080/report     # each node tells here how it goes

# What a role adds for all its nodes. gpu-worker, cpu-worker and control-plane are there; a name of your own makes a new role.
roles:
  gpu-worker:
    nvidia:
      # With preinstalled, a hook or image of yours brings the driver. kmod and dkms install it from a repository that you
      # name under `repositories`, as in  driver: {{mode: kmod, version: 545.23.08, packages: [NAME-VERSION-RELEASE]}}
      driver: preinstalled
      toolkit: 1.17.8

# A group is laid over the role for the nodes that match, by name, role or network.
# groups:
#   rack-b: {{match: {{name: "gpu-b*"}}, network: {{gateway: 10.20.2.1}}}}

# The machines, by name. Take them from a CSV you already have with  nodes_from: nodes.csv
nodes:
  gpu-01: {{role: gpu-worker, mac: 52:54:00:12:34:56, address: 10.20.1.11/24}}
  # gpu-02:                                # the long form: a bond of two interfaces with a VLAN on it
  #   role: gpu-worker
  #   interfaces:
  #     eno1: {{mac: 52:54:00:12:34:60, bond: bond0}}
  #     eno2: {{mac: 52:54:00:12:34:61, bond: bond0}}
  #     bond0: {{mode: 802.3ad, mtu: 9000, vlans: {{120: {{address: 10.20.1.12/24, gateway: 10.20.1.1}}}}}}
"""


def schema_text() -> str:
    """The grammar of site.yaml as JSON Schema."""
    return json.dumps(schema(SiteFile, title="kfimage site description"), indent=1) + "\n"


def run(path: Path, *, force: bool) -> None:
    """Write the site and its schema; raises wrong use when the site is already there, and then writes neither."""
    if path.is_dir():
        path = path / "site.yaml"
    beside = path.parent / SCHEMA
    if path.name == SCHEMA:
        raise wrong_use(f"{path}: {SCHEMA} is the schema's own name", "name the site file, as in site.yaml")
    if (path.exists() or path.is_symlink()) and not force:
        raise wrong_use(f"{path} is already there", "--force overwrites it; `kfimage check` tells what may be missing in it")
    if not path.parent.is_dir():
        raise wrong_use(f"{path.parent}: there is no such folder", "make it first, or name another place")
    put(beside, schema_text().encode())
    put(path, FIRST_SITE.encode())
    again = "" if str(path) == "site.yaml" else f" --site {path}"
    sys.stderr.write(f"wrote {path} and {beside}\n  next: edit {path.name}, then `kfimage render{again}`\n")


def put(path: Path, data: bytes) -> None:
    """Write beside and rename: a reader sees the old file or the new one, whole."""
    new = path.with_name(path.name + ".new")
    try:
        new.write_bytes(data)
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
