"""firewall and services lines."""

from __future__ import annotations

import re

from kfimage.errors import ERROR, NOTE, WARNING, Report, define, did_you_mean
from kfimage.verify.kslint.model import Parsed, commas, integer, rule

PORT = define(
    "KF2351",
    ERROR,
    "not a port the firewall can open",
    why="`6443/tcp` is stored as the port '6443/tcp' of protocol tcp, and 99999 is taken too: firewalld gets what it "
    "cannot parse and the port stays closed.",
    fix="PORT:PROTOCOL with a colon, as in --port=6443:tcp,30000-32767:tcp",
    source="pykickstart 3.78 commands/firewall.py, firewall_port_cb",
)
SERVICE = define(
    "KF2352",
    WARNING,
    "a firewall service RHEL 8.7 does not ship",
    why="The installer passes the name to firewall-offline-cmd, which fails on an unknown service; the failure is "
    "only logged.",
    fix="correct the name, or open the port with --port=",
    source="firewalld 0.9.3 config/services (the list is from memory)",
)
CONTRADICTS = define(
    "KF2353",
    ERROR,
    "the firewall is switched on and off",
    why="--enabled and --disabled on one line: the last one wins in silence.",
    fix="keep the one that is meant",
    source="pykickstart 3.78 commands/firewall.py",
)
DISABLED = define(
    "KF2354",
    WARNING,
    "the firewall is off",
    why="Everything that listens on the node, kubelet and etcd among it, is open to whoever reaches it.",
    fix="use `firewall --enabled --port=...` with the ports the role needs",
    source="Kubernetes, ports and protocols",
)
NOT_OWNED = define(
    "KF2355",
    ERROR,
    "a service is enabled that %packages does not bring",
    why="services --enabled runs before %post, and a unit that does not exist yet raises ValueError: the installation "
    "ends there.",
    fix="add the package to %packages, or run `systemctl enable` in the %post that installs it",
    source="anaconda 33.16.7.12 core/util.py:679",
)
UNKNOWN_UNIT = define(
    "KF2356",
    NOTE,
    "a service nobody here knows",
    why="A unit that no package of %packages owns ends the installation; kfimage does not know which one owns this.",
    fix="check with `dnf provides '*/NAME.service'` on RHEL 8.7 that %packages brings it",
    source="anaconda 33.16.7.12 core/util.py:679",
)
BOTH = define(
    "KF2357",
    ERROR,
    "a service is enabled and disabled",
    why="The disabled list runs first, so it ends up enabled, whatever was meant.",
    fix="name it once",
    source="pykickstart 3.78 commands/services.py",
)
MALFORMED = define(
    "KF2358",
    ERROR,
    "a service name that cannot exist",
    why="Lists are split at commas only: with blanks, semicolons or a path the words become one unit name.",
    fix='write --enabled="sshd,chronyd"',
    source="pykickstart 3.78 options.py, commaSplit",
)

