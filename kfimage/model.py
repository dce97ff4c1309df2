"""The site's grammar as frozen types; every field says what it is for, and `kfimage schema` and the manual are made from it."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Optional, Union

from kfimage import kinds as k
from kfimage.errors import ERROR, Report, define
from kfimage.grammar import listing, one, table
from kfimage.kinds import Address, SizeRange
from kfimage.located import Mapping, Node

ONE_OF = define(
    "KF1201", ERROR, "exactly one of several keys is needed",
    why="The keys exclude each other, or none of them was chosen.",
    fix="keep exactly one of the keys named",
)
CONFLICT = define(
    "KF1202", ERROR, "two values that cannot both hold",
    why="Each is right alone; together they describe a node that cannot be.",
    fix="change one of the two",
)


def place(node: Node, key: str) -> Any:
    """Where a key of a struct was written; the struct itself when it was not."""
    return node.key_mark(key) if isinstance(node, Mapping) else node.mark


def blame(node: Node, keys: list[str]) -> Any:
    """Where the last of several keys that clash was written; one the user wrote before one of the built-in layers."""
    marks = [place(node, key) for key in keys]
    return next((mark for mark in reversed(marks) if not mark.file.startswith("kfimage:")), marks[-1])


def exactly_one(struct: Any, keys: tuple[str, ...], node: Node, path: str, report: Report) -> None:
    given = [key for key in keys if getattr(struct, key) not in (None, False)]
    if len(given) != 1:
        mark = blame(node, given) if len(given) > 1 else node.mark
        had = f", not {' and '.join(given)}" if given else ""
        report.add(ONE_OF, mark, f"{path}: exactly one of {', '.join(keys)} is needed{had}")


@dataclass(frozen=True)
class SecretRef:
    """Where a secret lies; the site never holds the secret itself."""

    file: Optional[str] = one(k.line, "a file that holds the secret; relative to the site's folder, or absolute")
    env: Optional[str] = one(k.variable, "an environment variable that holds the secret")

    def rules(self, node: Node, path: str, report: Report) -> None:
        exactly_one(self, ("file", "env"), node, path, report)


@dataclass(frozen=True)
class Key:
    """A repository's signing key, pinned."""

    fingerprint: Optional[str] = one(k.fingerprint, "the key's full fingerprint, 40 hex digits", required=True)
    url: Optional[str] = one(k.http, "where the node fetches the key; it is refused unless the fingerprint fits")
    file: Optional[str] = one(k.relative, "a key file in the site's folder, carried in the kickstart")
    accept_expired: Optional[bool] = one(k.boolean, "accept this key although it has expired (recorded in index.json)")

    def rules(self, node: Node, path: str, report: Report) -> None:
        exactly_one(self, ("url", "file"), node, path, report)


@dataclass(frozen=True)
class Repository:
    """A repository of signed RPMs that is not the vendor's media."""

    url: Optional[str] = one(k.http, "the repository's base URL (the folder that holds repodata/)", required=True)
    key: Optional[Key] = one(Key, "its signing key", required=True)


@dataclass(frozen=True)
class VendorRepo:
    """A repository of the vendor's that the installer uses beside the install source."""

    SHORT = "url"
    url: Optional[str] = one(k.http, "base URL", required=True)
    proxy: Optional[str] = one(k.proxy, "proxy for this repository alone")


@dataclass(frozen=True)
class Nfs:
    server: Optional[str] = one(k.host, "NFS server", required=True)
    path: Optional[str] = one(k.absolute, "exported folder with the install tree or the ISO", required=True)
    options: Optional[str] = one(k.word, "mount options")


@dataclass(frozen=True)
class HardDrive:
    partition: Optional[str] = one(k.word, "partition, as in LABEL=RHEL or sdb1", required=True)
    path: Optional[str] = one(k.absolute, "folder that holds the ISO or tree", required=True)


@dataclass(frozen=True)
class Rhsm:
    """Registration with Red Hat: at install when it is the install source and the key is waived, else at first boot."""

    organization: Optional[str] = one(k.word, "organization id", required=True)
    activation_key: Optional[SecretRef] = one(SecretRef, "the activation key, by reference", required=True)
    server: Optional[str] = one(k.host, "Satellite or subscription server")
    insights: Optional[bool] = one(k.boolean, "connect to Insights")


