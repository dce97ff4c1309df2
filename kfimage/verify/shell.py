"""Shell scripts that run on RHEL 8.7: rules that look at code only, never at text that merely speaks of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Optional

from kfimage.errors import ERROR, WARNING, Check, Report, define
from kfimage.verify.bash import Command, Script, read_script

# ---- what is not there on RHEL 8.7 -----------------------------------------------------------------------------------


def row(id: str, severity: str, title: str, why: str, fix: str, source: str = "") -> Check:
    """A check defined on few lines."""
    return define(id, severity, title, why=why, fix=fix, source=source)


# fmt: off
_USERLAND = "facts/rhel.md 5.1 (versions: memory, unverified)"
BASH = row("KF4001", ERROR, "A bash feature newer than 4.4", "RHEL 8.7 has bash 4.4.20: the variable is empty or the "
    "option is refused, and shellcheck does not know it.", "use what bash 4.4 has", _USERLAND)
OPTION = row("KF4002", ERROR, "An option or verb newer than RHEL 8.7's tools", "The command ends with a usage error "
    "on the node, never on the author's machine.", "use what the release has", _USERLAND)
ABSENT = row("KF4003", WARNING, "A command a RHEL 8.7 node does not have", "It is in no package of a minimal install, "
    "or has another name there.", "use coreutils, sed, awk or bash, or test for it with command -v", _USERLAND)
CRLF = row("KF4004", ERROR, "Carriage returns at line ends", "bash takes the carriage return for part of the last "
    "word; pykickstart keeps it without a word.", "save the file with LF line ends", "facts/rhel.md 1.3")
CONTROL = row("KF4005", ERROR, "A control character in a script", "bash drops a NUL and what follows may change "
    "meaning; other control characters become part of words.", "write $'\\0..' escapes instead", "facts/rhel.md 1.3")
GLYPH = row("KF4006", ERROR, "A character in code that only looks right", "A typographic quote, dash or blank is a "
    "plain letter for bash; bytes that are not UTF-8 raise UnicodeDecodeError in the installer.",
    "type the ASCII character", "facts/rhel.md 2.3")
HEREDOC = row("KF4007", ERROR, "A here-document that never ends", "The rest of the script becomes its text and never "
    "runs; bash only warns.", "put the end word alone on its line, without blanks before or after it")
OPEN = row("KF4008", ERROR, "A quote or substitution that is never closed", "bash refuses the script, some way below "
    "the place where it is wrong.", "close it")
BLANK = row("KF4009", ERROR, "A backslash with blanks after it at the end of a line", "It quotes the blank: the line "
    "ends there and the next one starts a new command.", "remove the blanks", "measured: bash -n refuses the guide's "
    "helm line")
ERREXIT = row("KF4101", WARNING, "A script that goes on after a failure", "Without set -e the exit code is the last "
    "command's alone: --erroronfail and the unit's state say success.", "start with set -euo pipefail")
TRACE = row("KF4102", ERROR, "set -x where secrets are handled", "The trace lands in the installer's log and the "
    "journal, values included.", "set +x before the secret is read", "facts/upstream.md 6")
PIPED = row("KF4103", ERROR, "A download piped into a shell", "Nothing pins or checks what runs as root, and a cut "
    "connection runs half of it.", "download a pinned version, check its sha256, then run it", "facts/upstream.md 6")
ENDLESS = row("KF4104", WARNING, "A loop that may never end", "Nobody watches a first boot: a loop without a bound "
    "hides the failure it waits out.", "count the tries, or give up at a time", "facts/kubeflow.md")
NO_FAIL = row("KF4105", WARNING, "curl without --fail", "A 404 or 503 ends with exit code 0 and the error page lands "
    "in the file.", "add -f (--fail)")
INSECURE = row("KF4106", ERROR, "A download that checks no certificate", "Who sits on the wire decides what the node "
    "runs.", "install the site's CA, or check a sha256", "facts/upstream.md 6")
UNSIGNED = row("KF4107", ERROR, "Packages installed without their signatures", "Whoever answers for the repository "
    "decides what root runs on the node.", "import the key, pinned by its fingerprint, and leave the check on")
FROM_URL = row("KF4108", ERROR, "A package installed straight from an address", "dnf checks no signature of a package "
    "given by its address (localpkg_gpgcheck is off), rpm only warns; nothing pins it.",
    "a repository with gpgcheck=1, or download it and check its sha256 first", "dnf.conf(5), localpkg_gpgcheck")
REPO_UNCHECKED = row("KF4109", ERROR, "A repository written without gpgcheck", "Every later dnf install and update "
    "from it takes unsigned packages, on every node.", "gpgcheck=1 and gpgkey=, the key pinned by its fingerprint")
FLOATING = row("KF4110", ERROR, "Kubernetes' packages installed without a version", "The repository's newest is taken: "
    "two nodes installed on different days differ, and kubelet must not be newer than the API server.",
    "name NAME-VERSION-RELEASE, as in kubelet-1.25.10-150500.1.1")
INSTALLER = row("KF4201", ERROR, "A command that acts on the installer, or cannot work there",
    "%post runs in a chroot of the installer: its kernel, its mounts, no D-Bus, no init.",
    "declare it in a file, or do it at first boot", "facts/rhel.md 4: run in a container without init, the same "
    "commands fail the same way")
SECTION = row("KF4202", ERROR, "A line that opens or ends a kickstart section", "The kickstart reader looks at the "
    "first word of every line, here-documents included.", "carry the text as base64, or with a prefix on each line",
    "facts/rhel.md 1.4")
DAEMON = row("KF4203", WARNING, "A process left behind in an installer script", "The installer waits until everybody "
    "has closed the script's output: the install hangs.", "start it as a unit at first boot", "facts/rhel.md 2.3")
# fmt: on

# (what to look for in expansions, what it is, since which bash, what to write instead)
_BASH_VARIABLES = (
    (r"\b(EPOCHSECONDS|EPOCHREALTIME)\b", "5.0", "printf '%(%s)T' -1"),
    (
        r"\b(SRANDOM|BASH_ARGV0|BASH_MONOSECONDS|BASH_TRAPSIG|GLOBSORT)\b",
        "5.0 or later",
        "od -An -N4 -tu4 /dev/urandom, $0",
    ),
    (r"@[ULukK]\}", "5.1", "${x^^} or ${x,,}"),
    (r"^\$\{[ |]", "5.3", "$( )"),
)
# (command, pattern over its arguments, since, instead)
_NEWER = (
    ("wait", r"(^| )-\w*[pf]\b", "bash 5.0/5.1", "wait for each process id in turn"),
    ("shopt", r"\b(localvar_inherit|localvar_unset|assoc_expand_once|progcomp_alias|patsub_replacement|varredir_close"
     r"|globskipdots|noexpand_translation|array_expand_once|bash_source_fullpath)\b", "bash 5.0 or later",
     "nothing of the kind"),
    ("declare|local|typeset", r"(^| )-\w*I", "bash 5.1", "assign the outer value"),
    ("ulimit", r"(^| )-R", "bash 5.1", "nothing of the kind"),
    ("curl", r"--retry-all-errors\b", "curl 7.71", "--retry-connrefused and a loop"),
    ("curl", r"--fail-with-body\b", "curl 7.76", "--fail"),
    ("curl", r"--json\b", "curl 7.82", "--header 'Content-Type: application/json' --data-binary"),
    ("curl", r"--output-dir\b", "curl 7.73", "--output DIR/FILE"),
    ("curl", r"--remove-on-error\b", "curl 7.83", "download to FILE.new and rename"),
    ("curl", r"--no-progress-meter\b", "curl 7.67", "--silent --show-error"),
    ("curl", r"(--parallel(-max|-immediate)?\b|(^| )-Z\b)", "curl 7.66", "one curl per file"),
    ("curl", r"--(etag-save|etag-compare|create-file-mode|aws-sigv4|url-query|rate|no-clobber|variable|ca-native"
     r"|doh-url|skip-existing|proxy-ca-native|max-filesize-total)\b", "a curl after 7.61", "nothing of the kind"),
    ("systemctl", r"(--(with-dependencies|image|what|timestamp|check-inhibitors|marked|drop-in|read-only|kill-value)\b"
     r"|(^| )-P\b"
     r"|(^| )(clean|freeze|thaw|bind|mount-image|service-log-level|service-log-target|whoami|soft-reboot)( |$))",
     "a systemd after 239", "show -p NAME --value, or the unit's own files"),
    ("journalctl", r"--(facility|namespace|image|cursor-file)\b", "a systemd after 239", "-u, -t, --after-cursor"),
    ("systemd-run", r"(--(shell|working-directory|expand-environment)\b|(^| )-[dS]\b)", "a systemd after 239",
     "-p WorkingDirectory="),
    ("systemd-analyze", r"--(recursive-errors|offline|image)\b", "a systemd after 239", "read what it prints"),
    ("systemd-creds|systemd-cryptenroll|systemd-sysext|systemd-repart|systemd-dissect|systemd-id128", "",
     "a systemd after 239", "cryptsetup, clevis, uuidgen"),
    ("hostnamectl", r"^hostname\b|--json\b", "systemd 249", "hostnamectl set-hostname"),
    ("udevadm", r"^(wait|lock)\b", "systemd 251", "udevadm settle --exit-if-exists="),
    ("cksum", r"(^| )(-a|--algorithm)\b", "coreutils 9.0", "sha256sum"),
    ("basenc", "", "coreutils 8.31", "base64 or base32"),
    ("cp", r"--(debug|update=)", "coreutils 9.3", "cp -u or cp -n"),
    ("ls", r"--zero\b", "coreutils 9.0", "find -print0"),
    ("wc", r"--total\b", "coreutils 9.1", "tail -n 1"),
    ("mv", r"--(exchange|no-copy)\b", "coreutils 9.x", "three renames"),
    ("mount", r"--mkdir\b", "util-linux 2.38", "mkdir -p before it"),
    ("dnf", r"config-manager (addrepo|setopt|unsetopt|addrepo)\b", "dnf 5",
     "config-manager --add-repo, --save --setopt"),
    ("openssl", r"(^(mac|kdf|fipsinstall|cmp|skeyutl) |^list .*-providers\b| -(provider|copy_extensions|legacy)\b)",
     "openssl 3.0",
     "what openssl 1.1.1 has"),
)  # fmt: skip
_ABSENT = {
    "python": "/usr/libexec/platform-python (3.6)", "python2": "/usr/libexec/platform-python (3.6)",
    "python3": "/usr/libexec/platform-python (3.6)", "pip3": "an RPM", "pip": "an RPM", "jq": "sed or awk",
    "yq": "sed or awk",
    "wget": "curl -f", "docker": "crictl", "ifconfig": "ip address", "netstat": "ss", "apt-get": "dnf", "apt": "dnf",
    "dnf5": "dnf", "service": "systemctl", "rsync": "tar", "killall": "systemctl kill", "unzip": "tar",
    "lsb_release": "/etc/os-release",
}  # fmt: skip
# (places, command, pattern over its arguments, what happens, instead)
_IN_INSTALLER = (
    ("post", "modprobe|rmmod|insmod", r"^(?!.*(-n\b|--dry-run|--show-depends|-D\b))", "acts on the installer's kernel",
     "/etc/modules-load.d/NAME.conf"),
    ("post", "sysctl", r"(^| )(-w|--write|--system|-p|--load|-a)\b|=", "acts on the installer's kernel",
     "/etc/sysctl.d/NAME.conf"),
    ("post", "systemctl",
     r"(^| )(start|restart|try-restart|reload|reload-or-restart|stop|isolate|reboot|poweroff|kexec)( |$)|--now\b",
     "does nothing in a chroot", "systemctl enable, or the services command"),
    ("post", "swapoff|swapon", "", "acts on the installer's swap", "a layout without swap"),
    ("post pre", "firewall-cmd", "", "has no D-Bus to talk to", "firewall-offline-cmd, or the firewall command"),
    ("post pre", "setenforce", "", "acts on the installer", "the selinux command"),
    ("post pre", "nvidia-ctk", r"\bcdi generate\b", "needs the loaded driver", "a first-boot step"),
    ("post pre", "nvidia-smi", "", "needs the loaded driver", "a first-boot step"),
    ("post pre", "hostnamectl|timedatectl|localectl|loginctl", "", "has no D-Bus to talk to",
     "the kickstart command for it"),
    ("post pre", "nmcli", r"^(?!--offline)", "has no NetworkManager of the node", "a file in /etc/NetworkManager"),
    ("post pre", "kubeadm|crictl|podman|ctr", r"^(join|init|run|pull|exec|ps|info|images)\b",
     "has no runtime to talk to", "a first-boot step"),
    ("post pre", "reboot|poweroff|halt|shutdown", "", "ends the installer in the middle", "the reboot command"),
    ("post", "uname", r"(^| )-[a-z]*r", "names the installer's kernel, not the node's",
     "ls /lib/modules, or rpm -q kernel-core"),
    ("post", "dracut", r"^(?!.*(kver|regenerate-all|\d+\.\d+|\$))", "builds for the installer's kernel",
     "dracut --kver VERSION"),
    ("pre", "systemctl", r"(^| )(enable|disable|mask|preset)( |$)", "there is no installed system yet", "%post"),
    ("pre", "dnf|yum|rpm", r"(^| )(install|-i\w*|-U\w*)( |$)", "there is no installed system yet",
     "%packages or %post"),
)  # fmt: skip


def _by_name(rows: Iterable[tuple[str, ...]], name: int) -> dict[str, list[tuple[str, ...]]]:
    """Rows by each command they are about."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for line in rows:
        for command in line[name].split("|"):
            found.setdefault(command, []).append(line)
    return found


