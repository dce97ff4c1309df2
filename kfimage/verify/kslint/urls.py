"""The URLs the installer fetches from, and whether it can know who answers."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from kfimage.errors import ERROR, WARNING, Report, define
from kfimage.verify.kslint.model import Command, Parsed, rule
from kfimage.verify.kslint.network import address

BAD_URL = define(
    "KF2318",
    ERROR,
    "not a URL the installer can fetch",
    why="pykickstart stores any text; the installer needs a scheme and a host.",
    fix="http://, https://, ftp://, file:/// or nfs:host:/path",
    source="anaconda 33.16.7.12 payload/dnf/payload.py",
)
PRIVATE_CA = define(
    "KF2319",
    WARNING,
    "HTTPS from a host inside the site without its CA",
    why="The installer trusts only public CAs, and a private one must lie in its initramfs before the first download.",
    fix="add --sslcacert=file:///... and bring the CA in a second initrd, or use http inside the rack",
    source="pykickstart 3.78 RHEL8 url; anaconda 33.16.7.12",
)
NO_VERIFY = define(
    "KF2320",
    WARNING,
    "TLS certificates are not verified",
    why="--noverifyssl accepts any server, and Anaconda checks no package signature either: whoever answers owns the "
    "node.",
    fix="use --sslcacert with the server's CA",
    source="anaconda 33.16.7.12 payload/dnf/payload.py:661",
)

_INSIDE = re.compile(r"(?:[^.]+|.*\.(?:local|lan|lab|internal|intranet|corp|home|private|test|rack|site))")
_FETCHED = {
    "url": ("--url", "--mirrorlist", "--metalink"),
    "repo": ("--baseurl", "--mirrorlist", "--metalink"),
    "liveimg": ("--url",),
    "ostreesetup": ("--url",),
}
_SCHEMES = frozenset({"http", "https", "ftp", "file", "nfs", "hd"})


def fetched(parsed: Parsed) -> list[tuple[Command, str, str]]:
    """(command, option, URL) of everything the installer downloads from."""
    found = []
    for name, options in _FETCHED.items():
        for command in parsed.all(name):
            found += [(command, option, value) for option, value in command.options if option in options and value]
    return found


@rule
def urls(parsed: Parsed, report: Report) -> None:
    for command, option, value in fetched(parsed):
        if value.startswith("/") and command.name == "liveimg":
            continue
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            report.add(BAD_URL, parsed.at(command, value), f"{option}: the host or port is malformed")
            continue
        needs_host = parts.scheme in ("http", "https", "ftp")
        if parts.scheme not in _SCHEMES or (needs_host and not host) or any(char.isspace() for char in value):
            report.add(BAD_URL, parsed.at(command, value), f"{option}={value}")
        elif parts.scheme == "https" and not command.has("--sslcacert", "--noverifyssl") and _is_inside(host):
            report.add(PRIVATE_CA, parsed.at(command, value), f"no public CA signs for '{host}'")


def _is_inside(host: str) -> bool:
    return address(host) is not None or bool(_INSIDE.fullmatch(host))


@rule
def verification(parsed: Parsed, report: Report) -> None:
    for command in parsed.all("url", "repo", "liveimg"):
        if command.has("--noverifyssl"):
            report.add(NO_VERIFY, parsed.at(command, "--noverifyssl"), f"{command.name} trusts any server")