@dataclass(frozen=True)
class Install:
    """Where the installer takes RHEL from: exactly one source."""

    url: Optional[str] = one(k.url("http", "https", "ftp"), "install tree over HTTP(S) or FTP")
    cdrom: Optional[bool] = one(k.boolean, "the DVD or ISO the node booted from")
    nfs: Optional[Nfs] = one(Nfs, "install tree over NFS")
    harddrive: Optional[HardDrive] = one(HardDrive, "a local partition")
    kernel_line: Optional[Union[str, bool]] = one(k.install_arg, "the kernel line names the source: what its inst.repo= says, or yes when something else writes that line")
    stage2: Optional[str] = one(k.http, "installer image (inst.stage2=) for a source that holds none, such as rhsm")
    rhsm: Optional[Rhsm] = one(Rhsm, "Red Hat's network; also registers the node when it stands beside another source")
    repos: MappingType[str, VendorRepo] = table(k.name, VendorRepo, "more vendor repositories, such as AppStream of the same release")

    def rules(self, node: Node, path: str, report: Report) -> None:
        plain = ("url", "cdrom", "nfs", "harddrive", "kernel_line")
        if sum(bool(getattr(self, key)) for key in plain) > 1:
            exactly_one(self, plain, node, path, report)

    @property
    def source(self) -> str:
        """The name of the source in use; the DVD when the site names none."""
        named = next((s for s in ("url", "nfs", "harddrive", "kernel_line", "cdrom") if getattr(self, s)), None)
        return named or ("rhsm" if self.rhsm else "cdrom")


@dataclass(frozen=True)
class LocalDisk:
    """How a boot loader leaves for the local disk; firmware differs in what it takes."""

    bios: Optional[str] = one(k.choice("localboot", "chain"), "pxelinux: back to the BIOS, or chain.c32 (beside pxelinux.0) starts the first disk")
    uefi: Optional[str] = one(k.choice("exit", "chainload"), "GRUB: back to the firmware, or the disk's own boot loader started from its EFI partition")


@dataclass(frozen=True)
class Boot:
    """How nodes find this tree and what they do when the network boots them."""

    url: Optional[str] = one(k.http, "where this output folder is served")
    order: Optional[str] = one(k.choice("net-first", "disk-first", "keep"), "UEFI boot order after the install")
    network: Optional[str] = one(k.choice("dhcp", "static", "dhcp6", "auto6"), "the installer's address: ip= of its kernel line; static: the node's own")
    local: Optional[LocalDisk] = one(LocalDisk, "how the entry for the local disk starts it")
    nodes: Optional[str] = one(k.choice("install", "local"), "what the entry of a known MAC does by default")
    others: Optional[str] = one(k.name, "what an unknown MAC gets: local, or a role to install")
    payload: Optional[str] = one(k.choice("auto", "embed", "url"), "carry the first-boot payload in the kickstart or fetch it from boot.url")
    timeout: Optional[int] = one(k.integer(0, 3600), "seconds a boot menu waits")
    secure: Optional[bool] = one(k.boolean, "the nodes run with Secure Boot")
    on_failure: Optional[str] = one(k.choice("hold", "poweroff", "reboot"), "what an install that failed does after it has said why")


@dataclass(frozen=True)
class Locale:
    language: Optional[str] = one(k.language, "system locale")
    keyboard: Optional[str] = one(k.keyboard, "console keyboard layout")


@dataclass(frozen=True)
class Time:
    zone: Optional[str] = one(k.zone, "time zone")
    ntp: tuple[str, ...] = listing(k.host, "NTP servers; none means the release's own pool")


@dataclass(frozen=True)
class Access:
    """Who can log in. root is locked; ssh takes keys only."""

    admin: Optional[str] = one(k.user, "administrator's user name, member of wheel")
    ssh_keys: tuple[str, ...] = listing(k.ssh_key, "public keys of the administrator")
    password: Optional[SecretRef] = one(SecretRef, "crypt(3) hash for the console login, by reference; needs waive: [access.password]")
    sudo: Optional[str] = one(k.choice("nopasswd", "password"), "how wheel uses sudo")


