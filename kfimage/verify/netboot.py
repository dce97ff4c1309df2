"""Boot files of pxelinux, GRUB 2 and iPXE: entries that exist, names that are found, and arguments the installer knows."""

from __future__ import annotations

import re
from collections.abc import Collection

from kfimage.errors import ERROR, WARNING, Mark, Report, define, did_you_mean

BARE = define(
    "KF7001",
    WARNING,
    "an installer argument without its inst. prefix",
    why="RHEL 8 takes ks=, repo= and their kind with a warning, RHEL 9 ignores them: the machine would wait for a person.",
    fix="write it with inst. before it, as in inst.ks=",
    source="anaconda 33.16 dracut; facts/rhel.md, boot options",
)
NO_ENTRY = define(
    "KF7002",
    ERROR,
    "a default entry that is not in the menu",
    why="The boot loader stops at its prompt, or takes the first entry, which may be the one that installs.",
    fix="name one of the file's own entries",
)
BAD_NAME = define(
    "KF7003",
    ERROR,
    "a boot file whose name no machine asks for",
    why="pxelinux and GRUB ask for 01- and the MAC in lower case with dashes; any other spelling is never found, and the default is taken.",
    fix="call it 01-aa-bb-cc-dd-ee-ff (grub.cfg-01-aa-bb-cc-dd-ee-ff for GRUB)",
    source="facts/boot.md: pxelinux.cfg names as seen in a TFTP log",
)
LOST_KICKSTART = define(
    "KF7004",
    ERROR,
    "a boot entry for a kickstart the tree does not hold",
    why="The installer asks for the file again and again, then stops in a shell on the console.",
    fix="render again, so that the entry and the kickstart come from one site",
)
CARRIAGE = define(
    "KF7005",
    ERROR,
    "a carriage return in a boot file",
    why="The boot loader passes it on as part of the last kernel argument, so that argument is not understood.",
    fix="save the file with Unix line ends",
)

UNKNOWN = define(
    "KF7006",
    ERROR,
    "an inst. argument that RHEL 8.7's installer does not know",
    why="It is ignored without a word, so what it was meant to do does not happen.",
    fix="see the list of boot options of the release; did the name lose a letter?",
    source="anaconda 33.16.7.12 docs/boot-options.rst and dracut scripts; facts/rhel.md 2.5",
)
TOO_LONG = define(
    "KF7007",
    ERROR,
    "a kernel line longer than the kernel reads",
    why="x86 kernels take 2047 characters and cut the rest off: the last arguments, BOOTIF among them, are lost.",
    fix="shorten addresses, or move arguments of the installed system to kernel.args",
    source="COMMAND_LINE_SIZE of arch/x86",
)

_KNOWN = frozenset(
    """repo addrepo noverifyssl proxy stage2 stage2.all dd multilib ks ks.all ks.sendmac ks.sendsn ksstrict dhcpclass waitfornet lang singlelang
    geoloc keymap cmdline graphical text noninteractive resolution vnc vncpassword vncconnect xdriver usefbx xtimeout sshd rescue updates nokill
    loglevel noshell notmux syslog virtiolog zram extlinux leavebootorder nodmraid nompath gpt selinux nosave nonibftiscsiboot product variant
    kdump_addon mediacheck debug""".split()
)
_INST = re.compile(r"(?<!\S)inst\.([A-Za-z0-9_.]+)")
_WANTED = re.compile(
    r"(?i)\s*(?:(?:default|ontimeout)\s+(\S+)\s*$|set\s+default=[\"']?([^\"'\n$]*[^\"'\s$])|choose\s.*--default\s+(\S+))"
)
_ENTRY = re.compile(
    r"(?im)^\s*(?:label\s+(\S+)|item\s+(?:--\S+\s+\S+\s+)*(\S+)|menuentry\s+(?:'([^'\n]*)'|\"([^\"\n]*)\")(?:.*--id[= ]['\"]?([\w.-]+))?)"
)
_BARE = re.compile(r"(?<!\S)(ks|repo|stage2|updates|kssendmac|ksdevice)(?==)")
_KERNEL = re.compile(r"^\s*(?:APPEND|linux|linuxefi|linux16|kernel)\s", re.I)
_KS = re.compile(r"(?<!\S)inst\.ks=(\S+)")
_MAC = r"01(?:-[0-9a-f]{2}){6}"
_MACLIKE = re.compile(r"(?i)(?:[0-9a-f]{2}[:-]){5,6}[0-9a-f]{2}")


def check_boot_file(text: str, path: str) -> Report:
    """What is wrong with one boot file by itself."""
    report = Report()
    _name(path, report)
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith("\r"):
            report.add(CARRIAGE, Mark(path, number, len(line)), "the line ends in a carriage return")
            break
    for number, line in enumerate(text.split("\n"), 1):
        if not _KERNEL.match(line):
            continue
        if len(line.strip()) > 2047:
            report.add(TOO_LONG, Mark(path, number, 2048), f"{len(line.strip())} characters")
        for found in _INST.finditer(line):
            if found[1] not in _KNOWN:
                report.add(UNKNOWN, Mark(path, number, found.start() + 1), f"inst.{found[1]}", did_you_mean(found[1], _KNOWN))
        for found in _BARE.finditer(line):
            report.add(BARE, Mark(path, number, found.start() + 1), f"{found[1]}= should be inst.{found[1]}=")
    _default(text, path, report)
    return report


def check_references(text: str, path: str, tree: Collection[str]) -> Report:
    """Kickstarts named in a boot file that the tree it lies in does not hold; addresses of other servers are left alone."""
    report = Report()
    for number, line in enumerate(text.split("\n"), 1):
        for found in _KS.finditer(line):
            inside = re.search(r"/(kickstart/[^/\s]+\.ks)$", found[1])
            if inside and inside[1] not in tree:
                report.add(LOST_KICKSTART, Mark(path, number, found.start(1) + 1), f"{inside[1]} is not in this tree")
    return report


def _name(path: str, report: Report) -> None:
    name = path.rpartition("/")[2]
    bare = re.sub(r"^grub\.cfg-|\.ipxe$", "", name)
    if _MACLIKE.fullmatch(bare) and not re.fullmatch(_MAC, bare):
        report.add(BAD_NAME, Mark(path), f"'{name}' is not the name a boot loader asks for")


def _default(text: str, path: str, report: Report) -> None:
    entries = {name.rstrip("\r") for found in _ENTRY.finditer(text) for name in found.groups() if name}
    for number, line in enumerate(text.split("\n"), 1):
        found = _WANTED.match(line)
        group = next((g for g in (1, 2, 3) if found and found[g]), 0)
        name = found[group] if found and group else ""
        # pxelinux: a default may be a kernel's file or a menu module; GRUB: a number counts entries.
        other = name.isdigit() or name.endswith((".c32", ".0")) or "/" in name or name.startswith("$")
        if found and name and name not in entries and not other:
            report.add(NO_ENTRY, Mark(path, number, found.start(group) + 1), f"no entry '{name}' here")
