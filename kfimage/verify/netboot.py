"""Boot files of pxelinux, GRUB 2 and iPXE: entries that exist, names that are found, and arguments the installer knows."""

from __future__ import annotations

import re
from collections.abc import Collection

from kfimage.errors import ERROR, WARNING, Mark, Report, define

BARE = define(
    "KF7001", WARNING, "an installer argument without its inst. prefix",
    why="RHEL 8 takes ks=, repo= and their kind as deprecated aliases with a warning, RHEL 9 ignores them: the machine would install by hand.",
    fix="write it with inst. before it, as in inst.ks=",
    source="anaconda 33.16 dracut; facts/rhel.md, boot options",
)
NO_ENTRY = define(
    "KF7002", ERROR, "a default entry that is not in the menu",
    why="The boot loader stops at its prompt, or takes the first entry, which may be the one that installs.",
    fix="name one of the file's own entries",
)
BAD_NAME = define(
    "KF7003", ERROR, "a boot file whose name no machine asks for",
    why="pxelinux and GRUB ask for 01- and the MAC in lower case with dashes; any other spelling is never found, and the default is taken.",
    fix="call it 01-aa-bb-cc-dd-ee-ff (grub.cfg-01-aa-bb-cc-dd-ee-ff for GRUB)",
    source="facts/boot.md: pxelinux.cfg names as seen in a TFTP log",
)
LOST_KICKSTART = define(
    "KF7004", ERROR, "a boot entry for a kickstart the tree does not hold",
    why="The installer asks for the file again and again, then stops in a shell on the console.",
    fix="render again, so that the entry and the kickstart come from one site",
)
CARRIAGE = define(
    "KF7005", ERROR, "a carriage return in a boot file",
    why="The boot loader passes it on as part of the last kernel argument, so that argument is not understood.",
    fix="save the file with Unix line ends",
)

_BARE = re.compile(r"(?<![\w.=/-])(ks|repo|stage2|updates|kssendmac|ksdevice)(?==)")
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
    wanted: list[tuple[int, int, str]] = []
    entries: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        first = words[0].lower() if words else ""
        if first in ("default", "ontimeout") and len(words) == 2:
            wanted.append((number, line.find(words[1]) + 1, words[1]))
        elif first == "label" and len(words) > 1:
            entries.add(words[1])
        elif first == "menuentry":
            entries.update(re.findall(r"--id[= ]'?\"?([\w.-]+)", line))
            entries.update(re.findall(r"menuentry\s+['\"]([^'\"]+)", line))
        elif first == "set" and (found := re.match(r"\s*set\s+default=[\"']?([^\"'\s$]+)", line)):
            wanted.append((number, found.start(1) + 1, found[1]))
        elif first == "choose" and (found := re.search(r"--default\s+(\S+)", line)):
            wanted.append((number, found.start(1) + 1, found[1]))
        elif first == "item" and len(words) > 1:
            entries.update(word for word in words[1:] if not word.startswith("--"))
    for number, column, name in wanted:
        # pxelinux: a default may be a kernel's file or a menu module; GRUB: a number counts entries.
        if name not in entries and not name.isdigit() and not name.endswith((".c32", ".0")) and "/" not in name and not name.startswith("$"):
            report.add(NO_ENTRY, Mark(path, number, column), f"no entry '{name}' here")
