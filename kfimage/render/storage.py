"""The assignments that kickstart/pre/storage.sh reads: the disk rule and layout of a plan in its alphabet."""

from __future__ import annotations

from kfimage.model import Disk, Encrypt, Nic, Plan
from kfimage.render import facts

VOLUME_GROUP = "kfimage"
NOUVEAU = ("modprobe.blacklist=nouveau", "rd.driver.blacklist=nouveau")
"""nouveau would hold the GPU before NVIDIA's driver is there; the installer gets the same arguments."""


def kernel_args(plan: Plan) -> tuple[str, ...]:
    """Arguments of the installed system's kernel: consoles, the site's, and what the plan's parts need."""
    args = [f"console={console}" for console in plan.kernel.console]
    if "driver" in plan.steps:
        args.extend(NOUVEAU)
    if plan.disk.encrypt and plan.disk.encrypt.tang:
        args.append("rd.neednet=1")
    return tuple(dict.fromkeys([*args, *plan.kernel.args]))


def unlock_address(plan: Plan) -> tuple[str, ...]:
    """What an initramfs that asks Tang needs to know of this node's own static address; nothing where it asks DHCP or cannot be told."""
    encrypt = plan.disk.encrypt
    node = plan.node
    if node is None or not encrypt or not encrypt.tang or any(arg.startswith("ip=") for arg in plan.kernel.args):
        return ()
    known = next((nic for nic in plan.nics if any(a.ip == node.ip for a in nic.address)), None)
    return dracut_address(known, node.hostname) if known else ()


def dracut_address(nic: Nic, hostname: str) -> tuple[str, ...]:
    """ip= and nameserver= for one interface; nothing unless it is a plain one of the long form (dracut wants its kernel name) with static IPv4."""
    v4 = next((a for a in nic.address if not a.v6), None)
    plain = nic.mode is None and not nic.bond and not nic.bridge and ":" not in nic.device and nic.device not in ("link", "bootif")
    if v4 is None or not plain:
        return ()
    gateway = nic.gateway if nic.gateway and ":" not in nic.gateway and nic.default_route is not False else ""
    return (f"ip={v4.ip}::{gateway}:{v4.netmask}:{hostname}:{nic.device}:none", *(f"nameserver={ip}" for ip in nic.dns if ":" not in ip))


def own_assignments(plan: Plan) -> str:
    """The assignments that are this node's alone, beside its name."""
    return facts.text({"KF_KERNEL_ARGS_NODE": " ".join(unlock_address(plan))})


def assignments(plan: Plan) -> str:
    """KF_NAME="value" lines; raises ValueError on a value outside the facts' alphabet, which the kinds refuse."""
    disk = plan.disk
    rule = disk.root
    values = {
        "KF_DISK_ID": " ".join(rule.id) if rule else "",
        "KF_DISK_WWN": " ".join(rule.wwn) if rule else "",
        "KF_DISK_SERIAL": " ".join(rule.serial) if rule else "",
        "KF_DISK_PATH": " ".join(rule.path) if rule else "",
        "KF_DISK_MODEL": (rule.model or "") if rule else "",
        "KF_DISK_SIZE_MIN": str(rule.size.low) if rule and rule.size and rule.size.low else "",
        "KF_DISK_SIZE_MAX": str(rule.size.high) if rule and rule.size and rule.size.high else "",
        "KF_DISK_PICK": (rule.pick or "") if rule else "",
        "KF_DISK_RAID": disk.raid or "none",
        "KF_DISK_WIPE": disk.wipe or "guard",
        "KF_DISK_VG": VOLUME_GROUP,
        "KF_DISK_LAYOUT": disk.layout or "lvm",
        "KF_DISK_VOLUMES": " ".join(f"{mount}={size}" for mount, size in volumes(disk)),
        "KF_DISK_ENCRYPT": _encrypt(disk.encrypt),
        "KF_KERNEL_ARGS": " ".join(kernel_args(plan)),
        "KF_BOOTLOADER_OPTIONS": f"--timeout={plan.boot.timeout}" if plan.boot.timeout is not None else "",
        **_failure(plan),
    }
    return facts.text(values)


def unlock_assignments(plan: Plan) -> str:
    """The lines that kickstart/post/clevis.sh reads; empty when nothing is encrypted."""
    encrypt = plan.disk.encrypt
    if encrypt is None:
        return ""
    values = {
        "KF_DISK_ENCRYPT": _encrypt(encrypt),
        "KF_DISK_TANG": " ".join(f"{pin.url}={pin.thumbprint}" for pin in encrypt.tang),
        "KF_DISK_TPM2_PCRS": encrypt.tpm2 or "",
        # Silent means all kinds of pin together: a TPM alone would open a stolen machine.
        "KF_DISK_CLEVIS_THRESHOLD": str(encrypt.threshold) if encrypt.threshold else "",
        **_failure(plan),
    }
    return facts.text(values)


def _failure(plan: Plan) -> dict[str, str]:
    return {"KF_REPORT_URL": plan.report.url or "", "KF_ON_FAILURE": plan.boot.on_failure or "hold"}


def volumes(disk: Disk) -> tuple[tuple[str, str], ...]:
    """(mount point, size as written or rest) of each filesystem, /boot first."""
    sizes = disk.volumes
    assert sizes is not None
    found = [("/boot", sizes.boot), ("/", sizes.root), ("/var", sizes.var), ("/var/lib/containers", sizes.containers)]
    return tuple((mount, size) for mount, size in found if size and size != "none")


def _encrypt(encrypt: Encrypt | None) -> str:
    if encrypt is None:
        return "none"
    if encrypt.tang and encrypt.tpm2 is not None:
        return "both"
    return "tang" if encrypt.tang else "tpm2"
