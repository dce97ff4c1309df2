"""Interfaces: the short form and the long one, what they inherit, and every wrong link told at its place."""

from __future__ import annotations

from typing import Any, Optional

import kit
import pytest

from kfimage.model import Nic


def nics(node: str, site: str = "") -> dict[str, Nic]:
    plan = kit.plan(kit.HEAD + site + f"nodes: {{n: {{role: cpu-worker, {node}}}}}\n", "n")
    return {nic.device: nic for nic in plan.nics}


def lines(node: str, site: str = "") -> list[str]:
    plan = kit.plan(kit.HEAD + site + f"nodes: {{n: {{role: cpu-worker, {node}}}}}\n", "n")
    (made,) = kit.rendered([plan])
    assert kit.errors(made.report) == []
    return [line for line in made.kickstart.splitlines() if line.startswith("network ")]


@pytest.mark.parametrize(
    ("node", "site", "wanted"),
    [
        ("", "", ["--device=link --bootproto=dhcp --onboot=yes --activate"]),
        ("", "network: {device: bootif}\n", ["--device=bootif --bootproto=dhcp --onboot=yes --activate"]),
        ("mac: 52:54:00:00:00:01", "", ["--device=52:54:00:00:00:01 --bootproto=dhcp --onboot=yes --activate"]),
        ("mac: 52:54:00:00:00:01, address: 10.0.0.11/24, gateway: 10.0.0.1", "network: {dns: [10.0.0.1, 10.0.0.2], mtu: 9000}\n",
         ["--device=52:54:00:00:00:01 --bootproto=static --ip=10.0.0.11 --netmask=255.255.255.0 --gateway=10.0.0.1 --nameserver=10.0.0.1,10.0.0.2 --mtu=9000 --onboot=yes --activate"]),
        ("address: ['fd00::11/64']", "network: {gateway: 'fd00::1'}\n", ["--device=link --noipv4 --ipv6=fd00::11/64 --ipv6gateway=fd00::1 --onboot=yes --activate"]),
        ("interfaces: {eno1: {mac: 52:54:00:00:00:01, ipv6: ignore}}", "", ["--device=eno1 --bootproto=dhcp --noipv6 --onboot=yes --activate"]),
        ("interfaces: {eno1: {mac: 52:54:00:00:00:01, default_route: no, address: 10.0.0.11/24}}", "",
         ["--device=eno1 --bootproto=static --ip=10.0.0.11 --netmask=255.255.255.0 --nodefroute --onboot=yes --activate"]),
        ("interfaces: {b: {mode: active-backup}, e1: {bond: b}, e2: {bond: b}}", "",
         ["--device=b --bondslaves=e1,e2 --bondopts=mode=active-backup,miimon=100 --bootproto=dhcp --onboot=yes --activate"]),
        ("interfaces: {b: {mode: active-backup, options: {arp_interval: 200, arp_ip_target: '10.0.0.1,10.0.0.2'}}, e1: {bond: b}}", "",
         ["--device=b --bondslaves=e1 --bondopts=mode=active-backup;arp_interval=200;arp_ip_target=10.0.0.1,10.0.0.2 --bootproto=dhcp --onboot=yes --activate"]),
        ("interfaces: {br0: {mode: bridge, options: {stp: no}}, e1: {bridge: br0}}", "", ["--device=br0 --bridgeslaves=e1 --bridgeopts=stp=no --bootproto=dhcp --onboot=yes --activate"]),
        ("interfaces: {e1: {mac: 52:54:00:00:00:01, vlans: {7: {}}}}", "",
         ["--device=e1 --noipv4 --noipv6 --onboot=yes --activate", "--device=e1 --vlanid=7 --interfacename=e1.7 --bootproto=dhcp --onboot=yes --activate"]),
    ],
)
def test_the_network_lines_of_a_node(node: str, site: str, wanted: list[str]) -> None:
    assert lines(node, site) == [*(f"network {w}" for w in wanted), "network --hostname=n"]


