"""Section headers, included files, and the bodies pykickstart does not read: %addon and %anaconda."""

from __future__ import annotations

import re
import shlex

from kfimage.errors import ERROR, NOTE, WARNING, Report, define, did_you_mean
from kfimage.verify.kslint.model import Parsed, Section, rule

CERTIFICATE = define(
    "KF2020",
    ERROR,
    "%certificate is unknown to RHEL 8.7",
    why="pykickstart 3.78 knows the section, the 3.16 of RHEL 8.7 does not: 'Unknown kickstart section', no install.",
    fix="write the CA in %post to /etc/pki/ca-trust/source/anchors and run update-ca-trust",
    source="anaconda 33.16.7.12, python3-kickstart 3.16.15",
)
INCLUDE_UNWRITTEN = define(
    "KF2021",
    ERROR,
    "an included file that no %pre writes",
    why="A missing %include ends the installation, and /tmp and /run are empty when the installer starts.",
    fix="write the file in a %pre, or correct the name",
    source="pykickstart 3.78 parser.py: missingIncludeIsFatal",
)
INCLUDE_RELATIVE = define(
    "KF2022",
    WARNING,
    "%include with a relative name",
    why="The installer resolves it against the place where the kickstart happens to lie, /run/install.",
    fix="write the full path",
    source="pykickstart 3.78 parser.py, readKickstart",
)
KSAPPEND = define(
    "KF2023",
    WARNING,
    "%ksappend is skipped by most readers",
    why="Only preprocessKickstart fetches it; every other reader, most lints among them, drops the line in silence.",
    fix="use %include, or put the text here",
    source="pykickstart 3.78 parser.py, _stateMachine",
)
ANACONDA_UNKNOWN = define(
    "KF2024",
    ERROR,
    "an unknown line in %anaconda",
    why="pykickstart does not read this section, the installer does: RHEL 8.7 knows only `pwpolicy` here.",
    fix="write `pwpolicy root|user|luks ...`, or remove the line",
    source="anaconda 33.16.7.12 kickstart.py, AnacondaSectionHandler",
)
ADDON_NAMELESS = define(
    "KF2025",
    ERROR,
    "%addon without a name",
    why="The installer takes the first word as the add-on's name and fails with an IndexError when there is none.",
    fix="write `%addon com_redhat_kdump --disable`",
    source="anaconda 33.16.7.12 addons.py",
)
ADDON_UNKNOWN = define(
    "KF2026",
    WARNING,
    "an add-on that RHEL 8.7's installer does not bring",
    why="A section for an add-on that is not there is kept and never acted on.",
    fix="correct the name; RHEL 8.7 brings com_redhat_kdump and org_fedora_oscap",
    source="anaconda 33.16.7.12 addons.py",
)
ADDON_OPTION = define(
    "KF2027",
    ERROR,
    "an option this add-on does not know",
    why="pykickstart does not read add-on headers; the add-on itself rejects the option when the installer starts.",
    fix="com_redhat_kdump takes --enable, --disable, --reserve-mb= and --enablefadump; org_fedora_oscap takes none",
    source="kdump-anaconda-addon, kdump.py",
)
OTHER_VERSION = define(
    "KF2028",
    WARNING,
    "#version names another release",
    why="The comment is ignored by the parser; it says that the text was written for another release's grammar.",
    fix="check the text against RHEL 8, then write #version=RHEL8",
    source="pykickstart 3.78 does not read it",
)
EMPTY_SCRIPT = define(
    "KF2029",
    NOTE,
    "a script without content",
    why="The parser drops an empty section: mostly a sign that a template left its body out.",
    fix="remove the section, or fill it",
    source="pykickstart 3.78 sections.py, ScriptSection.finalize",
)

