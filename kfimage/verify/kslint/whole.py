"""The kickstart as a whole: is anything installed, does anything wait for a person, what does one line take back."""

from __future__ import annotations

from kfimage.errors import ERROR, WARNING, Report, define
from kfimage.verify.kslint.model import DISPLAYS, ENDINGS, SOURCES, Command, Parsed, commas, rule

_LAST = "pykickstart 3.78: a command's later line overwrites the earlier one in silence"

NOTHING = define(
    "KF2101",
    ERROR,
    "there is nothing here to install",
    why="An empty file, or one of comments only, parses; the installer then asks a person for everything.",
    fix="check that the right file was written and served",
    source="pykickstart 3.78 accepts an empty text",
)
NO_SOURCE = define(
    "KF2102",
    WARNING,
    "no install source",
    why="Without url, cdrom, nfs, harddrive or rhsm the installer takes inst.repo= from the kernel line, and asks a "
    "person when that is missing too.",
    fix="add `url --url=...`; if inst.repo= is on the kernel line, say so in a comment that names inst.repo",
    source="RHEL 8 installation guide, kickstart commands for installation program configuration",
)
TWO_SOURCES = define(
    "KF2103",
    ERROR,
    "more than one install source",
    why="The last of url, cdrom, nfs, harddrive and liveimg wins, the others are dropped in silence.",
    fix="keep one; further repositories are `repo` lines",
    source=_LAST,
)
NO_ACCOUNT = define(
    "KF2104",
    ERROR,
    "no root password and no user",
    why="The installer stops at its menu until a person sets one.",
    fix="add `rootpw --lock` and a `user` with a key, or a `rootpw --iscrypted`",
    source="anaconda 33.16.7.12 ui/gui/spokes/root_password.py: the spoke is mandatory",
)
LOCKED_OUT = define(
    "KF2105",
    WARNING,
    "nobody can log in",
    why="root is locked and no account has a password or an ssh key: a node that fails before it joins can only be "
    "re-installed.",
    fix='add `sshkey --username=NAME "..."` for a user of this file, or give a user a hash',
    source="anaconda 33.16.7.12 users module",
)
NO_PACKAGES = define(
    "KF2106",
    ERROR,
    "no %packages section",
    why="The software selection counts as unanswered and the installer waits at its menu.",
    fix="add %packages with @^minimal-environment and %end",
    source="anaconda 33.16.7.12 ui/gui/spokes/software_selection.py: packages.seen",
)
NO_LOCALE = define(
    "KF2107",
    WARNING,
    "language, keyboard or time zone is missing",
    why="The vendor calls all three required; without one the default (US, New York) is taken or a person is asked.",
    fix="add `lang en_US.UTF-8`, `keyboard --xlayouts=us` and `timezone Etc/UTC --utc`",
    source="RHEL 8 installation guide, required kickstart commands",
)
WAITS_ON_MISSING = define(
    "KF2108",
    WARNING,
    "the display mode can wait for a key",
    why="In text mode, and in graphical mode, which is the default, a missing package opens a question; cmdline "
    "never asks and ends with the error instead.",
    fix="write `cmdline`, or `text --non-interactive`",
    source="anaconda 33.16.7.12 payload/dnf/payload.py",
)
GRAPHICAL = define(
    "KF2109",
    WARNING,
    "a graphical installation",
    why="graphical and vnc start an X server, need three times the memory, and wait for a person who clicks.",
    fix="write `cmdline`",
    source="anaconda 33.16.7.12 display.py",
)
LAST_WINS = define(
    "KF2110",
    ERROR,
    "a later line takes an earlier one back",
    why="The command may stand once; the last line wins and nothing says so.",
    fix="keep the line that is meant",
    source=_LAST,
)
SERVICES_REPLACED = define(
    "KF2111",
    ERROR,
    "a second list of services replaces the first",
    why="Unlike `firewall --port`, a second `services --enabled=` (or --disabled=) does not add to the first.",
    fix="write one list",
    source="pykickstart 3.78 commands/services.py",
)
NO_ENDING = define(
    "KF2112",
    WARNING,
    "no reboot at the end",
    why="Without reboot, poweroff or shutdown the finished installer waits for a key.",
    fix="add `reboot`",
    source="pykickstart 3.78 constants: KS_WAIT is the default",
)
HALT = define(
    "KF2113",
    WARNING,
    "halt waits for a key",
    why="`halt` shows a message and waits; the machine neither restarts nor switches off.",
    fix="write `reboot` or `poweroff`",
    source="RHEL 8 installation guide, halt",
)
FIRSTBOOT = define(
    "KF2114",
    WARNING,
    "the first boot asks questions",
    why="`firstboot --enable` and --reconfig start the setup assistant on the console before the node is usable.",
    fix="write `firstboot --disable`",
    source="RHEL 8 installation guide, firstboot",
)
INTERACTIVE = define(
    "KF2115",
    ERROR,
    "a command that needs a person",
    why="`rescue` boots a repair shell instead of installing, `ignoredisk --interactive` opens the disk screen, "
    "`autostep` walks through every screen, `mediacheck` ends in a question when a check fails.",
    fix="remove the line",
    source="RHEL 8 installation guide",
)
AUTOSTEP = define(
    "KF2116",
    WARNING,
    "autostep is deprecated on RHEL 8.7",
    why="pykickstart 3.78 takes it in silence, the installer of 8.7 warns and inst.ksstrict makes that fatal.",
    fix="remove the line",
    source="python3-kickstart 3.16.15, commands/autostep.py",
)

