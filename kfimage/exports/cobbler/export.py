"""Cobbler 3.2 and 3.3: a template for each role, host data as autoinstall_meta, and what puts both there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence

from kfimage.artefact import Artefact
from kfimage.errors import Report
from kfimage.exports.cobbler import engine
from kfimage.exports.cobbler.bundle import bundle, profile
from kfimage.exports.made import Made, beside, file, fill, refuse_secrets, section
from kfimage.exports.merge import Part, Template, Text, merge
from kfimage.model import Plan
from kfimage.render.kickstart import Piece

TITLE = "Cobbler templates (Jinja2), systems and apply.sh"

_DONE = section(
    "99-cobbler-done.ks.j2", "tell Cobbler that the node is done, so that it boots its disk from now on",
    f"\n%post --interpreter=/bin/bash --erroronfail --log=/var/log/kfimage/cobbler.log\n{beside(__file__, 'done.sh')}%end\n",
)


def sections(plan: Plan) -> tuple[Piece, ...]:
    """Cobbler's loop breaker, last of all."""
    return (_DONE,)


def check(made: Made, report: Report) -> None:
    refuse_secrets(made, report)
    for one in made.kickstarts():
        engine.refuse(one, report)


def export(made: Made) -> Iterator[Artefact]:
    return files(made, "jinja2", engine.jinja, lambda name, template: {})


def files(
    made: Made, name: str, write: Callable[[Sequence[Part]], str], snippets: Callable[[str, Template], dict[str, str]],
) -> Iterator[Artefact]:
    """The tree for one engine; `snippets` gives those of a template by name."""
    profiles, parts = [], {}
    for role, kickstarts in made.by_template().items():
        template = merge(kickstarts)
        profiles.append(profile(role, kickstarts, template))
        yield file(f"cobbler/templates/kfimage/{role}.ks", write(template.parts()))
        parts.update(snippets(role, template))
    for snippet, text in sorted(parts.items()):
        yield file(f"cobbler/snippets/kfimage/{snippet}", text)
    for one in made.kickstarts():
        if one.plan.node is not None:
            yield file(f"cobbler/templates/kfimage/hosts/{one.plan.name}.ks", write([Text(one.text)]), one.plan.name)
            yield one.artefact()
    described = bundle(made.site, made.generator, name, profiles, list(parts))
    yield file("cobbler/bundle.json", json.dumps(described, indent=1, sort_keys=True) + "\n")
    yield file("cobbler/apply.sh", fill(__file__, "apply.sh.j2", profiles=profiles, snippets=sorted(parts), sh=_quoted), mode=0o755)
    yield file("cobbler/README.md", fill(__file__, "README.md.j2", made=made, engine=name, profiles=profiles, snippets=sorted(parts)))
    yield made.payload


def _quoted(text: str) -> str:
    """One word of a bash line; a line break inside is kept as it is."""
    return text if re.fullmatch(r"[A-Za-z0-9._:/@=+-]+", text) else "'" + text.replace("'", "'\\''") + "'"