@dataclass(frozen=True)
class DiskRule:
    """Which disk; all keys given must fit, and exactly as many disks as the layout needs must be left."""

    id: tuple[str, ...] = listing(k.word, "name under /dev/disk/by-id, or several")
    wwn: tuple[str, ...] = listing(k.word, "world wide name, or several")
    serial: tuple[str, ...] = listing(k.word, "serial number, or several")
    path: tuple[str, ...] = listing(k.absolute, "/dev/... or /dev/disk/by-path/..., or several")
    model: Optional[str] = one(k.fact_text, "model, * as a wildcard")
    size: Optional[SizeRange] = one(k.size_range, ">=400G, <=1T, 400G..600G, or 480G for about that size")
    pick: Optional[str] = one(k.choice("smallest", "largest"), "of those that fit, by size; equal sizes are refused")


@dataclass(frozen=True)
class Tang:
    WHOLE = True
    url: Optional[str] = one(k.http, "Tang server", required=True)
    thumbprint: Optional[str] = one(k.word, "its key's thumbprint (`tang-show-keys`)", required=True)


@dataclass(frozen=True)
class Encrypt:
    """LUKS2, unlocked by Clevis, so that no passphrase is typed or stored."""

    tang: tuple[Tang, ...] = listing(Tang, "network-bound: Tang servers")
    tpm2: Optional[str] = one(k._pattern("PCR list", r"[0-9]{1,2}(?:,[0-9]{1,2})*", "is not a list of PCRs", "as in 7 or 0,7"), "TPM2: the PCRs to bind to")
    threshold: Optional[int] = one(k.integer(1, 8), "how many of them must be there; silent: one, or TPM and Tang together where both are given")

    def rules(self, node: Node, path: str, report: Report) -> None:
        pins = len(self.tang) + (self.tpm2 is not None)
        if not pins:
            report.add(ONE_OF, node.mark, f"{path}: tang, tpm2 or both are needed")
        elif (self.threshold or 1) > pins:
            report.add(CONFLICT, place(node, "threshold"), f"{path}: threshold {self.threshold} of {pins} can never be met")


@dataclass(frozen=True)
class Volumes:
    """Sizes of the filesystems; `rest` gives one of them what is left."""

    boot: Optional[str] = one(k.volume("512M"), "/boot, at least 512M")
    root: Optional[str] = one(k.volume("8G", "rest"), "/, at least 8G")
    var: Optional[str] = one(k.volume("2G", "rest", "none"), "/var, at least 2G")
    containers: Optional[str] = one(k.volume("10G", "rest", "none"), "/var/lib/containers (images), at least 10G")

    def rules(self, node: Node, path: str, report: Report) -> None:
        rest = [key for key in ("root", "var", "containers") if getattr(self, key) == "rest"]
        if len(rest) > 1:
            report.add(CONFLICT, blame(node, rest), f"{path}: only one volume can take the rest, not {' and '.join(rest)}")
        elif not rest:
            report.add(ONE_OF, node.mark, f"{path}: one of root, var, containers must be 'rest', or disk space stays unused")


@dataclass(frozen=True)
class Disk:
    """Where the system goes and how it is laid out. Never on removable or virtual media; never with swap."""

    root: Optional[DiskRule] = one(DiskRule, "which disk holds the system; no rule means the node has exactly one")
    layout: Optional[str] = one(k.choice("lvm", "plain"), "logical volumes or plain partitions")
    raid: Optional[str] = one(k.choice("none", "mirror"), "mirror: two disks, mdraid1 for ESP, /boot and the rest")
    volumes: Optional[Volumes] = one(Volumes, "sizes")
    encrypt: Optional[Encrypt] = one(Encrypt, "LUKS with Clevis")
    wipe: Optional[str] = one(k.choice("guard", "all"), "guard: a disk with somebody else's data stops the install; all: take it")

    def rules(self, node: Node, path: str, report: Report) -> None:
        if self.encrypt is not None and self.layout == "plain":
            report.add(CONFLICT, blame(node, ["layout", "encrypt"]), f"{path}.encrypt needs {path}.layout lvm: one LUKS below the volume group is unlocked once")
        for key in ("id", "wwn", "serial", "path"):
            named = len(getattr(self.root, key)) if self.root else 0
            wanted = 2 if self.raid == "mirror" else 1
            if named and named != wanted:
                root = node.get("root") if isinstance(node, Mapping) else None
                mark = place(root, key) if root is not None else node.mark
                report.add(CONFLICT, mark, f"{path}.root.{key} names {named} disk{'s' * (named > 1)}, but {path}.raid '{self.raid}' takes {wanted}")


