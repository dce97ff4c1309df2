"""A rendered tree on disk: is every listed file there as index.json says, and does it still prove what render proved."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

from kfimage.artefact import KINDS
from kfimage.cli.examine import Examiner
from kfimage.cli.kindof import UNITS, Found, kind_of
from kfimage.cli.load import read_bytes
from kfimage.errors import ERROR, NOTE, Mark, Report, define, did_you_mean

ALTERED = define(
    "KF9002",
    ERROR,
    "a tree that is not what its index.json says",
    why="A file is gone, changed or of another mode: what was proven is not what would be installed.",
    fix="render again; if nobody touched the tree, ask who else can write to it",
)
UNLISTED = define(
    "KF9004",
    NOTE,
    "a file in a tree that its index.json does not list",
    why="kfimage did not write it, or an earlier run did and its index was lost: nodes may still fetch it.",
    fix="remove it, or keep it elsewhere",
)
OTHER_PAYLOAD = define(
    "KF9005",
    ERROR,
    "a kickstart and a payload that do not belong together",
    why="%post checks the payload's sha256 and stops: the node would be left without its first-boot steps.",
    fix="render again, so that both come from one run",
)
_PAYLOAD = re.compile(r"^printf '%s  %s\\n' ([0-9a-f]{64}) \S*/payload\.tar ", re.M)
_LAID = re.compile(r"^firstboot/(?:root/|payload-)|^kickstart/|^netboot/")
_MAC = re.compile(r"\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b")
_IP = re.compile(r"(?<![\w.:])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w.])")


class Tree:
    """A folder with its index; `entries` holds what is safe to read, by path."""

    def __init__(self, root: Path, report: Report) -> None:
        self.root = root
        self.index = str(root / "index.json")
        self.head: dict[str, Any] = {}
        self.entries = self._read(report)
        self.payloads = {e.get("sha256") for e in self.entries.values() if e["kind"] == "payload"}

    def _read(self, report: Report) -> dict[str, dict[str, Any]]:
        mark = Mark(self.index)
        try:
            top = json.loads(read_bytes(Path(self.index)).decode("utf-8"))
            listed = top.pop("artefacts")
            self.head = top
            if not all(isinstance(e, dict) and isinstance(e.get("path"), str) for e in listed):
                raise ValueError("an artefact without a path")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            why = (
                "no list of artefacts" if isinstance(error, (KeyError, TypeError, AttributeError)) else " ".join(str(error).split())[:100]
            )
            report.add(ALTERED, mark, f"this is no index of kfimage's: {why}")
            return {}
        found: dict[str, dict[str, Any]] = {}
        for entry in listed:
            path = entry["path"]
            if not path or path.startswith("/") or ".." in path.split("/") or "\0" in path:
                report.add(ALTERED, mark, f"it lists {path[:80]!r}, which lies outside the tree")
            elif path in found:
                report.add(ALTERED, mark, f"it lists {path} twice")
            elif entry.get("kind") not in KINDS:
                report.add(ALTERED, mark, f"{path}: no kind '{entry.get('kind')}'", did_you_mean(str(entry.get("kind")), KINDS))
            else:
                found[path] = entry
        return found

    def bytes(self, path: str) -> Optional[bytes]:
        """A listed file's bytes, or None when it is not a readable file."""
        try:
            place = self.root / path
            return place.read_bytes() if stat.S_ISREG(place.stat().st_mode) else None
        except OSError:
            return None

    def unlisted(self) -> Iterator[str]:
        """Files where kfimage writes that the index does not name."""
        for name in ("kickstart", "netboot", "firstboot"):
            for path in sorted((self.root / name).rglob("*")):
                inside = path.relative_to(self.root).as_posix()
                if path.is_file() and inside not in self.entries and _LAID.match(inside):
                    yield inside


def prove(root: Path, examiner: Examiner) -> None:
    """Check a tree whole: that it is what its index says, and everything in it that can be proven without its site."""
    from kfimage.cli.progress import counter

    tree = Tree(root, examiner.report)
    examiner.count("tree")
    examiner.count("listed file", len(tree.entries))
    shapes: set[bytes] = set()
    laid: dict[str, bytes] = {}
    with counter("checking", len(tree.entries)) as progress:
        for done, (path, entry) in enumerate(sorted(tree.entries.items()), 1):
            data = tree.bytes(path)
            if _same(root, path, entry, data, examiner.report) and data is not None:
                if entry["kind"] == "kickstart":
                    _kickstart(tree, entry, data, shapes, examiner)
                elif path.startswith("netboot/"):
                    _boot(tree, path, data, examiner)
                elif path.startswith("firstboot/root/"):
                    laid[path] = data
            progress(done)
    for path in tree.unlisted():
        examiner.report.add(UNLISTED, Mark(str(root / path)), f"{path} is not listed in index.json")
    _firstboot(root, laid, examiner)


