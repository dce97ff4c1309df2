"""Secrets that stand in a kickstart for everybody who can fetch it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from kfimage.errors import WARNING, Report, define
from kfimage.verify.kslint.model import Parsed, rule
from kfimage.verify.kslint.storage import volumes
from kfimage.verify.kslint.urls import fetched

_STAYS = "anaconda 33.16.7.12 post-scripts: the kickstart is copied to /root/original-ks.cfg"

ACTIVATION = define(
    "KF2421",
    WARNING,
    "a registration secret in plain text",
    why="Activation keys and registration passwords register machines at the site's cost; the file is served to "
    "anyone on the network and stays on the node.",
    fix="register in a %post with a secret fetched then, or fill it in when the file is served to that node",
    source=_STAYS,
)
TOKEN = define(
    "KF2422",
    WARNING,
    "a kubeadm token in plain text",
    why="Whoever has it joins machines to the cluster until it expires.",
    fix="hand the token out when the node asks for it, after the installation",
    source=_STAYS,
)
PASSPHRASE = define(
    "KF2423",
    WARNING,
    "a disk passphrase in plain text",
    why="It opens the disk of every node installed from this file, and a copy lies on the disk itself.",
    fix="make it a throw-away: bind Clevis in %post and remove this passphrase's key slot in the same script",
    source=_STAYS,
)
PRIVATE_KEY = define(
    "KF2424",
    WARNING,
    "a private key",
    why="A private key in a kickstart is known to everyone who can fetch the file.",
    fix="make keys on the node, or fetch them after the installation over an authenticated channel",
    source=_STAYS,
)
IN_URL = define(
    "KF2425",
    WARNING,
    "a password in a URL",
    why="It shows in every log, proxy and repository file that carries the URL.",
    fix="serve the files without a password inside the rack, or use --sslclientcert",
    source=_STAYS,
)
OTHER = define(
    "KF2426",
    WARNING,
    "another password in plain text",
    why="iscsi, vnc, realm and wireless passwords are readable for everyone who can fetch the file.",
    fix="leave it out of the kickstart; use one that works once, or mutual trust by certificate",
    source=_STAYS,
)

_OPTIONS = {
    "rhsm": (ACTIVATION, ("--activation-key",)),
    "realm": (OTHER, ("--one-time-password",)),
    "iscsi": (OTHER, ("--password", "--reverse-password")),
    "vnc": (OTHER, ("--password",)),
    "network": (OTHER, ("--wepkey", "--wpakey")),
}
# A bootstrap token is 6.16; behind a dot or inside longer names it is something else.
_TOKEN = re.compile(r"(?<![\w./-])[a-z0-9]{6}\.[a-z0-9]{16}(?![\w./-])")
_REGISTER = re.compile(r"subscription-manager\s+register\b.*?--(?:password|activationkey)[= ]+(['\"]?)(?![$'\"])\S+")
_PRIVATE = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
_URL_PASSWORD = re.compile(r"\b(?:https?|ftp)://[^\s/:@'\"$]+:[^\s/@'\"$]+@")
_CERTIFICATE_KEY = re.compile(r"--certificate-key[= ]+[0-9a-f]{64}\b")


@rule
def options(parsed: Parsed, report: Report) -> None:
    for name, (check, flags) in _OPTIONS.items():
        for command in parsed.all(name):
            for flag in flags:
                if command.get(flag):
                    report.add(check, parsed.at(command, flag), f"{name} {flag} is readable")
    for command in [*volumes(parsed), *parsed.all("autopart")]:
        if command.get("--passphrase"):
            report.add(PASSPHRASE, parsed.at(command, "--passphrase"), "the passphrase is readable")
    for command, option, value in fetched(parsed):
        if _has_password(value) or _has_password(command.get("--proxy") or ""):
            report.add(IN_URL, parsed.at(command, option), f"{command.name} carries a password")


def _has_password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False


@rule
def scripts(parsed: Parsed, report: Report) -> None:
    for section in parsed.scripts:
        body = section.body
        for check, pattern, message in (
            (PRIVATE_KEY, _PRIVATE, "a private key begins here"),
            (TOKEN, _TOKEN, "this has the form of a bootstrap token"),
            (TOKEN, _CERTIFICATE_KEY, "a certificate key"),
            (ACTIVATION, _REGISTER, "subscription-manager is given its secret"),
            (IN_URL, _URL_PASSWORD, "a URL with a password"),
        ):
            for match in pattern.finditer(body):
                line = section.first + body.count("\n", 0, match.start())
                report.add(check, parsed.mark(line), message)