@dataclass(frozen=True)
class Route:
    WHOLE = True
    to: Optional[str] = one(k.cidr, "destination network", required=True)
    via: Optional[str] = one(k.ip, "next hop", required=True)
    metric: Optional[int] = one(k.integer(0, 4294967295), "metric")


@dataclass(frozen=True)
class Vlan:
    """A VLAN on top of an interface."""

    address: tuple[Address, ...] = listing(k.host_address, "static addresses; none means DHCP")
    gateway: Optional[str] = one(k.ip, "default gateway")
    mtu: Optional[int] = one(k.integer(576, 65535), "MTU")
    dns: tuple[str, ...] = listing(k.ip, "DNS servers for this connection")
    routes: tuple[Route, ...] = listing(Route, "static routes")
    dhcp: Optional[bool] = one(k.boolean, "ask DHCP; yes unless an address is given")
    default_route: Optional[bool] = one(k.boolean, "no: never the default route")


@dataclass(frozen=True)
class Interface(Vlan):
    """A network interface in its long form, under its kernel name."""

    mac: Optional[str] = one(k.mac, "its MAC address")
    boot: Optional[bool] = one(k.boolean, "this is the one that PXE boots; the first with a MAC otherwise")
    bond: Optional[str] = one(k.interface, "it is a port of this bond")
    bridge: Optional[str] = one(k.interface, "it is a port of this bridge")
    mode: Optional[str] = one(k.choice("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb", "bridge"), "this is a bond of that mode, or a bridge")
    options: MappingType[str, str] = table(k.user, k.word, "bond or bridge options, such as miimon: 100")
    ipv6: Optional[str] = one(k.choice("auto", "dhcp", "ignore"), "how IPv6 is set up when no IPv6 address is given")
    vlans: MappingType[str, Vlan] = table(k._pattern("VLAN id", r"[1-9][0-9]{0,2}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-4]", "is not a VLAN id", "1 to 4094"), Vlan, "VLANs on it")


@dataclass(frozen=True)
class Network:
    """What interfaces inherit unless they say otherwise."""

    dns: tuple[str, ...] = listing(k.ip, "DNS servers")
    search: tuple[str, ...] = listing(k.hostname, "DNS search domains")
    domain: Optional[str] = one(k.hostname, "appended to node names without a dot")
    gateway: Optional[str] = one(k.ip, "default gateway of addresses that contain it")
    mtu: Optional[int] = one(k.integer(576, 65535), "MTU of the short form's interface")
    device: Optional[str] = one(k.word, "the install interface where no node names one: link, bootif, a name or a MAC")


@dataclass(frozen=True)
class Proxy:
    http: Optional[str] = one(k.proxy, "proxy for http, with its port")
    https: Optional[str] = one(k.proxy, "proxy for https; the http one otherwise")
    except_for: tuple[str, ...] = listing(
        k.word, "hosts, domains and networks reached directly, by installer and node; pods, services, the API and firewall.cluster are added"
    )


_FORWARDING = frozenset(("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"))


@dataclass(frozen=True)
class Kernel:
    args: tuple[str, ...] = listing(k.kernel_arg, "kernel arguments of the installed system")
    console: tuple[str, ...] = listing(k.console, "consoles, the main one last; also the installer's")
    modules: tuple[str, ...] = listing(k.module, "more modules to load at boot")
    sysctl: MappingType[str, str] = table(k.sysctl_key, k.fact_text, "more sysctls")
    lock: Optional[bool] = one(k.boolean, "keep dnf update from changing kernel and release")

    def rules(self, node: Node, path: str, report: Report) -> None:
        for key, value in self.sysctl.items():
            name = key.replace("/", ".")
            if value.strip() != "1" and (name in _FORWARDING or name.startswith("net.bridge.bridge-nf-call-")):
                sysctls = node.get("sysctl") if isinstance(node, Mapping) else None
                mark = place(sysctls, key) if sysctls is not None else node.mark
                report.add(CONFLICT, mark, f"{path}.sysctl.{key} is {value}, but pods need 1", "leave it out: the step `kernel` sets what Kubernetes needs")


