"""Cobbler 3.3.10's templar.py without Cobbler: the real engines, with the string passes Cobbler makes before and after."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def render(raw: str, table: Mapping[str, str]) -> str:
    """What Templar.render makes of a template; raises where Cobbler would answer with an error's comment lines."""
    lines = raw.split("\n")
    kind = "cheetah"
    if lines[0].find("#template=") == 0:
        kind = lines[0].split("=")[1].strip().lower()
        raw = "\n".join(lines[1:])
    found = _jinja(raw, table) if kind == "jinja2" else _cheetah(raw, table)
    for match in {m.group() for m in re.finditer(r"@@[\S]*?@@", found, re.M)}:
        found = found.replace(match, table[match.strip("@@")])  # noqa: B005
    return found.lstrip() if found.startswith("\n") else found


def _jinja(raw: str, table: Mapping[str, str]) -> str:
    import jinja2

    return jinja2.Environment(loader=jinja2.FileSystemLoader("/nowhere")).from_string(raw).render(table)


def _cheetah(raw: str, table: Mapping[str, str]) -> str:
    from Cheetah.Template import Template  # type: ignore[import-not-found]

    class Cobbler(Template):  # type: ignore[misc]
        @classmethod
        def compile(cls, *args: Any, **kwargs: Any) -> Any:
            def preprocess(source: str, file: Any) -> tuple[str, Any]:
                return re.sub(r"SNIPPET::([A-Za-z0-9_\-/.]+)", lambda m: f"$SNIPPET('{m[1]}')", source), file

            return super().compile(*args, preprocessors=[preprocess], **kwargs)

    for line in raw.split("\n"):
        if "#import" in line or "#from" in line:
            raise ValueError(f"Potentially insecure import in template: {line}")
    raw = "#errorCatcher ListErrors\n" + raw.replace("TEMPLATE::", "$")
    compiled = Cobbler.compile(moduleName="cobbler.template_api", className="T", source=raw, compilerSettings={"useStackFrame": False}, baseclass=Cobbler)
    return str(compiled(searchList=[dict(table)]))