_PROTOCOLS = frozenset({"tcp", "udp", "sctp", "dccp"})
_UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]+")
_THIRD_PARTY = re.compile(
    r"(?:kubelet|kube-\w+|crio|cri-o|containerd|docker|etcd|nvidia-\w+|dcgm|nvidia|openibd|opensm|kfimage\S*|calico\S*)"
)
# In the @core group of RHEL 8, or pulled in by it: these units are always there.
_CORE = frozenset(
    "sshd firewalld NetworkManager NetworkManager-wait-online NetworkManager-dispatcher crond rsyslog auditd tuned "
    "irqbalance sssd dnf-makecache kdump chronyd getty@tty1 systemd-journald systemd-resolved systemd-tmpfiles-clean "
    "fstrim dbus polkit lvm2-monitor microcode selinux-autorelabel-mark rhsmcertd rhsm import-state loadmodules "
    "nis-domainname autovt@ tmp systemd-udevd systemd-logind debug-shell serial-getty@ttyS0 serial-getty@ttyS1 "
    "ctrl-alt-del fips-finish unbound-anchor timedatex mdmonitor".split()
)
_CORE_OWNERS = {"sshd": "openssh-server", "chronyd": "chrony", "kdump": "kexec-tools", "crond": "cronie"}
_OWNERS = {
    "rngd": ("rng-tools",),
    "multipathd": ("device-mapper-multipath",),
    "iscsid": ("iscsi-initiator-utils",),
    "iscsi": ("iscsi-initiator-utils",),
    "smartd": ("smartmontools",),
    "podman": ("podman",),
    "cockpit": ("cockpit", "cockpit-ws"),
    "httpd": ("httpd",),
    "nfs-server": ("nfs-utils",),
    "rpcbind": ("rpcbind", "nfs-utils"),
    "dnf-automatic": ("dnf-automatic",),
    "snmpd": ("net-snmp",),
    "lldpd": ("lldpd",),
    "lldpad": ("lldpad",),
    "ipmi": ("OpenIPMI",),
    "ipmievd": ("ipmitool",),
    "mcelog": ("mcelog",),
    "rasdaemon": ("rasdaemon",),
    "numad": ("numad",),
    "postfix": ("postfix",),
    "dnsmasq": ("dnsmasq",),
    "haproxy": ("haproxy",),
    "keepalived": ("keepalived",),
    "clevis-luks-askpass": ("clevis-systemd",),
    "tangd": ("tang",),
    "sysstat": ("sysstat",),
    "pmcd": ("pcp",),
    "osbuild-composer": ("osbuild-composer",),
    "libvirtd": ("libvirt-daemon", "libvirt"),
    "nftables": ("nftables",),
    "iptables": ("iptables-services",),
    "ebtables": ("iptables-ebtables",),
    "fapolicyd": ("fapolicyd",),
    "usbguard": ("usbguard",),
    "insights-client": ("insights-client",),
    "rdma-ndd": ("rdma-core",),
    "srp_daemon": ("srp_daemon",),
    "stalld": ("stalld",),
    "bluetooth": ("bluez",),
    "cups": ("cups",),
    "avahi-daemon": ("avahi",),
    "gdm": ("gdm",),
    "ModemManager": ("ModemManager",),
}
_SERVICES = frozenset(
    "RH-Satellite-6 RH-Satellite-6-capsule amanda-client amanda-k5-client amqp amqps apcupsd audit bacula "
    "bacula-client bb bgp bitcoin bitcoin-rpc bitcoin-testnet bitcoin-testnet-rpc bittorrent-lsd ceph ceph-mon "
    "cfengine cockpit collectd condor-collector ctdb dhcp dhcpv6 dhcpv6-client distcc dns dns-over-tls "
    "docker-registry docker-swarm dropbox-lansync elasticsearch etcd-client etcd-server finger foreman "
    "foreman-proxy freeipa-4 freeipa-ldap freeipa-ldaps freeipa-replication freeipa-trust ftp galera ganglia-client "
    "ganglia-master git grafana gre high-availability http https imap imaps ipp ipp-client ipsec irc ircs "
    "iscsi-target isns jenkins kadmin kdeconnect kerberos kibana klogin kpasswd kprop kshell kube-apiserver ldap "
    "ldaps libvirt libvirt-tls lightning-network llmnr managesieve matrix mdns memcache minidlna mongodb mosh "
    "mountd mqtt mqtt-tls ms-wbt mssql murmur mysql nbd nfs nfs3 nmea-0183 nrpe ntp nut openvpn ovirt-imageio "
    "ovirt-storageconsole ovirt-vmconsole plex pmcd pmproxy pmwebapi pmwebapis pop3 pop3s postgresql privoxy "
    "prometheus proxy-dhcp ptp pulseaudio puppetmaster quassel radius rdp redis redis-sentinel rpc-bind rquotad rsh "
    "rsyncd rtsp salt-master samba samba-client samba-dc sane sip sips slp smtp smtp-submission smtps snmp snmptrap "
    "spideroak-lansync spotify-sync squid ssdp ssh steam-streaming svdrp svn syncthing syncthing-gui synergy syslog "
    "syslog-tls telnet tentacle tftp tftp-client tile38 tinc tor-socks transmission-client upnp-client vdsm "
    "vnc-server wbem-http wbem-https wsman wsmans xdmcp xmpp-bosh xmpp-client xmpp-local xmpp-server zabbix-agent "
    "zabbix-server".split()
)