@dataclass(frozen=True)
class Firewall:
    mode: Optional[str] = one(k.choice("firewalld", "disabled"), "firewalld with the iptables backend, or none")
    preset: Optional[str] = one(k.choice("role", "guide"), "ports by role and Calico, or the guide's own list")
    ports: tuple[str, ...] = listing(k.port, "ports of the role")
    extra: tuple[str, ...] = listing(k.port, "more ports, open to everyone")
    cluster: tuple[str, ...] = listing(k.cidr, "networks of the cluster's nodes; the role's ports open for them only")
    trusted: tuple[str, ...] = listing(k.cidr, "networks that may reach everything, beside pods and services")
    ssh_from: tuple[str, ...] = listing(k.cidr, "networks that may use ssh; everyone otherwise")


@dataclass(frozen=True)
class Kubernetes:
    version: Optional[str] = one(k._pattern("version", r"1\.[0-9]{1,2}\.[0-9]{1,3}", "is not a Kubernetes version", "as in 1.25.10"), "kubelet, kubeadm and kubectl", required=True)
    api: Optional[str] = one(k.endpoint, "API endpoint, host:port")
    pods: Optional[str] = one(k.cidr, "pod network", required=True)
    services: Optional[str] = one(k.cidr, "service network", required=True)
    dns_domain: Optional[str] = one(k.hostname, "cluster domain")
    labels: MappingType[str, str] = table(k.label_key, k.label_value, "node labels")
    taints: tuple[str, ...] = listing(k.taint, "node taints")
    kubelet: MappingType[str, str] = table(k._pattern("KubeletConfiguration field", r"[a-z][A-Za-z0-9]{1,60}", "is not a KubeletConfiguration field", "as in maxPods"), k.word, "KubeletConfiguration fields with plain values")


@dataclass(frozen=True)
class Calico:
    encapsulation: Optional[str] = one(k.choice("ipip", "vxlan", "none"), "between nodes; the firewall follows it")
    typha: Optional[bool] = one(k.boolean, "Typha runs on these nodes")
    wireguard: Optional[bool] = one(k.boolean, "WireGuard between nodes")


@dataclass(frozen=True)
class Crio:
    version: Optional[str] = one(k.version, "CRI-O version", required=True)
    source: Optional[str] = one(k.choice("bundle", "repo"), "the upstream static bundle by sha256, or packages from a repository of the site")
    url: Optional[str] = one(k.http, "where the bundle is fetched; upstream's address otherwise")
    sha256: Optional[str] = one(k.sha256, "the bundle's sha256 when it is not one kfimage knows")
    runtime: Optional[str] = one(k.choice("runc", "crun"), "low-level runtime")
    pause_image: Optional[str] = one(k.image, "pause image; kubeadm's own for this version", required=True)
    registries: tuple[str, ...] = listing(k.registry, "registries that short image names are looked up in")
    mirrors: MappingType[str, str] = table(k.registry, k.registry, "registry: its mirror in the rack")
    insecure: tuple[str, ...] = listing(k.registry, "registries reached without TLS")
    pull_credentials: Optional[SecretRef] = one(SecretRef, "auth.json for pulling images, by reference; in the kickstart only with waive: [crio.pull_credentials]")


@dataclass(frozen=True)
class Driver:
    SHORT = "mode"
    mode: Optional[str] = one(k.choice("kmod", "dkms", "preinstalled", "none"), "precompiled, built on the node, already there, or no GPU driver")
    version: Optional[str] = one(k.version, "driver version")
    packages: tuple[str, ...] = listing(k.group_or_package, "packages that bring the driver")


