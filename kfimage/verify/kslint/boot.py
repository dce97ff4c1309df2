"""bootloader: the installed node's kernel line, and the firmware's boot order."""

from __future__ import annotations

import re
import shlex

from kfimage.errors import ERROR, WARNING, Report, define
from kfimage.verify.kslint.model import Command, Parsed, rule

INST = define(
    "KF2601",
    ERROR,
    "an installer option on the installed node's kernel line",
    why="bootloader --append is for the node's own kernel. inst.* options are read by the installer only, which has "
    "already booted: here they do nothing, for ever.",
    fix="put it on the installer's kernel line (PXE, GRUB or iPXE entry)",
    source="anaconda 33.16.7.12 docs/boot-options.rst",
)
OLD_OPTION = define(
    "KF2602",
    ERROR,
    "a boot option of older installers",
    why="ks=, ksdevice=, repo=, method=, stage2= and their like without inst. are deprecated even for the installer, "
    "and the installed node never reads them.",
    fix="remove it here; on the installer's kernel line write inst.ks=, inst.repo=, inst.stage2=",
    source="anaconda 33.16.7.12 dracut/anaconda-lib.sh, warn_renamed_arg",
)
SELINUX_CONTRADICTS = define(
    "KF2603",
    WARNING,
    "the kernel line overrides SELinux",
    why="selinux=0 and enforcing=0 win over the selinux command, and selinux=0 leaves files without labels.",
    fix="remove it and say it with the selinux command",
    source="Linux kernel parameters",
)
ORDER = define(
    "KF2604",
    WARNING,
    "leavebootorder does not leave the boot order",
    why="On UEFI the installer still adds its own entry, and efibootmgr -c puts it first: the next boot is the disk, "
    "whatever the boot server says.",
    fix="set the order in %post with `efibootmgr -o`",
    source="anaconda 33.16.7.12 storage/bootloader/efi.py:69,121",
)
NO_LOADER = define(
    "KF2605",
    WARNING,
    "no boot loader is installed",
    why="--location=none and --disabled leave a disk that does not boot by itself.",
    fix="leave the option out, unless the node always boots over the network",
    source="RHEL 8 installation guide, bootloader",
)
TWICE = define(
    "KF2606",
    WARNING,
    "a kernel parameter is given twice",
    why="The kernel takes the last value of most parameters; the other line is only there to mislead.",
    fix="keep one (console= may stand more than once)",
    source="Linux kernel parameters",
)

_OLD = frozenset(
    "ks ksdevice kssendmac kssendsn method repo stage2 updates vnc vncpassword vncconnect sshd dd text cmdline "
    "graphical askmethod asknetwork noipv6 noprobe lang keymap serial syslog loglevel proxy rescue".split()
)
_KERNELS_OWN = frozenset({"loglevel"})
_MANY = frozenset(
    "console ip rd.lvm.lv rd.luks.uuid rd.md.uuid rd.driver.blacklist modprobe.blacklist module_blacklist nameserver "
    "hugepages hugepagesz earlycon earlyprintk rd.route ifname rd.luks.options rd.znet memmap blacklist".split()
)


def _parameters(command: Command) -> list[str]:
    text = command.get("--append") or ""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


@rule
def kernel_line(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("bootloader"):
        seen: dict[str, str] = {}
        for parameter in _parameters(command):
            name, _, value = parameter.partition("=")
            mark = parsed.at(command, parameter)
            if name.startswith("inst."):
                report.add(INST, mark, f"'{name}' does nothing on the installed node")
            elif name in _OLD and name not in _KERNELS_OWN:
                report.add(OLD_OPTION, mark, f"'{name}' was an installer option")
            if name in ("selinux", "enforcing") and value == "0":
                report.add(SELINUX_CONTRADICTS, mark, f"'{parameter}'")
            if name in seen and name not in _MANY and not re.match(r"\w+\.\w", name):
                report.add(TWICE, mark, f"'{name}' is also given as '{seen[name]}'")
            seen[name] = parameter


@rule
def loader(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("bootloader"):
        if command.has("--leavebootorder") and not parsed.mentions("efibootmgr"):
            report.add(ORDER, parsed.at(command, "--leavebootorder"), "an entry is still added, and it is first")
        if command.get("--location") == "none" or command.has("--disabled"):
            report.add(NO_LOADER, parsed.at(command), "the disk will not boot by itself")
