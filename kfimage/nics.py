"""Interfaces of a node: the short form (mac, address) and the long one become the same frozen list."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Optional

from kfimage import grammar, kinds
from kfimage.errors import ERROR, Mark, Report, define, did_you_mean
from kfimage.grammar import specs
from kfimage.kinds import Address
from kfimage.located import Mapping, Node, Sequence, at
from kfimage.model import CONFLICT, Interface, Network, Nic, NodeId, NodeLayer, Vlan

LINK = define(
    "KF1206", ERROR, "an interface that points at another one wrongly",
    why="A bond, bridge or VLAN whose parts are missing or used twice never comes up, and the node is unreachable.",
    fix="each port names one bond or bridge of this node, which has a `mode`; ports carry no address",
)
GATEWAY = define(
    "KF1207", ERROR, "a gateway or next hop that no address of the interface can reach",
    why="The kernel refuses such a route, so the node comes up without it.",
    fix="the gateway lies in the network of an address of the same interface",
)

IDENTITY = frozenset(("role", "mac", "address", "gateway", "interfaces"))
"""Keys of a node that are its own and no layer's."""

_OPTIONS = {
    "bond": frozenset((
        "ad_actor_sys_prio", "ad_actor_system", "ad_select", "ad_user_port_key", "all_slaves_active", "arp_interval", "arp_ip_target",
        "arp_validate", "arp_all_targets", "downdelay", "fail_over_mac", "lacp_rate", "lp_interval", "miimon", "min_links",
        "num_grat_arp", "num_unsol_na", "packets_per_slave", "peer_notif_delay", "primary", "primary_reselect", "resend_igmp",
        "tlb_dynamic_lb", "updelay", "use_carrier", "xmit_hash_policy",
    )),
    "bridge": frozenset(("priority", "stp", "forward-delay", "hello-time", "max-age", "ageing-time", "multicast-snooping")),
}


def role_nics(network: Network) -> tuple[Nic, ...]:
    """The one interface of a plan without a node: DHCP on the device the network names."""
    return (Nic(device=network.device or "link", dns=network.dns, mtu=network.mtu, dhcp=True),)


def node_nics(name: str, node: Mapping, where: str, network: Network, report: Report) -> tuple[tuple[Nic, ...], NodeId]:
    """A node's interfaces, parents before children, and what identifies it. Faults go to the report."""
    own = {key: _value(key, node, where, report) for key in ("mac", "address", "gateway", "interfaces")}
    if own["interfaces"]:
        nics = _long_form(own, node, where, network, report)
    else:
        nics = _short_form(own, node, where, network, report)
    macs = tuple(nic.mac for nic in nics if nic.mac)
    boot = next((n.mac for n in nics if n.boot and n.mac), macs[0] if macs else None)
    full = name if "." in name or not network.domain else f"{name}.{network.domain}"
    return nics, NodeId(name, full, macs, boot, _node_ip(nics, boot))


def _node_ip(nics: tuple[Nic, ...], boot: Optional[str]) -> Optional[str]:
    """The address that other nodes know the node by: on the default route, else on the interface that boots; IPv4 before IPv6."""
    booted = {nic.device for nic in nics if boot and nic.mac == boot}
    for nic in reversed(nics):  # ports stand behind their bond, bonds behind their bridge
        if nic.device in booted:
            booted |= {parent for parent in (nic.bond, nic.bridge) if parent}

    def rank(part: Vlan) -> int:
        if part.gateway and part.default_route is not False:
            return 0
        if isinstance(part, Nic) and part.device in booted:
            return 1
        return 3 if part.default_route is False else 2

    found = [(rank(part), a.v6, a.ip) for nic in nics for part in (nic, *nic.vlans.values()) for a in part.address]
    return min(found, key=lambda f: f[:2])[2] if found else None


def _value(key: str, node: Mapping, where: str, report: Report) -> Any:
    found = node.entries.get(key)
    if found is None:
        return {"address": (), "interfaces": grammar.NOTHING}.get(key)
    return grammar.value(specs(NodeLayer)[key], found, f"{where}.{key}", report)


def _short_form(own: dict[str, Any], node: Mapping, where: str, network: Network, report: Report) -> tuple[Nic, ...]:
    addresses, gateway = own["address"], own["gateway"]
    _check_addresses(addresses, node.get("address"), f"{where}.address", report)
    device = own["mac"] or network.device or "link"
    nic = Nic(
        device=device, mac=own["mac"], address=addresses, dns=network.dns, mtu=network.mtu, dhcp=not addresses,
        gateway=gateway or _inherited(network.gateway, addresses),
    )
    if gateway:
        _check_hop(gateway, addresses, node.key_mark("gateway"), f"{where}.gateway", report)
    return (nic,)


def _inherited(gateway: Optional[str], addresses: tuple[Address, ...]) -> Optional[str]:
    return gateway if gateway and any(_reaches(a, gateway) for a in addresses) else None


