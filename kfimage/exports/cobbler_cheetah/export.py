"""Cobbler with Cheetah, its default engine: the same tree, and snippets for templates of one's own."""

from __future__ import annotations

from collections.abc import Iterator

from kfimage.artefact import Artefact
from kfimage.exports.cobbler import engine
from kfimage.exports.cobbler.export import check, files, sections
from kfimage.exports.made import Made
from kfimage.exports.merge import Template

__all__ = ["TITLE", "check", "export", "sections"]

TITLE = "Cobbler templates and snippets (Cheetah), systems and apply.sh"

_PARTS = {"packages": ("70-",), "pre": ("75-", "80-", "81-"), "post": ("85-", "86-", "87-", "90-", "91-", "92-", "93-", "94-", "95-")}
"""Snippets by the sections they hold; in order they may stand in any kickstart of the same release."""


def export(made: Made) -> Iterator[Artefact]:
    return files(made, "cheetah", engine.cheetah, _snippets)


def _snippets(name: str, template: Template) -> dict[str, str]:
    return {f"{name}-{part}": engine.cheetah_body(template.parts(*sections)) for part, sections in _PARTS.items()}
