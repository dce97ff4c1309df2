"""Boot files of pxelinux, GRUB 2 and iPXE: entries that exist, names that are found, and arguments the installer knows."""

from __future__ import annotations

import re
from collections.abc import Collection

from kfimage.errors import ERROR, WARNING, Mark, Report, define

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
        for found in _BARE.finditer(line) if _KERNEL.match(line) else ():
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
