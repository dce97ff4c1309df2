"""SELinux, time, language, keyboard, kdump."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Optional

from kfimage.errors import ERROR, NOTE, WARNING, Report, define
from kfimage.verify.kslint.model import Parsed, commas, rule
from kfimage.verify.kslint.network import address, is_hostname

SELINUX_OFF = define(
    "KF2371",
    WARNING,
    "SELinux is disabled",
    why="Files are then written without labels, and switching it on later needs a relabel of everything; permissive "
    "lets the same things run and keeps the labels.",
    fix="write `selinux --permissive` or `--enforcing`",
    source="RHEL 8 guide, Using SELinux",
)
SELINUX_UNCLEAR = define(
    "KF2372",
    ERROR,
    "selinux does not say one thing",
    why="A bare `selinux` parses and sets nothing; of two modes on one line the last wins in silence.",
    fix="exactly one of --enforcing, --permissive, --disabled",
    source="pykickstart 3.78 commands/selinux.py",
)
ZONE = define(
    "KF2373",
    ERROR,
    "an unknown time zone",
    why="pykickstart takes any word; the installer logs a warning and sets America/New_York.",
    fix="a name like Europe/Berlin or Etc/UTC",
    source="anaconda modules/timezone/installation.py, _correct_timezone",
)
NTP = define(
    "KF2374",
    ERROR,
    "not a time server",
    why="--ntpservers is split at commas only; an address with blanks or a scheme goes to chrony as it stands.",
    fix="--ntpservers=10.20.0.1,ntp.example.org",
    source="pykickstart 3.78 commands/timezone.py",
)
LOCALE = define(
    "KF2375",
    ERROR,
    "not a locale",
    why="pykickstart takes any word; the installer falls back to en_US.UTF-8.",
    fix="language_COUNTRY.UTF-8, as in en_US.UTF-8",
    source="anaconda 33.16.7.12 localization.py",
)
KEYBOARD = define(
    "KF2376",
    ERROR,
    "not a keyboard layout",
    why="pykickstart takes any word; the console ends up with the US layout and passwords do not match.",
    fix="keyboard --vckeymap=us --xlayouts='us'",
    source="anaconda 33.16.7.12 keyboard.py",
)
KDUMP = define(
    "KF2377",
    NOTE,
    "kdump is not decided",
    why="RHEL 8.7's installer enables kdump unless told otherwise: memory is set aside for a second kernel.",
    fix="`%addon com_redhat_kdump --disable` with %end, or --enable --reserve-mb=auto",
    source="kdump-anaconda-addon, KdumpData: enabled is the default (not seen on 8.7 itself)",
)

_ZONE = re.compile(r"[A-Z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_LANG = re.compile(r"(?:[a-z]{2,3}(?:_[A-Z]{2})?(?:\.(?:UTF-?8|utf-?8|ISO-?8859-\d+))?(?:@\w+)?|C(?:\.UTF-8)?)")
_LAYOUT = re.compile(r"[a-z][a-z0-9_-]*(?: ?\([\w-]+\))?")


@rule
def selinux(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("selinux"):
        modes = sorted({option for option, _ in command.options})
        if len(modes) != 1:
            said = " and ".join(modes) if modes else "no mode is given"
            report.add(SELINUX_UNCLEAR, parsed.at(command), said)
        elif modes == ["--disabled"]:
            report.add(SELINUX_OFF, parsed.at(command, "--disabled"), "selinux --disabled")


@lru_cache(maxsize=256)
def _zone_exists(name: str) -> Optional[bool]:
    """Whether this machine's time zone table knows the name; None when it has no table."""
    import zoneinfo  # costs as much as a whole check, and few kickstarts differ in their zone

    for probe, answer in ((name, True), ("Etc/UTC", False)):
        try:
            zoneinfo.ZoneInfo(probe)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            continue
        return answer
    return None


@rule
def timezones(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("timezone"):
        for zone in command.words[:1]:
            if zone and (not _ZONE.fullmatch(zone) or _zone_exists(zone) is False):
                report.add(ZONE, parsed.at(command, zone), f"'{zone}'")
        value = command.get("--ntpservers")
        for server in (value or "").split(",") if value else []:
            if address(server.strip()) is None and not is_hostname(server.strip()):
                report.add(NTP, parsed.at(command, server), f"'{server}' is no host name and no address")


@rule
def languages(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("lang"):
        for language in [*command.words, *commas(command.get("--addsupport"))]:
            if language and not _LANG.fullmatch(language):
                report.add(LOCALE, parsed.at(command, language), f"'{language}'")
    for command in parsed.all("keyboard"):
        for layout in [*command.words, *commas(command.get("--xlayouts")), *commas(command.get("--vckeymap"))]:
            if layout and not _LAYOUT.fullmatch(layout):
                report.add(KEYBOARD, parsed.at(command, layout), f"'{layout}'")


@rule
def kdump(parsed: Parsed, report: Report) -> None:
    if not parsed.section("%packages") or any("com_redhat_kdump" in s.args for s in parsed.section("%addon")):
        return
    if not any(entry == "-kexec-tools" for _, entry in parsed.packages) and not parsed.may_have("com_redhat_kdump"):
        report.add(KDUMP, parsed.mark(), "kdump stays enabled with crashkernel=auto")
