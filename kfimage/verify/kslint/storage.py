"""The storage graph: what is made, what it is made on, and where it is mounted."""

from __future__ import annotations

from collections import Counter
from typing import Optional

from kfimage.errors import ERROR, WARNING, Report, define, did_you_mean
from kfimage.verify.kslint.model import LAYOUT, PARTITIONS, Command, Parsed, integer, rule

NO_PARTITIONS = define(
    "KF2201",
    ERROR,
    "nothing says how to partition",
    why="Without autopart, part, logvol or mount the installer waits at its menu for a person to choose.",
    fix="add the partitions, or %include the file a %pre writes",
    source="RHEL 8 installation guide, autopart",
)
NO_ROOT = define(
    "KF2202",
    ERROR,
    "no root file system",
    why="The installer's storage check refuses a layout without /: 'You have not defined a root partition'.",
    fix="add a part, raid, logvol or mount line for /",
    source="anaconda 33.16.7.12 storage/checker.py, verify_root",
)
TWICE_MOUNTED = define(
    "KF2203",
    ERROR,
    "a mount point is defined twice",
    why="pykickstart warns only when both lines are the same command; the installer fails when it makes the second.",
    fix="remove one of the lines",
    source="pykickstart 3.78 commands/partition.py",
)
NO_SIZE = define(
    "KF2204",
    ERROR,
    "a volume without a size",
    why="`part`, and `logvol` without --percent, need a size in MiB; no size, or 0, stops the installer.",
    fix="add --size=MiB, with --grow if it may take the rest",
    source="anaconda 33.16.7.12 kickstart.py, Partition.execute",
)
UNDEFINED = define(
    "KF2205",
    ERROR,
    "a volume is built on something that is not defined",
    why="Physical volumes, raid members and volume groups are found by name; an unknown name stops the installer.",
    fix="define the member with a part or raid line before it is used, or correct the name",
    source="anaconda 33.16.7.12 kickstart.py, VolGroup.execute",
)
UNUSED = define(
    "KF2206",
    WARNING,
    "a member that nothing uses",
    why="The partition is made and holds nothing.",
    fix="use it in volgroup or raid, or remove the line",
    source="kfimage",
)
RELATIVE = define(
    "KF2207",
    ERROR,
    "a mount point that is no absolute path",
    why="pykickstart takes any word; the installer knows only paths, swap, biosboot, prepboot, pv.*, raid.* and none.",
    fix="write the leading /",
    source="anaconda 33.16.7.12 kickstart.py, Partition.execute",
)
FILESYSTEM = define(
    "KF2208",
    ERROR,
    "a file system RHEL 8.7 does not make",
    why="pykickstart takes any word for --fstype; the installer of 8.7 answers 'Filesystem type not supported', for "
    "autopart already while it reads the file.",
    fix="xfs or ext4; efi for /boot/efi",
    source="anaconda 33.16.7.12 kickstart.py; python3-blivet 3.4",
)
AUTOPART_MOUNT = define(
    "KF2209",
    ERROR,
    "autopart together with mount",
    why="pykickstart 3.78 accepts the pair, RHEL 8.7 says 'cannot be used together' and stops.",
    fix="keep one of them",
    source="python3-kickstart 3.16.15, commands/mount.py",
)
BTRFS = define(
    "KF2210",
    ERROR,
    "btrfs is not part of RHEL 8",
    why="pykickstart 3.78 only warns; the installer of 8.7 stops.",
    fix="use xfs, on LVM if you need volumes",
    source="anaconda 33.16.7.12 kickstart.py, BTRFS",
)
BOOT_ON_LVM = define(
    "KF2211",
    ERROR,
    "the boot loader cannot read /boot",
    why="/boot, or / when there is no /boot, must be a partition or mdraid and must not be encrypted: GRUB of RHEL 8 "
    "is not installed on logical volumes and the storage check refuses.",
    fix="add `part /boot --fstype=xfs --size=1024`",
    source="anaconda 33.16.7.12 storage/bootloader/grub2.py, stage2_device_types",
)
NO_FIRMWARE_PARTITION = define(
    "KF2212",
    WARNING,
    "no partition for the firmware",
    why="UEFI machines need /boot/efi, BIOS machines with GPT need biosboot; without it the boot loader has no place.",
    fix="add `reqpart`, or `part /boot/efi --fstype=efi --size=600`",
    source="anaconda 33.16.7.12 platform.py",
)
RAID_MEMBERS = define(
    "KF2213",
    ERROR,
    "too few members for the raid level",
    why="pykickstart does not count them; mdadm does, after the disks are already erased.",
    fix="add members, lower --spares, or choose another level",
    source="python3-blivet 3.4 devicelibs/raid.py",
)