_NEWER_BY_NAME, _INSTALLER_BY_NAME = _by_name(_NEWER, 0), _by_name(_IN_INSTALLER, 1)
_SECTION_WORD = re.compile(
    r"^[ \t]*%(end|include|ksappend|pre|pre-install|post|onerror|traceback|packages|addon|anaconda|certificate)"
    r"(?![\w-])",
    re.M,
)
_GLYPHS = re.compile(
    "[\u00a0\u00ad\u2000-\u200f\u2010-\u2015\u2018-\u201f\u2028-\u202f\u2060\u3000\ufeff]|[\ud800-\udfff\ufffd]"
)
_BROKEN = frozenset(chr(code) for code in (*range(0xD800, 0xE000), 0xFFFD))
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SECRET = re.compile(r"(?i)token|passw|secret|activation.?key|private.?key|credential|passphrase")
_PLACE = re.compile(r"^#\s*kfimage:\s*place=(post|pre|node)\b", re.M)
_SHELLS = frozenset(["sh", "bash", "dash", "ksh", "zsh", "source", ".", "eval", "python", "python3", "perl"])
_FAILS = re.compile(r"-[A-Za-z]*f[A-Za-z]*|--fail(-with-body)?|-w|--write-out|-K|--config|.*\[@\].*|--version|-V", re.S)
_BOUNDS = frozenset(["-lt", "-le", "-gt", "-ge", "-eq"])


