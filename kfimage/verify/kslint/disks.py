"""Disks: which are erased, how big things are, encryption, and swap."""

from __future__ import annotations

import re

from kfimage.errors import ERROR, WARNING, Report, define, did_you_mean
from kfimage.verify.kslint.model import PARTITIONS, Command, Parsed, commas, integer, rule
from kfimage.verify.kslint.storage import mountpoint, volumes

LABEL = define(
    "KF2221",
    ERROR,
    "an unknown disk label",
    why="pykickstart takes any word for --disklabel; RHEL 8.7 refuses the line.",
    fix="gpt, or msdos for small BIOS disks",
    source="anaconda 33.16.7.12 kickstart.py, ClearPart.parse",
)
CLEAR_CONTRADICTS = define(
    "KF2222",
    ERROR,
    "clearpart is told two things",
    why="--all, --linux, --none and --list exclude each other; the last one wins in silence.",
    fix="keep the one that is meant",
    source="pykickstart 3.78 commands/clearpart.py",
)
KERNEL_NAME = define(
    "KF2223",
    WARNING,
    "a disk is named as the kernel numbered it",
    why="sda is /dev/nvme0n1 on the next machine and another disk after a reboot: an absent one ends the installation, "
    "a wrong one is erased. A glob that matches nothing ends it too.",
    fix="use /dev/disk/by-id/..., or let a %pre choose the disk and %include what it wrote",
    source="anaconda 33.16.7.12 kickstart.py: clearpart and ignoredisk match names against the disks present",
)
CLEARS_ALL = define(
    "KF2224",
    WARNING,
    "every disk of the machine is erased",
    why="clearpart --all without --drives and without ignoredisk takes data disks, SAN volumes and the USB stick that "
    "holds the kickstart.",
    fix="add `ignoredisk --only-use=` with the one disk meant",
    source="RHEL 8 installation guide, clearpart",
)
NO_CLEARPART = define(
    "KF2225",
    WARNING,
    "new partitions on disks that are not cleared",
    why="Without clearpart nothing is removed: on a used disk there is no room and the installer asks a person.",
    fix="add `clearpart --all --initlabel` with ignoredisk, or say --onpart",
    source="RHEL 8 installation guide, clearpart: default --none",
)
NO_ZEROMBR = define(
    "KF2226",
    WARNING,
    "no zerombr",
    why="A disk whose partition table cannot be read makes the installer ask; zerombr answers in advance.",
    fix="add `zerombr`",
    source="RHEL 8 installation guide, zerombr",
)
NO_PASSPHRASE = define(
    "KF2227",
    ERROR,
    "encryption without a passphrase",
    why="--encrypted without --passphrase makes the installer ask for one.",
    fix="give a throw-away --passphrase and bind Clevis in %post, then remove the passphrase's key slot",
    source="RHEL 8 installation guide, --encrypted",
)
NO_CLEVIS = define(
    "KF2228",
    WARNING,
    "encrypted disks that nobody unlocks",
    why="Without Clevis (Tang or TPM2) every boot of every node waits at a passphrase prompt.",
    fix="add clevis-luks and clevis-dracut to %packages and run `clevis luks bind` in %post",
    source="RHEL 8 security hardening, network-bound disk encryption",
)
SWAP = define(
    "KF2229",
    WARNING,
    "swap is made",
    why="kubelet 1.25 does not start while swap is on (failSwapOn).",
    fix="leave the swap volume out",
    source="Kubernetes 1.25, kubeadm preflight check Swap",
)
AUTOPART_SWAP = define(
    "KF2230",
    WARNING,
    "autopart makes swap",
    why="autopart always adds a swap volume unless told not to; kubelet 1.25 does not start while swap is on.",
    fix="write `autopart --noswap`",
    source="pykickstart 3.78 commands/autopart.py",
)
SMALL = define(
    "KF2231",
    WARNING,
    "a volume that will be too small",
    why="Kernels and images outgrow it: /boot needs room for three kernels, / for the packages, their cache and logs.",
    fix="at least 1024 MiB for /boot, 200 for /boot/efi, 10240 for / (or --grow)",
    source="RHEL 8 installation guide, recommended partitioning scheme",
)
SIZES_CONTRADICT = define(
    "KF2232",
    ERROR,
    "sizes that contradict each other",
    why="A --maxsize below --size, or without --grow, and percentages beyond 100 are taken in silence and then "
    "ignored, or refused when the disk is already cleared.",
    fix="make --size the least, --maxsize the most, and add --grow",
    source="pykickstart 3.78 accepts them",
)

