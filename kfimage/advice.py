"""What a plan must still be told, what it must not combine, and what in it nobody has pinned."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from kfimage.catalog import Catalog
from kfimage.errors import ERROR, NOTE, WARNING, Mark, Report, define
from kfimage.fleet import OVERLAP, overlap, range_of
from kfimage.lock import Lock
from kfimage.model import CONFLICT, Plan
from kfimage.render import netboot
from kfimage.render.facts import KUBERNETES, TOOLKIT, fact_name, used_repositories
from kfimage.render.storage import unlock_address
from kfimage.sitefile import UNREADABLE

UNWAIVED = define(
    "KF5001", ERROR, "a secret that only the kickstart could carry, and the site has not accepted that",
    why="A kickstart lies on a web server and, copied, on every node: whoever reads it has the secret.",
    fix="name it under `waive` (recorded in index.json), or do without",
    source="facts/upstream.md 2: where install secrets end up",
)
SECRET_LATER = define(
    "KF5002", NOTE, "a secret that the node must be given by hand",
    why="It is not waived, so no rendered file holds it; its first-boot step waits for the file.",
    fix="put it on the node as /etc/kfimage/secrets/NAME (mode 0600), or waive it by name",
)
DKMS_SIGNED = define(
    "KF8001", ERROR, "a driver built on the node, under Secure Boot",
    why="DKMS modules are unsigned and Secure Boot's kernel refuses them; enrolling a key asks at the console.",
    fix="use nvidia.driver.mode kmod with a signed module, or boot.secure: no",
    source="facts/upstream.md 5",
)
NO_DRIVER_SOURCE = define(
    "KF8002", ERROR, "a driver to install and no package named for it",
    why="Which package holds a driver for this kernel depends on the repository; kfimage invents no names.",
    fix="give nvidia.driver.packages (NAME-VERSION-RELEASE) and a repository that holds them",
)
UNPINNED_FILE = define(
    "KF8003", ERROR, "a download whose sha256 nobody has given",
    why="What is fetched without a hash is whatever the server sends that day.",
    fix="give its url and sha256, or use a version that kickstart/kfimage.lock knows",
)
UNPINNED_PACKAGE = define(
    "KF8004", NOTE, "a package pinned by version, not by release",
    why="Two builds of one version would both be accepted; the release is not in kfimage.lock because no checked source names it.",
    fix="nothing must be done; to pin it, mirror the repository with that one build",
)
UNPINNED_NAME = define(
    "KF8024", WARNING, "a package without any version",
    why="The node gets whatever the repository holds on the day it is installed, and the next node another.",
    fix="write NAME-VERSION-RELEASE, as `dnf list --showduplicates NAME` prints it",
)
NO_LOGIN = define(
    "KF8010", WARNING, "nobody can log in",
    why="root is locked and the administrator has neither an ssh key nor a password: a node that fails can only be re-installed.",
    fix="give access.ssh_keys",
)
NO_BOOT_URL = define(
    "KF8011", WARNING, "boot.url is not set",
    why="Boot files can then only guess their own server; pxelinux cannot even do that, so it gets no install entry.",
    fix="give boot.url, the address at which this output folder is served",
)
NO_SOURCE = define(
    "KF8012", WARNING, "no install source: the node needs the DVD",
    why="Without install.url (or nfs, harddrive, kernel_line, rhsm) the installer looks for a DVD in the node.",
    fix="give install.url, the address of the vendor's BaseOS tree",
)
NO_API = define(
    "KF8013", WARNING, "kubernetes.api is not set",
    why="Joining needs the API server's address, and a proxy must not be asked for it.",
    fix="give kubernetes.api, HOST:6443",
)
DRIVER_ELSEWHERE = define(
    "KF8014", WARNING, "nobody installs the GPU driver",
    why="nvidia.driver.mode is preinstalled, as the guide assumes; from blank disks nothing is, so the node waits for a driver.",
    fix="choose nvidia.driver.mode kmod or dkms with a repository, or bring the driver by a hook",
)
ENFORCING = define(
    "KF8015", WARNING, "SELinux enforcing is not proven",
    why="The policy of RHEL cannot be rehearsed without RHEL; container-selinux and labels are in place, nobody has watched them work.",
    fix="watch `ausearch -m avc -ts boot` on the first node before the others",
)
REINSTALL_LOOP = define(
    "KF8016", WARNING, "nodes that install at every boot",
    why="With boot.order net-first and an install entry as a known MAC's default, each boot finds the installer again.",
    fix="boot.order: disk-first, or boot.nodes: local once a node is installed",
)
RELEASE_NOTE = define(
    "KF8017", NOTE, "what the chosen release means",
    why="A release is a promise about updates.",
    fix="choose another release when that matters more than the guide's",
)
GUIDE_PORTS = define(
    "KF8018", WARNING, "the guide's own list of ports",
    why="10251 and 10252 have been dead since Kubernetes 1.23; 443, 9090, 8008, 8012, 8013 and 15000-15090 are pod ports that the host never sees.",
    fix="firewall.preset: role",
    source="facts/upstream.md 3",
)
TLS_OFF = define(
    "KF8019", WARNING, "a proxy or registry without TLS",
    why="Images could be changed on the way.",
    fix="serve the registry with a certificate and add its CA under `files`",
)
PAIR = define(
    "KF8020", NOTE, "CRI-O and Kubernetes of different minors",
    why="CRI-O pairs its 1.N with Kubernetes 1.N; 1.26 with 1.25 speaks the same CRI v1 and works, the matched pair is what upstream tests.",
    fix="nothing must be done for 1.26 with 1.25",
    source="cri-o README; facts/upstream.md step 6",
)

OPEN_TO_ALL = define(
    "KF8021", NOTE, "the role's ports are open to every network",
    why="Whoever reaches the node's addresses, the provisioning network included, reaches the kubelet and NodePorts.",
    fix="give firewall.cluster, the networks of the cluster's nodes",
)

TANG_NETWORK = define(
    "KF8022", NOTE, "a disk unlocked over the network, by an initramfs that asks DHCP",
    why="Tang is reached before the system's own network is up; only a static address on a plain interface of the long form is handed to the initramfs.",
    fix="where there is no DHCP give the node's ip=ADDRESS::GATEWAY:NETMASK::INTERFACE:none under its kernel.args, or describe the node under `interfaces`",
)

WHERE_INSTALLER = define(
    "KF8023", WARNING, "a boot entry that does not say where the installer is",
    why="The kernel and initrd fetch the rest of the installer from inst.repo= or inst.stage2=; with neither they stop in a shell.",
    fix="with install.rhsm give install.stage2, where images/install.img lies; with kernel_line its inst.repo= value, or your own boot files",
    source="anaconda 33.16.7.12 docs/boot-options.rst",
)
NOT_STATIC = define(
    "KF8028", WARNING, "the installer asks DHCP although boot.network is static",
    why="ip= of the kernel line takes an IPv4 address and the kernel's name of a plain interface; this node gives none for the one that boots.",
    fix="describe the interface that boots under `interfaces` with mac and address, or use boot.network: dhcp",
)

Where = Callable[..., Mark]


_RELEASED = re.compile(r"@[^:]+:.+|.+-(?:[0-9]+:)?[0-9][^-]*-[0-9][^-]*")
_VERSIONED = re.compile(r".+-(?:[0-9]+:)?[0-9]+\.[^-]*")


def advise(plan: Plan, catalog: Catalog, lock: Lock, where: Where, exists: Callable[[str], bool], report: Report) -> None:
    """Add what is to be said of one plan; `where` gives the place of a dotted key, `exists` whether the site's folder has a file."""
    _secrets(plan, where, report)
    _driver(plan, catalog, where, report)
    _named_packages(plan, where, report)
    _removed(plan, catalog, where, report)
    _pins(plan, lock, where, report)
    _site_files(plan, where, exists, report)
    _clashes(plan, where, report)
    if plan.access.admin is None or not (plan.access.ssh_keys or (plan.access.password and "access.password" in plan.waive)):
        report.add(NO_LOGIN, where("access"), "no ssh key and no password: nobody can log in")
    if plan.boot.url is None:
        report.add(NO_BOOT_URL, where("boot"), "boot.url is not set: boot files guess their server, pxelinux gets no install entry")
        if plan.boot.payload == "url":
            report.add(NO_BOOT_URL, where("boot", "payload"), "boot.payload is url, and there is no boot.url")
    elif plan.boot.order == "net-first" and plan.boot.nodes == "install":
        report.add(REINSTALL_LOOP, where("boot", "order"), "net-first with install entries: each boot installs again")
    if plan.install.source == "cdrom" and not plan.install.cdrom:
        report.add(NO_SOURCE, where("install"), "no install source given: the DVD is expected in the node")
    if plan.kubernetes.api is None:
        report.add(NO_API, where("kubernetes"), "kubernetes.api is not set: the node cannot be told where to join")
    source = plan.install
    if source.source in ("rhsm", "kernel_line") and not source.stage2 and not isinstance(source.kernel_line, str):
        said = f"install.{plan.install.source}: the boot entries have no inst.repo= and no inst.stage2="
        report.add(WHERE_INSTALLER, where("install", plan.install.source), said)
    if plan.selinux == "enforcing":
        report.add(ENFORCING, where("selinux"), "selinux enforcing: unproven without RHEL's policy")
    if plan.firewall.preset == "guide":
        report.add(GUIDE_PORTS, where("firewall", "preset"), "firewall.preset guide opens dead and pointless ports")
    if plan.firewall.mode == "firewalld" and not plan.firewall.cluster:
        report.add(OPEN_TO_ALL, where("firewall"), "firewall.cluster is not set: the role's ports are open to everyone")
    for name in plan.crio.insecure:
        report.add(TLS_OFF, where("crio", "insecure"), f"registry {name} is reached without TLS")
    for note in plan.release.notes:
        report.add(RELEASE_NOTE, where("release"), note)
    crio, kubernetes = (plan.crio.version or "").split("."), (plan.kubernetes.version or "").split(".")
    if crio[:2] != kubernetes[:2]:
        report.add(PAIR, where("crio", "version"), f"CRI-O {plan.crio.version} with Kubernetes {plan.kubernetes.version}")