@dataclass(frozen=True)
class Nvidia:
    driver: Optional[Driver] = one(Driver, "the GPU driver")
    toolkit: Optional[str] = one(k.version, "NVIDIA container toolkit version; absent: no toolkit")
    cdi: Optional[bool] = one(k.boolean, "keep a CDI spec in /etc/cdi, made at first boot and when the driver changes")
    fabric_manager: Optional[str] = one(k.choice("auto", "yes", "no"), "nvidia-fabricmanager; auto: where an NVSwitch is found")
    persistence: Optional[bool] = one(k.boolean, "nvidia-persistenced")


@dataclass(frozen=True)
class Tool:
    SHORT = "version"
    version: Optional[str] = one(k.version, "version", required=True)
    url: Optional[str] = one(k.http, "where it is fetched; upstream's address otherwise")
    sha256: Optional[str] = one(k.sha256, "its sha256 when kfimage knows none")


@dataclass(frozen=True)
class Packages:
    install: tuple[str, ...] = listing(k.group_or_package, "more packages from the vendor's repositories")
    remove: tuple[str, ...] = listing(k.group_or_package, "packages and groups to leave out")
    third_party: tuple[str, ...] = listing(k.package, "more packages from `repositories`, NAME-VERSION-RELEASE")


@dataclass(frozen=True)
class File:
    """A file of the site's own on the node."""

    content: Optional[str] = one(k.content, "its text")
    source: Optional[str] = one(k.relative, "a file in the site's folder")
    mode: Optional[str] = one(k.mode, "permissions, 0644 otherwise")

    def rules(self, node: Node, path: str, report: Report) -> None:
        if self.content != "":
            exactly_one(self, ("content", "source"), node, path, report)


@dataclass(frozen=True)
class Hooks:
    """Scripts of the site's own, files in its folder."""

    pre: tuple[str, ...] = listing(k.relative, "before the disks are chosen, in the installer")
    post: tuple[str, ...] = listing(k.relative, "after everything is installed, inside the new system")
    firstboot: tuple[str, ...] = listing(k.relative, "at first boot, after all steps")


@dataclass(frozen=True)
class Tell:
    """Where a node reports to."""

    url: Optional[str] = one(k.http, "callback: status as JSON")
    syslog: Optional[str] = one(k.endpoint, "remote log of the installer, host:port")


WAIVABLE = ("access.password", "crio.pull_credentials", "install.rhsm.activation_key")


@dataclass(frozen=True)
class Layer:
    """What every layer (site, role, group, node) may say; later layers win."""

    release: Optional[str] = one(k.name, "the OS release: a folder under kickstart/releases")
    install: Optional[Install] = one(Install, "install source")
    boot: Optional[Boot] = one(Boot, "network boot")
    locale: Optional[Locale] = one(Locale, "language and keyboard")
    time: Optional[Time] = one(Time, "time zone and NTP")
    access: Optional[Access] = one(Access, "who can log in")
    disk: Optional[Disk] = one(Disk, "disks")
    network: Optional[Network] = one(Network, "network defaults")
    proxy: Optional[Proxy] = one(Proxy, "HTTP proxy")
    kernel: Optional[Kernel] = one(Kernel, "kernel")
    selinux: Optional[str] = one(k.choice("permissive", "enforcing"), "SELinux mode; disabled is not offered")
    firewall: Optional[Firewall] = one(Firewall, "host firewall")
    kubernetes: Optional[Kubernetes] = one(Kubernetes, "Kubernetes")
    calico: Optional[Calico] = one(Calico, "what the firewall and kernel must let through")
    crio: Optional[Crio] = one(Crio, "container runtime")
    nvidia: Optional[Nvidia] = one(Nvidia, "GPU driver and container toolkit")
    tools: MappingType[str, Tool] = table(k.choice("helm", "kustomize"), Tool, "command line tools, pinned")
    repositories: MappingType[str, Repository] = table(k.name, Repository, "repositories of signed third-party RPMs")
    packages: Optional[Packages] = one(Packages, "packages")
    files: MappingType[str, File] = table(k.node_file, File, "files of the site's own, by path on the node")
    hooks: Optional[Hooks] = one(Hooks, "scripts of the site's own")
    report: Optional[Tell] = one(Tell, "callback and remote log")
    steps: tuple[str, ...] = listing(k.name, "first-boot steps, in order")
    waive: tuple[str, ...] = listing(k.choice(*WAIVABLE), "secrets the site accepts in the kickstart, by name")


