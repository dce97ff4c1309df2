"""Files that travel inside a kickstart: as readable here-documents where no line could end a section, else as base64."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass

from kfimage.model import Plan
from kfimage.render.facts import key_path, used_repositories
from kfimage.render.templates import Block

_READABLE = re.compile(r"(?:[\t -~]*\n)+\Z")
_RISKY = re.compile(r"^[ \t]*(?:%|KF_END$)", re.M)

SECRETS = {
    "access.password": "",
    "crio.pull_credentials": "/etc/kfimage/secrets/pull-auth",
    "install.rhsm.activation_key": "/etc/kfimage/secrets/rhsm-activation-key",
}
"""Where a waived secret lies on the node; the password's hash stands on the `user` line instead."""


@dataclass(frozen=True)
class Carried:
    """One file to lay down: the bash lines that write it are `lines`."""

    path: str
    mode: str
    lines: Block


def placeholder(name: str, form: str) -> str:
    """What render writes where a waived secret belongs; the sink that may reveal it puts it there."""
    return f"@kfimage:{form}:{name}@"


def write(path: str, mode: str, data: bytes) -> Carried:
    """The bash lines that write a file; no line of theirs begins with a word that Anaconda would take for a section's."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if _READABLE.match(text) and not _RISKY.search(text):
        return Carried(path, mode, Block(f"install -D -m {mode} /dev/null {path}\ncat > {path} <<'KF_END'\n{text}KF_END\n"))
    return Carried(path, mode, _decoded(path, mode, base64_lines(data)))


def base64_lines(data: bytes) -> str:
    """Base64 in lines of 76, with a final line break."""
    return base64.encodebytes(data).decode("ascii") or "\n"


def _decoded(path: str, mode: str, encoded: str) -> Block:
    return Block(f"install -D -m {mode} /dev/null {path}\nbase64 -d > {path} <<'KF_END'\n{encoded}KF_END\n")


def carried_files(plan: Plan, read: Callable[[str], bytes]) -> tuple[Carried, ...]:
    """Everything the site sends along: keys, files, hooks, waived secrets; sorted by path. `read` gives a file of the site's folder."""
    found = []
    for name, repo in used_repositories(plan).items():
        if repo.key and repo.key.file:
            found.append(write(key_path(name), "0644", read(repo.key.file)))
    for path, file in plan.files.items():
        data = read(file.source) if file.source else (file.content or "").encode()
        found.append(write(path, (file.mode or "0644").zfill(4), data))
    for kind in ("post", "firstboot"):
        for index, hook in enumerate(getattr(plan.hooks, kind)):
            name = f"{index + 1:02d}-{hook.rsplit('/', 1)[-1]}".replace(" ", "_")
            found.append(write(f"/etc/kfimage/hooks/{kind}.d/{name}", "0755", read(hook)))
    for secret, path in SECRETS.items():
        if path and secret in plan.waive and _wanted(plan, secret):
            found.append(Carried(path, "0600", _decoded(path, "0600", placeholder(secret, "base64") + "\n")))
    return tuple(sorted(found, key=lambda c: c.path))


def _wanted(plan: Plan, secret: str) -> bool:
    if secret == "crio.pull_credentials":
        return plan.crio.pull_credentials is not None
    rhsm = plan.install.rhsm
    return rhsm is not None and plan.install.source != "rhsm"
