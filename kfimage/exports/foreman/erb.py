"""Foreman's template language: text that passes through it unchanged, and the header that its importer reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Optional

from kfimage.exports.merge import Part, Text, Value

_OS = {"rhel": "RedHat", "rocky": "Rocky", "almalinux": "AlmaLinux", "centos": "CentOS", "ol": "OracleLinux"}


def os_label(os_id: str, version: str) -> str:
    """How Foreman names a release; its importer takes the entry as the beginning of the operating system's own label."""
    return f"{_OS.get(os_id, os_id.capitalize())} {version}"


def text(body: str) -> str:
    """Text that ERB prints as it is, in Foreman's trim mode."""
    return body.replace("<%", "<%%")


def erb(parts: Sequence[Part]) -> str:
    """A template's body. Tags never end in -%>, which would take a line break that belongs to the text."""
    found = []
    for part in parts:
        if isinstance(part, Text):
            found.append(text(part.text))
        elif isinstance(part, Value):
            found.append(f"<%= host_param('{part.name}') %>")
        else:
            for number, (key, option) in enumerate(part.options):
                found.append(f"<% {'els' * (number > 0)}if host_param('{part.name}') == '{key}' %>{erb(option)}")
            found.append("<% end %>")
    return "".join(found)


def header(kind: Optional[str], name: str, description: str, oses: Sequence[str] = (), model: str = "ProvisioningTemplate") -> str:
    """The first comment of a template. Every value is quoted and starts on its own line, and the last line is -%> alone.

    Foreman's importer ends it at the first %>; no name that the grammar allows holds one.
    """
    lines = ["<%#"]
    if kind is not None:
        lines.append(f"kind: {kind}")
    lines += [f"name: {json.dumps(name)}", f"model: {model}"]
    if kind is None:
        lines.append("snippet: true")
    if oses:
        lines += ["oses:", *(f"- {json.dumps(os)}" for os in oses)]
    lines += [f"description: {json.dumps(description)}", "-%>"]
    return "\n".join(lines) + "\n"