@dataclass(frozen=True)
class _Look:
    """One script under check: where it is reported, and where it runs."""

    script: Script
    path: str
    first_line: int
    name: str
    place: str
    report: Report

    def add(self, check: Check, offset: int, message: str, hint: Optional[str] = None) -> None:
        where = self.script.mark(max(offset, 0), self.path, self.first_line)
        self.report.add(check, where, f"{self.name}: {message}" if self.name else message, hint)


def check_script(text: str, path: str, *, first_line: int = 1, name: str = "", place: str = "") -> Report:
    """A script that runs in %post, in %pre or on the node; marks count lines from `first_line`.

    Without `place` the script may say it itself, in a comment `# kfimage: place=post`; else it runs on the node.
    """
    said = _PLACE.search(text[:2000])
    look = _Look(read_script(text), path, first_line, name, place or (said[1] if said else "node"), Report())
    _characters(look)
    _structure(look)
    for index, command in enumerate(look.script.commands):
        _newer(look, command)
        _downloads(look, index, command)
        _packages(look, command)
        _loops(look, index, command)
        _installer(look, command)
    _repository_files(look)
    _habits(look)
    return look.report


def _characters(look: _Look) -> None:
    text = look.script.text
    returns = text.count("\r\n")
    if returns:
        look.add(CRLF, text.index("\r\n"), f"{returns} line{'s' if returns > 1 else ''} end in a carriage return")
    for found in _CONTROLS.finditer(text):
        look.add(CONTROL, found.start(), f"control character {found.group()!r}")
    for token in look.script.tokens if not text.isascii() else ():
        glyph = _GLYPHS.search(token.text)
        if glyph and (glyph.group() in _BROKEN or token.kind in ("plain", "space", "op")):
            look.add(GLYPH, token.offset + glyph.start(), f"U+{ord(glyph.group()):04X} in code")


