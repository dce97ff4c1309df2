"""Boot files: pxelinux, GRUB 2 and iPXE, one entry for each MAC and a default that never installs unless the site says so."""

from __future__ import annotations

from kfimage.artefact import Artefact
from kfimage.model import LocalDisk, Plan
from kfimage.render.proxy import install_proxy
from kfimage.render.storage import NOUVEAU, dracut_address

GRUB_SERVER = "http://${net_default_server}"
IPXE_SERVER = "http://${next-server}"


def dashed(mac: str) -> str:
    """A MAC as boot loaders name their files: 01-aa-bb-cc-dd-ee-ff (01 is Ethernet)."""
    return "01-" + mac.replace(":", "-")


def inst_args(plan: Plan, server: str) -> tuple[str, ...]:
    """The installer's kernel arguments, with `server` as the root of the served tree. RHEL 8.7 knows them with `inst.` only."""
    args = [f"inst.ks={server}/kickstart/{plan.name}.ks", "inst.ks.sendmac", *installer_address(plan)]
    source = plan.install
    if source.url:
        args.append(f"inst.repo={source.url}")
    elif source.nfs:
        options = f"{source.nfs.options}:" if source.nfs.options else ""
        args.append(f"inst.repo=nfs:{options}{source.nfs.server}:{source.nfs.path}")
    elif source.harddrive:
        args.append(f"inst.repo=hd:{source.harddrive.partition}:{source.harddrive.path}")
    elif source.source == "cdrom":
        args.append("inst.repo=cdrom")
    elif isinstance(source.kernel_line, str):
        args.append(f"inst.repo={source.kernel_line}")
    if source.stage2:
        args.append(f"inst.stage2={source.stage2}")
    if install_proxy(plan):
        args.append(f"inst.proxy={install_proxy(plan)}")
    args.append("inst.cmdline")
    if plan.report.syslog:
        args.append(f"inst.syslog={plan.report.syslog}")
    if plan.waive:
        # Anaconda would keep a copy of the kickstart, and a waived secret with it, on every node.
        args.append("inst.nosave=all_ks")
    if "driver" in plan.steps:
        args.extend(NOUVEAU)
    args.extend(f"console={console}" for console in plan.kernel.console)
    return tuple(args)


def installer_address(plan: Plan) -> tuple[str, ...]:
    """ip= of the installer; `static` is DHCP where the interface that boots has no address that dracut could be told."""
    way = plan.boot.network or "dhcp"
    if way != "static":
        return (f"ip={way}",)
    nic = next((nic for nic in plan.nics if plan.node and nic.mac and nic.mac == plan.node.boot_mac), None)
    return (dracut_address(nic, plan.node.hostname) if nic and plan.node else ()) or ("ip=dhcp",)


def node_artefacts(plan: Plan) -> list[Artefact]:
    """The boot files of one node's MAC; none when no MAC is known."""
    if plan.node is None or plan.node.boot_mac is None:
        return []
    name = dashed(plan.node.boot_mac)
    install = plan.boot.nodes == "install"
    return [
        _artefact(f"netboot/pxelinux.cfg/{name}", pxelinux(plan, install), plan.name),
        _artefact(f"netboot/grub/grub.cfg-{name}", grub(plan, install), plan.name),
        _artefact(f"netboot/ipxe/{name}.ipxe", ipxe(plan, install), plan.name),
    ]


def default_artefacts(entry: Plan | None, install: bool, local: LocalDisk | None = None) -> list[Artefact]:
    """The files an unknown MAC gets: the local disk, with an entry for `entry` that is taken by itself only when `install`."""
    return [
        _artefact("netboot/pxelinux.cfg/default", pxelinux(entry, install, local), ""),
        _artefact("netboot/grub/grub.cfg", _GRUB_DISPATCH + grub(entry, install, local), ""),
        _artefact("netboot/ipxe/boot.ipxe", _IPXE_DISPATCH + ipxe(entry, install, head=False), ""),
    ]


def _artefact(path: str, text: str, owner: str) -> Artefact:
    return Artefact(path, "netboot", text.encode("ascii"), 0o644, owner)


def _timeout(plan: Plan | None) -> int:
    return plan.boot.timeout or 0 if plan else 5


def pxelinux(plan: Plan | None, install: bool, local: LocalDisk | None = None) -> str:
    """A pxelinux configuration. It cannot name the server it came from, so an install entry needs boot.url."""
    url = plan.boot.url if plan else None
    lines = ["# Written by kfimage. pxelinux; kernel and initrd lie beside pxelinux.0."]
    entry = plan is not None and url is not None
    lines += [f"DEFAULT {'install' if install and entry else 'local'}", "PROMPT 0", f"TIMEOUT {_timeout(plan) * 10}"]
    lines += ["LABEL local", *_bios_disk(plan.boot.local if plan else local)]
    if plan is not None and url is not None:
        # IPAPPEND 2 adds BOOTIF: which of the interfaces asked.
        lines += [
            "LABEL install", f"  MENU LABEL install {plan.name} ({plan.role}, {plan.release.name})", f"  KERNEL {plan.release.name}/vmlinuz",
            f"  APPEND initrd={plan.release.name}/initrd.img {' '.join(inst_args(plan, url))}", "  IPAPPEND 2",
        ]
    elif plan is not None:
        lines.append("# boot.url is not set, and pxelinux has no word for the server it was loaded from: no install entry.")
    return "\n".join(lines) + "\n"


