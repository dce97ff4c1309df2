"""Waived secrets: read where the site says they lie, put where render left a placeholder, and looked for everywhere else."""

from __future__ import annotations

import base64
import os
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Optional
from urllib.parse import quote_from_bytes

from kfimage.artefact import Artefact
from kfimage.errors import ERROR, Mark, Report, define
from kfimage.kinds import Secret
from kfimage.model import Plan, SecretRef

UNREADABLE_SECRET = define(
    "KF5003", ERROR, "a waived secret that cannot be read",
    why="The kickstart would hold a placeholder instead of it, and the node would fail late.",
    fix="check the file or environment variable that the site names",
)
NOT_A_HASH = define(
    "KF5004", ERROR, "a password that is not a crypt(3) hash",
    why="Only a hash belongs into a kickstart; plain text would be the password itself.",
    fix="make one with `openssl passwd -6`",
)
LEAK = define(
    "KF5010", ERROR, "a secret's bytes in a rendered file",
    why="Whoever reads the file has the secret.",
    fix="remove the copy of it from the site; secrets are given by reference only",
)

_PLACEHOLDER = re.compile(rb"@kfimage:(plain|base64):([a-z0-9_.]+)@")
_CRYPT = re.compile(rb"\$(?:6|5|y)\$[A-Za-z0-9./$=,]{20,200}\Z")
_SHORTEST = 8
"""Below this length a secret's bytes turn up in any text by chance."""


def references(plan: Plan) -> dict[str, SecretRef]:
    """Every secret a plan names, by the name it is waived by."""
    found = {"access.password": plan.access.password, "crio.pull_credentials": plan.crio.pull_credentials}
    if plan.install.rhsm:
        found["install.rhsm.activation_key"] = plan.install.rhsm.activation_key
    return {name: ref for name, ref in found.items() if ref is not None}


class Secrets:
    """The secrets of a site's plans. Problems gather in `report`; nothing is read before it is asked for."""

    def __init__(self, plans: Sequence[Plan], folder: Optional[Path]) -> None:
        self.report = Report()
        self._folder = folder
        self._plans = {plan.name: plan for plan in plans if references(plan)}
        self._read: dict[SecretRef, Optional[Secret]] = {}

    def fill(self, artefact: Artefact) -> Artefact:
        """The artefact with its placeholders replaced, readable by its owner alone; any other artefact as it is."""
        plan = self._plans.get(artefact.owner)
        if plan is None or not _PLACEHOLDER.search(artefact.content):
            return artefact
        known = references(plan)

        def put(match: re.Match[bytes]) -> bytes:
            name = match.group(2).decode()
            if name not in known or name not in plan.waive:
                return match.group()
            return self._value(name, known[name], match.group(1) == b"base64")

        return replace(artefact, content=_PLACEHOLDER.sub(put, artefact.content), mode=0o600)

    def prove(self, artefacts: Iterable[Artefact]) -> None:
        """Report what cannot be filled in, and every artefact that holds a secret's bytes, plain, base64 or percent-encoded.

        The artefacts are those of render, in which a waived secret is a placeholder.
        """
        if not self._plans:
            return
        forms = self._forms()
        pattern = re.compile(b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))) if forms else None
        for artefact in artefacts:
            self.fill(artefact)
            if pattern is None:
                continue
            # Carried files are base64 in lines of 76: without the line breaks no secret hides across two of them.
            joined = artefact.content.replace(b"\n", b"")
            for found in sorted({forms[m] for text in (artefact.content, joined) for m in pattern.findall(text)}):
                self.report.add(LEAK, Mark(artefact.path), f"the bytes of {found} stand in this file")

    def _forms(self) -> dict[bytes, str]:
        wanted: dict[bytes, str] = {}
        for plan in self._plans.values():
            for name, ref in references(plan).items():
                secret = self._secret(ref)
                if secret is not None and len(secret.reveal()) >= _SHORTEST:
                    wanted.update((form, name) for form in _forms(secret.reveal()))
        return wanted

    def _value(self, name: str, ref: SecretRef, encoded: bool) -> bytes:
        secret = self._secret(ref)
        if secret is None:
            where = ref.file or f"${ref.env}"
            self.report.add(UNREADABLE_SECRET, Mark(str(where)), f"{name} is waived, but cannot be read")
            return b""
        value = secret.reveal()
        if name == "access.password" and not _CRYPT.match(value):
            self.report.add(NOT_A_HASH, Mark(str(ref.file or ref.env)), "access.password is not a crypt(3) hash")
            return b""
        if not encoded and not re.match(rb"[!-~]+\Z", value):
            self.report.add(UNREADABLE_SECRET, Mark(str(ref.file or ref.env)), f"{name} holds spaces or control characters")
            return b""
        return _wrapped(value) if encoded else value

    def _secret(self, ref: SecretRef) -> Optional[Secret]:
        if ref not in self._read:
            self._read[ref] = self._load(ref)
        return self._read[ref]

    def _load(self, ref: SecretRef) -> Optional[Secret]:
        if ref.env:
            value = os.environb.get(ref.env.encode())
            return Secret(value) if value else None
        try:
            data = ((self._folder or Path()) / (ref.file or "")).read_bytes().rstrip(b"\r\n")
        except OSError:
            return None
        return Secret(data) if data else None


def _wrapped(value: bytes) -> bytes:
    return "\n".join(textwrap.wrap(base64.b64encode(value).decode(), 76)).encode()


def _forms(value: bytes) -> set[bytes]:
    """The ways a secret's bytes may be written; base64 at each of its three alignments, less the ends that depend on neighbours."""
    found = {value, quote_from_bytes(value, safe="").encode(), quote_from_bytes(value).encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + value).rstrip(b"=")
        found.add(encoded[(4 if shift else 0) : len(encoded) - 1])
    return {form for form in found if len(form) >= _SHORTEST}
