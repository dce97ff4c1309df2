"""What only the nodes together show: names, MACs and addresses used twice, and networks that overlap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from kfimage.errors import ERROR, Mark, Report, define
from kfimage.kinds import Bad, host_address, mac, v4_number
from kfimage.located import Mapping, Node, Scalar, Sequence
from kfimage.model import Plan

TAKEN = define(
    "KF1208", ERROR, "two nodes with the same host name, MAC or address",
    why="The second to boot takes the first one's place: its kickstart, its lease or its traffic.",
    fix="give each node its own",
)
OVERLAP = define(
    "KF1209", ERROR, "networks that overlap",
    why="Pods, services and nodes are told apart by address alone; traffic into an overlap goes astray.",
    fix="choose networks that do not touch each other",
)


def check(plans: Iterable[Plan], nodes: Mapping, report: Report) -> None:
    """Add what is wrong between the nodes of a site."""
    seen: dict[str, str] = {}
    for plan in plans:
        node = plan.node
        if node is None:
            continue
        _take(seen, "host name", node.hostname, node.name, nodes, report)
        for value in node.macs:
            _take(seen, "MAC", value, node.name, nodes, report)
        pods, services = range_of(plan.kubernetes.pods), range_of(plan.kubernetes.services)
        for nic in plan.nics:
            for part in (nic, *nic.vlans.values()):
                for address in part.address:
                    _take(seen, "address", address.ip, node.name, nodes, report)
                    for name, taken in (("pods", pods), ("services", services)):
                        if taken and _inside(address.ip, taken):
                            text = getattr(plan.kubernetes, name)
                            report.add(OVERLAP, _where(nodes, node.name, address.ip), f"{node.name}: {address.ip} lies in kubernetes.{name} {text}")


def _take(seen: dict[str, str], what: str, value: str, node: str, nodes: Mapping, report: Report) -> None:
    first = seen.setdefault(value, node)
    if first != node:
        here, there = _where(nodes, node, value), _where(nodes, first, value)
        one, other = (node, first) if here > there else (first, node)
        late, early = max(here, there), min(here, there)
        report.add(TAKEN, late, f"{one}: {what} {value} is already taken by {other} ({early})")


def _where(nodes: Mapping, name: str, value: str) -> Mark:
    """The place in a node where a host name, MAC or address was written; the node's own place otherwise."""
    node = nodes.get(name)
    return (_search(node, value) if node is not None else None) or nodes.key_mark(name)


def _search(node: Node, value: str) -> Optional[Mark]:
    if isinstance(node, Scalar):
        for kind in (mac, host_address):
            try:
                found = kind(node.text)
            except Bad:
                continue
            if (found if isinstance(found, str) else found.ip) == value:
                return node.mark
        return None
    children = node.elements if isinstance(node, Sequence) else tuple(node.entries.values())
    return next((mark for mark in (_search(child, value) for child in children) if mark), None)


Range = tuple[int, int, int]
"""A network: its family, its first address, and how many bits of an address are the host's."""


def range_of(cidr: Optional[str]) -> Optional[Range]:
    """A network as numbers, or None when there is none."""
    base, _, length = (cidr or "").partition("/")
    if not base:
        return None
    family, number = _number(base)
    return family, number, (32 if family == 4 else 128) - int(length)


def _number(ip: str) -> tuple[int, int]:
    number = v4_number(ip)
    if number is not None:
        return 4, number
    import ipaddress

    return 6, int(ipaddress.IPv6Address(ip))


def _inside(ip: str, network: Range) -> bool:
    family, number = _number(ip)
    return family == network[0] and (number ^ network[1]) >> network[2] == 0


def overlap(one: Range, other: Range) -> bool:
    """Whether two networks share an address."""
    return one[0] == other[0] and (one[1] ^ other[1]) >> max(one[2], other[2]) == 0