def _reaches(address: Address, hop: str) -> bool:
    """Every IPv6 interface has a link-local address too, so a router's own (fe80::/10) is always next to it."""
    return _contains(address, hop) or (address.v6 and re.match(r"fe[89ab][0-9a-f]:", hop) is not None)


def _contains(address: Address, ip: str) -> bool:
    number = kinds.v4_number(ip)
    if number is None or address.v6:
        import ipaddress

        return ipaddress.ip_address(ip) in ipaddress.ip_network(address.network)
    base = kinds.v4_number(address.ip)
    assert base is not None
    return (base ^ number) >> (32 - address.prefix) == 0


def _check_hop(hop: str, addresses: tuple[Address, ...], mark: Mark, path: str, report: Report) -> None:
    if addresses and not any(_reaches(a, hop) for a in addresses):
        nets = ", ".join(a.network for a in addresses)
        report.add(GATEWAY, mark, f"{path}: {hop} is not in {nets}")
    elif not addresses:
        report.add(GATEWAY, mark, f"{path}: {hop} needs a static address beside it", "DHCP brings its own gateway")


def _long_form(own: dict[str, Any], node: Mapping, where: str, network: Network, report: Report) -> tuple[Nic, ...]:
    for key in ("mac", "address", "gateway"):
        if node.get(key) is not None:
            report.add(CONFLICT, node.keys[key], f"{where}: '{key}' is the short form of interfaces; give it inside interfaces", "keep one form")
    interfaces: dict[str, Interface] = dict(own["interfaces"])
    tree = node.get("interfaces")
    if not isinstance(tree, Mapping):
        return ()
    before = len(report)
    for name, nic in interfaces.items():
        _check_links(name, nic, interfaces, tree, f"{where}.interfaces.{name}", report)
    _check_unique(interfaces, tree, f"{where}.interfaces", report)
    if len(report) > before:
        return ()
    order = sorted(interfaces, key=lambda n: (_depth(n, interfaces), n))
    return tuple(_nic(name, interfaces[name], tree, where, network, report) for name in order)


def _depth(name: str, interfaces: dict[str, Interface]) -> int:
    """Parents (bridges, bonds) come first: Anaconda makes a bond and its ports from the bond's own line."""
    nic = interfaces[name]
    return 2 if nic.bond or nic.bridge else (1 if nic.mode is None else 0)


def _nic(name: str, nic: Interface, tree: Mapping, where: str, network: Network, report: Report) -> Nic:
    values = dict(vars(nic))
    path = f"{where}.interfaces.{name}"
    port = nic.bond or nic.bridge
    if not port:
        values["gateway"] = nic.gateway or _inherited(network.gateway, nic.address)
        values["dns"] = nic.dns or network.dns
        if nic.dhcp is None:
            values["dhcp"] = not nic.address and not nic.vlans
    here = tree.get(name)
    _check_hops(nic, here, path, report)
    vlans = {}
    for tag, vlan in nic.vlans.items():
        below = at(here, f"vlans.{tag}")
        _check_hops(vlan, below, f"{path}.vlans.{tag}", report)
        mtu = nic.mtu or 1500
        if vlan.mtu and vlan.mtu > mtu:
            report.add(CONFLICT, _mark(below, "mtu"), f"{path}.vlans.{tag}.mtu: {vlan.mtu} is more than its parent's {mtu}", f"give {name} mtu: {vlan.mtu}")
        vlans[tag] = replace(
            vlan, gateway=vlan.gateway or _inherited(network.gateway, vlan.address), dns=vlan.dns or network.dns,
            dhcp=not vlan.address if vlan.dhcp is None else vlan.dhcp, mtu=vlan.mtu or nic.mtu,
        )
    values["vlans"] = vlans
    values["device"] = name
    return grammar.whole(Nic, values)


def _check_addresses(addresses: tuple[Address, ...], node: Optional[Node], path: str, report: Report) -> None:
    """Anaconda's `network` takes one address of each family; a second one would be lost without a word."""
    marks = [e.mark for e in node.elements] if isinstance(node, Sequence) else []
    for v6 in (False, True):
        family = [index for index, address in enumerate(addresses) if address.v6 == v6]
        for index in family[1:]:
            mark = marks[index] if index < len(marks) else node.mark if node is not None else Mark("")
            what = "IPv6" if v6 else "IPv4"
            report.add(CONFLICT, mark, f"{path}: {addresses[index]} is a second {what} address", "a kickstart can give an interface one of each family")


def _mark(node: Optional[Node], key: str) -> Mark:
    if isinstance(node, Mapping):
        return node.key_mark(key)
    return node.mark if node is not None else Mark("")


