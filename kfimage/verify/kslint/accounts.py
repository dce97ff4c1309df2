"""Accounts, password hashes and ssh keys."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Optional

from kfimage.errors import ERROR, WARNING, Report, define, did_you_mean
from kfimage.kinds import system_user
from kfimage.verify.kslint.model import Command, Parsed, integer, rule

PLAINTEXT = define(
    "KF2401",
    WARNING,
    "a password in plain text",
    why="Whoever can fetch the kickstart reads it, and the installer leaves a copy in /root/original-ks.cfg.",
    fix="`--iscrypted` with a hash from `openssl passwd -6`, or `rootpw --lock` and ssh keys",
    source="anaconda 33.16.7.12 post-scripts: the kickstart is copied to the node",
)
NOT_A_HASH = define(
    "KF2402",
    ERROR,
    "--iscrypted without a password hash",
    why="The text goes into /etc/shadow as it stands; what is no hash matches no password and the account is dead.",
    fix="make one with `openssl passwd -6`",
    source="pykickstart 3.78 accepts `rootpw --iscrypted hunter2`",
)
WEAK_HASH = define(
    "KF2403",
    WARNING,
    "a hash that is weak or unknown to RHEL 8",
    why="DES and MD5 hashes are guessed in minutes; yescrypt ($y$) is newer than RHEL 8's libxcrypt, so nobody could "
    "log in with it.",
    fix="`openssl passwd -6` makes a SHA-512 hash ($6$)",
    source="crypt(5); libxcrypt 4.1 of RHEL 8 (from memory)",
)
USER_NAME = define(
    "KF2404",
    ERROR,
    "a user name that cannot be made",
    why="pykickstart takes any text; the installer's useradd refuses it, or the name belongs to the system.",
    fix="letters, digits, dot, - and _, at most 32 in all, and no name the system uses",
    source="anaconda core/regexes.py, USERNAME_VALID",
)
KEY = define(
    "KF2405",
    ERROR,
    "not an ssh public key",
    why="pykickstart takes any text; the line goes into authorized_keys and sshd skips it.",
    fix="paste the whole line of the .pub file in quotes",
    source='pykickstart 3.78 accepts `sshkey "not a key"`',
)
WEAK_KEY = define(
    "KF2406",
    WARNING,
    "an ssh key RHEL 8 may refuse",
    why="sshd of RHEL 8 does not take DSA keys, and RSA below 2048 bits is refused by its crypto policy.",
    fix="use an ed25519 key",
    source="RHEL 8 system-wide cryptographic policies, DEFAULT",
)
KEY_OWNER = define(
    "KF2407",
    ERROR,
    "an ssh key for a user that is not made",
    why="pykickstart does not look whether the user exists; the installer logs the failure and goes on.",
    fix="add a `user` line, or correct --username",
    source="anaconda 33.16.7.12 users.py, setUserSshKey",
)
NO_WAY_IN = define(
    "KF2408",
    WARNING,
    "an account nobody can use",
    why="A user without password and without key cannot log in.",
    fix='add `sshkey --username=NAME "..."`, or say --lock when that is meant',
    source="anaconda 33.16.7.12 users.py",
)
UID = define(
    "KF2409",
    ERROR,
    "a uid that is taken",
    why="Two accounts with one uid are one account, and uid 0 is root; ids below 1000 belong to the system.",
    fix="leave --uid out, or take a free one from 1000 on",
    source="RHEL 8 login.defs, UID_MIN",
)

_CRYPT = {"$1$": 22, "$5$": 43, "$6$": 86}
_HASH = re.compile(r"\$[156]\$(?:rounds=\d+\$)?[^$:\s]{0,16}\$([./0-9A-Za-z]+)")
# What render leaves for the writer, which looks at the hash itself before it puts it there.
_LATER = re.compile(r"@kfimage:plain:[a-z_.]+@")
_BLOWFISH = re.compile(r"\$2[abxy]\$\d\d\$[./0-9A-Za-z]{53}")
_USER = re.compile(r"[A-Za-z0-9._](?:[A-Za-z0-9._-]{0,31}|[A-Za-z0-9._-]{0,30}\$)")
_KEY_TYPES = frozenset(
    "ssh-rsa ssh-dss ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 "
    "sk-ssh-ed25519@openssh.com sk-ecdsa-sha2-nistp256@openssh.com".split()
)


def _password(command: Command) -> Optional[str]:
    if command.name == "user":
        return command.get("--password")
    if command.name == "bootloader":
        return command.get("--password", "--md5pass")
    return command.words[0] if command.words else None


@rule
def passwords(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("rootpw", "user", "sshpw", "bootloader"):
        password = _password(command)
        if not password or (command.name == "sshpw" and command.has("--sshkey")):
            continue
        if command.name == "bootloader":
            if not password.startswith("grub.pbkdf2"):
                report.add(PLAINTEXT, parsed.at(command, "--password"), "the boot loader's password is readable")
        elif not command.has("--iscrypted") or command.has("--plaintext"):
            report.add(PLAINTEXT, parsed.at(command), f"the password of {_who(command)} is readable")
        else:
            _hash(password, command, parsed, report)


def _who(command: Command) -> str:
    return "root" if command.name == "rootpw" else f"'{command.get('--name', '--username') or '?'}'"


def _hash(password: str, command: Command, parsed: Parsed, report: Report) -> None:
    """Judge a hash without ever quoting it."""
    if _LATER.fullmatch(password):
        return
    known = _HASH.fullmatch(password)
    mark = parsed.at(command, password)
    if known:
        kind = password[:3]
        if len(known.group(1)) != _CRYPT[kind]:
            said = f"a {kind} hash has {_CRYPT[kind]} characters at its end, not {len(known.group(1))}"
            report.add(NOT_A_HASH, mark, said)
        elif kind == "$1$":
            report.add(WEAK_HASH, mark, f"MD5 hash for {_who(command)}")
    elif password.startswith(("$y$", "$gy$", "$7$")):
        report.add(WEAK_HASH, mark, f"RHEL 8 cannot verify the hash of {_who(command)}")
    elif re.fullmatch(r"[./0-9A-Za-z]{13}", password):
        report.add(WEAK_HASH, mark, f"DES hash for {_who(command)}")
    elif password not in ("!", "!!", "*") and not _BLOWFISH.fullmatch(password):
        report.add(NOT_A_HASH, mark, f"what is given for {_who(command)} has no hash's form")


@rule
def users(parsed: Parsed, report: Report) -> None:
    keys = {command.get("--username") for command in parsed.all("sshkey")}
    taken: dict[int, str] = {0: "root"}
    scripted = any("authorized_keys" in section.body for section in parsed.section("%post"))
    for command in parsed.all("user"):
        name = command.get("--name") or ""
        if name and not _USER.fullmatch(name):
            report.add(USER_NAME, parsed.at(command, name), f"'{name[:60]}'")
        elif system_user(name):
            report.add(USER_NAME, parsed.at(command, name), f"user name '{name}' belongs to the system")
        closed = name not in keys and not command.get("--password") and not command.has("--lock") and not scripted
        if closed and (parsed.all("sshkey") or not parsed.may_have("sshkey")):
            report.add(NO_WAY_IN, parsed.at(command, name), f"'{name}' has no password and no key")
        uid = integer(command.get("--uid"))
        if uid is not None:
            if uid in taken:
                report.add(UID, parsed.at(command, "--uid"), f"uid {uid} is {taken[uid]}'s")
            elif uid < 1000:
                report.add(UID, parsed.at(command, "--uid"), f"uid {uid} is the system's")
            taken.setdefault(uid, name)


@rule
def ssh_keys(parsed: Parsed, report: Report) -> None:
    names = {command.get("--name") for command in parsed.all("user")} | {"root"}
    for command in parsed.all("sshkey"):
        owner = command.get("--username")
        if owner and owner not in names and not (parsed.includes and parsed.may_have("user")):
            known = {name for name in names if name}
            report.add(KEY_OWNER, parsed.at(command, owner), f"no user '{owner}'", did_you_mean(owner, known))
        for key in command.words:
            fault, weakness = _judge_key(key)
            if fault:
                report.add(KEY, parsed.at(command, key), fault)
            elif weakness:
                report.add(WEAK_KEY, parsed.at(command, key), weakness)


def _judge_key(text: str) -> tuple[str, str]:
    words = text.split()
    index = next((n for n, word in enumerate(words) if word in _KEY_TYPES), None)
    if index is None or index + 1 >= len(words):
        return "no key type such as ssh-ed25519 in front of the key", ""
    try:
        blob = base64.b64decode(words[index + 1], validate=True)
    except (binascii.Error, ValueError):
        return "the key is not base64, or cut short", ""
    size = int.from_bytes(blob[:4], "big")
    if len(blob) < 32 or blob[4 : 4 + size].decode("ascii", "replace") != words[index]:
        return f"the key's own bytes do not say {words[index]}", ""
    if words[index] == "ssh-dss":
        return "", "a DSA key"
    if words[index] == "ssh-rsa" and len(blob) < 270:  # a 2048 bit modulus alone takes 257 bytes
        return "", "an RSA key of less than 2048 bits"
    return "", ""
