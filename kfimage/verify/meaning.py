"""A kickstart's meaning against its plan: what the release's own parser understood must be what was intended."""

from __future__ import annotations

from typing import Any

from kfimage.errors import ERROR, Mark, Report, define
from kfimage.model import Nic, Plan, Vlan
from kfimage.render import network, proxy
from kfimage.render.firewall import openings

DIFFERS = define(
    "KF2900", ERROR, "the kickstart does not mean what its plan says",
    why="A parser that reads a line in another way than it was meant installs another node than the one described.",
    fix="this is a defect of a template, or of a fragment of the site; the line named shows which",
)


def compare(handler: Any, plan: Plan, path: str, report: Report) -> None:
    """Add a problem for each part of the plan that the parsed kickstart does not hold, or holds otherwise.

    `handler` is pykickstart's after parsing. Storage is not here: the %pre writes it on the node (tests run that %pre).
    """
    mark = Mark(path)

    def same(what: str, understood: object, meant: object) -> None:
        if understood != meant:
            report.add(DIFFERS, mark, f"{what}: understood as {understood!r}, meant as {meant!r}")

    same("lang", handler.lang.lang, plan.locale.language)
    same("keyboard", handler.keyboard.vc_keymap, plan.locale.keyboard)
    same("timezone", handler.timezone.timezone, plan.time.zone)
    same("timezone --utc", bool(handler.timezone.isUtc), True)
    same("timezone --ntpservers", sorted(handler.timezone.ntpservers or ()), sorted(plan.time.ntp))
    same("selinux", handler.selinux.selinux, {"permissive": 2, "enforcing": 1}[plan.selinux])
    same("rootpw --lock", (bool(handler.rootpw.lock), handler.rootpw.password or ""), (True, ""))
    same("reboot", (handler.reboot.action, bool(handler.reboot.eject)), (1, plan.install.source == "cdrom"))
    same("autopart", bool(handler.autopart.autopart), False)
    _source(handler, plan, same)
    _access(handler, plan, same)
    _firewall(handler, plan, same)
    _network(handler, plan, same)
    packages = handler.packages
    meant = network.package_lines(plan).split()
    same("%packages", sorted(packages.packageList), sorted(p for p in meant if p[0] not in "@-"))
    same("%packages without", sorted(packages.excludedList), sorted(p[1:] for p in meant if p[0] == "-" and p[1] != "@"))
    same("%packages --excludeWeakdeps", bool(packages.excludeWeakdeps), True)
    same("services --enabled", sorted(handler.services.enabled), ["chronyd", "rsyslog", "sshd"])


def _source(handler: Any, plan: Plan, same: Any) -> None:
    source = plan.install.source
    same("url", handler.url.url if source == "url" else None, plan.install.url if source == "url" else None)
    if source == "url":
        same("url --proxy", handler.url.proxy or "", proxy.plan_proxy(plan, plan.install.url))
    if source == "nfs" and plan.install.nfs:
        same("nfs", (handler.nfs.server, handler.nfs.dir, handler.nfs.opts or None), (plan.install.nfs.server, plan.install.nfs.path, plan.install.nfs.options))
    if source == "harddrive" and plan.install.harddrive:
        same("harddrive", (handler.harddrive.partition, handler.harddrive.dir), (plan.install.harddrive.partition, plan.install.harddrive.path))
    same("cdrom", bool(handler.cdrom.seen), source == "cdrom")
    same("rhsm", handler.rhsm.organization or "", plan.install.rhsm.organization if source == "rhsm" and plan.install.rhsm else "")
    same("rhsm --proxy", handler.rhsm.proxy or "", proxy.rhsm_proxy(plan) if source == "rhsm" else "")
    meant = {(name, repo.url, repo.proxy or proxy.plan_proxy(plan, repo.url)) for name, repo in plan.install.repos.items()}
    same("repo", {(r.name, r.baseurl, r.proxy or "") for r in handler.repo.repoList}, meant)


def _access(handler: Any, plan: Plan, same: Any) -> None:
    access = plan.access
    hashed = bool(access.password and "access.password" in plan.waive)
    meant = [(access.admin, ["wheel"], not hashed, hashed)] if access.admin else []
    same("user", [(u.name, list(u.groups), bool(u.lock), bool(u.isCrypted)) for u in handler.user.userList], meant)
    same("sshkey", [(key.username, key.key) for key in handler.sshkey.sshUserList], [(access.admin, key) for key in access.ssh_keys] if access.admin else [])


def _firewall(handler: Any, plan: Plan, same: Any) -> None:
    understood = handler.firewall
    if plan.firewall.mode == "disabled":
        same("firewall", bool(understood.enabled), False)
        return
    opened = openings(plan.firewall, plan.calico, plan.kubernetes)
    ports = {*opened.ports, *(() if opened.cluster else opened.cluster_ports)}
    same("firewall", bool(understood.enabled), True)
    same("firewall --port", sorted(understood.ports), sorted(p.replace("/", ":") for p in ports))
    same("firewall --service", sorted(understood.services), [] if plan.firewall.ssh_from else ["ssh"])


def _network(handler: Any, plan: Plan, same: Any) -> None:
    devices = [d for d in handler.network.network if d.device]
    meant = []
    ports = {nic.device: [n.device for n in plan.nics if nic.device in (n.bond, n.bridge)] for nic in plan.nics}
    for nic in plan.nics:
        if (nic.bond or nic.bridge) and not nic.mode:
            continue
        meant.append(_wanted(nic.device, "", nic, ports[nic.device]))
        meant.extend(_wanted(nic.device, tag, vlan, []) for tag, vlan in nic.vlans.items())
    same("network", [_understood(d) for d in devices], meant)
    names = [d.hostname for d in handler.network.network if d.hostname]
    same("network --hostname", names, [plan.node.hostname] if plan.node else [])


def _understood(device: Any) -> dict[str, object]:
    return {
        "device": device.device, "vlan": str(device.vlanid or ""), "boot": device.bootProto, "ip": device.ip or "", "netmask": device.netmask or "",
        "gateway": device.gateway or "", "ipv6": device.ipv6 if "/" in (device.ipv6 or "") else "", "gateway6": device.ipv6gateway or "",
        "mtu": str(device.mtu or ""), "dns": device.nameserver or "", "bond": (device.bondslaves or "").replace(",", " ").split(),
        "bridge": (device.bridgeslaves or "").replace(",", " ").split(), "mode": _mode(device.bondopts or ""), "onboot": bool(device.onboot),
    }


def _mode(options: str) -> str:
    words = dict(pair.partition("=")[::2] for pair in options.split(";" if ";" in options else ","))
    return words.get("mode", "")


def _wanted(device: str, vlan: str, part: Vlan, ports: list[str]) -> dict[str, object]:
    v4 = next((a for a in part.address if not a.v6), None)
    v6 = next((a for a in part.address if a.v6), None)
    gateway = part.gateway or ""
    mode = (part.mode or "") if isinstance(part, Nic) else ""
    return {
        "device": device, "vlan": vlan, "boot": "static" if v4 else "dhcp" if part.dhcp else "", "ip": v4.ip if v4 else "", "netmask": v4.netmask if v4 else "",
        "gateway": gateway if v4 and ":" not in gateway else "", "ipv6": str(v6) if v6 else "", "gateway6": gateway if v6 and ":" in gateway else "",
        "mtu": str(part.mtu or ""), "dns": ",".join(part.dns) if v4 or v6 else "", "bond": ports if mode and mode != "bridge" else [],
        "bridge": ports if mode == "bridge" else [], "mode": mode if mode != "bridge" else "", "onboot": True,
    }
