"""Cobbler's two template engines, and how text passes through each of them unchanged.

Measured on Cobbler 3.2.3 and 3.3.10 with CT3 and Jinja2 3.1; what Cobbler itself does to a template before and after
the engine (cobbler/templar.py: `@@` replacement, `SNIPPET::`, the refusal of `#import`) is part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kfimage.errors import ERROR, Mark, Report, define
from kfimage.exports.made import Kickstart, first_line
from kfimage.exports.merge import Part, Text, Value

NO_ESCAPE = define(
    "KF7503", ERROR, "text that Cobbler changes and nothing can protect",
    why="Cobbler replaces @@WORD@@ after its engine has run, XML-RPC loses control characters and carriage returns, and line breaks at the very "
    "start are cut off: the node would get other bytes, or two comment lines with HTTP 200.",
    fix="write it in another way, as in '@@wo''rd@@'; a file the site brings travels as base64 when it holds one byte beyond ASCII",
    source="cobbler 3.3.10 templar.py, Templar.render",
)

_LOST = re.compile(r"@@\S*?@@|[\0-\x08\x0b-\x1f\x7f\ufffe\uffff]|\A\n")


def refuse(made: Kickstart, report: Report) -> None:
    """Report the first thing in a kickstart that would not come out of Cobbler as it went in."""
    found = first_line(made.text, _LOST)
    if found is not None:
        line, column, token = found
        hint = f"write it in another way; `kfimage explain {made.plan.name} --line {line}` tells where the line comes from"
        report.add(NO_ESCAPE, Mark(made.path, line, column), f"{token!r} cannot pass through Cobbler", hint)


def lost(text: str) -> bool:
    """Whether a whole file of this text is one that `refuse` reports."""
    return _LOST.search(text) is not None


# -- Jinja2 -----------------------------------------------------------------------------------------------------------

_ENDRAW = re.compile(r"\{%(?=[-+]?\s*endraw)")


def jinja_text(text: str) -> str:
    """Text that Jinja2 prints as it is."""
    return "{% raw %}" + _ENDRAW.sub('{% endraw %}{{ "{%" }}{% raw %}', text) + "{% endraw %}" if text else ""


def jinja(parts: Sequence[Part]) -> str:
    """A whole template in Cobbler's Jinja2 mode; the engine drops the last line break of a file, so there is one more.

    A system without host data gets no kickstart at all: Jinja2 would print nothing for each value, and install half a node.
    """
    name = next((part.name for part in parts if not isinstance(part, Text)), None)
    guard = f"{{% if {name} is undefined %}}{{{{ {name}.is_missing }}}}{{% endif %}}" if name else ""
    return "#template=jinja2\n" + guard + _jinja(parts) + "\n"


def _jinja(parts: Sequence[Part]) -> str:
    found = []
    for part in parts:
        if isinstance(part, Text):
            found.append(jinja_text(part.text))
        elif isinstance(part, Value):
            found.append("{{ " + part.name + " }}")
        else:
            for number, (key, option) in enumerate(part.options):
                found.append(f'{{% {"el" * (number > 0)}if {part.name} == "{key}" %}}{_jinja(option)}')
            found.append("{% endif %}")
    return "".join(found)


# -- Cheetah ----------------------------------------------------------------------------------------------------------

_SEAM = re.compile(r"(?<=#)(?:(?=end[ \t\f]*raw|import|from)|(?=\s{0,5}(?:encoding|unicode)))|\A(?=import|from)|(?<=S)(?=NIPPET::)|(?<=T)(?=EMPLATE::)")
_EDGE = re.compile(r"[ \t\\#]*\Z")


def cheetah_text(text: str) -> str:
    """Text that Cheetah prints as it is: a #raw block, left for one character at what bites even there."""
    cuts = sorted({match.start() for match in _SEAM.finditer(text)})
    found, start = [], 0
    for cut in cuts:
        found.append(_raw(text[start:cut]) + _chars(text[cut]))
        start = cut + 1
    return "".join(found) + _raw(text[start:])


def _raw(text: str) -> str:
    """A #raw block. Before `#end` a backslash would escape it, and blanks that start a line would go with it."""
    edge = _EDGE.search(text)
    assert edge is not None
    body = text[: edge.start()]
    if body[:1] == "#" or body[:6] == "import" or body[:4] == "from":
        # Behind `#raw#` it would read as a ## comment, or as #import, which Cobbler refuses.
        return _chars(body[0]) + _raw(text[1:])
    return (f"#raw#{body}#end raw#" if body else "") + _chars(edge.group())


def _chars(text: str) -> str:
    # No quotes: the errorCatcher that Cobbler puts in front would break on them.
    runs = re.finditer(r"(.)\1*", text, re.S)
    return "".join(f"${{chr({ord(run[1])})*{len(run[0])}}}" if len(run[0]) > 1 else f"${{chr({ord(run[1])})}}" for run in runs)


def cheetah(parts: Sequence[Part]) -> str:
    """A whole template in Cheetah, Cobbler's own default."""
    return "#template=cheetah\n" + cheetah_body(parts)


def cheetah_body(parts: Sequence[Part]) -> str:
    """A template without its first line: what a snippet holds."""
    found = []
    for part in parts:
        if isinstance(part, Text):
            found.append(cheetah_text(part.text))
        elif isinstance(part, Value):
            found.append("${" + part.name + "}")
        else:
            for number, (key, option) in enumerate(part.options):
                found.append(f'#{"else " * (number > 0)}if ${part.name} == "{key}"#{cheetah_body(option)}')
            found.append("#end if#")
    return "".join(found)
