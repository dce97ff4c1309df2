"""How the installer runs a script: interpreter, log, environment, waiting, and what outlives it."""

from __future__ import annotations

import re

from kfimage.errors import ERROR, NOTE, WARNING, Report, define
from kfimage.verify.kslint.model import Parsed, Section, rule

_RUN = "anaconda 33.16.7.12 kickstart.py, AnacondaKSScript.run"

SHEBANG_BASH = define(
    "KF2031",
    WARNING,
    "the script says bash and gets sh",
    why="The installer runs `<interpreter> script` and never looks at the first line; without --interpreter that is "
    "/bin/sh, which on RHEL is bash in POSIX mode: process substitution, for one, is a syntax error there.",
    fix="write --interpreter=/bin/bash in the section's header",
    source=_RUN,
)
SHEBANG_OTHER = define(
    "KF2032",
    ERROR,
    "the script's first line names another interpreter",
    why="The first line is ignored: a shell is given Python, or the other way round, and the script fails at once.",
    fix="name the interpreter in the section's header: --interpreter=/usr/libexec/platform-python",
    source=_RUN,
)
INTERPRETER = define(
    "KF2033",
    WARNING,
    "an interpreter that may not be there",
    why="A chroot script finds only what %packages installed, any other only what the installer's image holds; "
    "RHEL 8.7 has no /usr/bin/python and brings /usr/bin/python3 only with a python3x package.",
    fix="use /bin/bash or /usr/libexec/platform-python, or add the package",
    source="RHEL 8.7 package set",
)
LOG_PLACE = define(
    "KF2034",
    WARNING,
    "the script's log lands where nobody looks",
    why="--log of a chroot script is relative to the installed system; --log of any other script is in the "
    "installer's memory and gone after the reboot unless it lies under /mnt/sysimage.",
    fix="chroot %post: --log=/root/ks-post.log; %post --nochroot: --log=/mnt/sysimage/root/ks-nochroot.log",
    source=_RUN,
)
NO_ERRORONFAIL = define(
    "KF2035",
    WARNING,
    "a script whose failure goes unnoticed",
    why="Without --erroronfail a non-zero exit is a line in a log; the next script runs and the node boots half made.",
    fix="add --erroronfail to the header",
    source="anaconda 33.16.7.12 kickstart.py:133",
)
NO_REPORT = define(
    "KF2036",
    NOTE,
    "a script that tells nobody when it fails",
    why="--erroronfail opens a dialog on a console nobody watches and then ends without running %onerror, so only the "
    "script itself can report.",
    fix="set a trap at its top that writes the fault to the console, syslog or a URL (`trap ... ERR` or EXIT)",
    source="anaconda 33.16.7.12 kickstart.py:133-137",
)
DAEMON = define(
    "KF2037",
    WARNING,
    "a background process that holds the script's output open",
    why="The installer waits until the script's output is closed, not until the script ends: a daemon that inherited "
    "it makes the installation hang for ever.",
    fix="give it its own output: `command >/var/log/x.log 2>&1 </dev/null &`",
    source="anaconda 33.16.7.12 core/util.py, communicate()",
)
ERASE = define(
    "KF2038",
    WARNING,
    "a script that tries to remove the saved kickstart",
    why="The installer copies the kickstart to /root/original-ks.cfg and writes anaconda-ks.cfg after the last %post, "
    "so removing them there has no effect and their secrets stay.",
    fix="put inst.nosave=all_ks on the installer's kernel line",
    source="anaconda 33.16.7.12 post-scripts; boot-options.rst, inst.nosave",
)
OUTSIDE = define(
    "KF2039",
    WARNING,
    "a script outside the chroot writes to the installer's own disk",
    why="%post --nochroot and %pre-install see the new system under /mnt/sysimage; what they write to /etc is in "
    "memory and gone after the reboot.",
    fix="prefix the path with /mnt/sysimage, or leave out --nochroot",
    source=_RUN,
)
INSIDE = define(
    "KF2040",
    WARNING,
    "a chroot script uses /mnt/sysimage",
    why="Inside the chroot the new system is /, and /mnt/sysimage is an empty directory.",
    fix="drop the prefix, or use %post --nochroot",
    source=_RUN,
)
LABELS = define(
    "KF2041",
    WARNING,
    "files under /usr/local or /opt without restored labels",
    why="The installer's last restorecon leaves out /usr/local and /opt; unlabelled binaries are refused once SELinux "
    "enforces.",
    fix="end the script with `restorecon -RF /usr/local /opt`",
    source="anaconda 33.16.7.12 post-scripts/80-setfilecons.ks",
)

_SHELLS = frozenset({"sh", "bash", "dash", "ksh"})
_SAFE = frozenset({"/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash", "/usr/libexec/platform-python"})
_BACKGROUND = re.compile(r"(?<![&|>\\])&\s*(?:#.*)?$")
_ERASED = re.compile(r"\b(?:rm|shred|unlink)\b[^|;]*(?:original-ks\.cfg|anaconda-ks\.cfg)")
_WRITTEN = re.compile(r"(?:>{1,2}|\btee\s(?:-a\s)?)\s*[\"']?(/(?:etc|root|usr|opt|home|boot)/[^\s\"']+)")
_PLACED = re.compile(
    r"\b(?:install|cp|mv|tar|unzip|curl|wget|tee)\b[^#]*\s[\"']?/(?:usr/local|opt)/|>\s*/(?:usr/local|opt)/"
)