_KERNEL_NAME = re.compile(r"(?:/dev/)?(?:(?:[shv]d|xvd)[a-z*?\[]|(?:nvme|mmcblk)[\d*?\[]|disk\d)\S*")
_LABELS = frozenset({"gpt", "msdos", "mac", "dasd", "dos", "sun", "amiga", "bsd", "dvh", "pc98", "loop", "aix"})
_DISK_OPTIONS = {
    "clearpart": ("--drives", "--list"),
    "ignoredisk": ("--drives", "--only-use"),
    "bootloader": ("--boot-drive", "--driveorder"),
    "part": ("--ondisk", "--ondrive", "--onpart", "--usepart"),
    "partition": ("--ondisk", "--ondrive", "--onpart", "--usepart"),
    "harddrive": ("--partition",),
    "logvol": ("--cachepvs",),
}
_LEAST = {"/boot": 1024, "/boot/efi": 200, "/": 10240}


@rule
def disk_names(parsed: Parsed, report: Report) -> None:
    for name, options in _DISK_OPTIONS.items():
        for command in parsed.all(name):
            for value in command.values(*options):
                for disk in commas(value.replace("|", ",")):
                    if _KERNEL_NAME.fullmatch(disk):
                        report.add(KERNEL_NAME, parsed.at(command, disk), f"'{disk}' is not the same disk everywhere")


@rule
def clearing(parsed: Parsed, report: Report) -> None:
    clears = parsed.all("clearpart")
    for command in clears:
        label = command.get("--disklabel")
        if label and label not in _LABELS:
            report.add(LABEL, parsed.at(command, label), f"'{label}': {did_you_mean(label, _LABELS)}")
        asked = sorted({option for option, _ in command.options} & {"--all", "--linux", "--none", "--list"})
        if len(asked) > 1:
            report.add(CLEAR_CONTRADICTS, parsed.at(command, asked[1]), " and ".join(asked))
        narrowed = command.has("--drives", "--list") or parsed.may_have("ignoredisk")
        if command.has("--all") and not narrowed:
            report.add(CLEARS_ALL, parsed.at(command, "--all"), "no --drives and no ignoredisk")
    made = [c for c in parsed.all(*PARTITIONS, "autopart") if not c.has("--onpart", "--usepart", "--noformat")]
    if not made:
        return
    if not parsed.may_have("clearpart"):
        report.add(NO_CLEARPART, parsed.at(made[0]), "no clearpart")
    if not parsed.may_have("zerombr"):
        report.add(NO_ZEROMBR, parsed.at(made[0]), "a disk with an unreadable table makes the installer ask")


@rule
def encryption(parsed: Parsed, report: Report) -> None:
    encrypted = [c for c in [*volumes(parsed), *parsed.all("autopart")] if c.has("--encrypted")]
    shared = any(c.get("--passphrase") for c in parsed.all("autopart"))
    for command in encrypted:
        if not command.get("--passphrase") and not shared:
            report.add(NO_PASSPHRASE, parsed.at(command, "--encrypted"), "the installer will ask for a passphrase")
    if encrypted and not parsed.mentions("clevis"):
        packaged = any("clevis" in name for name in parsed.package_names)
        said = "clevis is installed and never bound" if packaged else "every boot waits for a passphrase"
        report.add(NO_CLEVIS, parsed.at(encrypted[0], "--encrypted"), said)


@rule
def swap(parsed: Parsed, report: Report) -> None:
    for command in volumes(parsed):
        if mountpoint(command) == "swap" or command.get("--fstype", "--type") == "swap":
            report.add(SWAP, parsed.at(command, "swap"), "a swap volume")
    for command in parsed.all("autopart"):
        if not command.has("--noswap"):
            report.add(AUTOPART_SWAP, parsed.at(command), "autopart without --noswap")


def _contradiction(command: Command) -> str:
    size, most = integer(command.get("--size")), integer(command.get("--maxsize"))
    if most is not None and size is not None and most < size:
        return f"--maxsize={most} is below --size={size}"
    if most is not None and not command.has("--grow"):
        return "--maxsize without --grow has no effect"
    return ""


@rule
def sizes(parsed: Parsed, report: Report) -> None:
    shares: dict[str, int] = {}
    for command in parsed.all(*PARTITIONS, "logvol"):
        fault = _contradiction(command)
        if fault:
            report.add(SIZES_CONTRADICT, parsed.at(command, "--maxsize"), fault)
        group = command.get("--vgname") or ""
        shares[group] = shares.get(group, 0) + (integer(command.get("--percent")) or 0)
        if command.name == "logvol" and shares[group] > 100 and command.get("--percent"):
            said = f"{shares[group]} % of '{group}' are given away"
            report.add(SIZES_CONTRADICT, parsed.at(command, "--percent"), said)
        point = mountpoint(command) or ""
        size, least = integer(command.get("--size")), _LEAST.get(point, 0)
        if size and size < least and not (point == "/" and command.has("--grow")):
            report.add(SMALL, parsed.at(command, "--size"), f"{point} has {size} MiB, {least} are wise")
