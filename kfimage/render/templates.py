"""The Jinja environment: one object called `plan`, no undefined names, and no value that could add a line of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

import jinja2
from jinja2 import nodes

from kfimage.catalog import Catalog
from kfimage.errors import ERROR, KfimageError, Mark, Report, define

FAULTY = define(
    "KF1010", ERROR, "a kickstart section that cannot be rendered",
    why="A template that names what a plan does not have, or prints what has no place on a line, would leave a gap or a wrong line.",
    fix="templates print parts of `plan`, one line of text or a number each; the built-in sections under kickstart/sections show how",
)


class Block(str):
    """Text of several lines that kfimage itself made; the only kind of value a template may print with line breaks."""


def one_line(value: Any) -> Any:
    """What `{{ }}` may print: text and numbers of one line, or a Block. Raises TypeError or ValueError on anything else."""
    if isinstance(value, Block):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"a template printed {value!r}, which has no place in a kickstart")
    if isinstance(value, str) and any(c < " " or c in "\x7f\x85\u2028\u2029" for c in value):
        raise ValueError(f"a template printed a value with a line break or control character: {value!r}")
    return value


_KS_SAFE = re.compile(r"[A-Za-z0-9._:/@,=+%~*-]+\Z")


def ks(value: Any) -> str:
    """One word of a kickstart line: quoted when the line's shlex would split or cut it; raises ValueError on what no quote can hold."""
    text = str(one_line(value))
    if _KS_SAFE.match(text):
        return text
    if '"' in text or "\\" in text:
        raise ValueError(f"{text!r} cannot stand on a kickstart line")
    return f'"{text}"'


def sh(value: Any) -> str:
    """One word of a bash line."""
    import shlex

    return shlex.quote(str(one_line(value)))


@dataclass(frozen=True)
class Section:
    """A compiled template, the parts of a plan it reads, and what its first comment says of it."""

    name: str
    path: str
    reads: tuple[str, ...]
    title: str
    guide: tuple[int, ...]
    render: Callable[[Any], str]
    shown: str = ""

    def fault(self, error: Exception) -> KfimageError:
        """What went wrong while this section was rendered, at its line."""
        return _fault(self.shown or self.path, error)


def _fault(shown: str, error: Exception) -> KfimageError:
    line = getattr(error, "lineno", None) or 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    report = Report()
    report.add(FAULTY, Mark(shown, line, 1 if line else 0), str(getattr(error, "message", None) or error))
    return KfimageError(report)


class Templates:
    """Templates of a catalog, each compiled once."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(self._source), undefined=jinja2.StrictUndefined, finalize=one_line,
            keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True, autoescape=False,
        )
        self.environment.filters = {"ks": ks, "sh": sh, "join": lambda items, by: by.join(str(one_line(i)) for i in items)}
        self._sections: dict[str, Section] = {}

    def _source(self, path: str) -> Optional[str]:
        found = self.catalog.find(path)
        return found[0].decode("utf-8") if found else None

    def section(self, path: str) -> Section:
        """A template by path. Raises KfimageError when it is no template, or uses anything but parts of `plan`."""
        if path not in self._sections:
            found = self.catalog.find(path)
            if found is None:
                raise KeyError(path)
            shown = found[1]
            try:
                source = found[0].decode("utf-8")
                tree = self.environment.parse(source, path, path)
                reads = _reads(tree)
                template = self.environment.from_string(tree)
            except (jinja2.TemplateError, ValueError) as error:
                raise _fault(shown, error) from error
            title, guide = _about(source)
            name = path.rsplit("/", 1)[-1]
            self._sections[path] = Section(name, path, reads, title, guide, lambda plan: template.render(plan=plan), shown)
        return self._sections[path]


def _reads(tree: nodes.Template) -> tuple[str, ...]:
    """The attributes of `plan` a template reads; a bare `plan` would hide what its text depends on."""
    gets = [get for get in tree.find_all(nodes.Getattr) if isinstance(get.node, nodes.Name) and get.node.name == "plan"]
    inner = {id(get.node) for get in gets}
    for name in tree.find_all(nodes.Name):
        if name.name == "plan" and name.ctx == "load" and id(name) not in inner:
            raise jinja2.TemplateSyntaxError("'plan' alone; read a part of it, as in plan.time", name.lineno)
    return tuple(sorted({get.attr for get in gets}))


def _about(source: str) -> tuple[str, tuple[int, ...]]:
    comment = re.match(r"\{#-?\s*(.*?)\s*-?#\}", source, re.S)
    text = comment.group(1) if comment else ""
    title, _, guide = text.partition("| guide:")
    return " ".join(title.split()), tuple(int(n) for n in re.findall(r"[0-9]+", guide))