def advise_interfaces(plan: Plan, where: Where, report: Report) -> None:
    """Add what is to be said of a plan's own interfaces, which `advise` is not shown for each node."""
    if plan.boot.network == "static" and plan.node and netboot.installer_address(plan) == ("ip=dhcp",):
        report.add(NOT_STATIC, where("boot", "network"), f"{plan.name}: no static IPv4 address on a plain interface that boots: ip=dhcp")
    if plan.disk.encrypt and plan.disk.encrypt.tang and not unlock_address(plan):
        report.add(TANG_NETWORK, where("disk", "encrypt"), "disk.encrypt.tang: the initramfs asks DHCP for its address")


def _clashes(plan: Plan, where: Where, report: Report) -> None:
    pods, services = range_of(plan.kubernetes.pods), range_of(plan.kubernetes.services)
    if pods and services and overlap(pods, services):
        mark = max(where("kubernetes", "pods"), where("kubernetes", "services"), key=lambda m: (not m.file.startswith("kfimage:"), m))
        report.add(OVERLAP, mark, f"kubernetes.pods {plan.kubernetes.pods} and kubernetes.services {plan.kubernetes.services} overlap")
    named: dict[str, str] = {}
    for name in used_repositories(plan):
        first = named.setdefault(fact_name(name), name)
        if first != name:
            said = f"repositories {first} and {name} have one name on the node: {fact_name(name)}"
            report.add(CONFLICT, where("repositories", name), said, "rename one of them")


