"""One unit against the release's table: what it refuses, ignores or reads otherwise than it looks."""

from __future__ import annotations

import re

from kfimage.errors import ERROR, WARNING, Mark, Report, did_you_mean
from kfimage.verify.unittable import (
    Assignment,
    UnitFile,
    UnitTable,
    check_assignment,
    load_table,
    read_unit,
    row,
    split_words,
)

__all__ = ["check_unit", "load_table"]


# fmt: off
_V239 = "systemd-rhel8 load-fragment.c"
SECTION = row("KF3011", ERROR, "A section this unit type does not have", "The whole section is ignored with a log "
    "line.", "use the section of the unit's own type", _V239)
TWICE = row("KF3016", WARNING, "A single-valued directive given twice", "The last one wins without a word.",
    "keep one of them", _V239)
PREFIX = row("KF3104", ERROR, "An Exec prefix this release does not know", "It is taken for part of the path and the "
    "unit is refused; only - @ + ! !! are known.", "remove it", _V239)
BARE = row("KF3105", WARNING, "A command without a path", "The name is looked up when the unit is loaded: a program "
    "that first boot installs is not there yet, and the unit is refused.", "write the absolute path",
    "systemd239-directives.json, rules")
SHELL = row("KF3106", WARNING, "Shell syntax where there is no shell", "systemd passes |, >, && and $( ) to the "
    "program as plain arguments.", "call a script, or /bin/bash -c '...'")
QUOTES = row("KF3107", ERROR, "A quote that is never closed", "The line is refused.", "close the quote", _V239)
NAME = row("KF3108", ERROR, "Not a unit name", "A dependency without a unit suffix is dropped with a log line.",
    "write the whole name, as in crio.service", _V239)
PATH = row("KF3109", ERROR, "A path that is not absolute", "The line is dropped; a condition that is dropped lets the "
    "unit run.", "start the path with /", _V239)
REFUSED = row("KF3201", ERROR, "A unit this release refuses to load", "The unit never starts, and what requires it "
    "fails with it.", "give the unit what its type needs", "systemd-rhel8 service.c, service_verify; timer.c, "
    "timer_verify")
ONESHOT_ALWAYS = row("KF3202", ERROR, "A oneshot that may restart after success", "Type=oneshot with Restart=always "
    "or on-success, or RestartForceExitStatus=, refuses the unit.", "remove it", "systemd239-directives.json, rules")
ONESHOT_RESTART = row("KF3203", WARNING, "A oneshot that restarts itself", "FAILED is set before AUTO_RESTART: what "
    "requires it is cancelled at the first failure and is not queued again. RHEL 8.6 and older refuse the unit.",
    "no Restart=; start the target again from a timer", "booted: two units, the second never ran")
ONESHOT_TIME = row("KF3204", WARNING, "A oneshot without a start timeout", "A oneshot's start timeout is off by "
    "default: one hanging command holds the boot for ever.", "set TimeoutStartSec=", "systemd-rhel8 service.c, "
    "service_add_extras")
FIRST_BOOT = row("KF3205", WARNING, "ConditionFirstBoot on an installed node", "It is true only while /etc/machine-id "
    "does not exist; an installed node has one, so it never runs.", "use a stamp: ConditionPathExists=!/var/lib/...",
    "systemd-rhel8, condition.c; five boots")
REPEATED = row("KF3206", WARNING, "A oneshot of a target that does not stay active", "Without RemainAfterExit=yes "
    "each start of the target runs it again.", "set RemainAfterExit=yes")
ONLINE = row("KF3207", WARNING, "Ordered after network-online.target without wanting it",
    "Nothing pulls the target in, so the order means nothing.", "add Wants=network-online.target",
    "systemd.special(7)")
# fmt: on

KINDS = ("service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope")
_UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\@%-]+\.(" + "|".join(KINDS) + r")\Z")
_PREFIX = re.compile(r"[-@+!]*")
_SHELL_WORD = re.compile(r"(\|\|?|&&?|[0-9]?>>?|<|[0-9&]?>&[0-9]|[0-9]?>>?/\S+)\Z")
_SHELL_TEXT = re.compile(r"\$\(|`|\$\{\w+[:#%/^,@]")
NEEDS = ("Requires", "Requisite", "BindsTo", "BindTo", "RequiresOverridable", "RequisiteOverridable")


def _exec(item: Assignment, table: UnitTable, report: Report) -> None:
    words, closed = split_words(item.value)
    if not words or not closed:
        return
    prefix = _PREFIX.match(words[0].text)
    program = words[0].text[prefix.end() if prefix else 0 :]
    if program[:1] in table.newer_prefixes:
        report.add(PREFIX, item.at(0), f"{item.key}= starts with {program[0]!r}, a prefix of newer systemd")
    elif not program or program.endswith("/"):
        report.add(PATH, item.at(0), f"{item.key}= names no program")
    elif "/" in program and not program.startswith(("/", "%")):
        report.add(PATH, item.at(0), f"{item.key}= path {program[:60]!r} is not absolute")
    elif not program.startswith(("/", "%")):
        report.add(BARE, item.at(0), f"{item.key}= names {program[:60]!r} without its path")
    shell = program.rpartition("/")[2] in ("sh", "bash", "dash") and any(re.match(r"-\w*c", w.text) for w in words)
    for word in () if shell else words[1:]:
        if (not word.quoted and _SHELL_WORD.match(word.text)) or _SHELL_TEXT.search(word.text):
            report.add(SHELL, item.at(word.offset), f"{word.text[:40]!r} is not interpreted: {item.key}= has no shell")
            return


def _names(item: Assignment, report: Report) -> None:
    for word in split_words(item.value)[0]:
        if not _UNIT_NAME.match(word.text):
            hint = "write the suffix, as in name.service" if "." not in word.text else ""
            report.add(NAME, item.at(word.offset), f"{item.key}= {word.text[:60]!r} is not a unit name", hint or None)


