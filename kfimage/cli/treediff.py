"""Two rendered trees compared by meaning: kickstarts by command and section, facts by name. No secret is ever printed.

A script's lines may carry a waived secret, so of scripts only the number of changed lines is told, and facts, which never hold one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kfimage.cli.diff import Change, Differences
from kfimage.cli.tree import Tree
from kfimage.cli.usage import wrong_use
from kfimage.errors import KfimageError, Report

_FACT = re.compile(r'^(KF_[A-Z0-9_]+)="(.*)"$', re.M)
_SECRET = re.compile(
    r"(--(?:password|passphrase|activation-key|reverse-password|reverse_password|wepkey|wpakey)[= ]|\binst\.\w*(?:password|rootpw)=)"
    r"(?:\"[^\"]*\"|'[^']*'|\S+)|(?<=:)[^:@/\s]+(?=@)",
    re.I,
)
_HEAD = ("site", "generator", "ignored", "waived")


def compare(old: Path, new: Path) -> Differences:
    """What came, went and changed between two trees. Raises KfimageError when an index cannot be read or a file is not there."""
    report = Report()
    before, after = Tree(old, report), Tree(new, report)
    if report:
        raise KfimageError(report)
    one, other = _by_name(before), _by_name(after)
    changed: dict[str, tuple[Change, ...]] = {}
    head = tuple(
        Change(k, _words(before.head.get(k)), _words(after.head.get(k))) for k in _HEAD if before.head.get(k) != after.head.get(k)
    )
    if head:
        changed["index.json"] = head
    for name in sorted(one.keys() & other.keys()):
        a, b = one[name], other[name]
        if all(a.get(k) == b.get(k) for k in ("sha256", "mode", "kind", "of")):
            continue
        found = tuple(_file(before, a, after, b))
        if found:
            changed[name] = found
    return Differences(tuple(sorted(other.keys() - one.keys())), tuple(sorted(one.keys() - other.keys())), changed)


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _by_name(tree: Tree) -> dict[str, dict[str, Any]]:
    """Entries by path; the payload, whose path holds its own checksum, by one name."""
    return {"firstboot/payload" if e["kind"] == "payload" else path: e for path, e in tree.entries.items()}


def _file(before: Tree, one: dict[str, Any], after: Tree, other: dict[str, Any]) -> Iterator[Change]:
    for key in ("mode", "kind", "of"):
        if one.get(key) != other.get(key):
            yield Change(key, str(one.get(key)), str(other.get(key)))
    if one.get("sha256") == other.get("sha256"):
        return
    if one["kind"] == other["kind"] == "kickstart":
        yield from kickstarts(_text(before, one), _text(after, other))
    elif one["kind"] == "payload":
        yield Change("sha256", str(one.get("sha256"))[:16], str(other.get("sha256"))[:16])
    elif one["kind"] == "netboot":
        yield from _lines(_text(before, one), _text(after, other))
    else:
        yield Change("content", "", _count(_text(before, one), _text(after, other)))


def _text(tree: Tree, entry: dict[str, Any]) -> str:
    data = tree.bytes(entry["path"])
    if data is None:
        raise wrong_use(
            f"{tree.root / entry['path']}: listed in index.json, and not there", f"`kfimage check {tree.root}` tells what else is missing"
        )
    return data.decode("utf-8", "replace")


def _lines(old: str, new: str) -> Iterator[Change]:
    before, after = Counter(old.splitlines()), Counter(new.splitlines())
    for line in (before - after).elements():
        yield Change(_masked(line.strip()), "", None)
    for line in (after - before).elements():
        yield Change(_masked(line.strip()), None, "")


def _count(old: str, new: str) -> str:
    """'3 lines less, 5 lines more'."""
    before, after = Counter(old.splitlines()), Counter(new.splitlines())
    less, more = sum((before - after).values()), sum((after - before).values())
    if not less and not more:
        return "the same lines in another order"
    return f"{less} line{'s' * (less != 1)} less, {more} line{'s' * (more != 1)} more"


def kickstarts(old: str, new: str) -> Iterator[Change]:
    """Commands that came and went, then each section's packages, facts and number of changed lines."""
    before, after = _parts(old), _parts(new)
    commands = [_commands(before.pop("")), _commands(after.pop(""))]
    for line in (commands[0] - commands[1]).elements():
        yield Change(_masked(line), "", None)
    for line in (commands[1] - commands[0]).elements():
        yield Change(_masked(line), None, "")
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            yield Change(name, "", None)
        elif name not in before:
            yield Change(name, None, "")
        elif before[name] != after[name]:
            yield from _section(name, before[name], after[name])


def _parts(text: str) -> dict[str, str]:
    """The commands (under ""), and each section's text by its first line, numbered when several are alike."""
    parts: dict[str, list[str]] = {"": []}
    here, seen = "", Counter[str]()
    for line in text.splitlines():
        word = line.split(None, 1)[0] if line.split() else ""
        if not here and word.startswith("%") and word not in ("%include", "%ksappend", "%end"):
            seen[word] += 1
            here = word if seen[word] == 1 else f"{word} ({seen[word]})"
            parts[here] = [line]
        elif word == "%end":
            here = ""
        else:
            parts[here].append(line)
    return {name: "\n".join(lines) for name, lines in parts.items()}


def _commands(text: str) -> Counter[str]:
    return Counter(" ".join(line.split()) for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def _section(name: str, old: str, new: str) -> Iterator[Change]:
    if name.startswith("%packages"):
        for change in _lines(old, new):
            yield Change(f"{name}: {change.key}", change.old, change.new)
        return
    before, after = dict(_FACT.findall(old)), dict(_FACT.findall(new))
    for fact in sorted(before.keys() | after.keys()):
        if before.get(fact) != after.get(fact):
            yield Change(f"{name}: {fact}", _quoted(before.get(fact)), _quoted(after.get(fact)))
    rest = _FACT.sub("", old), _FACT.sub("", new)
    if rest[0] != rest[1]:
        yield Change(f"{name}: script", "", _count(*rest))


def _quoted(value: Any) -> Any:
    return None if value is None else f'"{value}"'


def _masked(line: str) -> str:
    """A command without what may be secret in it: options that carry one, and the bare words of commands that take one."""
    words = line.split(" ")
    if words[0] in ("rootpw", "sshpw"):
        words = [word if word.startswith("-") or not index else "***" for index, word in enumerate(words)]
    return _SECRET.sub(lambda m: f"{m[1] or ''}***", " ".join(words))