@rule
def interpreters(parsed: Parsed, report: Report) -> None:
    for section in parsed.scripts:
        first = next((text for _, text in section.lines if text.strip()), "")
        if first.startswith("#!"):
            _shebang(section, first, parsed, report)
        given = section.header.get("--interpreter")
        if given and not _is_there(given, section, parsed):
            said = f"'{given}' may be absent when {section.name} runs"
            report.add(INTERPRETER, parsed.at(section.header, given), said)


def _shebang(section: Section, first: str, parsed: Parsed, report: Report) -> None:
    words = [word.rsplit("/", 1)[-1] for word in first[2:].split()]
    meant = words[1] if len(words) > 1 and words[0] == "env" else (words[0] if words else "")
    runs = section.interpreter.rsplit("/", 1)[-1]
    line = next(number for number, text in section.lines if text.strip())
    if not meant or meant == runs:
        return
    if meant in _SHELLS and runs in _SHELLS:
        if runs == "sh":
            report.add(SHEBANG_BASH, parsed.mark(line), f"'{first}' is ignored, {section.interpreter} runs it")
    elif not ("python" in meant and "python" in runs):
        report.add(SHEBANG_OTHER, parsed.mark(line), f"'{first}' is ignored, {section.interpreter} runs it")


def _is_there(interpreter: str, section: Section, parsed: Parsed) -> bool:
    if interpreter in _SAFE:
        return True
    if interpreter == "/usr/bin/python3":
        return not section.in_chroot or any(re.match(r"python3[69]?\d*\b", p) for p in parsed.package_names)
    name = interpreter.rsplit("/", 1)[-1]
    return interpreter.startswith("/") and section.in_chroot and name in parsed.package_names


@rule
def logs(parsed: Parsed, report: Report) -> None:
    for section in parsed.scripts:
        log = section.header.get("--log", "--logfile")
        if not log:
            continue
        if not log.startswith("/"):
            report.add(LOG_PLACE, parsed.at(section.header, log), f"'{log}' is a relative path")
        elif section.in_chroot and log.startswith(("/mnt/sysimage", "/mnt/sysroot")):
            report.add(LOG_PLACE, parsed.at(section.header, log), f"inside the chroot this becomes /mnt/sysimage{log}")
        elif section.name == "%post" and not section.in_chroot and not log.startswith(("/mnt/sys", "/tmp/", "/dev/")):
            report.add(LOG_PLACE, parsed.at(section.header, log), f"'{log}' is in the installer's memory")


@rule
def failures(parsed: Parsed, report: Report) -> None:
    for section in parsed.section("%pre", "%pre-install", "%post"):
        if not section.body.strip():
            continue
        if not section.header.has("--erroronfail"):
            report.add(NO_ERRORONFAIL, parsed.mark(section.line), f"{section.name} has no --erroronfail")
        elif section.is_shell and not any(re.search(r"(?:^|[;&|\s])trap\s", text) for _, text in section.code):
            report.add(NO_REPORT, parsed.mark(section.line), f"{section.name} sets no trap")


@rule
def daemons(parsed: Parsed, report: Report) -> None:
    for section in parsed.scripts:
        if not section.is_shell or "&" not in section.body:
            continue
        waits = any(re.match(r"\s*wait\b", text) for _, text in section.code)
        for line, text in section.code:
            if _BACKGROUND.search(text) and not waits and not _redirected(text):
                report.add(DAEMON, parsed.mark(line), "a process is left in the background with the script's output")


def _redirected(text: str) -> bool:
    return "&>" in text or (">" in text and ("2>" in text or ">&" in text))


@rule
def leftovers(parsed: Parsed, report: Report) -> None:
    for section in parsed.section("%post", "%pre-install"):
        outside = not section.in_chroot
        for line, text in section.code:
            if "-ks.cfg" in text and _ERASED.search(text):
                report.add(ERASE, parsed.mark(line), "the file is written again after this script")
            written = _WRITTEN.search(text) if outside and ("/" in text) else None
            if written and section.is_shell:
                mark = parsed.mark(line, written.start(1) + 1)
                report.add(OUTSIDE, mark, f"'{written.group(1)}' is in the installer's memory")
            if not outside and "/mnt/sysimage" in text:
                report.add(INSIDE, parsed.mark(line, text.find("/mnt/sysimage") + 1), "the chroot has no /mnt/sysimage")


@rule
def labels(parsed: Parsed, report: Report) -> None:
    if any(command.has("--disabled") for command in parsed.all("selinux")):
        return
    chroot = [section for section in parsed.section("%post") if section.is_shell and section.in_chroot]
    if any("restorecon" in section.body or ".autorelabel" in section.body for section in chroot):
        return
    for section in chroot:
        if "/usr/local" not in section.body and "/opt" not in section.body:
            continue
        for line, text in section.code:
            if _PLACED.search(text):
                report.add(LABELS, parsed.mark(line), "no script runs restorecon over what is put here")
                break