_WORDS = ("swap", "biosboot", "prepboot", "appleboot", "none")
_MEMBERS = ("pv.", "raid.", "btrfs.")
_FILESYSTEMS = frozenset(
    "ext2 ext3 ext4 xfs vfat efi swap biosboot prepboot lvmpv mdmember gfs2 ntfs hfs hfs+ macefi appleboot luks".split()
)
_AUTOPART = frozenset({"ext2", "ext3", "ext4", "xfs"})
_LEAST = {"0": 2, "RAID0": 2, "1": 2, "RAID1": 2, "4": 3, "RAID4": 3, "5": 3, "RAID5": 3}
_LEAST.update({"6": 4, "RAID6": 4, "10": 2, "RAID10": 2})


def volumes(parsed: Parsed) -> list[Command]:
    """part, raid and logvol lines: everything that can carry a file system."""
    return parsed.all(*PARTITIONS, "raid", "logvol")


def mountpoint(command: Command) -> Optional[str]:
    """Where a line mounts or what it is a member of; None when it says nothing."""
    words = command.words[1:] if command.name == "mount" else command.words
    return words[0] if words else None


@rule
def layout(parsed: Parsed, report: Report) -> None:
    if not parsed.commands or not parsed.storage_is_here:
        return
    if not parsed.all(*LAYOUT):
        report.add(NO_PARTITIONS, parsed.mark(), "no autopart, part, raid, volgroup, logvol or mount")
        return
    if parsed.all("autopart"):
        return
    lines = [*volumes(parsed), *parsed.all("mount", "btrfs")]
    points = {mountpoint(command) for command in lines}
    if "/" not in points:
        report.add(NO_ROOT, parsed.at(lines[0]) if lines else parsed.mark(), "no line mounts /")
        return
    firmware = (points | {command.get("--fstype") for command in lines}) & {"/boot/efi", "biosboot", "prepboot"}
    if not firmware and not parsed.all("reqpart", "mount"):
        report.add(NO_FIRMWARE_PARTITION, parsed.at(lines[0]), "neither reqpart nor /boot/efi nor biosboot")


@rule
def mountpoints(parsed: Parsed, report: Report) -> None:
    seen: dict[str, int] = {}
    for command in [*volumes(parsed), *parsed.all("mount")]:
        point = mountpoint(command)
        if point is None or command.get("--fstype") in ("biosboot", "prepboot"):
            continue
        if not point.startswith(("/", *_MEMBERS)) and point not in _WORDS:
            hint = f"did you mean '/{point}'?" if point.isalnum() else None
            report.add(RELATIVE, parsed.at(command, point), f"'{point}' is not a path", hint)
        elif point.startswith("/") or point.startswith(_MEMBERS):
            if point in seen:
                report.add(TWICE_MOUNTED, parsed.at(command, point), f"'{point}' is also in line {seen[point]}")
            seen.setdefault(point, command.line)


@rule
def sizes_given(parsed: Parsed, report: Report) -> None:
    for command in parsed.all(*PARTITIONS, "logvol"):
        if command.has("--onpart", "--usepart", "--useexisting", "--noformat", "--recommended", "--hibernation"):
            continue
        if command.get("--percent"):
            continue
        size = command.get("--size")
        if size is None:
            report.add(NO_SIZE, parsed.at(command), f"{mountpoint(command) or command.name} has no --size")
        elif integer(size) == 0:
            report.add(NO_SIZE, parsed.at(command, "--size"), f"{mountpoint(command) or command.name} has size 0")


