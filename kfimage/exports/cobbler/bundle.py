"""Cobbler's objects for a site's plans: profiles and systems, as data that apply.sh and a push over XML-RPC both follow."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kfimage.exports.made import Kickstart, installer_args
from kfimage.exports.merge import Template
from kfimage.kinds import Address
from kfimage.model import Nic, Plan


@dataclass(frozen=True)
class Port:
    """An interface as Cobbler knows it."""

    name: str
    mac: str
    ip: str = ""
    netmask: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"ip_address": self.ip, "mac_address": self.mac, "name": self.name, "netmask": self.netmask}


@dataclass(frozen=True)
class System:
    """A node as Cobbler knows it."""

    name: str
    hostname: str
    netboot: bool
    meta: Mapping[str, str]
    kernel_options: str
    ports: tuple[Port, ...]

    @property
    def meta_words(self) -> str:
        """Its autoinstall_meta as the command line takes it: split by shlex, which keeps line breaks inside quotes."""
        return " ".join(f"{name}={shlex.quote(value)}" for name, value in self.meta.items())


@dataclass(frozen=True)
class Profile:
    """A role on one release."""

    name: str
    distro: str
    template: str
    tree: str
    kernel_options: str
    systems: tuple[System, ...]


def profile(name: str, kickstarts: Sequence[Kickstart], template: Template) -> Profile:
    plans = [one.plan for one in kickstarts]
    common, own = installer_args(kickstarts)
    systems = tuple(_system(plan, template.values[plan.name], own[plan.name]) for plan in plans if plan.node)
    trees = {plan.install.url or "" for plan in plans}
    return Profile(name, plans[0].release.name, f"kfimage/{name}.ks", trees.pop() if len(trees) == 1 else "", " ".join(common), systems)


def _system(plan: Plan, values: Mapping[str, str], own: Sequence[str]) -> System:
    node = plan.node
    assert node is not None
    return System(plan.name, node.hostname, plan.boot.nodes == "install", dict(values), " ".join(own), _ports(plan.nics, node.boot_mac or ""))


def _ports(nics: Sequence[Nic], boot_mac: str) -> tuple[Port, ...]:
    """The interfaces with a MAC, the one that boots first."""
    found = []
    for nic in sorted((nic for nic in nics if nic.mac), key=lambda nic: nic.mac != boot_mac):
        v4 = next((a for a in nic.address if not a.v6), None)
        # The short form knows its interface by MAC alone; `default` is Cobbler's own word for that.
        name = "default" if ":" in nic.device else nic.device
        found.append(Port(name, nic.mac or "", *_address(v4)))
    return tuple(found)


def _address(address: Address | None) -> tuple[str, str]:
    return (address.ip, str(address.netmask)) if address else ("", "")


def bundle(site: str, generator: str, engine: str, profiles: Sequence[Profile], snippets: Sequence[str]) -> dict[str, Any]:
    """bundle.json: everything a push needs; the templates themselves lie beside it."""
    return {
        "engine": engine, "generator": generator, "schema": 1, "site": site, "snippets": sorted(snippets),
        "profiles": [
            {
                "autoinstall": one.template, "autoinstall_meta": {"tree": one.tree}, "distro": one.distro,
                "kernel_options": one.kernel_options, "name": one.name,
                "systems": [
                    {
                        "autoinstall_meta": dict(system.meta), "hostname": system.hostname, "name": system.name,
                        "interfaces": [port.as_dict() for port in system.ports], "kernel_options": system.kernel_options,
                        "kickstart": f"kickstart/{system.name}.ks", "netboot_enabled": system.netboot,
                        "static_autoinstall": f"kfimage/hosts/{system.name}.ks",
                    }
                    for system in one.systems
                ],
            }
            for one in profiles
        ],
    }