_ONCE = frozenset(
    "lang keyboard rootpw selinux timezone bootloader authselect auth firstboot autopart clearpart rhsm syspurpose "
    "logging url cdrom nfs harddrive liveimg vnc eula reqpart skipx xconfig".split()
)
_SAVED_TOGETHER = {"display mode": DISPLAYS, "way to end": ENDINGS}


@rule
def emptiness(parsed: Parsed, report: Report) -> None:
    if not parsed.commands and not parsed.sections and not parsed.includes:
        report.add(NOTHING, parsed.mark(), "no command and no section")


def _something(parsed: Parsed) -> bool:
    return bool(parsed.commands or parsed.sections)


@rule
def install_source(parsed: Parsed, report: Report) -> None:
    sources = [c for c in parsed.all(*SOURCES) if c.name != "rhsm"]
    if _something(parsed) and not parsed.may_have(*SOURCES) and "inst.repo" not in parsed.text:
        report.add(NO_SOURCE, parsed.mark(), "no url, cdrom, nfs, harddrive, liveimg or rhsm")
    names = {command.name for command in sources}
    if len(names) > 1:
        last = sources[-1]
        lost = ", ".join(sorted(names - {last.name}))
        report.add(TWO_SOURCES, parsed.at(last), f"{last.name} wins over {lost}")


@rule
def accounts(parsed: Parsed, report: Report) -> None:
    if not _something(parsed):
        return
    if not parsed.may_have("rootpw", "user"):
        report.add(NO_ACCOUNT, parsed.mark(), "neither rootpw nor user")
        return
    if parsed.includes and parsed.may_have("sshkey") and not parsed.all("sshkey"):
        return
    root = parsed.all("rootpw")
    users = parsed.all("user")
    keys = {command.get("--username") for command in parsed.all("sshkey")}
    root_in = "root" in keys or any(not command.has("--lock") for command in root[-1:])
    user_in = any(u.get("--name") in keys or (u.get("--password") and not u.has("--lock")) for u in users)
    if root_in or user_in or any("authorized_keys" in section.body for section in parsed.section("%post")):
        return
    if not parsed.may_have("sshkey", "realm") or not parsed.includes:
        report.add(LOCKED_OUT, parsed.at((root or users)[-1]) if root or users else parsed.mark(), "no way in")


@rule
def required(parsed: Parsed, report: Report) -> None:
    if not _something(parsed):
        return
    image = parsed.all("liveimg", "ostreesetup")
    if not parsed.section("%packages") and not image and not parsed.may_have("%packages"):
        report.add(NO_PACKAGES, parsed.mark(), "the software is not chosen")
    missing = [name for name in ("lang", "keyboard", "timezone") if not parsed.may_have(name)]
    if missing:
        report.add(NO_LOCALE, parsed.mark(), f"missing: {', '.join(missing)}")


@rule
def display(parsed: Parsed, report: Report) -> None:
    if not _something(parsed):
        return
    modes = parsed.all(*DISPLAYS)
    for command in [*parsed.all("vnc"), *(mode for mode in modes if mode.name == "graphical")]:
        report.add(GRAPHICAL, parsed.at(command), f"`{command.name}` waits for a person")
    if not modes and not parsed.may_have(*DISPLAYS):
        report.add(WAITS_ON_MISSING, parsed.mark(), "no display mode: graphical is the default")
    elif modes and modes[-1].name == "text" and not modes[-1].has("--non-interactive"):
        report.add(WAITS_ON_MISSING, parsed.at(modes[-1]), "`text` asks when a package is missing")


@rule
def overridden(parsed: Parsed, report: Report) -> None:
    for name in sorted(_ONCE):
        _twice(parsed.all(name), f"{name} stands", parsed, report)
    for what, names in _SAVED_TOGETHER.items():
        _twice(parsed.all(*names), f"a {what} is set", parsed, report)
    for option in ("--enabled", "--disabled"):
        lists = [command for command in parsed.all("services") if command.has(option)]
        for earlier, later in zip(lists, lists[1:]):
            lost = sorted(set(commas(earlier.get(option))) - set(commas(later.get(option))))
            if lost:
                message = f"{option} of line {earlier.line} is replaced: {', '.join(lost)} is lost"
                report.add(SERVICES_REPLACED, parsed.at(later, option), message)


def _twice(commands: list[Command], what: str, parsed: Parsed, report: Report) -> None:
    for earlier, later in zip(commands, commands[1:]):
        if (earlier.name, earlier.args) != (later.name, later.args):
            report.add(LAST_WINS, parsed.at(later), f"{what} in line {earlier.line} too, and only this line counts")


@rule
def ending(parsed: Parsed, report: Report) -> None:
    if _something(parsed) and not parsed.may_have(*ENDINGS):
        report.add(NO_ENDING, parsed.mark(), "the installer will wait for a key when it is done")
    for command in parsed.all("halt"):
        report.add(HALT, parsed.at(command), "the machine stays as it is until someone presses a key")


@rule
def people(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("firstboot"):
        if command.has("--enable", "--enabled", "--reconfig"):
            report.add(FIRSTBOOT, parsed.at(command), "the setup assistant waits on the console")
    for command in parsed.all("rescue", "autostep", "mediacheck"):
        report.add(INTERACTIVE, parsed.at(command), f"`{command.name}` does not install unattended")
        if command.name == "autostep":
            report.add(AUTOSTEP, parsed.at(command), "autostep is on its way out")
    for command in parsed.all("ignoredisk"):
        if command.has("--interactive"):
            report.add(INTERACTIVE, parsed.at(command, "--interactive"), "the disk screen waits for a person")