def _secrets(plan: Plan, where: Where, report: Report) -> None:
    if plan.access.password and "access.password" not in plan.waive:
        said = "access.password: its hash would stand in the kickstart"
        report.add(UNWAIVED, where("access", "password"), said, "waive: [access.password], or use ssh_keys alone")
    rhsm = plan.install.rhsm
    if rhsm and "install.rhsm.activation_key" not in plan.waive:
        if plan.install.source == "rhsm":
            report.add(UNWAIVED, where("install", "rhsm", "activation_key"), "install.rhsm as the install source needs its activation key in the kickstart",
                       "waive: [install.rhsm.activation_key], or install from a mirror and register at first boot")
        else:
            report.add(SECRET_LATER, where("install", "rhsm", "activation_key"), "registration waits for /etc/kfimage/secrets/rhsm-activation-key on the node")
    if plan.crio.pull_credentials and "crio.pull_credentials" not in plan.waive:
        report.add(SECRET_LATER, where("crio", "pull_credentials"), "image pulls stay anonymous until /etc/kfimage/secrets/pull-auth is on the node")


def _driver(plan: Plan, catalog: Catalog, where: Where, report: Report) -> None:
    driver = plan.nvidia.driver if "driver" in plan.steps else None
    if driver is None:
        return
    if driver.mode == "dkms" and plan.boot.secure:
        report.add(DKMS_SIGNED, where("nvidia", "driver"), "nvidia.driver.mode dkms under boot.secure: its modules would be refused")
    if driver.mode in ("kmod", "dkms") and not driver.packages:
        report.add(NO_DRIVER_SOURCE, where("nvidia", "driver"), f"nvidia.driver.mode {driver.mode}: packages is empty")
    if driver.mode in ("kmod", "dkms") and driver.packages and not plan.repositories.keys() - catalog.repositories():
        said = f"nvidia.driver.mode {driver.mode}: no repository of the site's holds {', '.join(driver.packages)}"
        report.add(NO_DRIVER_SOURCE, where("nvidia", "driver", "packages"), said, "give a repository under `repositories`; the built-in ones hold no driver")
    if driver.mode == "preinstalled":
        report.add(DRIVER_ELSEWHERE, where("nvidia", "driver"), "nvidia.driver.mode preinstalled: nothing here installs a driver")