def test_the_gateway_is_inherited_only_by_addresses_that_reach_it() -> None:
    found = nics("interfaces: {e1: {address: 10.0.0.11/24}, e2: {address: 10.1.0.11/24}, e3: {address: 'fd00::1/64'}}", "network: {gateway: 10.1.0.1}\n")
    assert {name: nic.gateway for name, nic in found.items()} == {"e1": None, "e2": "10.1.0.1", "e3": None}


def test_vlans_take_the_mtu_of_their_parent_and_the_dns_of_the_site() -> None:
    found = nics("interfaces: {e1: {mtu: 9000, vlans: {7: {address: 10.0.0.5/24}, 8: {mtu: 1500, dns: [10.0.0.9]}}}}", "network: {dns: [10.0.0.1]}\n")
    vlans: Any = found["e1"].vlans
    assert [(v.mtu, v.dns) for v in vlans.values()] == [(9000, ("10.0.0.1",)), (1500, ("10.0.0.9",))]


def test_the_booting_interface_is_the_one_that_says_so() -> None:
    plan = kit.plan(kit.HEAD + "nodes: {n: {role: cpu-worker, interfaces: {e1: {mac: 52:54:00:00:00:01}, e2: {mac: 52:54:00:00:00:02, boot: yes}}}}\n", "n")
    assert plan.node is not None and plan.node.boot_mac == "52:54:00:00:00:02"


def test_a_name_without_a_dot_gets_the_domain() -> None:
    site = kit.HEAD + "network: {domain: lab.org}\nnodes: {n: {role: cpu-worker}, m.other: {role: cpu-worker}}\n"
    for name, wanted in (("n", "n.lab.org"), ("m.other", "m.other")):
        found = kit.plan(site, name).node
        assert found is not None and found.hostname == wanted


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ("interfaces: {e1: {bond: b}}", "there is no interface 'b'"), ("interfaces: {e1: {bond: e1, mode: 802.3ad}}", "e1"), ("interfaces: {b: {mode: 802.3ad}}", "no interface is a port"),
        ("interfaces: {b: {mode: bridge}, e1: {bond: b}}", "'b' is no bond"), ("interfaces: {b: {mode: 802.3ad}, e1: {bridge: b}}", "'b' is no bridge"),
        ("interfaces: {b: {mode: 802.3ad}, e1: {bond: b, address: 10.0.0.1/24}}", "is a port of b"), ("interfaces: {e1: {options: {miimon: 100}}}", "belong to a bond"),
        ("interfaces: {b: {mode: 802.3ad, mac: 52:54:00:00:00:01}, e1: {bond: b}}", "no MAC of its own"), ("interfaces: {b: {mode: 802.3ad, options: {miimon: '100,mode=balance-rr'}}, e1: {bond: b}}", "is not one value"),
        ("interfaces: {b: {mode: bridge, options: {stp: 'no,priority=0'}}, e1: {bridge: b}}", "is not one value"), ("interfaces: {e1: {boot: yes}}", "boot needs a mac"),
        ("interfaces: {e1: {mac: 52:54:00:00:00:01, boot: yes}, e2: {mac: 52:54:00:00:00:02, boot: yes}}", "both say boot"),
        ("interfaces: {e1: {address: 10.0.0.5/24, dhcp: yes}}", "dhcp and a static address"), ("interfaces: {e1: {address: 10.0.0.5/24, gateway: 10.0.1.1}}", "is not in 10.0.0.0/24"),
        ("interfaces: {e1: {address: 10.0.0.5/24, gateway: 10.0.0.1}, e2: {address: 10.1.0.5/24, gateway: 10.1.0.1}}", "both have a default gateway"),
        ("mac: 52:54:00:00:00:01, gateway: 10.0.0.1", "needs a static address"), ("mac: 52:54:00:00:00:01, interfaces: {e1: {}}", "short form"),
        ("interfaces: {e1: {address: 10.0.0.5/24, routes: [{to: 'fd00::/8', via: 10.0.0.1}]}}", "mixes IPv4 and IPv6"), ("interfaces: {e1: {vlans: {4095: {}}}}", "VLAN id"),
        ("interfaces: {e1: {mtu: 1500, vlans: {7: {mtu: 9000}}}}", "more than its parent"), ("interfaces: {b: {mode: 802.3ad}, c: {mode: 802.3ad, bond: b}, e1: {bond: c}}", "a port of b"),
        ("interfaces: {b: {mode: bridge, bridge: c}, c: {mode: bridge, bridge: b}}", ""),
        ("interfaces: {e1: {mac: 52:54:00:00:00:01}, e2: {mac: 52:54:00:00:00:01}}", "52:54:00:00:00:01"), ("interfaces: {e1: {address: [10.0.0.5/24, 10.0.0.6/24]}}", "address"),
        ("address: [10.0.0.5/24, 10.0.0.6/24]", "address"), ("interfaces: {e1: {address: 10.0.0.5/24}, e2: {address: 10.0.0.5/24}}", "10.0.0.5"),
    ],
)
def test_a_wrong_link_is_told(node: str, words: str) -> None:
    errors = kit.problems(kit.HEAD + f"nodes: {{n: {{role: cpu-worker, {node}}}}}\n")
    assert errors and all(e.startswith("site.yaml:3:") for e in errors), errors
    assert any(words in e for e in errors), errors