KDUMP_OPTIONS = ("--enable", "--disable", "--enablefadump", "--reserve-mb")
_ADDONS = {"com_redhat_kdump": KDUMP_OPTIONS, "org_fedora_oscap": ()}
_POLICY = frozenset(
    {"--minlen", "--minquality", "--strict", "--notstrict", "--emptyok", "--notempty", "--changesok", "--nochanges"}
)


@rule
def certificates(parsed: Parsed, report: Report) -> None:
    for section in parsed.section("%certificate"):
        report.add(CERTIFICATE, parsed.mark(section.line), "%certificate ends the installation of RHEL 8.7")


@rule
def includes(parsed: Parsed, report: Report) -> None:
    for name, line in parsed.includes:
        if "://" in name:
            continue
        if not name.startswith("/"):
            report.add(INCLUDE_RELATIVE, parsed.mark(line), f"'{name}' is relative")
        ours = name.startswith(("/tmp/", "/run/", "/var/", "/root/")) and not name.startswith("/run/install/")
        if ours and not parsed.written_by_pre(name):
            report.add(INCLUDE_UNWRITTEN, parsed.mark(line), f"no %pre mentions '{name}'")
    for command in parsed.all("%ksappend"):
        report.add(KSAPPEND, parsed.at(command), "%ksappend is not read everywhere")


@rule
def anaconda_bodies(parsed: Parsed, report: Report) -> None:
    for section in parsed.section("%anaconda"):
        for line, text in section.lines:
            if not text.strip() or text.lstrip().startswith("#"):
                continue
            fault = _policy_fault(text)
            if fault:
                report.add(ANACONDA_UNKNOWN, parsed.mark(line), fault)


def _policy_fault(text: str) -> str:
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return "a quotation mark is opened and not closed"
    if not words or words[0] != "pwpolicy":
        return f"'{words[0] if words else ''}' is not pwpolicy"
    if len(words) < 2 or words[1] not in ("root", "user", "luks"):
        return "pwpolicy needs root, user or luks"
    options = [word.partition("=")[0] for word in words[2:] if word.startswith("--")]
    unknown = [option for option in options if option not in _POLICY]
    return f"pwpolicy has no {unknown[0]}; {did_you_mean(unknown[0], _POLICY)}" if unknown else ""


@rule
def addons(parsed: Parsed, report: Report) -> None:
    for section in parsed.section("%addon"):
        if not section.header.words:
            report.add(ADDON_NAMELESS, parsed.mark(section.line), "%addon names no add-on")
            continue
        _addon(section, parsed, report)


def _addon(section: Section, parsed: Parsed, report: Report) -> None:
    name = section.header.words[0]
    known = _ADDONS.get(name)
    if known is None:
        report.add(ADDON_UNKNOWN, parsed.at(section.header, name), f"'{name}': {did_you_mean(name, _ADDONS)}")
        return
    for option, value in section.header.options:
        if option not in known:
            report.add(ADDON_OPTION, parsed.at(section.header, option), f"{name} has no {option}")
        elif option == "--reserve-mb" and not re.fullmatch(r"auto|\d+M?", value.strip("'\"")):
            report.add(ADDON_OPTION, parsed.at(section.header, option), f"--reserve-mb={value} is no size")
    for word in section.header.words[1:]:
        report.add(ADDON_OPTION, parsed.at(section.header, word), f"{name} takes no word '{word}'")


@rule
def version_comment(parsed: Parsed, report: Report) -> None:
    first = parsed.sections[0].line - 1 if parsed.sections else None
    for line, text in enumerate(parsed.text.split("\n")[:first], 1):
        if text.startswith("#version=") and text.split("=", 1)[1].strip() not in ("RHEL8", "DEVEL"):
            report.add(OTHER_VERSION, parsed.mark(line), f"the text says {text[9:].strip() or 'nothing'}, not RHEL8")


@rule
def empty_scripts(parsed: Parsed, report: Report) -> None:
    for section in parsed.scripts:
        if not section.body.strip():
            report.add(EMPTY_SCRIPT, parsed.mark(section.line), f"{section.name} is empty and will not run")