def _structure(look: _Look) -> None:
    script = look.script
    for index, token in enumerate(script.tokens):
        if token.kind == "end":
            heredoc = script.text[max(token.offset - 3, 0) : token.offset].endswith(("<<", "<<-"))
            what = "here-document never ends" if heredoc else "a quote or substitution opened here is never closed"
            look.add(HEREDOC if heredoc else OPEN, token.offset, what)
        elif token.kind in ("param", "arith"):
            for pattern, since, instead in _BASH_VARIABLES:
                found = re.search(pattern, token.text)
                if found:
                    look.add(BASH, token.offset, f"{token.text[:40]} needs bash {since}", f"write {instead}")
        elif token.kind == "plain" and token.text in ("\\ ", "\\\t"):
            rest = script.text[token.offset + 2 :].split("\n", 1)[0]
            if not rest.strip() and index + 1 < len(script.tokens):
                look.add(BLANK, token.offset, "the backslash quotes a blank, the line is not continued")
    for line in _SECTION_WORD.finditer(script.text) if look.place in ("post", "pre") else ():
        look.add(SECTION, line.start(1) - 1, f"a line starts with %{line[1]}")


def _newer(look: _Look, command: Command) -> None:
    rest = " ".join(command.argv[1:])
    for _, pattern, since, instead in _NEWER_BY_NAME.get(command.name, ()):
        if re.search(pattern, rest):
            check = BASH if since.startswith("bash") else OPTION
            look.add(check, command.offset, f"{command.line[:60]}: needs {since}", f"write {instead}")
    if command.name in _ABSENT and not _tested(look.script, command.name):
        look.add(ABSENT, command.offset, f"{command.name} is not on a RHEL 8.7 node", f"use {_ABSENT[command.name]}")