def _paths(item: Assignment, table: UnitTable, report: Report) -> None:
    value = item.value
    if re.match(r"(Condition|Assert)(Path|File|Directory)", item.key):
        value = re.sub(r"^\|?\s*!?\s*", "", value)
    elif item.key == "EnvironmentFile":
        value = value.removeprefix("-")
    elif item.key == "WorkingDirectory":
        value = re.sub(r"^-?(~\Z)?", "", value)
    elif not table.takes("path", item.key):
        return
    if value and not value.lstrip('"').startswith(("/", "%")):
        report.add(PATH, item.at(0), f"{item.key}= {value[:60]!r} is not an absolute path")


def _repeats(unit: UnitFile, table: UnitTable, report: Report) -> None:
    seen: dict[tuple[str, str], Assignment] = {}
    for item in unit.assignments:
        place = item.section, item.key
        if not item.value:
            seen.pop(place, None)
        elif table.takes("single", item.key):
            if place in seen:
                report.add(TWICE, item.mark, f"{item.key}= was already given in line {seen[place].mark.line}")
            seen[place] = item


def _service(unit: UnitFile, table: UnitTable, report: Report) -> None:
    top, kind, starts = Mark(unit.path), unit.last("Type"), unit.all("ExecStart")
    oneshot = kind == "oneshot" or (not kind and not starts and not unit.last("BusName"))
    if not starts and not unit.all("ExecStop", "SuccessAction"):
        report.add(REFUSED, top, "the service has no ExecStart=, ExecStop= or SuccessAction=")
    elif not starts and not oneshot:
        report.add(REFUSED, top, f"Type={kind or 'simple'} needs ExecStart=")
    elif not starts and not unit.true("RemainAfterExit") and not unit.last("SuccessAction"):
        report.add(REFUSED, top, "without ExecStart= the service needs RemainAfterExit=yes")
    if len(starts) > 1 and not oneshot:
        report.add(REFUSED, starts[1].mark, f"Type={kind or 'simple'} may have only one ExecStart=")
    if kind == "dbus" and not unit.last("BusName"):
        report.add(REFUSED, top, "Type=dbus needs BusName=")
    if oneshot:
        _oneshot(unit, report)


def _oneshot(unit: UnitFile, report: Report) -> None:
    top = unit.all("Type")[-1].mark if unit.all("Type") else Mark(unit.path)
    for item in unit.all("Restart")[-1:]:
        if item.value in ("always", "on-success"):
            report.add(ONESHOT_ALWAYS, item.at(0), f"Type=oneshot refuses Restart={item.value}")
        elif item.value != "no":
            report.add(ONESHOT_RESTART, item.at(0), f"Type=oneshot with Restart={item.value}")
    for item in unit.all("RestartForceExitStatus"):
        report.add(ONESHOT_ALWAYS, item.mark, "Type=oneshot refuses RestartForceExitStatus=")
    if not unit.all("TimeoutStartSec", "TimeoutSec") and not unit.dropin:
        report.add(ONESHOT_TIME, top, "Type=oneshot without TimeoutStartSec= may hang for ever")
    if unit.all("WantedBy", "RequiredBy") and not unit.true("RemainAfterExit"):
        report.add(REPEATED, top, "Type=oneshot of a target without RemainAfterExit=yes")


def _whole(unit: UnitFile, table: UnitTable, report: Report) -> None:
    if unit.kind == "service" and not unit.dropin:
        _service(unit, table, report)
    if unit.kind == "timer" and not unit.dropin and not unit.all(*table.timer_bases):
        report.add(REFUSED, Mark(unit.path), f"the timer has none of {', '.join(sorted(table.timer_bases))}")
    if unit.kind == "path" and not unit.dropin and not unit.all(*table.path_types):
        report.add(REFUSED, Mark(unit.path), f"the path has none of {', '.join(sorted(table.path_types))}")
    for item in unit.all("ConditionFirstBoot", "AssertFirstBoot"):
        report.add(FIRST_BOOT, item.mark, f"{item.key}= is false on every installed node")
    wants = {word.text for item in unit.all("Wants", *NEEDS) for word in split_words(item.value)[0]}
    for item in unit.all("After"):
        for word in split_words(item.value)[0]:
            if word.text == "network-online.target" and word.text not in wants:
                report.add(ONLINE, item.at(word.offset), "After=network-online.target, but nothing wants it")


def check_parsed(unit: UnitFile, table: UnitTable, report: Report) -> None:
    """The same for a unit that is already read, its problems added to the report."""
    own = unit.kind.capitalize()
    readable = {"Unit", "Install", own}
    for name, mark in unit.headers:
        if name not in readable and not name.startswith("X-"):
            hint = "" if name in table.sections else did_you_mean(name, readable)
            report.add(SECTION, mark, f"[{name}] is not read in a .{unit.kind} unit", hint or None)
    for item in unit.assignments:
        if item.section not in readable or not check_assignment(item, table, report):
            continue
        _paths(item, table, report)
        if table.takes("exec", item.key):
            _exec(item, table, report)
        if table.takes("unit_names", item.key):
            _names(item, report)
        if (table.takes("exec", item.key) or item.key == "Environment") and not split_words(item.value)[1]:
            report.add(QUOTES, item.at(0), f"a quote in {item.key}= is never closed")
    _repeats(unit, table, report)
    _whole(unit, table, report)


def check_unit(text: str, path: str, table: UnitTable) -> Report:
    """One unit or drop-in (`NAME.service.d/*.conf`) by itself; the kind is taken from the file's name."""
    report = Report()
    check_parsed(read_unit(text, path, report), table, report)
    return report
