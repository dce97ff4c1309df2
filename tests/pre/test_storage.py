"""storage.sh on fake machines: what it chooses and writes, and in which words it refuses."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
from fake_machine import CLEVIS, GB, STORAGE, Disk, Machine, Outcome
from pykickstart.handlers.rhel8 import RHEL8Handler
from pykickstart.parser import KickstartParser

GPT = (("gpt", ""), ("PMBR", ""))
BOSS = Disk("sda", vendor="ATA", model="DELLBOSS_VD", serial="boss 1", wwn="0x5000c500a1b2c3d4", ids=("ata-DELLBOSS_VD_boss1",))
NVME = [Disk(f"nvme{n}n1", gb=3840, tran="nvme", vendor="", model="SAMSUNG MZQL23T8", serial=f"S64{n}") for n in range(8)]
M2 = [Disk(f"nvme{n}n1", gb=480, tran="nvme", vendor="", model="Micron 7450", serial=f"M2{n}", wwn=f"eui.00{n}") for n in (8, 9)]
USB = Disk("sdx", gb=32, tran="usb", vendor="SanDisk", model="Cruzer", removable=True, bus="pci0000:00/0000:00:14.0/usb1/1-1")
BMC = [
    Disk("sdy", gb=1, tran="usb", vendor="AMI", model="Virtual HDisk0", removable=True, bus="pci0000:00/usb2/2-1"),
    Disk("sdz", gb=1, tran="", vendor="iDRAC", model="LCDRIVE"),
]
ODD = [Disk("sr0", type="rom"), Disk("loop0", type="loop"), Disk("zram0"), Disk("ram0"), Disk("md127", type="raid1")]

OURS = {1: (("vfat", "KFIMAGE_EFI"),), 2: (("xfs", "kfimage_boot"),), 3: (("LVM2_member", ""),)}


def ours(name: str, **more: Any) -> Disk:
    disk = Disk(name, signatures=GPT, partitions=OURS, **more)
    return Disk(name, signatures=GPT, partitions=OURS, groups={disk.part(3): "kfimage"}, **more)


def lvm(group: str) -> Disk:
    return Disk("sda", signatures=GPT, partitions={1: (("LVM2_member", ""),)}, groups={"sda1": group})


def parsed(outcome: Outcome) -> RHEL8Handler:
    assert outcome.status == 0, outcome.stderr
    assert outcome.written is not None
    handler = RHEL8Handler()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        KickstartParser(handler).readKickstartFromString(outcome.written)
    assert handler.clearpart.drives == handler.ignoredisk.onlyuse
    assert handler.clearpart.disklabel == "gpt"
    assert handler.zerombr.zerombr
    assert handler.bootloader.bootDrive == handler.ignoredisk.onlyuse[0]
    return handler


def drives(outcome: Outcome) -> list[str]:
    return list(parsed(outcome).ignoredisk.onlyuse)


def refused(outcome: Outcome) -> str:
    """The reason, after the checks every refusal must pass: nothing written, nothing wiped, seen on every console."""
    assert outcome.status != 0
    assert outcome.written is None
    left = {path.name for path in (outcome.root / "tmp").iterdir()}
    assert left == {"ks-script", "kfimage-failure"}
    assert not [call for call in outcome.calls if "--all" in call]
    for console in ("console", "ttyS0", "kmsg"):
        assert outcome.reason in (outcome.root / "dev" / console).read_text()
    return outcome.reason


CHOSEN: list[tuple[str, list[Disk], dict[str, str], list[str]]] = [
    ("the only disk", [Disk("sda")], {}, ["sda"]),
    ("the only NVMe", [NVME[0]], {}, ["nvme0n1"]),
    ("virtio", [Disk("vda", tran="", vendor="0x1af4", model="")], {}, ["vda"]),
    ("beside USB, BMC media and oddities", [USB, *BMC, *ODD, Disk("sdb")], {}, ["sdb"]),
    ("twin M.2 by model", [*NVME, *M2], {"KF_DISK_MODEL": "Micron 7450", "KF_DISK_RAID": "mirror"}, ["nvme8n1", "nvme9n1"]),
    ("twin M.2 by size", [*NVME, *M2], {"KF_DISK_PICK": "smallest", "KF_DISK_RAID": "mirror"}, ["nvme8n1", "nvme9n1"]),
    ("twin M.2 by serials", [*NVME, *M2], {"KF_DISK_SERIAL": "M28 M29", "KF_DISK_RAID": "mirror"}, ["nvme8n1", "nvme9n1"]),
    ("two equal disks, mirrored", [Disk("sda"), Disk("sdb")], {"KF_DISK_RAID": "mirror"}, ["sda", "sdb"]),
    ("BOSS by model with a blank", [*NVME, BOSS, USB], {"KF_DISK_MODEL": "DELLBOSS VD"}, ["sda"]),
    ("BOSS by wildcard", [*NVME, BOSS], {"KF_DISK_MODEL": "DELLBOSS*"}, ["sda"]),
    ("BOSS by id", [*NVME, BOSS], {"KF_DISK_ID": "ata-DELLBOSS_VD_boss1"}, ["sda"]),
    ("BOSS by serial with a blank", [*NVME, BOSS], {"KF_DISK_SERIAL": "boss_1"}, ["sda"]),
    ("wwn in by-id's spelling", [*NVME, BOSS], {"KF_DISK_WWN": "wwn-0x5000C500A1B2C3D4"}, ["sda"]),
    ("wwn bare", [*NVME, BOSS], {"KF_DISK_WWN": "5000c500a1b2c3d4"}, ["sda"]),
    ("kernel path", [*NVME, BOSS], {"KF_DISK_PATH": "/dev/nvme3n1"}, ["nvme3n1"]),
    ("bus path", [BOSS, Disk("sdb", paths=("pci-0000:3b:00.0-ata-1",))], {"KF_DISK_PATH": "/dev/disk/by-path/pci-0000:3b:00.0-ata-1"}, ["sdb"]),
    ("size range", [Disk("sda", 240), Disk("sdb", 480), Disk("sdc", 960)], {"KF_DISK_SIZE_MIN": str(400 * GB), "KF_DISK_SIZE_MAX": str(600 * GB)}, ["sdb"]),
    ("smallest", [Disk("sda", 960), Disk("sdb", 240), Disk("sdc", 480)], {"KF_DISK_PICK": "smallest"}, ["sdb"]),
    ("largest above a minimum", [Disk("sda", 960), Disk("sdb", 240)], {"KF_DISK_PICK": "largest", "KF_DISK_SIZE_MIN": "1"}, ["sda"]),
    ("all keys at once", [*NVME, BOSS], {"KF_DISK_MODEL": "DELL*", "KF_DISK_SERIAL": "boss_1", "KF_DISK_SIZE_MIN": "1"}, ["sda"]),
    ("hot-swap SATA that says removable, by serial", [Disk("sda", serial="HS1", removable=True), Disk("sdb")], {"KF_DISK_SERIAL": "HS1"}, ["sda"]),
    ("iSCSI by name", [Disk("sda"), Disk("sdb", tran="iscsi", serial="LUN1")], {"KF_DISK_SERIAL": "LUN1"}, ["sdb"]),
    ("iSCSI left out", [Disk("sda"), Disk("sdb", tran="iscsi")], {}, ["sda"]),
    ("NVMe over fabrics left out", [Disk("sda"), Disk("nvme0n1", tran="nvme", fabric="tcp")], {}, ["sda"]),
    ("multipath left out", [Disk("sda"), Disk("sdb", wwn="0x1"), Disk("sdc", wwn="0x1"), Disk("sdd", mapper="mpath-3600")], {}, ["sda"]),
    ("our earlier install", [ours("sda")], {}, ["sda"]),
    ("our earlier install on NVMe, one blank partition", [ours("nvme0n1", tran="nvme")], {}, ["nvme0n1"]),
    ("Hyper-V's disk is called virtual and is real", [Disk("sda", vendor="Msft", model="Virtual Disk", tran="")], {}, ["sda"]),
]  # fmt: skip


@pytest.mark.parametrize(("disks", "facts", "expected"), [c[1:] for c in CHOSEN], ids=[c[0] for c in CHOSEN])
def test_chooses(tmp_path: Path, disks: list[Disk], facts: dict[str, str], expected: list[str]) -> None:
    outcome = Machine(tmp_path / "m", *disks).run(**facts)
    assert drives(outcome) == expected
    assert not [call for call in outcome.calls if call.startswith(("curl", "systemctl", "sleep"))]


NO_RULE = "no disk rule is given, so all eligible disks count: "
RULE = "the disk rule does not fit exactly: "
SAY = "; say which under disk.root"
REFUSED: list[tuple[str, list[Disk], dict[str, str], str]] = [
    ("no disk", [Disk("sr0", type="rom")], {}, "this machine shows no disk at all"),
    ("USB only", [USB, *BMC], {}, NO_RULE + "1 needed, 0 found (none)" + SAY),
    ("two equal disks", [Disk("sda"), Disk("sdb")], {}, NO_RULE + "1 needed, 2 found (sda sdb)" + SAY),
    ("USB by its bus alone", [Disk("sda", tran="", bus="pci0000:00/usb3/3-1")], {}, NO_RULE + "1 needed, 0 found (none)" + SAY),
    ("USB by its transport alone", [Disk("sda", tran="usb")], {"KF_DISK_PATH": "/dev/sda"}, RULE + "1 needed, 0 found (none)"),
    ("hidden NVMe path", [Disk("nvme0n1", tran="nvme", hidden=True)], {"KF_DISK_PATH": "/dev/nvme0n1"}, RULE + "1 needed, 0 found (none)"),
    ("mirror with one disk", [Disk("sda"), USB], {"KF_DISK_RAID": "mirror"}, NO_RULE + "2 needed, 1 found (sda)" + SAY),
    ("no such model", [BOSS], {"KF_DISK_MODEL": "DELLBOSS"}, RULE + "1 needed, 0 found (none)"),
    ("eight by one model", NVME, {"KF_DISK_MODEL": "SAMSUNG*"}, RULE + "1 needed, 8 found (" + " ".join(d.name for d in NVME) + ")"),
    ("brackets are no wildcard", [Disk("sda", model="A")], {"KF_DISK_MODEL": "[A-Z]"}, RULE + "1 needed, 0 found (none)"),
    ("USB even when named", [Disk("sda"), USB], {"KF_DISK_PATH": "/dev/sdx"}, RULE + "1 needed, 0 found (none)"),
    ("BMC media even when named", [Disk("sda"), BMC[1]], {"KF_DISK_PATH": "/dev/sdz"}, RULE + "1 needed, 0 found (none)"),
    ("a partition is no disk", [ours("sda")], {"KF_DISK_PATH": "/dev/sda1"}, RULE + "1 needed, 0 found (none)"),
    ("smallest is two", [Disk("sda"), Disk("sdb"), Disk("sdc", 960)], {"KF_DISK_PICK": "smallest"},
     "the smallest disk is not one: /dev/sda and /dev/sdb both have 480000000000 bytes"),
    ("second smallest is two", [Disk("sda", 1), Disk("sdb"), Disk("sdc")], {"KF_DISK_PICK": "smallest", "KF_DISK_RAID": "mirror"},
     "the smallest disk is not one: /dev/sdb and /dev/sdc both have 480000000000 bytes"),
    ("a mirror of one disk", [Disk("sda", wwn="0x1"), Disk("sdb", wwn="0x1")], {"KF_DISK_RAID": "mirror", "KF_DISK_WWN": "1"},
     "/dev/sda and /dev/sdb are the same disk seen twice; a mirror needs two"),
    ("read-only", [Disk("sda", read_only=True)], {}, NO_RULE + "1 needed, 0 found (none)" + SAY),
    ("no medium", [Disk("sda", 0)], {}, NO_RULE + "1 needed, 0 found (none)" + SAY),
    ("too small", [Disk("sda", 20)], {"KF_DISK_VOLUMES": "/boot=1G /=30G /var=rest"}, "/dev/sda has 19073 MiB, the volumes need 33626 MiB"),
    ("no TPM", [Disk("sda")], {"KF_DISK_ENCRYPT": "tpm2"},
     "disk.encrypt asks for a TPM 2.0, and this machine shows none (/dev/tpmrm0); switch it on in the firmware"),
    ("LUKS without LVM", [Disk("sda")], {"KF_DISK_ENCRYPT": "tang", "KF_DISK_LAYOUT": "plain"}, "disk.encrypt needs disk.layout lvm"),
    ("bad choice", [Disk("sda")], {"KF_DISK_WIPE": "yes"}, "KF_DISK_WIPE is 'yes', not one of: guard all"),
    ("bad failure mode", [Disk("sda")], {"KF_ON_FAILURE": "shell"}, "KF_ON_FAILURE is 'shell', not one of: hold poweroff reboot"),
    ("long volume group", [Disk("sda")], {"KF_DISK_VG": "eightchr"}, "KF_DISK_VG is 'eightchr': a letter and up to six letters or digits are needed"),
    ("bad size", [Disk("sda")], {"KF_DISK_SIZE_MIN": "400G"}, "KF_DISK_SIZE_MIN is '400G', not a number of bytes"),
    ("no alphabet", [Disk("sda")], {"KF_DISK_MODEL": "a|b"}, "KF_DISK_MODEL holds a character that no fact may hold"),
    ("no root volume", [Disk("sda")], {"KF_DISK_VOLUMES": "/var=rest"}, "KF_DISK_VOLUMES names no / volume"),
    ("swap", [Disk("sda")], {"KF_DISK_VOLUMES": "/=rest swap=4G"}, "KF_DISK_VOLUMES: 'swap=4G' is not MOUNT=SIZE[:FILESYSTEM]"),
    ("two rests", [Disk("sda")], {"KF_DISK_VOLUMES": "/=rest /var=rest"}, "KF_DISK_VOLUMES: only one volume can take the rest"),
    ("same mount", [Disk("sda")], {"KF_DISK_VOLUMES": "/=rest /a=1G /a=2G"}, "KF_DISK_VOLUMES names /a twice"),
    ("same LV name", [Disk("sda")], {"KF_DISK_VOLUMES": "/=rest /a/b=1G /a_b=2G"}, "KF_DISK_VOLUMES: /a_b would be the second logical volume named a_b"),
    ("root as a second root", [Disk("sda")], {"KF_DISK_VOLUMES": "/=rest /root=1G"}, "KF_DISK_VOLUMES: /root would be the second logical volume named root"),
    ("zero size", [Disk("sda")], {"KF_DISK_VOLUMES": "/=0G"}, "KF_DISK_VOLUMES: size '0G' of / is neither a number with M, G or T nor rest"),
    ("strange filesystem", [Disk("sda")], {"KF_DISK_VOLUMES": "/=rest:btrfs"}, "KF_DISK_VOLUMES: filesystem 'btrfs' of / is neither xfs nor ext4"),
    ("parent in a mount", [Disk("sda")], {"KF_DISK_VOLUMES": "/=rest /a/../b=1G"}, "KF_DISK_VOLUMES: '/a/../b=1G' is not MOUNT=SIZE[:FILESYSTEM]"),
    ("bootloader password", [Disk("sda")], {"KF_BOOTLOADER_OPTIONS": "--password=x"},
     "KF_BOOTLOADER_OPTIONS: '--password=x' is neither --leavebootorder nor --timeout=N"),
]  # fmt: skip


@pytest.mark.parametrize(("disks", "facts", "reason"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_refuses(tmp_path: Path, disks: list[Disk], facts: dict[str, str], reason: str) -> None:
    assert refused(Machine(tmp_path / "m", *disks).run(**facts)) == reason


FOREIGN: list[tuple[str, Disk, str]] = [
    ("LVM of another OS", Disk("sda", signatures=GPT, partitions={1: (("vfat", ""),), 2: (("LVM2_member", ""),)}, groups={"sda2": "rhel"}), "/dev/sda1: vfat"),
    ("LVM only", lvm("rhel"), "/dev/sda1: LVM, volume group rhel"),
    ("LVM whose group cannot be told", Disk("sda", signatures=GPT, partitions={1: (("LVM2_member", ""),)}), "/dev/sda1: LVM, volume group unknown"),
    ("a group that only begins like ours", lvm("kfimage2"), "/dev/sda1: LVM, volume group kfimage2"),
    ("our group on the whole disk", Disk("sda", signatures=(("LVM2_member", ""),), groups={"sda": "kfimage"}), "/dev/sda: LVM, volume group kfimage"),
    ("ceph OSD in LVM", Disk("sda", signatures=(("LVM2_member", ""),), groups={"sda": "ceph-5f0c"}), "/dev/sda: LVM, volume group ceph-5f0c"),
    ("raw ceph OSD", Disk("sda", bluestore=True), "/dev/sda: ceph_bluestore"),
    ("ZFS on the whole disk", Disk("sda", signatures=(("zfs_member", "tank"),)), "/dev/sda: zfs_member, label tank"),
    ("ZFS in a partition", Disk("sda", signatures=GPT, partitions={1: (("zfs_member", "tank"),), 9: ()}), "/dev/sda1: zfs_member, label tank"),
    ("mdraid member", Disk("sda", signatures=(("linux_raid_member", "store:0"),)), "/dev/sda: linux_raid_member, label store:0"),
    ("firmware RAID", Disk("sda", signatures=(("isw_raid_member", ""),)), "/dev/sda: isw_raid_member"),
    ("LUKS", Disk("sda", signatures=(("crypto_LUKS", ""),)), "/dev/sda: crypto_LUKS"),
    ("LUKS in a partition, nothing of ours beside it", Disk("sda", signatures=GPT, partitions={1: (("crypto_LUKS", ""),)}), "/dev/sda1: crypto_LUKS"),
    ("plain Linux", Disk("sda", signatures=GPT, partitions={1: (("xfs", "root"),)}), "/dev/sda1: xfs, label root"),
    ("swap", Disk("sda", signatures=GPT, partitions={1: (("swap", ""),)}), "/dev/sda1: swap"),
    ("old MBR", Disk("sda", signatures=(("dos", ""),), partitions={1: (("ntfs", "C"),)}), "/dev/sda: a dos partition table"),
    ("filesystem without a table", Disk("sda", signatures=(("ext4", "data"),)), "/dev/sda: ext4, label data"),
    ("ISO image", Disk("sda", signatures=(("iso9660", "RHEL-8-7"), ("dos", ""))), "/dev/sda: iso9660, label RHEL-8-7"),
    ("raw partition", Disk("sda", signatures=GPT, partitions={1: ()}), "/dev/sda1: a partition with no known content"),
    ("empty table", Disk("sda", signatures=GPT), "/dev/sda: a gpt partition table without partitions"),
    ("ours and one more", Disk("sda", signatures=GPT, partitions={**OURS, 4: (("ext4", "mine"),)}, groups={"sda3": "kfimage"}), "/dev/sda4: ext4, label mine"),
    ("ours under ZFS", Disk("sda", signatures=(*GPT, ("zfs_member", "t")), partitions=OURS, groups={"sda3": "kfimage"}), "/dev/sda: zfs_member, label t"),
    ("NVMe", Disk("nvme0n1", tran="nvme", signatures=GPT, partitions={1: (("btrfs", ""),)}), "/dev/nvme0n1p1: btrfs"),
]  # fmt: skip


@pytest.mark.parametrize(("disk", "what"), [c[1:] for c in FOREIGN], ids=[c[0] for c in FOREIGN])
def test_guard(tmp_path: Path, disk: Disk, what: str) -> None:
    reason = refused(Machine(tmp_path / "guard", disk).run())
    assert reason == f"no earlier kfimage install put this there: {what}; wipe the disk by hand, or set disk.wipe to all"
    taken = Machine(tmp_path / "all", disk).run(KF_DISK_WIPE="all")
    assert drives(taken) == [disk.name]


def test_guard_looks_at_both_disks_of_a_mirror(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "m", Disk("sda"), Disk("sdb", signatures=GPT, partitions={1: (("xfs", "keep"),)}))
    assert "/dev/sdb1: xfs, label keep" in refused(machine.run(KF_DISK_RAID="mirror"))


def test_guard_looks_only_at_the_chosen_disk(tmp_path: Path) -> None:
    data = Disk("sdb", 960, signatures=(("zfs_member", "tank"),))
    assert drives(Machine(tmp_path / "m", Disk("sda"), data).run(KF_DISK_PICK="smallest", KF_DISK_WIPE="all")) == ["sda"]


@pytest.mark.parametrize("extra", [(("crypto_LUKS", ""),), (("linux_raid_member", "node:kfimage_pv"),), ()], ids=["LUKS", "md", "blank"])
def test_our_own_shapes_are_taken_again(tmp_path: Path, extra: tuple[tuple[str, str], ...]) -> None:
    """An encrypted or mirrored earlier install, and the BIOS boot partition, carry no group of their own."""
    disk = Disk("sda", signatures=GPT, partitions={1: (("xfs", "kfimage_boot"),), 2: extra})
    assert drives(Machine(tmp_path / "m", disk).run()) == ["sda"]


def test_a_mirrored_esp_shows_two_signatures(tmp_path: Path) -> None:
    esp = (("linux_raid_member", "kfimage_efi"), ("vfat", "KFIMAGE_EFI"))
    assert drives(Machine(tmp_path / "m", Disk("sda", signatures=GPT, partitions={1: esp})).run()) == ["sda"]


@pytest.mark.parametrize("what", ["unreadable.sda", "unreadable.sda1"])
def test_what_cannot_be_read_is_not_free(tmp_path: Path, what: str) -> None:
    machine = Machine(tmp_path / "m", ours("sda"))
    (machine.root / "fake" / what).touch()
    assert refused(machine.run()) == f"the signatures of /dev/{what[11:]} cannot be read, so it is not known to be free"


def test_wipe_all_clears_only_what_clearpart_leaves(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "m", Disk("sda", signatures=(("zfs_member", "tank"), ("linux_raid_member", "x"), *GPT)))
    outcome = machine.run(KF_DISK_WIPE="all")
    assert drives(outcome) == ["sda"]
    cleared = [call for call in outcome.calls if "--all" in call]
    assert cleared == [f"wipefs --quiet --all --types zfs_member {machine.root}/dev/sda"]


def test_wipe_all_clears_nothing_before_every_check(tmp_path: Path) -> None:
    disk = Disk("sda", 20, signatures=(("zfs_member", "tank"),))
    assert "MiB" in refused(Machine(tmp_path / "m", disk).run(KF_DISK_WIPE="all", KF_DISK_VOLUMES="/=30G"))


def test_a_signature_that_stays_stops_the_install_and_says_what_was_done(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "m", Disk("sda", signatures=(("zfs_member", "tank"),)))
    (machine.root / "fake/busy.sda").touch()
    outcome = machine.run(KF_DISK_WIPE="all")
    assert outcome.status != 0 and outcome.written is None
    assert outcome.reason == "the zfs_member signature of /dev/sda cannot be cleared"
    assert "nothing was written" not in outcome.stderr and "signatures of /dev/sda were cleared" in outcome.stderr


# --- the installer's own medium -----------------------------------------------------------------------------------

MEDIUM = Disk("sdb", 960, label="RHEL-8-7-0-BaseOS-x86_64", partitions={1: ()}, signatures=GPT)
MEDIA: list[tuple[str, dict[str, Any], str]] = [
    ("mounted", {"mounts": (("/dev/sdb1", "/run/install/repo"),)}, "in use, mounted on /run/install/repo"),
    ("mounted whole", {"mounts": (("/dev/sdb", "/run/install/isodir"),)}, "in use, mounted on /run/install/isodir"),
    ("stage2 by label", {"cmdline": "inst.stage2=hd:LABEL=RHEL-8-7-0-BaseOS-x86_64 quiet"}, "the installer's own medium, named on the kernel line"),
    ("kickstart by label and path", {"cmdline": "inst.ks=hd:LABEL=RHEL-8-7-0-BaseOS-x86_64:/ks.cfg"}, "the installer's own medium, named on the kernel line"),
    ("repo by device", {"cmdline": "inst.repo=hd:/dev/sdb1:/repo"}, "the installer's own medium, named on the kernel line"),
    ("repo by short name", {"cmdline": "inst.repo=hd:sdb1:/repo"}, "the installer's own medium, named on the kernel line"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "why"), [c[1:] for c in MEDIA], ids=[c[0] for c in MEDIA])
def test_never_the_installers_medium(tmp_path: Path, where: dict[str, Any], why: str) -> None:
    machine = Machine(tmp_path / "m", Disk("sda"), MEDIUM, **where)
    assert drives(machine.run(KF_DISK_WIPE="all")) == ["sda"]
    (machine.root / "tmp/kfimage-storage.ks").unlink()
    outcome = machine.run(KF_DISK_PATH="/dev/sdb", KF_DISK_WIPE="all")
    assert refused(outcome) == RULE + "1 needed, 0 found (none)"
    assert f"never taken: {why}" in outcome.table


def test_a_label_with_a_blank_and_oemdrv(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "m", Disk("sda"), Disk("sdb"), Disk("sdc"), cmdline=r"inst.stage2=hd:LABEL=RHEL\x208")
    machine.link(r"by-label/RHEL\x208", "sdb")
    machine.link("by-label/OEMDRV", "sdc")
    assert drives(machine.run()) == ["sda"]


def test_a_device_mapper_mount_blames_the_disk_below(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "m", Disk("sda"), Disk("sdb", partitions={1: ()}), mounts=(("/dev/mapper/live-rw", "/run/initramfs/live"),))
    mapped = machine.root / "sys/devices/virtual/block/dm-0"
    (mapped / "slaves/sdb1").mkdir(parents=True)
    (machine.root / "sys/class/block/dm-0").symlink_to(mapped)
    (machine.root / "dev/mapper").mkdir()
    (machine.root / "dev/mapper/live-rw").symlink_to("../dm-0")
    assert drives(machine.run()) == ["sda"]


# --- what is written ----------------------------------------------------------------------------------------------


def filesystems(handler: RHEL8Handler) -> dict[str, tuple[str, int, bool]]:
    """Mount point to where it lies (disk, array or logical volume), its size in MiB and whether it grows."""
    found = {p.mountpoint: (p.disk, p.size, p.grow) for p in handler.partition.partitions}
    for lv in handler.logvol.lvList:
        found[lv.mountpoint] = (f"{lv.vgname}/{lv.name}", lv.size, lv.grow)
    return found


VOLUMES = "/boot=2G /=30G /var=50000M:ext4 /var/lib/containers=rest"


@pytest.mark.parametrize("efi", [True, False], ids=["uefi", "bios"])
def test_lvm_on_one_disk(tmp_path: Path, efi: bool) -> None:
    handler = parsed(Machine(tmp_path / "m", Disk("sda"), efi=efi).run(KF_DISK_VOLUMES=VOLUMES))
    first = {"/boot/efi": ("sda", 600, False)} if efi else {"biosboot": ("sda", 1, False)}
    assert filesystems(handler) == first | {
        "/boot": ("sda", 2048, False),
        "pv.01": ("sda", 30720 + 50000 + 1024 + 256, True),
        "/": ("kfimage/root", 30720, False),
        "/var": ("kfimage/var", 50000, False),
        "/var/lib/containers": ("kfimage/var_lib_containers", 1024, True),
    }
    assert [(g.vgname, g.physvols) for g in handler.volgroup.vgList] == [("kfimage", ["pv.01"])]
    assert {lv.mountpoint: lv.fstype for lv in handler.logvol.lvList} == {"/": "xfs", "/var": "ext4", "/var/lib/containers": "xfs"}
    assert not handler.raid.raidList


@pytest.mark.parametrize("efi", [True, False], ids=["uefi", "bios"])
def test_lvm_on_a_mirror(tmp_path: Path, efi: bool) -> None:
    handler = parsed(Machine(tmp_path / "m", *M2, efi=efi).run(KF_DISK_VOLUMES=VOLUMES, KF_DISK_RAID="mirror"))
    on = {p.mountpoint: p.disk for p in handler.partition.partitions if p.mountpoint.startswith("raid.")}
    arrays = {r.mountpoint: (r.device, r.level, r.members) for r in handler.raid.raidList}
    assert set(arrays) == {"/boot", "pv.01"} | ({"/boot/efi"} if efi else set())
    for device, level, members in arrays.values():
        assert level == "RAID1" and device.startswith("kfimage_")
        assert sorted(on[member] for member in members) == ["nvme8n1", "nvme9n1"]
    assert sorted(member for _, _, members in arrays.values() for member in members) == sorted(on)
    biosboot = sorted(p.disk for p in handler.partition.partitions if p.fstype == "biosboot")
    assert biosboot == ([] if efi else ["nvme8n1", "nvme9n1"])
    if efi:
        esp = next(r for r in handler.raid.raidList if r.mountpoint == "/boot/efi")
        assert (esp.fstype, esp.label) == ("efi", "KFIMAGE_EFI")


@pytest.mark.parametrize("raid", ["none", "mirror"])
def test_plain(tmp_path: Path, raid: str) -> None:
    handler = parsed(Machine(tmp_path / "m", *M2[: 1 + (raid == "mirror")]).run(KF_DISK_VOLUMES=VOLUMES, KF_DISK_RAID=raid, KF_DISK_LAYOUT="plain"))
    made = handler.raid.raidList if raid == "mirror" else handler.partition.partitions
    labels = {m.mountpoint: m.label for m in made}
    assert labels == {"/boot/efi": "KFIMAGE_EFI", "/boot": "kfimage_boot", "/": "kfimage_root", "/var": "kfimage_v2", "/var/lib/containers": "kfimage_v3"}
    # xfs takes 12 characters, FAT 11
    assert all(len(label) <= (11 if mount == "/boot/efi" else 12) for mount, label in labels.items())
    assert not handler.volgroup.vgList and not handler.logvol.lvList
    assert sum(p.grow for p in handler.partition.partitions) == (2 if raid == "mirror" else 1)


@pytest.mark.parametrize("layout", ["lvm", "plain"])
@pytest.mark.parametrize("raid", ["none", "mirror"])
@pytest.mark.parametrize("volumes", ["", "/=rest", "/=20G", VOLUMES])
def test_never_swap_and_the_disk_is_always_big_enough_for_what_is_asked(tmp_path: Path, layout: str, raid: str, volumes: str) -> None:
    outcome = Machine(tmp_path / "m", *M2[: 1 + (raid == "mirror")]).run(KF_DISK_VOLUMES=volumes, KF_DISK_RAID=raid, KF_DISK_LAYOUT=layout)
    handler = parsed(outcome)
    assert outcome.written is not None and "swap" not in outcome.written
    for disk in handler.ignoredisk.onlyuse:
        assert sum(p.size for p in handler.partition.partitions if p.disk == disk) < 480 * GB // 2**20


def test_what_is_written_is_recognised_as_ours_the_next_time(tmp_path: Path) -> None:
    """The labels, arrays and group of the first run, given back as signatures, pass the guard of the second."""
    for layout, raid in (("lvm", "none"), ("plain", "none"), ("lvm", "mirror"), ("plain", "mirror")):
        names = M2[: 1 + (raid == "mirror")]
        facts = {"KF_DISK_VOLUMES": VOLUMES, "KF_DISK_LAYOUT": layout, "KF_DISK_RAID": raid}
        handler = parsed(Machine(tmp_path / f"{layout}-{raid}", *names).run(**facts))
        again = []
        for disk in names:
            partitions: dict[int, tuple[tuple[str, str], ...]] = {}
            groups = {}
            for number, p in enumerate((p for p in handler.partition.partitions if p.disk == disk.name), 1):
                array = next((r for r in handler.raid.raidList if p.mountpoint in r.members), None)
                if array:
                    partitions[number] = (("linux_raid_member", f"gpu-a01:{array.device}"),)
                elif p.mountpoint == "pv.01":
                    partitions[number], groups[disk.part(number)] = (("LVM2_member", ""),), handler.volgroup.vgList[0].vgname
                else:
                    partitions[number] = (("vfat" if p.fstype == "efi" else p.fstype, p.label),)
            again.append(Disk(disk.name, disk.gb, serial=disk.serial, signatures=GPT, partitions=partitions, groups=groups))
        assert drives(Machine(tmp_path / f"{layout}-{raid}-again", *again).run(**facts)) == [d.name for d in names]


def test_bootloader_line(tmp_path: Path) -> None:
    facts = {"KF_KERNEL_ARGS": "console=tty0 console=ttyS0,115200", "KF_BOOTLOADER_OPTIONS": "--timeout=5 --leavebootorder"}
    loader = parsed(Machine(tmp_path / "m", Disk("sda")).run(**facts)).bootloader
    assert (loader.appendLine, loader.timeout, loader.leavebootorder) == ("console=tty0 console=ttyS0,115200", 5, True)


def test_the_nodes_own_arguments_follow_those_of_its_shape(tmp_path: Path) -> None:
    own = "ip=10.20.1.11::10.20.1.1:255.255.255.0:n:eno1:none nameserver=10.20.0.2"
    one = Machine(tmp_path / "1", Disk("sda")).run(KF_DISK_ENCRYPT="tang", KF_KERNEL_ARGS="rd.neednet=1 quiet", KF_KERNEL_ARGS_NODE=own)
    assert parsed(one).bootloader.appendLine == f"rd.neednet=1 quiet {own}"
    assert parsed(Machine(tmp_path / "2", Disk("sda")).run(KF_KERNEL_ARGS_NODE=own)).bootloader.appendLine == own


@pytest.mark.parametrize("raid", ["none", "mirror"])
def test_encryption(tmp_path: Path, raid: str) -> None:
    outcome = Machine(tmp_path / "m", *M2[: 1 + (raid == "mirror")], tpm=True).run(KF_DISK_ENCRYPT="both", KF_DISK_RAID=raid)
    handler = parsed(outcome)
    made = [*handler.partition.partitions, *handler.raid.raidList]
    locked = [m for m in made if m.encrypted]
    assert [(m.mountpoint, m.luks_version) for m in locked] == [("pv.01", "luks2")]
    assert handler.bootloader.appendLine == "rd.neednet=1"
    secret = outcome.root / "tmp/kfimage-luks"
    assert re.fullmatch("[0-9a-f]{64}", secret.read_text()) and secret.read_text() == locked[0].passphrase
    for path in (secret, outcome.root / "tmp/kfimage-storage.ks"):
        assert path.stat().st_mode & 0o777 == 0o600
    seen = outcome.stderr + "".join(outcome.calls) + (outcome.root / "dev/console").read_text()
    assert secret.read_text() not in seen


def test_each_node_gets_its_own_passphrase_and_only_tang_the_network(tmp_path: Path) -> None:
    one = Machine(tmp_path / "1", Disk("sda"), tpm=True).run(KF_DISK_ENCRYPT="tpm2")
    two = Machine(tmp_path / "2", Disk("sda")).run(KF_DISK_ENCRYPT="tang", KF_KERNEL_ARGS="rd.neednet=1 quiet")
    assert parsed(one).bootloader.appendLine == ""
    assert parsed(two).bootloader.appendLine == "rd.neednet=1 quiet"
    assert (one.root / "tmp/kfimage-luks").read_text() != (two.root / "tmp/kfimage-luks").read_text()


# --- failure ------------------------------------------------------------------------------------------------------

HOSTILE = ['a"b', "$(touch pwned)", "`touch pwned`", "x\n%post\ntouch pwned\n%end", "\\x22; rm -rf /", "*", "@", "]", "é\x1b[2J"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_of_disks_change_nothing(tmp_path: Path, text: str) -> None:
    disks = [Disk("sda"), Disk("sdb", model=text, serial=text, vendor=text, wwn=text)]
    machine = Machine(tmp_path / "m", *disks)
    outcome = machine.run(KF_REPORT_URL="http://10.0.0.5/report", KF_NODE="gpu-a01")
    assert "2 found (sda sdb)" in refused(outcome)
    assert len(outcome.table.splitlines()) == 3
    assert "\x1b" not in (machine.root / "dev/console").read_text()
    assert not list(tmp_path.rglob("pwned")) and not Path("pwned").exists()
    assert drives(machine.run(KF_DISK_PATH="/dev/sda")) == ["sda"]


def test_a_hostile_label_does_not_reach_the_console_raw(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "m", Disk("sda", signatures=(("ext4", "\x1b[2J\x07ok"),)))
    assert machine.run().status != 0
    assert "label ?[2J?ok" in (machine.root / "dev/console").read_text()
    assert "label ?[2J?ok" in (machine.root / "dev/kmsg").read_text()


def test_hostile_device_name_is_no_disk(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "m", Disk("sda"))
    with (machine.root / "fake/lsblk").open("a") as listing:
        listing.write(Disk("cciss!c0d0").pairs + "\n" + Disk("sdb --x").pairs + "\n")
    assert drives(machine.run()) == ["sda"]


def test_a_line_that_cannot_be_read_stops(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "m", Disk("sda"))
    (machine.root / "fake/lsblk").write_text('NAME="sda" TYPE=disk\n')
    assert refused(machine.run()).startswith("lsblk wrote a line that cannot be read")


@pytest.mark.parametrize(("mode", "asked"), [("hold", []), ("poweroff", ["systemctl --no-block poweroff"]), ("reboot", ["systemctl --no-block reboot"])])
def test_a_failure_holds_or_turns_off_and_never_just_returns(tmp_path: Path, mode: str, asked: list[str]) -> None:
    machine = Machine(tmp_path / "m", Disk("sda"), Disk("sdb"))
    machine.fake("sleep", '[[ $(grep -c "^sleep" "$F/calls") -lt 4 ]]')
    outcome = machine.run(KF_ON_FAILURE=mode)
    refused(outcome)
    assert [call for call in outcome.calls if call.startswith("systemctl")] == asked
    assert sum(call.startswith("sleep") for call in outcome.calls) == 4
    console = (machine.root / "dev/ttyS0").read_text()
    again = 3 - (mode != "hold")
    assert console.count(outcome.reason) == 1 + again
    assert (machine.root / "dev/kmsg").read_text().count(outcome.reason) == 1, "the kernel log is told once, not every minute"


def test_the_report_is_json_and_a_dead_receiver_changes_nothing(tmp_path: Path) -> None:
    import json

    machine = Machine(tmp_path / "m", Disk("sda", signatures=(("ext4", 'a "quoted" \\ label'),)))
    outcome = machine.run(KF_REPORT_URL="http://10.0.0.5/report", KF_NODE="gpu-a01")
    sent = json.loads((machine.root / "fake/posted").read_text())
    assert sent == {"node": "gpu-a01", "step": "storage", "state": "failed", "message": refused(outcome)}
    machine.fake("curl", "exit 7")
    outcome = machine.run(KF_REPORT_URL="http://10.0.0.5/report")
    assert "the report could not be sent" in outcome.stderr
    assert refused(outcome)


def test_a_fault_of_the_script_itself_is_reported_too(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "m", Disk("sda"))
    machine.fake("mv", "exit 1")
    outcome = machine.run()
    assert outcome.status != 0 and outcome.written is None
    assert outcome.reason.startswith("the disk script itself failed (line ")


@pytest.mark.parametrize("name", ["lsblk", "head"])
def test_a_missing_command_stops(tmp_path: Path, name: str) -> None:
    machine = Machine(tmp_path / "m", Disk("sda"))
    machine.fake(name, "exit 127")
    assert refused(machine.run())


def test_an_earlier_runs_answer_does_not_survive_a_refusal(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "m", Disk("sda"), Disk("sdb"))
    (machine.root / "tmp/kfimage-storage.ks").write_text("clearpart --all\n")
    (machine.root / "tmp/kfimage-luks").write_text("old")
    refused(machine.run())


# --- the text itself ----------------------------------------------------------------------------------------------

SECTION = re.compile(r"^\s*%(end|include|ksappend|pre|pre-install|post|onerror|traceback|packages|addon|anaconda|certificate)\b", re.M)


@pytest.mark.parametrize("script", [STORAGE, CLEVIS], ids=lambda path: path.name)
def test_can_be_pasted_into_a_kickstart(script: Path) -> None:
    text = script.read_text()
    assert not SECTION.search(text)
    assert "eval" not in text and "\r" not in text and "{{" not in text and text.isascii()
    handler = RHEL8Handler()
    KickstartParser(handler).readKickstartFromString(f"%pre --interpreter=/bin/bash --erroronfail\n{text}%end\n")
    assert handler.scripts[0].script == text


@pytest.mark.parametrize("script", [STORAGE, CLEVIS], ids=lambda path: path.name)
@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck(script: Path) -> None:
    done = subprocess.run(["shellcheck", "--shell=bash", str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", [STORAGE, CLEVIS], ids=lambda path: path.name)
def test_needs_no_newer_bash_than_4_4(script: Path) -> None:
    """RHEL 8 has 4.4; shellcheck knows no versions."""
    newer = (
        r"EPOCHSECONDS|EPOCHREALTIME|SRANDOM|BASH_ARGV0|wait -p|\$\{[A-Za-z_]+@[ULuKk]\}|\$\{ |shopt -s (localvar_inherit|assoc_expand_once|patsub_replacement)"
    )
    assert not re.search(newer, script.read_text())
