"""The `network`, `firewall` and `%packages` lines of a kickstart, worked out from a plan."""

from __future__ import annotations

from kfimage.model import Nic, Plan, Vlan
from kfimage.render.carry import placeholder
from kfimage.render.firewall import openings
from kfimage.render.proxy import rhsm_proxy
from kfimage.render.templates import Block, ks


def lines(plan: Plan) -> tuple[str, ...]:
    """One `network` line for each connection, bonds and bridges before what stands on them, the host name last.

    RHEL 8's `network` has no routes and no search domains; they travel as facts and the step `network` writes them.
    """
    ports: dict[str, list[str]] = {}
    for nic in plan.nics:
        if nic.bond or nic.bridge:
            ports.setdefault(nic.bond or nic.bridge or "", []).append(nic.device)
    found = []
    for nic in plan.nics:
        # A port has no line of its own: Anaconda makes its connection from the bond's or bridge's line.
        if (nic.bond or nic.bridge) and not nic.mode:
            continue
        found.append(_line(nic, ports.get(nic.device, [])))
        found.extend(_vlan(nic.device, tag, vlan) for tag, vlan in nic.vlans.items())
    if plan.node:
        found.append(f"network --hostname={plan.node.hostname}")
    return tuple(found)


def _line(nic: Nic, ports: list[str]) -> str:
    words = [f"network --device={nic.device}"]
    if nic.mode == "bridge":
        words.append(f"--bridgeslaves={','.join(ports)}")
        if nic.options:
            words.append(f"--bridgeopts={','.join(f'{k}={v}' for k, v in nic.options.items())}")
    elif nic.mode:
        options = {"mode": nic.mode, **nic.options}
        if not any(name.startswith("arp_") for name in options):
            # The driver takes one of the two ways to watch a link, not both.
            options.setdefault("miimon", "100")
        words.append(f"--bondslaves={','.join(ports)}")
        # RHEL's own rule: with a comma inside a value, semicolons stand between the options.
        between = ";" if any("," in value for value in options.values()) else ","
        words.append(f"--bondopts={between.join(f'{k}={v}' for k, v in options.items())}")
    return " ".join(words + _addressing(nic, nic.ipv6))


def _vlan(device: str, tag: str, vlan: Vlan) -> str:
    return " ".join([f"network --device={device} --vlanid={tag} --interfacename={device}.{tag}", *_addressing(vlan, None)])


def _addressing(part: Vlan, ipv6: str | None) -> list[str]:
    v4 = next((a for a in part.address if not a.v6), None)
    v6 = next((a for a in part.address if a.v6), None)
    words = []
    if v4:
        words += ["--bootproto=static", f"--ip={v4.ip}", f"--netmask={v4.netmask}"]
        if part.gateway and ":" not in part.gateway:
            words.append(f"--gateway={part.gateway}")
    else:
        words.append("--bootproto=dhcp" if part.dhcp else "--noipv4")
    if v6:
        words.append(f"--ipv6={v6.ip}/{v6.prefix}")
        if part.gateway and ":" in part.gateway:
            words.append(f"--ipv6gateway={part.gateway}")
    elif ipv6 in ("auto", "dhcp"):
        words.append(f"--ipv6={ipv6}")
    elif ipv6 == "ignore" or (not part.dhcp and not v4):
        words.append("--noipv6")
    if part.dns and (v4 or v6):
        words.append(f"--nameserver={','.join(part.dns)}")
    if part.mtu:
        words.append(f"--mtu={part.mtu}")
    if part.default_route is False:
        words.append("--nodefroute")
    return [*words, "--onboot=yes", "--activate"]


def firewall_line(plan: Plan) -> str:
    """The `firewall` command. With a list of cluster networks the role's ports are opened for those alone, by the step `firewalld`."""
    if plan.firewall.mode == "disabled":
        return "firewall --disabled"
    opened = openings(plan.firewall, plan.calico, plan.kubernetes)
    ports = (*opened.ports, *(() if opened.cluster else opened.cluster_ports))
    words = ["firewall --enabled"]
    if not plan.firewall.ssh_from:
        words.append("--service=ssh")
    if ports:
        words.append("--port=" + ",".join(port.replace("/", ":") for port in dict.fromkeys(ports)))
    return " ".join(words)


def package_lines(plan: Plan) -> Block:
    """The body of %packages: vendor media only, for Anaconda installs without checking a signature."""
    wanted = [*plan.release.packages, *plan.packages.install]
    if plan.disk.encrypt:
        wanted += ["clevis", "clevis-dracut", "clevis-luks", "clevis-systemd"]
        if plan.disk.encrypt.tpm2 is not None:
            wanted.append("tpm2-tools")
    if plan.disk.raid == "mirror":
        wanted.append("mdadm")
    driver = plan.nvidia.driver if "driver" in plan.steps else None
    if driver and driver.mode == "dkms":
        wanted += ["elfutils-libelf-devel", "gcc", "kernel-devel", "kernel-headers", "make"]
    lines = sorted(set(wanted) - set(plan.packages.remove), key=lambda name: (not name.startswith("@"), name.lower(), name))
    return Block("".join(f"{name}\n" for name in [*lines, *(f"-{name}" for name in sorted(set(plan.packages.remove)))]))


def rhsm_line(plan: Plan) -> str:
    """The `rhsm` command, only where Red Hat's network is the install source; the key is the writer's to fill in."""
    rhsm = plan.install.rhsm
    if rhsm is None or plan.install.source != "rhsm":
        return ""
    words = [f"rhsm --organization={ks(rhsm.organization)}", f"--activation-key={placeholder('install.rhsm.activation_key', 'plain')}"]
    if rhsm.server:
        words.append(f"--server-hostname={rhsm.server}")
    if rhsm.insights:
        words.append("--connect-to-insights")
    if rhsm_proxy(plan):
        words.append(f"--proxy={ks(rhsm_proxy(plan))}")
    return " ".join(words)


def password_words(plan: Plan) -> str:
    """The end of the `user` line: a waived hash, else a locked password."""
    if plan.access.password and "access.password" in plan.waive:
        return f" --iscrypted --password={placeholder('access.password', 'plain')}"
    return " --lock"
