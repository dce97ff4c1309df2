"""What a path given to `check` is: told from its name, else from its first lines."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from kfimage.cli.load import read_bytes
from kfimage.cli.usage import wrong_use
from kfimage.errors import WARNING, Mark, Report, define

NOT_TEXT = define(
    "KF9003",
    WARNING,
    "a byte that is not UTF-8",
    why="Anaconda, systemd and bash each make something else of it; what was checked has a replacement character there.",
    fix="save the file as UTF-8, or carry binary content as base64",
)

KICKSTART, UNIT, SCRIPT, SITE, BOOT, PRESET = "kickstart", "unit", "script", "site", "boot file", "preset"

UNITS = (".service", ".socket", ".target", ".timer", ".path", ".mount", ".automount", ".slice", ".swap", ".device")
_DROPIN = re.compile(r"\.(?:service|socket|target|timer|path|mount|slice)\.d/[^/]+\.conf\Z")
_SHEBANG = re.compile(rb"#![^\n]*\b(?:ba|da|k)?sh\b")
_SITE = re.compile(r"^kfimage[ \t]*:", re.M)
_BOOT = re.compile(r"^(?:#!ipxe\b|[ \t]*(?:LABEL|DEFAULT|menuentry)[ \t]+\S)", re.M | re.I)
_KICKSTART = re.compile(
    r"^(?:#version=[A-Z]|%(?:packages|post|pre|include|ksappend|addon|pre-install)\b|(?:rootpw|clearpart|autopart|zerombr|bootloader|"
    r"firstboot|timezone|keyboard|ignoredisk|part|url|cdrom|authselect|auth|selinux|firewall)(?:[ \t]|$))",
    re.M,
)


@dataclass(frozen=True)
class Found:
    """A file to check: how messages name it, what it is, and its bytes."""

    path: str
    kind: str
    data: bytes

    def text(self, report: Report) -> str:
        """Its text; a broken byte is reported at its place and replaced."""
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            before = self.data[: error.start]
            mark = Mark(self.path, before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
            report.add(NOT_TEXT, mark, f"byte 0x{self.data[error.start]:02x} is not UTF-8")
            return self.data.decode("utf-8", "replace")


def kind_of(path: str, data: bytes) -> Optional[str]:
    """What a file is, or None when it is nothing that can be checked."""
    name = path.rsplit("/", 1)[-1]
    if name.endswith(".ks"):
        return KICKSTART
    if name.endswith(UNITS) or _DROPIN.search(path):
        return UNIT
    if name.endswith(".preset"):
        return PRESET
    if name.endswith(".ipxe"):
        return BOOT
    if _SHEBANG.match(data) or name.endswith((".sh", ".bash")):
        return SCRIPT
    if b"\0" in data[:4096] or (data[:2] == b"#!" and not data.startswith(b"#!ipxe")):
        return None
    text = data[:65536].decode("utf-8", "replace")
    if name.endswith((".yaml", ".yml")):
        return SITE if _SITE.search(text) else None
    if _BOOT.search(text) and not name.endswith((".md", ".txt", ".rst")):
        return BOOT
    if name.endswith(".cfg") or "." not in name:
        return KICKSTART if len(_KICKSTART.findall(text)) >= 2 else None
    return None


def one(path: str) -> Found:
    """A file named on the command line; wrong use when it is nothing that can be checked."""
    if path == "-":
        data, name = sys.stdin.buffer.read(), "stdin"
    else:
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError) as error:
            why = (
                "there is no such file or folder"
                if isinstance(error, FileNotFoundError)
                else getattr(error, "strerror", None) or str(error)
            )
            raise wrong_use(f"{path}: {why}", "check the spelling; paths are relative to the current folder") from None
        if not stat.S_ISREG(mode):
            raise wrong_use(f"{path}: neither a file nor a folder", "copy it into a file first")
        data, name = read_bytes(Path(path)), path
    kind = kind_of(name, data)
    if kind is None and name.endswith((".yaml", ".yml")):
        # Named by itself it is meant as a site, and the missing keys are the finding.
        kind = SITE
    if kind is None and name.endswith(".cfg") and b"\0" not in data[:4096]:
        kind = KICKSTART
    if kind is None or kind == PRESET:
        raise wrong_use(
            f"{path}: neither a kickstart, unit, shell script, boot file nor site",
            "a kickstart is called *.ks, a unit *.service (or another unit's ending), a script begins with #!/bin/bash",
        )
    return Found(name, kind, data)


def is_tree(folder: Path) -> bool:
    """Whether a folder's index.json looks like kfimage's: its list of artefacts comes after a short head."""
    with open(folder / "index.json", "rb") as file:
        return b'"artefacts"' in file.read(1 << 16)


def below(folder: Path, trees: list[Path]) -> Iterator[Found]:
    """Every file in a folder that can be checked, by path; rendered trees in it go whole to `trees`.

    Hidden folders are left alone, and so are links: what they point at is not of this folder.
    """
    for top, folders, names in os.walk(folder):
        if "index.json" in names and is_tree(Path(top)):
            folders.clear()
            trees.append(Path(top))
            continue
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__pycache__")
        for name in sorted(names):
            path = Path(top, name)
            if not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            data = read_bytes(path)
            kind = kind_of(str(path), data)
            if kind is not None:
                yield Found(str(path), kind, data)