def _check_hops(part: Vlan, node: Optional[Node], path: str, report: Report) -> None:
    _check_addresses(part.address, at(node, "address"), f"{path}.address", report)
    if part.gateway:
        _check_hop(part.gateway, part.address, _mark(node, "gateway"), f"{path}.gateway", report)
    routes = at(node, "routes")
    marks = [e.mark for e in routes.elements] if isinstance(routes, Sequence) else [_mark(node, "routes")] * len(part.routes)
    for route, mark in zip(part.routes, marks):
        if route.via:
            _check_hop(route.via, part.address, mark, f"{path}.routes", report)
        if route.via and route.to and (":" in route.via) != (":" in route.to):
            report.add(GATEWAY, mark, f"{path}.routes: {route.to} via {route.via} mixes IPv4 and IPv6")
    if part.address and part.dhcp:
        report.add(CONFLICT, _mark(node, "dhcp"), f"{path}: dhcp and a static address", "keep one of the two")


def _check_links(name: str, nic: Interface, interfaces: dict[str, Interface], tree: Mapping, path: str, report: Report) -> None:
    here = tree.get(name)
    for key, wants_bridge in (("bond", False), ("bridge", True)):
        parent = getattr(nic, key)
        if not parent:
            continue
        mark = _mark(here, key)
        if parent not in interfaces:
            report.add(LINK, mark, f"{path}.{key}: there is no interface '{parent}'", did_you_mean(parent, set(interfaces) - {name}))
        elif interfaces[parent].mode is None or (interfaces[parent].mode == "bridge") != wants_bridge:
            report.add(LINK, mark, f"{path}.{key}: '{parent}' is no {key}", f"give {parent} a mode, as in {{mode: {'bridge' if wants_bridge else '802.3ad'}}}")
        if nic.address or nic.gateway or nic.vlans or nic.dhcp:
            report.add(LINK, mark, f"{path} is a port of {parent} and cannot have an address, gateway or VLANs of its own", f"move them to {parent}")
        if nic.mode and not (key == "bridge" and nic.mode != "bridge"):
            report.add(LINK, mark, f"{path} has a mode and is a port of {parent}", "a bond can be a port of a bridge, nothing else")
    for tag in nic.vlans:
        if len(f"{name}.{tag}") > 15:
            said = f"{path}.vlans: the interface '{name}.{tag}' has more than 15 characters"
            report.add(LINK, _mark(at(here, "vlans"), tag), said, f"give {name} a shorter name")
    if nic.bond and nic.bridge:
        report.add(LINK, _mark(here, "bridge"), f"{path} is a port of {nic.bond} and of {nic.bridge}", "keep one")
    if nic.mode:
        key = "bridge" if nic.mode == "bridge" else "bond"
        if not any(getattr(other, key) == name for other in interfaces.values()):
            report.add(LINK, _mark(here, "mode"), f"{path}: no interface is a port of this {key}", f"give at least one interface {{{key}: {name}}}")
        for option in sorted(set(nic.options) - _OPTIONS[key]):
            report.add(LINK, _mark(at(here, "options"), option), f"{path}.options: '{option}' is no {key} option", did_you_mean(option, _OPTIONS[key]))
        for option, value in nic.options.items():
            # A comma or '=' would make another option of the rest; only a list of addresses holds commas, and then ';' separates.
            if "=" in value or ("," in value and option != "arp_ip_target"):
                report.add(LINK, _mark(at(here, "options"), option), f"{path}.options.{option}: '{value}' is not one value", "one value for each option")
        if nic.mac:
            report.add(LINK, _mark(here, "mac"), f"{path}: a {key} has no MAC of its own", "give the MACs of its ports")
    elif nic.options:
        report.add(LINK, _mark(here, "options"), f"{path}.options belong to a bond or bridge", "give it a mode")


def _check_unique(interfaces: dict[str, Interface], tree: Mapping, path: str, report: Report) -> None:
    seen: dict[str, str] = {}
    for name, nic in interfaces.items():
        here = tree.get(name)
        found = [(nic.mac, name, _mark(here, "mac"))] if nic.mac else []
        found += [(a.ip, name, _mark(here, "address")) for a in nic.address]
        found += [(a.ip, f"{name}.{tag}", _mark(at(here, f"vlans.{tag}"), "address")) for tag, vlan in nic.vlans.items() for a in vlan.address]
        for value, device, mark in found:
            first = seen.setdefault(value, device)
            if first != device:
                report.add(CONFLICT, mark, f"{path}: {first} and {device} both have {value}", "give each its own")
    boots = [name for name, nic in interfaces.items() if nic.boot]
    for name in boots[1:]:
        report.add(CONFLICT, _mark(tree.get(name), "boot"), f"{path}: {boots[0]} and {name} both say boot", "one interface boots")
    for name in boots:
        if not interfaces[name].mac:
            report.add(CONFLICT, _mark(tree.get(name), "boot"), f"{path}.{name}: boot needs a mac", "add the MAC address that PXE asks with")
    gateways = [name for name, nic in interfaces.items() if nic.gateway and ":" not in nic.gateway and nic.default_route is not False]
    for name in gateways[1:]:
        said = f"{path}: {gateways[0]} and {name} both have a default gateway"
        report.add(CONFLICT, _mark(tree.get(name), "gateway"), said, "say default_route: no on all but one")