def _tested(script: Script, name: str) -> bool:
    """Whether the script asks for the program before it relies on it."""
    asks = (c.words for c in script.commands if c.words and c.words[0].text in ("command", "type", "hash", "which"))
    return any(word.text == name for words in asks for word in words[1:])


def _downloads(look: _Look, index: int, command: Command) -> None:
    commands, first = look.script.commands, index
    if command.name in _SHELLS:
        while first > 0 and commands[first].piped:
            first -= 1
        if first == index and index > 0 and commands[index - 1].ender == "":
            first -= 1  # the substitution that is this command's argument
        if any(part.name in ("curl", "wget") for part in commands[first:index]):
            look.add(PIPED, command.offset, f"a download is run by {command.name} unseen")
    if command.name == "curl":
        words = command.argv[1:]
        if not any(_FAILS.fullmatch(word) for word in words):
            look.add(NO_FAIL, command.offset, "curl takes an error page for the file")
    insecure = {"curl": r"(^| )(-\w*k\w*|--insecure)( |$)", "wget": r"--no-check-certificate"}.get(command.name)
    if insecure and re.search(insecure, " ".join(command.argv[1:])):
        look.add(INSECURE, command.offset, f"{command.name} checks no certificate")


_INSTALLS = frozenset(["install", "localinstall", "reinstall", "update", "upgrade"])
_RPM_INSTALLS = re.compile(r" (-[A-Za-z]*[iUF][A-Za-z]*|--install|--upgrade|--freshen|--reinstall)( |$)")
_RPM_ASKS = re.compile(r" (-[A-Za-z]*[qVe][A-Za-z]*|--query|--verify|--erase|--import|--checksig)( |$)")
_ADDRESS = re.compile(r" (https?|ftp)://\S")
_OFF = r"gpgcheck\s*=\s*(0|no|false|off)\b"


