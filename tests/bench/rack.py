"""A made-up site of any size: three roles, six groups, static addresses, a bond with a VLAN on every fourth node."""

from __future__ import annotations

HEAD = """\
kfimage: 1
site: bench
release: rhel-8.7
install: {url: http://10.20.0.5/rhel-8.7/BaseOS, repos: {appstream: http://10.20.0.5/rhel-8.7/AppStream}}
boot: {url: http://10.20.0.5/kfimage, order: disk-first}
access: {admin: ops, ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHTTFkZ5LMQXCwKpHCBWZGBxVUdIWYhBLyWhHJ8c9tEs ops@bench]}
time: {zone: Europe/Berlin, ntp: [10.20.0.1]}
network: {dns: [10.20.0.1], search: [bench.example.org], domain: bench.example.org}
kubernetes: {version: 1.25.10, api: 10.20.0.10:6443, pods: 10.244.0.0/16, services: 10.96.0.0/12}
calico: {encapsulation: vxlan}
"""
ROLES = ("gpu-worker", "gpu-worker", "gpu-worker", "cpu-worker", "cpu-worker", "control-plane")
GROUPS = 6


def text(nodes: int, *, changed: int = -1) -> str:
    """The site of `nodes` nodes; node number `changed` has another address than it would have."""
    groups = "".join(
        f"  rack-{rack}: {{match: {{name: r{rack}-*}}, kubernetes: {{labels: {{topology.kubernetes.io/rack: r{rack}}}}}}}\n" for rack in range(GROUPS)
    )
    return HEAD + "groups:\n" + groups + "nodes:\n" + "".join(_node(number, number == changed) for number in range(nodes))


def name(number: int) -> str:
    return f"r{number % GROUPS}-n{number:05d}"


def mac(number: int, port: int = 0) -> str:
    return f"52:54:{port:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def _node(number: int, changed: bool) -> str:
    role = ROLES[number % len(ROLES) - number // len(ROLES) % len(ROLES)]
    rack, place = divmod(number, 200)
    ip = f"10.{128 + rack}.{1 if changed else 0}.{place + 20}/16"
    if number % 4:
        return f"  {name(number)}: {{role: {role}, mac: {mac(number)}, address: {ip}, gateway: 10.{128 + rack}.0.1}}\n"
    return (
        f"  {name(number)}:\n    role: {role}\n    interfaces:\n"
        f"      eno1: {{mac: {mac(number)}, bond: bond0}}\n      eno2: {{mac: {mac(number, 1)}, bond: bond0}}\n"
        f"      bond0: {{mode: 802.3ad, mtu: 9000, vlans: {{120: {{address: {ip}, gateway: 10.{128 + rack}.0.1}}}}}}\n"
    )
