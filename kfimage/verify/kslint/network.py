"""network lines and host names."""

from __future__ import annotations

import ipaddress
import re
from typing import Optional, Union

from kfimage.errors import ERROR, WARNING, Report, define, did_you_mean
from kfimage.verify.kslint.model import Command, Parsed, commas, integer, rule

_ACCEPTS = "pykickstart 3.78 commands/network.py checks none of it"
_NETWORK = "anaconda 33.16.7.12 modules/network"

STATIC_INCOMPLETE = define(
    "KF2301",
    ERROR,
    "a static address is incomplete",
    why="--bootproto=static needs --ip and --netmask; without them the interface comes up without an address.",
    fix="add --ip=, --netmask= and, on the interface that leads out, --gateway=",
    source=_ACCEPTS,
)
BAD_ADDRESS = define(
    "KF2302",
    ERROR,
    "not an address",
    why="pykickstart stores any text. --ip takes a bare IPv4 address, --netmask a dotted mask, --ipv6 an address that "
    "may have /prefix.",
    fix="write --ip=10.0.0.5 --netmask=255.255.255.0",
    source=_ACCEPTS,
)
GATEWAY_OUTSIDE = define(
    "KF2303",
    WARNING,
    "the gateway is not in the interface's network",
    why="A gateway outside address and netmask cannot be reached; mostly one of the three is a slip of the pen.",
    fix="check --ip, --netmask and --gateway",
    source="IPv4 routing",
)
HOSTNAME = define(
    "KF2304",
    ERROR,
    "not a host name",
    why="pykickstart stores any text; Linux takes 64 characters, and kubelet only lower-case letters, digits, - and "
    "dots as a node's name.",
    fix="labels of letters, digits and -, at most 63 each and 64 in all",
    source="RFC 1123; Linux HOST_NAME_MAX",
)
DHCP_WITH_ADDRESS = define(
    "KF2305",
    ERROR,
    "DHCP and a fixed address on one line",
    why="With --bootproto=dhcp, which is also the default, the fixed address is not used.",
    fix="write --bootproto=static, or remove --ip and --netmask",
    source=_NETWORK,
)
BOND_OPTION = define(
    "KF2306",
    ERROR,
    "an unknown bonding option",
    why="pykickstart takes any text for --bondopts; NetworkManager refuses the connection and the node has no network.",
    fix="mode=802.3ad,miimon=100,lacp_rate=fast: name=value pairs with commas between them",
    source="Linux Documentation/networking/bonding.rst",
)
NO_SLAVES = define(
    "KF2307",
    ERROR,
    "a bond, team or bridge without ports",
    why="--bondopts, --teamconfig and --bridgeopts do nothing without --bondslaves, --teamslaves or --bridgeslaves.",
    fix="name the ports",
    source=_NETWORK,
)
PORT_TAKEN = define(
    "KF2308",
    ERROR,
    "a port is used twice",
    why="An interface that belongs to a bond, team or bridge can have no line of its own and no second master.",
    fix="keep it in one place",
    source=_NETWORK,
)
VLAN = define(
    "KF2309",
    ERROR,
    "a VLAN that cannot be made",
    why="--vlanid is a number from 1 to 4094 on the parent that --device names; a bond or team parent must be defined "
    "by an earlier line.",
    fix="network --device=bond0 --vlanid=120 --interfacename=bond0.120, after the line that makes bond0",
    source=_NETWORK,
)
LATER_LINE = define(
    "KF2310",
    ERROR,
    "a further network line without a device",
    why="Only the first line may leave --device out or say link: the installer's first stage brings up that one. "
    "Later lines without a device hit the same interface again.",
    fix="add --device= with a name or a MAC",
    source="anaconda 33.16.7.12 dracut/parse-kickstart",
)
NO_PROTOCOL = define(
    "KF2311",
    ERROR,
    "an interface without IPv4 and without IPv6",
    why="--noipv4 with --noipv6 leaves an interface without any address.",
    fix="drop one of them",
    source=_NETWORK,
)
MTU = define(
    "KF2312",
    ERROR,
    "an impossible MTU",
    why="pykickstart stores any text; NetworkManager refuses the connection. IPv6 needs 1280.",
    fix="a number from 576 to 65535; 9000 for jumbo frames",
    source=_ACCEPTS,
)
OFF_AT_BOOT = define(
    "KF2313",
    WARNING,
    "the interface stays down after the reboot",
    why="--onboot=off (or no) writes ONBOOT=no: the installed node has no network.",
    fix="leave --onboot out",
    source=_NETWORK,
)
SAME_ADDRESS = define(
    "KF2314",
    ERROR,
    "one address on two interfaces",
    why="Both answer for it, and which one wins changes from boot to boot.",
    fix="give each interface its own address",
    source="IPv4",
)
OLD_NAME = define(
    "KF2315",
    WARNING,
    "an interface named eth0",
    why="RHEL 8 names interfaces after their slot (eno1, ens3f0); eth0 exists only with net.ifnames=0.",
    fix="name the interface as RHEL 8 does, or by its MAC address",
    source="RHEL 8 networking guide, consistent device naming",
)
NO_DNS = define(
    "KF2316",
    WARNING,
    "static addresses and no name server",
    why="With no DHCP line nothing brings a name server, and every URL with a name in it fails.",
    fix="add --nameserver=",
    source=_NETWORK,
)
BAD_MAC = define(
    "KF2317",
    ERROR,
    "not a MAC address",
    why="A --device with colons is taken as a MAC; one that no interface has means that no interface is configured.",
    fix="six pairs of hex digits, as in 52:54:00:12:34:56",
    source=_NETWORK,
)
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}(?:(?::[0-9A-Fa-f]{2}){14})?")
_MASTERS = (("--bondopts", "--bondslaves"), ("--teamconfig", "--teamslaves"), ("--bridgeopts", "--bridgeslaves"))
_SLAVES = ("--bondslaves", "--teamslaves", "--bridgeslaves")
_BOND_MODES = "balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb 0 1 2 3 4 5 6".split()
_BOND_OPTIONS = frozenset(
    "mode miimon updelay downdelay arp_interval arp_ip_target arp_validate arp_all_targets primary primary_reselect "
    "fail_over_mac xmit_hash_policy lacp_rate ad_select ad_actor_system ad_actor_sys_prio ad_user_port_key "
    "all_slaves_active min_links num_grat_arp num_unsol_na packets_per_slave peer_notif_delay resend_igmp "
    "tlb_dynamic_lb use_carrier active_slave lp_interval".split()
)
_PRESENT = ("link", "bootif", "ibft")

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def address(text: str) -> Optional[Address]:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_hostname(text: str) -> bool:
    return 0 < len(text) <= 64 and all(_LABEL.fullmatch(label) for label in text.split("."))