@rule
def members(parsed: Parsed, report: Report) -> None:
    made = {mountpoint(command): command for command in volumes(parsed)}
    used: Counter[str] = Counter()
    for command in parsed.all("volgroup", "raid"):
        for member in command.words[1:]:
            used[member] += 1
            if member not in made and parsed.storage_is_here:
                message = f"'{member}' is not defined by any part or raid line"
                known = [point for point in made if point and point.startswith(_MEMBERS)]
                report.add(UNDEFINED, parsed.at(command, member), message, did_you_mean(member, known) or None)
            elif used[member] > 1:
                report.add(UNDEFINED, parsed.at(command, member), f"'{member}' is already part of another volume")
    groups = {command.words[0] for command in parsed.all("volgroup") if command.words}
    for command in parsed.all("logvol"):
        group = command.get("--vgname")
        if group and group not in groups and parsed.storage_is_here and not command.has("--useexisting"):
            message = f"volume group '{group}' is not defined"
            report.add(UNDEFINED, parsed.at(command, group), message, did_you_mean(group, groups) or None)
    pools = {c.get("--name") for c in parsed.all("logvol") if c.has("--thinpool")}
    for command in parsed.all("logvol"):
        pool = command.get("--poolname")
        if pool and pool not in pools and parsed.storage_is_here and not command.has("--useexisting"):
            report.add(UNDEFINED, parsed.at(command, pool), f"thin pool '{pool}' is not defined")
    for point, command in made.items():
        if point and point.startswith(("pv.", "raid.")) and point not in used and parsed.storage_is_here:
            report.add(UNUSED, parsed.at(command, point), f"nothing uses '{point}'")


@rule
def filesystems(parsed: Parsed, report: Report) -> None:
    for command in [*volumes(parsed), *parsed.all("autopart")]:
        kind = command.get("--fstype", "--type") if command.name != "autopart" else command.get("--fstype")
        known = _AUTOPART if command.name == "autopart" else _FILESYSTEMS
        if kind == "btrfs":
            report.add(BTRFS, parsed.at(command, kind), "RHEL 8 has no btrfs")
        elif kind and kind not in known:
            report.add(FILESYSTEM, parsed.at(command, kind), f"'{kind}': {did_you_mean(kind, known)}")
    for command in parsed.all("btrfs"):
        report.add(BTRFS, parsed.at(command), "RHEL 8 has no btrfs")
    if parsed.all("autopart") and parsed.all("mount"):
        report.add(AUTOPART_MOUNT, parsed.at(parsed.all("mount")[0]), "autopart is also in this file")


@rule
def boot_device(parsed: Parsed, report: Report) -> None:
    if (
        not parsed.storage_is_here
        or parsed.all("autopart", "mount")
        or any(command.has("--add-boot") for command in parsed.all("reqpart"))
    ):
        return
    by_point = {mountpoint(command): command for command in volumes(parsed)}
    boot = by_point.get("/boot") or by_point.get("/")
    if boot is None:
        return
    where = mountpoint(boot)
    if boot.name == "logvol":
        report.add(BOOT_ON_LVM, parsed.at(boot), f"{where} is a logical volume and there is no /boot partition")
    elif boot.has("--encrypted"):
        report.add(BOOT_ON_LVM, parsed.at(boot, "--encrypted"), f"{where} is encrypted and holds the boot files")


@rule
def raid_levels(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("raid"):
        least = _LEAST.get((command.get("--level") or "").upper())
        active = len(command.words) - 1 - (integer(command.get("--spares")) or 0)
        if least and not command.has("--useexisting", "--noformat") and active < least:
            report.add(RAID_MEMBERS, parsed.at(command), f"{active} active members, this level needs {least}")