def _same(root: Path, path: str, entry: dict[str, Any], data: Optional[bytes], report: Report) -> bool:
    mark = Mark(str(root / path))
    if data is None:
        report.add(
            ALTERED,
            mark,
            "listed in index.json, and not there" if not (root / path).exists() else "listed in index.json, and not a readable file",
        )
        return False
    if hashlib.sha256(data).hexdigest() != entry.get("sha256"):
        size = (
            f"{len(data)} bytes instead of {entry.get('size')}"
            if len(data) != entry.get("size")
            else f"the same {len(data)} bytes in number"
        )
        report.add(ALTERED, mark, f"its sha256 is not the one in index.json ({size})")
        return True
    if len(data) != entry.get("size"):
        report.add(ALTERED, mark, f"{len(data)} bytes, and index.json says {entry.get('size')}")
    mode = f"{(root / path).stat().st_mode & 0o7777:04o}"
    if mode != entry.get("mode"):
        report.add(
            ALTERED, mark, f"its mode is {mode}, and index.json says {entry.get('mode')}", f"chmod {entry.get('mode')} {root / path}"
        )
    return True


def _kickstart(tree: Tree, entry: dict[str, Any], data: bytes, shapes: set[bytes], examiner: Examiner) -> None:
    """A kickstart, unless one of its shape is checked: two that differ only in name, MACs and addresses have the same faults."""
    path = str(tree.root / entry["path"])
    text = Found(path, "kickstart", data).text(examiner.report)
    examiner.count("kickstart")
    for found in _PAYLOAD.finditer(text):
        if found[1] not in tree.payloads:
            line = text.count("\n", 0, found.start()) + 1
            examiner.report.add(
                OTHER_PAYLOAD, Mark(path, line), f"it wants the payload {found[1][:16]}..., which this tree does not hold"
            )
    key = hashlib.sha256(shape(text, str(entry.get("of", ""))).encode("utf-8", "surrogatepass")).digest()
    if key not in shapes:
        shapes.add(key)
        examiner.kickstart(text, path)


def shape(text: str, owner: str) -> str:
    """A text with its node's name, MACs and addresses put back to placeholders, numbered as they first appear."""
    numbers: dict[str, int] = {}

    def placeheld(match: re.Match[str]) -> str:
        return f"\0{numbers.setdefault(match.group(), len(numbers))}\0"

    own = re.compile(rf"(?<![\w-]){re.escape(owner)}(?![\w-])")
    lines = []
    for line in text.split("\n"):
        if _varies(line):
            line = _IP.sub(placeheld, _MAC.sub(placeheld, line))
        lines.append(own.sub("\0n\0", line) if owner and owner in line else line)
    return "\n".join(lines)


@lru_cache(maxsize=1 << 16)
def _varies(line: str) -> bool:
    """Whether a line holds a MAC or address; most lines are the same in every kickstart of a tree."""
    return bool(_MAC.search(line) or _IP.search(line))


def _firstboot(root: Path, files: dict[str, bytes], examiner: Examiner) -> None:
    found = [Found(str(root / path), kind_of(path, data) or "", data) for path, data in files.items()]
    # A step's drop-ins lie in its files/ folder, where systemd does not read them yet: only their place makes them units.
    wanted = [
        f for f in found if f.kind == "script" or (f.kind == "unit" and (f.path.endswith(UNITS) or "/etc/systemd/system/" in f.path))
    ]
    examiner.files(wanted, one_set=True)


def _boot(tree: Tree, path: str, data: bytes, examiner: Examiner) -> None:
    from kfimage.verify import netboot

    place = str(tree.root / path)
    text = Found(place, "boot file", data).text(examiner.report)
    examiner.count("boot file")
    examiner.report.extend(netboot.check_boot_file(text, place))
    examiner.report.extend(netboot.check_references(text, place, tree.entries))