def _is_static(command: Command) -> bool:
    return command.get("--bootproto") == "static"


@rule
def addresses(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("network"):
        ip, mask = command.get("--ip"), command.get("--netmask")
        if _is_static(command):
            missing = [option for option, value in (("--ip", ip), ("--netmask", mask)) if not value]
            if missing and not command.has("--noipv4"):
                report.add(STATIC_INCOMPLETE, parsed.at(command), f"{' and '.join(missing)} missing")
        elif ip and command.get("--bootproto", "") in (None, "dhcp", "bootp"):
            report.add(DHCP_WITH_ADDRESS, parsed.at(command, ip), f"--ip={ip} is not used with DHCP")
        for option, version in (("--ip", 4), ("--gateway", 4), ("--ipv6gateway", 6)):
            value = command.get(option)
            found = address(value) if value else None
            if value and (found is None or found.version != version):
                report.add(BAD_ADDRESS, parsed.at(command, value), f"{option}={value} is no IPv{version} address")
        for server in commas(command.get("--nameserver")):
            if address(server) is None:
                report.add(BAD_ADDRESS, parsed.at(command, server), f"--nameserver={server} is no address")
        _ipv6(command, parsed, report)
        _subnet(command, parsed, report)


def _ipv6(command: Command, parsed: Parsed, report: Report) -> None:
    value = command.get("--ipv6")
    if value and value not in ("auto", "dhcp", "ignore"):
        try:
            ipaddress.IPv6Interface(value)
        except ValueError:
            report.add(BAD_ADDRESS, parsed.at(command, value), f"--ipv6={value} is no IPv6 address")


def _subnet(command: Command, parsed: Parsed, report: Report) -> None:
    ip, mask, gateway = command.get("--ip"), command.get("--netmask"), command.get("--gateway")
    if not mask:
        return
    found = address(mask)
    bits = f"{int(found):032b}" if isinstance(found, ipaddress.IPv4Address) else "01"
    if "01" in bits or "1" not in bits:
        report.add(BAD_ADDRESS, parsed.at(command, mask), f"--netmask={mask} is no netmask")
        return
    if not ip or not isinstance(address(ip), ipaddress.IPv4Address):
        return
    network = ipaddress.ip_network(f"{ip}/{mask}", strict=False)
    if network.num_addresses > 2 and address(ip) in (network.network_address, network.broadcast_address):
        report.add(BAD_ADDRESS, parsed.at(command, ip), f"{ip} is the network's own or broadcast address")
    way = address(gateway) if gateway else None
    if way is not None and way.version == 4 and network.num_addresses > 1 and way not in network:
        report.add(GATEWAY_OUTSIDE, parsed.at(command, str(gateway)), f"{gateway} is not in {network}")


@rule
def hostnames(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("network"):
        name = command.get("--hostname")
        if name and not is_hostname(name):
            report.add(HOSTNAME, parsed.at(command, name), f"'{name[:80]}' is no host name")


@rule
def masters(parsed: Parsed, report: Report) -> None:
    owner: dict[str, int] = {}
    lines = parsed.all("network")
    for command in lines:
        for options, slaves in _MASTERS:
            if command.has(options) and not commas(command.get(slaves)):
                report.add(NO_SLAVES, parsed.at(command, options), f"{options} without {slaves}")
        for pair in re.split(";" if ";" in (command.get("--bondopts") or "") else ",", command.get("--bondopts") or ""):
            fault = _bond_fault(pair.strip())
            if fault:
                report.add(BOND_OPTION, parsed.at(command, pair), fault)
        for port in [port for option in _SLAVES for port in commas(command.get(option))]:
            if port in owner:
                report.add(PORT_TAKEN, parsed.at(command, port), f"'{port}' already belongs to line {owner[port]}")
            owner.setdefault(port, command.line)
    for command in lines:
        device = command.get("--device")
        if device in owner and not command.has("--vlanid") and owner[device] != command.line:
            report.add(PORT_TAKEN, parsed.at(command, device or ""), f"'{device}' belongs to line {owner[device]}")


def _bond_fault(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not pair:
        return ""
    if name not in _BOND_OPTIONS or not equals:
        return f"'{pair}': {did_you_mean(name, _BOND_OPTIONS)}"
    if name == "mode" and value not in _BOND_MODES:
        return f"mode '{value}': {did_you_mean(value, _BOND_MODES)}"
    return ""


@rule
def devices(parsed: Parsed, report: Report) -> None:
    lines = parsed.all("network")
    made: set[str] = set()
    first = True
    for command in lines:
        device = command.get("--device")
        shapes = {option for option, _ in command.options} - {"--hostname"}
        if not first and shapes and (not device or device in _PRESENT):
            report.add(LATER_LINE, parsed.at(command), f"--device{'=' + device if device else ' is missing'}")
        first = first and not shapes
        if device and ":" in device and not _MAC.fullmatch(device):
            report.add(BAD_MAC, parsed.at(command, device), f"'{device}'")
        if device and re.fullmatch(r"eth\d+", device) and "net.ifnames=0" not in parsed.text:
            report.add(OLD_NAME, parsed.at(command, device), f"'{device}' does not exist on RHEL 8")
        _vlan(command, made, parsed, report)
        made.update(name for name in (device, command.get("--interfacename")) if name)


def _vlan(command: Command, made: set[str], parsed: Parsed, report: Report) -> None:
    if not command.has("--vlanid"):
        return
    tag, parent = command.get("--vlanid") or "", command.get("--device")
    number = integer(tag)
    if number is None or not 1 <= number <= 4094:
        report.add(VLAN, parsed.at(command, "--vlanid"), f"--vlanid={tag} is not between 1 and 4094")
    if not parent or parent in _PRESENT:
        report.add(VLAN, parsed.at(command), "no parent: --device must name it")
    elif re.match(r"(?:bond|team|br)\d", parent) and parent not in made and parsed.storage_is_here:
        report.add(VLAN, parsed.at(command, parent), f"parent '{parent}' is not defined by an earlier line")


@rule
def interfaces(parsed: Parsed, report: Report) -> None:
    seen: dict[str, int] = {}
    lines = parsed.all("network")
    # What a VLAN or a bridge stands on needs no address of its own.
    carriers = {c.get("--device") for c in lines if c.get("--vlanid")}
    for slaves in (c.get("--bridgeslaves") or "" for c in lines):
        carriers.update(slaves.split(","))
    for command in lines:
        bare = command.has("--noipv4") and command.has("--noipv6") and not command.get("--vlanid")
        if bare and command.get("--device") not in carriers:
            report.add(NO_PROTOCOL, parsed.at(command, "--noipv6"), "--noipv4 and --noipv6")
        mtu = command.get("--mtu")
        size = integer(mtu)
        least = 1280 if command.has("--ipv6") else 576
        if mtu and (size is None or not least <= size <= 65535):
            report.add(MTU, parsed.at(command, mtu), f"--mtu={mtu}")
        if (command.get("--onboot") or "").lower() in ("off", "no", "false", "0"):
            report.add(OFF_AT_BOOT, parsed.at(command, "--onboot"), "no network after the reboot")
        ip = command.get("--ip")
        if ip in seen:
            report.add(SAME_ADDRESS, parsed.at(command, ip or ""), f"{ip} is also in line {seen[ip]}")
        if ip:
            seen[ip] = command.line
    configured = [line for line in lines if line.has("--ip", "--bootproto", "--ipv6", "--device")]
    answered = any(line.has("--nameserver", "--nodns") for line in lines)
    if configured and not answered and all(_is_static(line) for line in configured):
        report.add(NO_DNS, parsed.at(configured[0]), "no --nameserver on any line")