def _named_packages(plan: Plan, where: Where, report: Report) -> None:
    """What the site itself names for the dnf transaction of signed packages, by how exactly it is named."""
    driver = plan.nvidia.driver if "driver" in plan.steps else None
    named: list[tuple[tuple[str, ...], str]] = [(("packages", "third_party"), name) for name in plan.packages.third_party]
    if driver is not None and driver.mode in ("kmod", "dkms"):
        named += [(("nvidia", "driver", "packages"), name) for name in driver.packages]
    for key, name in named:
        if _RELEASED.fullmatch(name):
            continue
        if _VERSIONED.fullmatch(name):
            report.add(UNPINNED_PACKAGE, where(*key), f"{'.'.join(key)}: {name} names no release", "NAME-VERSION-RELEASE pins that one build")
        else:
            report.add(UNPINNED_NAME, where(*key), f"{'.'.join(key)}: {name} has no version")


def _removed(plan: Plan, catalog: Catalog, where: Where, report: Report) -> None:
    for name in plan.packages.remove:
        for step in map(catalog.step, plan.steps):
            lost = [package for package in step.packages if fnmatchcase(package, name)]
            if lost:
                said = f"packages.remove: {name}, but the step '{step.name}' needs {', '.join(lost)}"
                report.add(CONFLICT, where("packages", "remove"), said, "keep the package, or leave the step out of `steps`")
                break


def _pins(plan: Plan, lock: Lock, where: Where, report: Report) -> None:
    crio = plan.crio
    if crio.source == "bundle" and not crio.sha256 and lock.pin("crio", crio.version or "") is None:
        report.add(UNPINNED_FILE, where("crio", "version"), f"CRI-O {crio.version} has no known sha256; known: {', '.join(lock.versions('crio'))}")
    if crio.source == "bundle" and crio.sha256 and not crio.url and lock.pin("crio", crio.version or "") is None:
        report.add(UNPINNED_FILE, where("crio.sha256"), f"CRI-O {crio.version}: a sha256, but no url to fetch it from")
    for name, tool in plan.tools.items() if "tools" in plan.steps else ():
        if lock.pin(name, tool.version or "") is None and not (tool.url and tool.sha256):
            report.add(UNPINNED_FILE, where("tools", name), f"{name} {tool.version} needs url and sha256; known: {', '.join(lock.versions(name))}")
    unpinned = [name for name in KUBERNETES if lock.package(name, plan.kubernetes.version or "") is None]
    if unpinned:
        report.add(UNPINNED_PACKAGE, where("kubernetes", "version"), f"{', '.join(unpinned)} {plan.kubernetes.version}: the RPMs' release is not known")
    if "nvidia" in plan.steps and plan.nvidia.toolkit:
        report.add(UNPINNED_PACKAGE, where("nvidia", "toolkit"), f"{', '.join(TOOLKIT)} {plan.nvidia.toolkit}: the RPMs' release is not known")


def _site_files(plan: Plan, where: Where, exists: Callable[[str], bool], report: Report) -> None:
    repositories = used_repositories(plan).items()
    wanted: list[tuple[tuple[str, ...], str]] = [
        (("repositories", name, "key", "file"), repo.key.file) for name, repo in repositories if repo.key and repo.key.file
    ]
    wanted += [(("files", path, "source"), file.source) for path, file in plan.files.items() if file.source]
    for kind in ("pre", "post", "firstboot"):
        wanted += [(("hooks", kind), hook) for hook in getattr(plan.hooks, kind)]
    for key, path in wanted:
        if not exists(path):
            report.add(UNREADABLE, where(*key), f"{'.'.join(key)}: {path} is not a readable file of the site's folder")