@dataclass(frozen=True)
class NodeLayer(Layer):
    """One machine."""

    WHOLE = True
    role: Optional[str] = one(k.name, "its role", required=True)
    mac: Optional[str] = one(k.mac, "short form: the MAC address of its only interface")
    address: tuple[Address, ...] = listing(k.host_address, "short form: its static address; none means DHCP")
    gateway: Optional[str] = one(k.ip, "short form: its gateway")
    interfaces: MappingType[str, Interface] = table(k.interface, Interface, "long form: interfaces by kernel name")


@dataclass(frozen=True)
class RoleLayer(Layer):
    """What a node does."""

    description: Optional[str] = one(k.line, "one line for people")


@dataclass(frozen=True)
class Match:
    """Which nodes a group holds: all keys given must fit."""

    name: tuple[str, ...] = listing(k.glob, "name patterns, one of which must fit")
    role: tuple[str, ...] = listing(k.name, "roles")
    network: tuple[str, ...] = listing(k.cidr, "networks that hold the node's address")


@dataclass(frozen=True)
class GroupLayer(Layer):
    """Where nodes stand or what hardware they are."""

    WHOLE = True
    match: Optional[Match] = one(Match, "its nodes", required=True)
    priority: Optional[int] = one(k.integer(0, 1000), "of two groups that say the same key, the higher one wins; 0 otherwise")


@dataclass(frozen=True)
class NodesFrom:
    WHOLE = True
    SHORT = "file"
    file: Optional[str] = one(k.relative, "a CSV in the site's folder", required=True)
    columns: MappingType[str, str] = table(k.line, k.word, "column title: the key it fills (dotted), or - to leave it out")


@dataclass(frozen=True)
class SiteFile(Layer):
    """A whole site.yaml."""

    WHOLE = True
    kfimage: Optional[str] = one(k.choice("1"), "version of this grammar", required=True)
    site: Optional[str] = one(k.name, "the site's name", required=True)
    roles: MappingType[str, RoleLayer] = table(k.name, RoleLayer, "what this site adds to a role, or its own roles")
    groups: MappingType[str, GroupLayer] = table(k.name, GroupLayer, "groups of nodes")
    nodes_from: Optional[NodesFrom] = one(NodesFrom, "nodes from a CSV")
    nodes: MappingType[str, NodeLayer] = table(k.hostname, NodeLayer, "the machines")


@dataclass(frozen=True)
class Nic(Interface):
    """An interface of a plan: the site's, with its name or MAC as the installer is told it."""

    device: str = ""


@dataclass(frozen=True)
class NodeId:
    """What makes one node that node; everything else in a plan may be shared by many."""

    name: str
    hostname: str
    macs: tuple[str, ...]
    boot_mac: Optional[str]
    ip: Optional[str]


@dataclass(frozen=True)
class Release:
    """One OS release, as data."""

    name: str
    title: str
    os_id: str
    os_version: str
    pykickstart: str
    kernel: str
    initrd: str
    units: str
    packages: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Everything about one node, or about a role when `node` is None: resolved, typed, frozen.

    Parts that no layer of the node changes are the same objects in every plan; render and verify lean on that.
    """

    name: str
    role: str
    site: str
    node: Optional[NodeId]
    release: Release
    nics: tuple[Nic, ...]
    install: Install
    boot: Boot
    locale: Locale
    time: Time
    access: Access
    disk: Disk
    network: Network
    proxy: Proxy
    kernel: Kernel
    selinux: str
    firewall: Firewall
    kubernetes: Kubernetes
    calico: Calico
    crio: Crio
    nvidia: Nvidia
    tools: MappingType[str, Tool]
    repositories: MappingType[str, Repository]
    packages: Packages
    files: MappingType[str, File]
    hooks: Hooks
    report: Tell
    steps: tuple[str, ...]
    waive: tuple[str, ...]

    @property
    def shared(self) -> tuple[Any, ...]:
        """Every part that plans of other nodes may share, in a fixed order."""
        parts: tuple[Any, ...] = _SHARED(self)
        return parts


_SHARED = attrgetter(*(f.name for f in fields(Plan) if f.name not in ("name", "node", "nics")))