def _bios_disk(local: LocalDisk | None) -> list[str]:
    # Some firmware ends its boot list, or hangs, when the loader returns to it.
    return ["  COM32 chain.c32", "  APPEND hd0"] if local and local.bios == "chain" else ["  LOCALBOOT -1"]


def _uefi_disk(local: LocalDisk | None) -> list[str]:
    return _GRUB_DISK if local and local.uefi == "chainload" else []


def grub(plan: Plan | None, install: bool, local: LocalDisk | None = None) -> str:
    """A GRUB 2 configuration; kernel and initrd lie beside the folder that GRUB was loaded from, below whatever path that has."""
    lines = ["# Written by kfimage. GRUB 2 for UEFI.", *(_GRUB_ROOT if plan else ())]
    lines += [f"set timeout={_timeout(plan)}", f"set default={'install' if install and plan else 'local'}"]
    lines += ["menuentry 'Local disk' --id local {", *_uefi_disk(plan.boot.local if plan else local), "  exit", "}"]
    if plan is not None:
        bootif = f" BOOTIF={dashed(plan.node.boot_mac)}" if plan.node and plan.node.boot_mac else " BOOTIF=$kf_mac"
        lines += [
            f"menuentry 'Install {plan.name} ({plan.role}, {plan.release.name})' --id install {{",
            f"  linuxefi ${{kf_root}}/{plan.release.name}/vmlinuz {' '.join(inst_args(plan, plan.boot.url or GRUB_SERVER))}{bootif}",
            f"  initrdefi ${{kf_root}}/{plan.release.name}/initrd.img", "}",
        ]
    return "\n".join(lines) + "\n"


def ipxe(plan: Plan | None, install: bool, *, head: bool = True) -> str:
    """An iPXE script: a menu with a timeout, so that a person at the console can choose the other entry."""
    lines = ["#!ipxe", "# Written by kfimage."] if head else []
    chosen = "install" if install and plan else "local"
    if plan is None:
        lines += [":local", "sanboot --no-describe --drive 0x80 || exit 0"]
        return "\n".join(lines) + "\n"
    server = plan.boot.url or IPXE_SERVER
    bootif = dashed(plan.node.boot_mac) if plan.node and plan.node.boot_mac else "01-${netX/mac:hexhyp}"
    lines += [
        f"menu {plan.name}", "item local Local disk", f"item install Install {plan.name} ({plan.role}, {plan.release.name})",
        f"choose --default {chosen} --timeout {max(_timeout(plan), 1) * 1000} target && goto ${{target}} || goto local",
        ":local", "sanboot --no-describe --drive 0x80 || exit 0", ":install",
        f"kernel {server}/netboot/{plan.release.name}/vmlinuz initrd=initrd.img {' '.join(inst_args(plan, server))} BOOTIF={bootif}",
        f"initrd --name initrd.img {server}/netboot/{plan.release.name}/initrd.img", "boot",
    ]
    return "\n".join(lines) + "\n"


# The parent of ${prefix}, device included: dnsmasq refuses paths with '..', and '/' alone is wrong when served below a path.
_GRUB_ROOT = ["set kf_root=", "regexp --set=1:kf_root '^(.*)/[^/]+/?$' \"${prefix}\""]

_GRUB_DISK = [
    "  for loader in redhat/shimx64.efi rocky/shimx64.efi almalinux/shimx64.efi centos/shimx64.efi BOOT/BOOTX64.EFI; do",
    "    if search --no-floppy --set=kf_disk --file /EFI/$loader; then",
    "      chainloader ($kf_disk)/EFI/$loader",
    "      boot",
    "    fi",
    "  done",
]

_GRUB_DISPATCH = """\
# Written by kfimage. Every machine starts here; the vendor's signed GRUB reads no other name.
regexp --set=1:a --set=2:b --set=3:c --set=4:d --set=5:e --set=6:f '^(..):(..):(..):(..):(..):(..)$' "${net_default_mac}"
set kf_mac=01-$a-$b-$c-$d-$e-$f
if [ -f ${prefix}/grub.cfg-$kf_mac ]; then
  configfile ${prefix}/grub.cfg-$kf_mac
fi
"""

_IPXE_DISPATCH = """\
#!ipxe
# Written by kfimage. Every machine starts here; a machine without a file of its own goes on below.
chain --autofree --replace 01-${netX/mac:hexhyp}.ipxe ||
"""