@rule
def ports(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("firewall"):
        for entry in [port for value in command.values("--port") for port in commas(value)]:
            fault = _port_fault(entry)
            if fault:
                report.add(PORT, parsed.at(command, entry), fault)
        for service in [name for value in command.values("--service") for name in commas(value)]:
            if service not in _SERVICES:
                report.add(SERVICE, parsed.at(command, service), f"'{service}': {did_you_mean(service, _SERVICES)}")
        on, off = command.has("--enable", "--enabled"), command.has("--disable", "--disabled")
        if on and off:
            report.add(CONTRADICTS, parsed.at(command), "both --enabled and --disabled")
        elif off:
            report.add(DISABLED, parsed.at(command, "--disable"), "firewall --disabled")


def _port_fault(entry: str) -> str:
    port, colon, protocol = entry.partition(":")
    if "/" in entry:
        return f"'{entry}': a colon belongs between port and protocol, not a slash"
    if colon and protocol not in _PROTOCOLS:
        return f"'{entry}': '{protocol}' is no protocol"
    if not colon and not port[:1].isdigit():
        return "" if re.fullmatch(r"[a-z][a-z0-9-]*", port) else f"'{entry}' is no port"
    first, dash, last = port.partition("-")
    low, high = integer(first), integer(last) if dash else integer(first)
    if low is None or high is None:
        return "" if re.fullmatch(r"[a-z][a-z0-9-]*", port) else f"'{entry}' is no port"
    if not 1 <= low <= high <= 65535:
        return f"'{entry}' is not between 1 and 65535" if low <= high else f"'{entry}' runs backwards"
    return ""


def _bare(unit: str) -> str:
    return re.sub(r"\.(?:service|timer|socket|target|path|mount)$", "", unit)


@rule
def services(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("services"):
        for option in ("--enabled", "--disabled"):
            for unit in commas(command.get(option)):
                if not _UNIT.fullmatch(unit):
                    report.add(MALFORMED, parsed.at(command, unit), f"'{unit}' is no unit name")
                elif option == "--enabled":
                    _owned(unit, command.line, parsed, report)
    enabled = {_bare(unit) for c in parsed.all("services") for unit in commas(c.get("--enabled"))}
    for command in parsed.all("services"):
        for unit in commas(command.get("--disabled")):
            if _bare(unit) in enabled:
                report.add(BOTH, parsed.at(command, unit), f"'{unit}' is also enabled")


def _owned(unit: str, line: int, parsed: Parsed, report: Report) -> None:
    name = _bare(unit)
    owners = _OWNERS.get(name)
    excluded = {entry[1:] for _, entry in parsed.packages if entry.startswith("-") and entry[1:2] != "@"}
    mark = parsed.mark(line, _column(parsed, line, unit))
    if _THIRD_PARTY.fullmatch(name):
        report.add(NOT_OWNED, mark, f"'{unit}' comes with a third-party package, after this command runs")
    elif owners is not None:
        if not parsed.package_names.intersection(owners) and not parsed.includes:
            report.add(NOT_OWNED, mark, f"'{unit}' needs {owners[0]}, which %packages does not name")
    elif name in _CORE:
        package = _CORE_OWNERS.get(name, name)
        if package in excluded:
            report.add(NOT_OWNED, mark, f"'{unit}' needs {package}, which %packages leaves out")
    elif name not in parsed.package_names:
        report.add(UNKNOWN_UNIT, mark, f"'{unit}' has no known package")


def _column(parsed: Parsed, line: int, unit: str) -> int:
    return next((c.raw.find(unit) + 1 for c in parsed.all("services") if c.line == line), 0)
