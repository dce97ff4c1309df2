"""Which ports, protocols and networks a node's firewall lets through, from its role, Calico and the site."""

from __future__ import annotations

from dataclasses import dataclass

from kfimage.model import Calico, Firewall, Kubernetes

GUIDE = (
    "179/tcp", "443/tcp", "6443/tcp", "2379-2380/tcp", "10250/tcp", "10251/tcp", "10252/tcp",
    "15000-15090/tcp", "30000-32767/tcp", "9090/tcp", "8008/tcp", "8012/tcp", "8013/tcp",
)
"""The guide's step 3, as it stands there."""


@dataclass(frozen=True)
class Openings:
    """`everyone` reach `ports`; the nodes of `cluster` (everyone, when it is empty) reach `cluster_ports` and `protocols`."""

    ports: tuple[str, ...]
    cluster_ports: tuple[str, ...]
    protocols: tuple[str, ...]
    cluster: tuple[str, ...]
    trusted: tuple[str, ...]


def openings(firewall: Firewall, calico: Calico, kubernetes: Kubernetes) -> Openings:
    """The firewall of a plan. Calico's needs: BGP 179/tcp and IP-in-IP (protocol 4, not 94), or VXLAN 4789/udp; Typha; WireGuard.

    Pods and services are trusted: the API server reaches webhooks through the pod network, which no host port covers.
    """
    if firewall.preset == "guide":
        role_ports = list(GUIDE)
    else:
        role_ports = list(firewall.ports)
    if calico.encapsulation in ("ipip", "none"):
        role_ports.append("179/tcp")
    if calico.encapsulation == "vxlan":
        role_ports.append("4789/udp")
    if calico.typha:
        role_ports.append("5473/tcp")
    if calico.wireguard:
        role_ports.append("51820-51821/udp")
    trusted = [net for net in (kubernetes.pods, kubernetes.services, *firewall.trusted) if net]
    return Openings(
        ports=_sorted(firewall.extra),
        cluster_ports=_sorted(role_ports),
        protocols=("4",) if calico.encapsulation == "ipip" else (),
        cluster=tuple(firewall.cluster),
        trusted=tuple(dict.fromkeys(trusted)),
    )


def _sorted(ports: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(sorted(set(ports), key=lambda p: (int(p.partition("/")[0].partition("-")[0]), p)))
