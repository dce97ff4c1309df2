"""A machine in a folder: sysfs, /dev, /proc and the commands of the installer, as far as storage.sh looks at them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).parents[2]
STORAGE = ROOT / "kickstart/pre/storage.sh"
CLEVIS = ROOT / "kickstart/post/clevis.sh"
COLUMNS = "NAME,TYPE,SIZE,RO,RM,HOTPLUG,TRAN,VENDOR,MODEL,SERIAL,WWN"
GB = 1_000_000_000

# Each fake records its arguments and answers from files under $KFIMAGE_ROOT/fake, so no answer lives in a script.
FAKES = {
    "lsblk": f'[[ " $* " == *" --output {COLUMNS} "* ]] || exit 64; cat "$F/lsblk"',
    "wipefs": 'd=${@: -1}; d=${d##*/}; if [[ " $* " == *" --all "* ]]; then [[ ! -e $F/busy.$d ]]; exit; fi\n'
    '[[ " $* " == *" --noheadings --output TYPE,LABEL "* ]] || exit 64\n'
    '[[ ! -e $F/unreadable.$d ]] || exit 1; [[ ! -e $F/wipefs.$d ]] || cat "$F/wipefs.$d"',
    "pvs": 'd=${@: -1}; cat "$F/pvs.${d##*/}" 2>/dev/null || exit 5',
    "udevadm": "exit 0",
    "sleep": "exit 1",  # the hold ends at once
    "systemctl": "exit 0",
    "curl": 'cat >>"$F/posted"',
}


def escaped(text: str) -> str:
    """A value as `lsblk --pairs` prints it in the C locale (libsmartcols, fputs_quoted)."""
    return "".join(chr(b) if 0x20 <= b < 0x7F and chr(b) not in '"\\`$' else f"\\x{b:02x}" for b in text.encode())


Signatures = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Disk:
    """One block device; partitions map a number to its signatures (type, label)."""

    name: str
    gb: int = 480
    tran: str = "sata"
    vendor: str = "ATA"
    model: str = "SAMSUNG MZ7L3480"
    serial: str = ""
    wwn: str = ""
    type: str = "disk"
    read_only: bool = False
    removable: bool = False
    bus: str = "pci0000:00"
    signatures: Signatures = ()
    partitions: Mapping[int, Signatures] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    bluestore: bool = False
    ids: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    label: str = ""
    hidden: bool = False
    fabric: str = ""
    mapper: str = ""

    def part(self, number: int) -> str:
        return f"{self.name}p{number}" if self.name[-1].isdigit() else f"{self.name}{number}"

    @property
    def pairs(self) -> str:
        flag = {True: "1", False: "0"}
        values = [
            self.name, self.type, str(self.gb * GB), flag[self.read_only], flag[self.removable], flag[self.removable],
            self.tran, self.vendor, self.model, self.serial, self.wwn,
        ]  # fmt: skip
        return " ".join(f'{key}="{escaped(value)}"' for key, value in zip(COLUMNS.split(","), values))


@dataclass(frozen=True)
class Outcome:
    status: int
    stderr: str
    written: Optional[str]
    calls: tuple[str, ...]
    root: Path

    @property
    def reason(self) -> str:
        return (self.root / "tmp/kfimage-failure").read_text().splitlines()[0]

    @property
    def table(self) -> str:
        return (self.root / "tmp/kfimage-failure").read_text()


class Machine:
    """Lays the tree under `root`; run() pastes the assignments and the script together as the kickstart does."""

    def __init__(
        self,
        root: Path,
        *disks: Disk,
        efi: bool = True,
        tpm: bool = False,
        mounts: tuple[tuple[str, str], ...] = (),
        cmdline: str = "inst.ks=http://10.0.0.5/ks",
    ) -> None:
        self.root = root
        for folder in ("tmp", "proc", "dev", "sys/block", "sys/class/block", "sys/class/tty/console", "fake", "bin"):
            (root / folder).mkdir(parents=True)
        (root / "dev/console").touch()
        (root / "dev/kmsg").touch()
        (root / "dev/ttyS0").touch()
        (root / "sys/class/tty/console/active").write_text("tty0 ttyS0\n")
        if efi:
            (root / "sys/firmware/efi").mkdir(parents=True)
        if tpm:
            (root / "dev/tpmrm0").touch()
        (root / "proc/mounts").write_text("".join(f"{s} {t} xfs ro 0 0\n" for s, t in (("tmpfs", "/run"), *mounts)))
        (root / "proc/cmdline").write_text(cmdline + "\n")
        (root / "fake/lsblk").write_text("".join(disk.pairs + "\n" for disk in disks))
        for disk in disks:
            self._lay(disk)
        for name, body in FAKES.items():
            self.fake(name, body)

    def fake(self, name: str, body: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f'#!/bin/bash\nF=$KFIMAGE_ROOT/fake\nprintf "%s\\n" "{name} $*" >>"$F/calls"\n{body}\n')
        path.chmod(0o755)

    def _lay(self, disk: Disk) -> None:
        node = self.root / "sys/devices" / disk.bus / "block" / disk.name
        node.mkdir(parents=True)
        (node / "slaves").mkdir()
        (self.root / "sys/block" / disk.name).symlink_to(node)
        self._device(disk.name, node, disk.signatures, disk.groups)
        (self.root / "dev" / disk.name).write_bytes(b"bluestore block device\n" if disk.bluestore else bytes(64))
        for number, signatures in disk.partitions.items():
            part = node / disk.part(number)
            part.mkdir()
            (part / "partition").write_text(f"{number}\n")
            self._device(disk.part(number), part, signatures, disk.groups)
        if disk.hidden:
            (node / "hidden").write_text("1\n")
        if disk.fabric:
            controller = self.root / "sys/class/nvme" / disk.name[: disk.name.rindex("n")]
            controller.mkdir(parents=True)
            (controller / "transport").write_text(disk.fabric + "\n")
        if disk.mapper:
            (node / "holders/dm-0/dm").mkdir(parents=True)
            (node / "holders/dm-0/dm/uuid").write_text(disk.mapper + "\n")
        for kind, names in (("by-id", disk.ids), ("by-path", disk.paths), ("by-label", (disk.label,) if disk.label else ())):
            for name in names:
                self.link(f"{kind}/{name}", disk.name)

    def link(self, name: str, target: str) -> None:
        link = self.root / "dev/disk" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"../../{target}")

    def _device(self, name: str, node: Path, signatures: Signatures, groups: Mapping[str, str]) -> None:
        (self.root / "sys/class/block" / name).symlink_to(node)
        (self.root / "dev" / name).write_bytes(bytes(64))
        if signatures:
            text = "".join(f"{kind} {label}".rstrip() + "\n" for kind, label in signatures)
            (self.root / "fake" / f"wipefs.{name}").write_text(text)
        if name in groups:
            (self.root / "fake" / f"pvs.{name}").write_text(f"  {groups[name]}\n")

    def run(self, script: Path = STORAGE, /, **facts: str) -> Outcome:
        assignments = "".join(f'{name}="{value}"\n' for name, value in facts.items())
        pasted = self.root / "tmp/ks-script"
        pasted.write_text(assignments + script.read_text())
        # Anaconda's default interpreter is /bin/sh, which on RHEL is bash by that name: POSIX mode must not matter.
        done = subprocess.run(
            ["sh", str(pasted)],
            executable=shutil.which("bash"),
            env={"KFIMAGE_ROOT": str(self.root), "PATH": f"{self.root}/bin:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        written = self.root / "tmp/kfimage-storage.ks"
        calls = self.root / "fake/calls"
        return Outcome(
            done.returncode,
            done.stderr,
            written.read_text() if written.exists() else None,
            tuple(calls.read_text().splitlines()) if calls.exists() else (),
            self.root,
        )