@pytest.mark.parametrize(
    ("interfaces", "wanted"),
    [
        ("{a1: {mac: 52:54:00:00:00:01, address: 172.16.0.5/24}, z9: {address: 10.20.1.11/24, gateway: 10.20.1.1}}", "10.20.1.11"),
        ("{a1: {address: 172.16.0.5/24, gateway: 172.16.0.1, default_route: no}, z9: {address: 10.20.1.11/24, gateway: 10.20.1.1}}", "10.20.1.11"),
        ("{a1: {address: 172.16.0.5/24}, b: {mode: 802.3ad, vlans: {'20': {address: 10.20.1.11/24, gateway: 10.20.1.1}}}, z9: {bond: b, mac: 52:54:00:00:00:01}}", "10.20.1.11"),
        ("{a1: {mac: 52:54:00:00:00:02, address: 172.16.0.5/24}, z9: {mac: 52:54:00:00:00:01, boot: yes, address: 10.20.1.11/24}}", "10.20.1.11"),
        ("{a1: {address: 172.16.0.5/24}, b: {mode: 802.3ad, address: 10.20.1.11/24}, z9: {bond: b, mac: 52:54:00:00:00:01}}", "10.20.1.11"),
        ("{a1: {address: 172.16.0.5/24, default_route: no}, z9: {address: 10.20.1.11/24}}", "10.20.1.11"),
        ("{a1: {address: 172.16.0.5/24, default_route: no}}", "172.16.0.5"),
        ("{a1: {address: ['fd00::5/64', 172.16.0.5/24]}, z9: {address: 10.20.1.11/24}}", "172.16.0.5"),
        ("{a1: {address: ['fd00::5/64', 10.20.1.11/24], gateway: 10.20.1.1}}", "10.20.1.11"),
        ("{a1: {mac: 52:54:00:00:00:01}}", None),
    ],
)
def test_node_ip_lies_on_the_default_route_nic(interfaces: str, wanted: Optional[str]) -> None:
    plan = kit.plan(kit.HEAD + f"nodes: {{n: {{role: cpu-worker, interfaces: {interfaces}}}}}\n", "n")
    assert plan.node is not None and plan.node.ip == wanted


def test_a_routers_link_local_address_is_a_gateway_of_every_ipv6_interface() -> None:
    (line, _) = lines("address: ['fd00::11/64'], gateway: 'fe80::1'")
    assert " --ipv6gateway=fe80::1 " in line
    assert "--ipv6gateway=fe80::1" in lines("address: ['fd00::11/64']", "network: {gateway: 'fe80::1'}\n")[0]
    for wrong in ("address: 10.0.0.5/24, gateway: 'fe80::1'", "address: ['fd00::11/64'], gateway: 'fec0::1'"):
        (error,) = kit.problems(kit.HEAD + f"nodes: {{n: {{role: cpu-worker, {wrong}}}}}\n")
        assert "is not in" in error
