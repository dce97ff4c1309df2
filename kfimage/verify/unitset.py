"""A set of units together: ordering cycles, units that are not there, and the house shape of a first-boot step."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from kfimage.errors import ERROR, WARNING, Mark, Report
from kfimage.verify.units import KINDS, NEEDS
from kfimage.verify.unittable import Assignment, UnitFile, UnitTable, read_unit, row, split_words

__all__ = ["check_house_shape", "check_unit_set", "is_step_unit"]

# fmt: off
_V239 = "systemd-rhel8 load-fragment.c"
CYCLE = row("KF3301", ERROR, "Units that wait for each other", "systemd deletes one of the jobs without failing the "
    "boot: that unit never runs.", "remove one of the orders named", "booted: the second unit never ran")
MISSING = row("KF3302", WARNING, "A unit needed that is not there", "A hard dependency on a missing unit fails the "
    "unit that has it.", "add the unit, or use Wants=")
ONFAILURE = row("KF3303", ERROR, "OnFailure= names a unit that is not there", "The failure is reported to nobody.",
    "add the unit; an instance name@x.service needs name@.service")
IDLE = row("KF3304", ERROR, "A unit nothing starts", "It has no [Install] section and no other unit pulls it in.",
    "add [Install] with WantedBy= or RequiredBy=")
ALIAS = row("KF3305", ERROR, "An alias that cannot be made", "systemctl enable refuses an alias of another type, and "
    "an alias that is another unit's name hides one.", "use a free name with the same suffix", "systemd.unit(5)")
UNORDERED = row("KF3306", WARNING, "Required but not ordered", "Requires= alone starts both at once, so this unit may "
    "run before the one it needs.", "add After= the same unit", "systemd.unit(5)")
AFTER_TARGET = row("KF3307", WARNING, "Ordered after the target that pulls it in", "The target counts as reached "
    "before this unit ran, and any unit of the target ordered after this one closes a cycle.",
    "order it after what it really needs", "facts/rhel.md, ordering cycle")
HOUSE = row("KF3320", ERROR, "A step unit that is not in the house shape", "The retry target, the report and the "
    "console all rely on every step unit having the same lines.", "copy another step's unit and change the name",
    "man kfimage-firstboot")
# fmt: on


class _Edge(NamedTuple):
    """`first` starts before `second`, and why."""

    first: str
    second: str
    why: str
    mark: Mark


def _named(unit: UnitFile, *keys: str) -> Iterator[tuple[str, Assignment, Mark]]:
    """Each unit name in these keys, the specifiers a name needs expanded."""
    stem = unit.name.rpartition(".")[0]
    prefix, _, instance = stem.partition("@")
    values = {"n": unit.name, "N": stem, "p": prefix, "i": instance, "%": "%"}
    for item in unit.all(*keys):
        for word in split_words(item.value)[0]:
            yield re.sub(r"%(.)", lambda m: values.get(m[1], m[0]), word.text), item, item.at(word.offset)


def _template(name: str) -> str:
    return re.sub(r"@[^.]*\.", "@.", name, count=1)


def _started(unit: UnitFile) -> str:
    """What a timer, path or socket starts; empty for other units."""
    if unit.kind not in ("timer", "path", "socket"):
        return ""
    return unit.last("Unit") or unit.last("Service") or unit.name.rpartition(".")[0] + ".service"


def _pulls(units: Collection[UnitFile]) -> Iterator[tuple[str, str, Mark]]:
    """Who pulls in whom: (puller, pulled, where it is said)."""
    for unit in units:
        for name, _, mark in _named(unit, "Wants", *NEEDS):
            yield unit.name, name, mark
        for name, _, mark in _named(unit, "WantedBy", "RequiredBy"):
            yield name, unit.name, mark


def _defaults(unit: UnitFile) -> Iterator[tuple[str, str]]:
    """The orders a unit has without saying so, as (first, second)."""
    if unit.kind != "target":
        yield "sysinit.target", unit.name
    if unit.kind == "service":
        yield "basic.target", unit.name
    if unit.kind in ("timer", "socket", "path"):
        yield unit.name, f"{unit.kind}s.target"
    yield unit.name, "shutdown.target"


def _edges(units: Mapping[str, UnitFile], table: UnitTable) -> Iterator[_Edge]:
    for unit in units.values():
        top = Mark(unit.path)
        for name, _, mark in _named(unit, "After"):
            yield _Edge(name, unit.name, f"{unit.name} says After={name}", mark)
        for name, _, mark in _named(unit, "Before"):
            yield _Edge(unit.name, name, f"{unit.name} says Before={name}", mark)
        for first, second in _defaults(unit) if unit.true("DefaultDependencies", True) else ():
            yield _Edge(first, second, f"by default {first} comes before {second}", top)
        if _started(unit):
            yield _Edge(unit.name, _started(unit), f"{unit.name} triggers {_started(unit)}", top)
    for target, pulled, mark in _pulls(units.values()):
        if not target.endswith(".target") or not all(
            units[n].true("DefaultDependencies", True) for n in (target, pulled) if n in units
        ):
            continue
        # systemd leaves this order out when the unit already says the opposite (unit_add_default_target_dependency).
        if pulled in units and target not in {name for name, _, _ in _named(units[pulled], "After")}:
            yield _Edge(pulled, target, f"{target} pulls in {pulled} and comes after it", mark)
    for second, firsts in table.system_order.items():
        yield from (_Edge(first, second, f"{second} comes after {first}", Mark("")) for first in firsts)


def _cycle(start: str, graph: Mapping[str, Mapping[str, _Edge]]) -> list[_Edge]:
    """The shortest way from a unit back to itself, or nothing."""
    came: dict[str, _Edge] = {}
    queue = deque([start])
    while queue:
        for second, edge in graph.get(queue.popleft(), {}).items():
            if second in came:
                continue
            came[second] = edge
            if second == start:
                path = [edge]
                while path[0].first != start:
                    path.insert(0, came[path[0].first])
                return path
            queue.append(second)
    return []


def _cycles(units: Mapping[str, UnitFile], table: UnitTable, report: Report) -> None:
    graph: dict[str, dict[str, _Edge]] = {}
    for edge in sorted(_edges(units, table), key=lambda e: (e.first, e.second, e.mark.line == 0, e.mark)):
        graph.setdefault(edge.first, {}).setdefault(edge.second, edge)
    seen: set[str] = set()
    for name in sorted(units):
        path = [] if name in seen else _cycle(name, graph)
        if path:
            seen.update(edge.first for edge in path)
            said = sorted((e for e in path if e.mark.line), key=lambda e: " says " not in e.why)
            mark = said[0].mark if said else Mark(units[name].path)
            chain = " -> ".join([path[0].first, *(e.second for e in path)])
            report.add(CYCLE, mark, f"ordering cycle {chain}: {'; '.join(e.why for e in path)}")


def _dependencies(unit: UnitFile, known: Collection[str], report: Report) -> None:
    after = {name for name, _, _ in _named(unit, "After")}
    for name, item, mark in _named(unit, *NEEDS):
        if name not in known and _template(name) not in known:
            report.add(MISSING, mark, f"{item.key}={name}: no such unit here or in the base system")
        elif name not in after and unit.kind == "service":
            report.add(UNORDERED, mark, f"{item.key}={name} without After={name}")
    for name, _, mark in _named(unit, "WantedBy", "RequiredBy"):
        if name not in known:
            report.add(MISSING, mark, f"no unit {name} here or in the base system would pull this in")
        if name in after:
            report.add(AFTER_TARGET, mark, f"{unit.name} is pulled in by {name} and ordered after it")
    for name, _, mark in _named(unit, "OnFailure"):
        if name not in known and _template(name) not in known:
            report.add(ONFAILURE, mark, f"OnFailure={name}: no such unit or template")
    started = _started(unit)
    if started and started not in known and _template(started) not in known:
        report.add(MISSING, Mark(unit.path), f"{unit.name} triggers {started}, which is not there")


def _aliases(unit: UnitFile, names: Collection[str], report: Report) -> None:
    for name, _, mark in _named(unit, "Alias"):
        if name.rpartition(".")[2] != unit.kind:
            report.add(ALIAS, mark, f"the alias {name} is not a .{unit.kind}")
        elif name in names and name != unit.name:
            report.add(ALIAS, mark, f"the alias {name} is the name of another unit here")
        elif ("@" in name) != ("@" in unit.name):
            report.add(ALIAS, mark, f"the alias {name} and {unit.name} must both be templates or both not")


def check_unit_set(units: Mapping[str, str], table: UnitTable, *, wanted: Collection[str] = ()) -> Report:
    """Units that go to one node, keyed by path; `wanted` names those `systemctl enable` is run for.

    Reads every unit again but reports only what no single unit shows; drop-ins are merged into their unit.
    """
    report = Report()
    read = {path: read_unit(units[path], path, Report()) for path in sorted(units)}
    whole = {unit.name: unit for unit in read.values() if not unit.dropin and unit.kind in KINDS}
    for unit in read.values():
        if unit.dropin and unit.name in whole:
            base = whole[unit.name]
            whole[unit.name] = UnitFile(base.path, base.assignments + unit.assignments, base.headers + unit.headers)
    aliases = {name for unit in whole.values() for name, _, _ in _named(unit, "Alias")}
    known = table.system_units.union(whole, aliases)
    pulled = {_template(_started(unit)) for unit in whole.values()}
    for unit in whole.values():
        pulled.update(_template(name) for name, _, _ in _named(unit, "Wants", "OnFailure", "Also", "Sockets", *NEEDS))
    for name, unit in whole.items():
        _dependencies(unit, known, report)
        _aliases(unit, whole, report)
        installs = unit.all("WantedBy", "RequiredBy", "Also", "Alias")
        called = name in pulled or "@" in name or name in table.system_units
        if not installs and (name in wanted or not called):
            report.add(IDLE, Mark(unit.path), f"{name} has no [Install] section and nothing here starts it")
    for name in sorted(set(wanted) - known):
        report.add(MISSING, Mark(name), f"{name} is to be enabled but is not there")
    _cycles(whole, table, report)
    return report


_STEP = re.compile(r"kfimage-([A-Za-z0-9._-]+)\.service\Z")
_SHAPE = (
    ("Type", "oneshot"),
    ("RemainAfterExit", "yes"),
    ("ExecStart", "/usr/libexec/kfimage/step run {name}"),
    ("StandardOutput", "journal+console"),
    ("OnFailure", "kfimage-report@%N.service"),
    ("RequiredBy", "kfimage.target"),
)
_BARRED = {
    "Restart": "a restart cancels what requires the step; kfimage-retry.timer starts the target again",
    "Requires": "a role may leave the other step out; the runner checks real needs",
    "BindsTo": "a role may leave the other step out; the runner checks real needs",
    "ConditionPathExists": "the runner's stamp is the only word on what is done",
    "WantedBy": "kfimage.target requires its steps",
}


def is_step_unit(text: str, path: str) -> bool:
    """Whether this is the unit of a first-boot step, which must have the house shape."""
    named = _STEP.match(path.rpartition("/")[2])
    return bool(named) and (
        "libexec/kfimage/step run" in text or bool(re.search(r"^RequiredBy=.*kfimage\.target", text, re.M))
    )


def check_house_shape(text: str, path: str) -> Report:
    """The shape every step unit has; the step's name is the file's, `kfimage-NAME.service`."""
    report, named = Report(), _STEP.match(path.rpartition("/")[2])
    unit = read_unit(text, path, Report())
    if not named:
        report.add(HOUSE, Mark(path), "a step's unit is called kfimage-NAME.service")
        return report
    for key, want in _SHAPE:
        rows, wanted = unit.all(key), want.format(name=named[1])
        if not rows:
            report.add(HOUSE, Mark(path), f"{key}={wanted} is missing")
        elif len(rows) > 1 or rows[0].value != wanted:
            report.add(HOUSE, rows[-1].at(0), f"{key}={rows[-1].value[:60]} should be {key}={wanted}")
    if not unit.all("TimeoutStartSec"):
        report.add(HOUSE, Mark(path), "TimeoutStartSec= is missing")
    for key, why in _BARRED.items():
        for item in unit.all(key):
            report.add(HOUSE, item.mark, f"{key}= does not belong in a step unit: {why}")
    return report
