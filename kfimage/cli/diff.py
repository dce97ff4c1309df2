"""`kfimage diff`: two sites by what their plans mean, or two trees by what their files mean."""

from __future__ import annotations

import dataclasses
import json as encoder
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from kfimage.cli.usage import wrong_use
from kfimage.errors import Exit, KfimageError, Mark
from kfimage.model import Plan


@dataclass(frozen=True)
class Change:
    """One difference of one thing: `old` or `new` is None when that side has none; `at` is where the new (or old) value was written."""

    key: str
    old: Optional[str]
    new: Optional[str]
    at: str = ""

    def __str__(self) -> str:
        place = f"   <- {self.at}" if self.at else ""
        if self.old is None:
            return f"+ {self.key} = {self.new}{place}" if self.new else f"+ {self.key}{place}"
        if self.new is None:
            return f"- {self.key} = {self.old}{place}" if self.old else f"- {self.key}{place}"
        return f"~ {self.key}: {self.old} -> {self.new}{place}" if self.old or self.new else f"~ {self.key}{place}"


@dataclass(frozen=True)
class Differences:
    """Things (nodes, roles or files) that came, went or changed."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, tuple[Change, ...]]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def run(old: Path, new: Path, json: bool) -> None:
    kinds = (kind(old), kind(new))
    if kinds[0] != kinds[1]:
        raise wrong_use(f"{old} is a {kinds[0]} and {new} is a {kinds[1]}", "compare two trees or two sites")
    if kinds[0] == "tree":
        from kfimage.cli.treediff import compare
    else:
        compare = compare_sites
    found = compare(old, new)
    sys.stdout.write(as_json(found) if json else as_text(found))
    if found:
        sys.stdout.flush()
        raise SystemExit(int(Exit.DIFFERS))


def kind(path: Path) -> str:
    """'tree' or 'site'; wrong use when it is neither."""
    if path.is_dir():
        if (path / "index.json").is_file():
            return "tree"
        if (path / "site.yaml").is_file():
            return "site"
        raise wrong_use(f"{path}: neither a rendered tree nor a folder with a site.yaml", "a tree has an index.json")
    if not path.exists():
        raise wrong_use(f"{path}: there is no such file or folder", "check the spelling; paths are relative to the current folder")
    return "site"


def compare_sites(old: Path, new: Path) -> Differences:
    """Compare every plan of two sites. Raises KfimageError when one of them has an error."""
    before, where_before = _plans(old)
    after, where_after = _plans(new)
    changed = {}
    for name in sorted(before.keys() & after.keys()):
        found = _once(list(_changes(before[name], after[name], where_before, where_after)))
        if found:
            changed[name] = found
    return Differences(tuple(sorted(after.keys() - before.keys())), tuple(sorted(before.keys() - after.keys())), changed)


def as_json(found: Differences) -> str:
    top = {
        "equal": not found,
        "added": list(found.added),
        "removed": list(found.removed),
        "changed": [{"name": name, "changes": [dataclasses.asdict(c) for c in changes]} for name, changes in found.changed.items()],
    }
    return encoder.dumps(top, indent=1) + "\n"


def as_text(found: Differences) -> str:
    """One paragraph for things that changed alike."""
    rows = [f"+ {name}" for name in found.added] + [f"- {name}" for name in found.removed]
    alike: dict[tuple[Change, ...], list[str]] = {}
    for name, changes in found.changed.items():
        alike.setdefault(changes, []).append(name)
    for changes, names in alike.items():
        rows.append(f"~ {', '.join(names)}" if len(names) < 9 else f"~ {', '.join(names[:8])} and {len(names) - 8} more")
        rows.extend(f"    {change}" for change in changes)
    return "".join(row + "\n" for row in rows)


# -- sites -----------------------------------------------------------------------------------------------------------


def _changes(old: Plan, new: Plan, where_old: Callable[..., Mark], where_new: Callable[..., Mark]) -> Iterator[Change]:
    for field in dataclasses.fields(Plan):
        one, other = getattr(old, field.name), getattr(new, field.name)
        if one is other or one == other:
            continue
        before, after = dict(flat(one, (field.name,))), dict(flat(other, (field.name,)))
        for path in sorted(before.keys() | after.keys()):
            if before.get(path) == after.get(path):
                continue
            here = path in after
            mark = (where_new if here else where_old)(new.name, *path)
            yield Change(".".join(path), before.get(path), after.get(path), str(mark) if mark.line else "")


def _once(changes: list[Change]) -> tuple[Change, ...]:
    """Without what interfaces merely inherit from `network` and tell again."""
    said = {(c.key.rpartition(".")[2], c.old, c.new) for c in changes if c.key.startswith("network.")}
    return tuple(c for c in changes if not (c.key.startswith("nics.") and (c.key.rpartition(".")[2], c.old, c.new) in said))


def flat(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every value a plan's part holds, as text; what no layer gives is left out."""
    if value is None or value == ():
        return
    if isinstance(value, bool):
        yield path, "yes" if value else "no"
    elif isinstance(value, tuple) and any(dataclasses.is_dataclass(v) and not hasattr(v, "prefix") for v in value):
        for index, element in enumerate(value):
            yield from flat(element, (*path, str(getattr(element, "device", "") or index)))
    elif isinstance(value, tuple):
        yield path, "[" + ", ".join(map(str, value)) + "]"
    elif isinstance(value, Mapping):
        for key, element in value.items():
            yield from flat(element, (*path, key))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type) and not hasattr(value, "prefix"):
        for field in dataclasses.fields(value):
            yield from flat(getattr(value, field.name), (*path, field.name))
    else:
        yield path, str(value) if str(value).isprintable() else encoder.dumps(str(value))


def _plans(path: Path) -> tuple[dict[str, Plan], Callable[..., Mark]]:
    from kfimage.cli.load import load

    pipeline = load(path / "site.yaml" if path.is_dir() else path)
    plans = {plan.name: plan for plan in pipeline.plans()}
    if pipeline.report.failed():
        raise KfimageError(pipeline.report)

    def where(name: str, *path: str) -> Mark:
        # What makes a node that node was written in several keys; its own place leads to all of them.
        nodes = pipeline.source.nodes
        return nodes.key_mark(name) if path[0] in ("node", "nics") and name in nodes.entries else pipeline.resolver.where(name, *path)

    return plans, where