def _packages(look: _Look, command: Command) -> None:
    line = command.line
    if command.name in ("dnf", "yum", "microdnf"):
        installs = bool(_INSTALLS & set(command.argv[1:]))
        unsigned = re.search(rf" --nogpgcheck\b| --setopt[= ]\S*\b{_OFF}", line, re.I)
        loose = re.search(r" (kubelet|kubeadm|kubectl)(\.x86_64)?( |$)", line)
        if installs and loose:
            look.add(FLOATING, command.offset, f"{loose[1]} without a version")
    elif command.name == "rpm":
        installs = bool(_RPM_INSTALLS.search(line) and not _RPM_ASKS.search(line))
        unsigned = re.search(r" --(nosignature|nodigest)\b", line) if installs else None
    else:
        return
    if unsigned:
        look.add(UNSIGNED, command.offset, f"{line[:60]}: signatures are not checked")
    if installs and _ADDRESS.search(line):
        look.add(FROM_URL, command.offset, f"{line[:60]}: a package given by its address")


def _repository_files(look: _Look) -> None:
    """gpgcheck=0 in a here-document, in words printed by a script that writes repositories, or put there by sed."""
    for start, body in look.script.bodies:
        found = re.search(rf"^[ \t]*{_OFF}", body, re.M | re.I)
        if found:
            look.add(REPO_UNCHECKED, start + found.start(), found.group().strip())
    if not re.search(r"yum\.repos\.d|/etc/dnf/|yum\.conf|\.repo\b", look.script.text):
        return
    for command in look.script.commands:
        # Of sed's words only what is put in counts: s/gpgcheck=0/gpgcheck=1/ is a repair.
        wanted = {"echo": rf"(?:(?<![A-Za-z_])|\\n){_OFF}", "sed": rf"([/|#,]){_OFF}\1[gI]*(?=[ ;]|$)"}
        pattern = wanted.get("echo" if command.name == "printf" else command.name)
        if pattern and re.search(pattern, command.line, re.I):
            look.add(REPO_UNCHECKED, command.offset, command.line[:60])


def _loops(look: _Look, index: int, command: Command) -> None:
    if not {"while", "until"} & set(command.lead):
        return
    if "until" not in command.lead and "!" not in command.lead and command.name not in ("true", ":"):
        return
    depth, inside = 0, []
    for part in islice(look.script.commands, index, None):
        inside.append(part)
        depth += part.lead.count("do") - (part.name == "done")
        if part.name == "done" and depth <= 0:
            break
    for part in inside:
        counted = part.line.startswith("((") or (part.name in ("[", "[[", "test") and _BOUNDS & set(part.argv))
        if counted or part.name in ("break", "exit", "return", "die", "fail"):
            return
    look.add(ENDLESS, command.offset, f"nothing ends this loop but {command.line[:40] or 'its command'} succeeding")


def _installer(look: _Look, command: Command) -> None:
    if look.place == "node":
        return
    rest = " ".join(command.argv[1:])
    for places, _, pattern, what, instead in _INSTALLER_BY_NAME.get(command.name, ()):
        if look.place in places.split() and re.search(pattern, rest):
            look.add(INSTALLER, command.offset, f"{command.line[:60]}: {what}", f"instead: {instead}")
            return
    if command.ender == "&" or command.name in ("nohup", "disown"):
        look.add(DAEMON, command.offset, f"{command.line[:60]}: goes on after the script")


def _habits(look: _Look) -> None:
    script, shebang = look.script, look.script.text.split("\n", 1)[0]
    sets = [c for c in script.commands if c.name == "set"]
    stops = any(re.search(r"(^| )-\w*e|errexit", " ".join(c.argv[1:])) for c in sets) or re.match(
        r"#!.*\s-\w*e", shebang
    )
    library = look.place == "node" and not shebang.startswith("#!")
    # What a script sources first may well say `set -e` for it; only the sourced file can be asked.
    sources = any(c.name in (".", "source") for c in script.commands[:3])
    if len(script.commands) > 1 and not (stops or library or sources):
        look.add(ERREXIT, 0, "no set -e: a failed command does not stop the script")
    for command in sets:
        if re.search(r"(^| )-\w*x|-o xtrace", " ".join(command.argv[1:])):
            end = next((c.offset for c in sets if c.offset > command.offset and "+x" in c.line), len(script.text))
            for token in script.tokens:
                if (
                    command.offset < token.offset < end
                    and token.kind not in ("comment", "here")
                    and _SECRET.search(token.text)
                ):
                    look.add(TRACE, command.offset, f"the trace shows {token.text.strip()[:40]!r}")
                    break
