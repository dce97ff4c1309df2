"""Kickstarts of one role as one template: what all have in common is text, what differs becomes a value of each host.

The other tool's template language is not spoken here: parts are values, and each export writes them in its own words.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import reduce
from typing import Union

from kfimage.exports.made import Kickstart
from kfimage.model import Plan


@dataclass(frozen=True)
class Text:
    """Every host's text."""

    text: str


@dataclass(frozen=True)
class Value:
    """A host's own text: a word, a line, or several lines."""

    name: str


@dataclass(frozen=True)
class Choice:
    """Long texts that some hosts share; a host names its own by key, and a host with another key has none of them."""

    name: str
    options: tuple[tuple[str, tuple[Union[Text, Value], ...]], ...]


Part = Union[Text, Value, Choice]
_FEW = 8
_LONG = 20
"""Texts that differ stay in the template when they are few, or longer than so many lines; else they are every host's data."""
_MARK = re.compile(r"\0([a-z0-9_]+)\0")
_WORD = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.:-]*[0-9A-Za-z])?")
_FACT = re.compile(r'([A-Z][A-Z0-9_]*)="([^"\n]*)"\n\Z')


@dataclass(frozen=True)
class Template:
    """One template by kickstart section, and each host's values by name; every host has a value for every name."""

    sections: Mapping[str, tuple[Part, ...]]
    values: Mapping[str, Mapping[str, str]]

    def parts(self, *starts: str) -> tuple[Part, ...]:
        """The template, or what it holds of the sections whose names begin so."""
        return tuple(_joined([part for name, parts in self.sections.items() if name.startswith(starts or ("",)) for part in parts]))


def merge(kickstarts: Sequence[Kickstart]) -> Template:
    """The template of kickstarts that differ in who their nodes are and a little more; any set of kickstarts gives one."""
    merger = _Merger(kickstarts)
    return Template(merger.sections, merger.values)


def filled(parts: Sequence[Part], values: Mapping[str, str]) -> str:
    """What a host gets: the meaning of a template, which every export's engine must agree with."""
    found = []
    for part in parts:
        if isinstance(part, Text):
            found.append(part.text)
        elif isinstance(part, Value):
            found.append(values[part.name])
        else:
            found.append(filled(dict(part.options).get(values[part.name], ()), values))
    return "".join(found)


def words(plan: Plan) -> dict[str, str]:
    """A node's own words, each with the name of the value it becomes: name, addresses, MACs, gateways."""
    if plan.node is None:
        return {}
    found = {plan.node.hostname: "kf_hostname"}
    found.setdefault(plan.node.name, "kf_name")
    parts = [part for nic in plan.nics for part in (nic, *nic.vlans.values())]
    for kind, words in (
        ("kf_mac", [mac for mac in (plan.node.boot_mac, *plan.node.macs) if mac]),
        ("kf_ip", [address.ip for part in parts for address in part.address]),
        ("kf_gateway", [part.gateway for part in parts if part.gateway]),
    ):
        for word in dict.fromkeys(words):
            if word not in found:
                count = sum(re.fullmatch(rf"{kind}(?:_\d+)?", name) is not None for name in found.values())
                found[word] = f"{kind}_{count + 1}" if count else kind
    return found


class _Merger:
    def __init__(self, kickstarts: Sequence[Kickstart]) -> None:
        self.values: dict[str, dict[str, str]] = {one.plan.name: {} for one in kickstarts}
        self.parts: list[Part] = []
        self.sections: dict[str, tuple[Part, ...]] = {}
        self._words = {one.plan.name: words(one.plan) for one in kickstarts}
        self._told: dict[str, dict[str, str]] = {}
        texts: dict[str, dict[str, str]] = {}
        for one in kickstarts:
            for piece in one.pieces:
                name = one.plan.name
                texts.setdefault(piece.section.name, {})[name] = self._masked(name, piece.text) if piece.own else piece.text
        for section, found in sorted(texts.items()):
            self.parts = []
            self._section(section, {name: found.get(name, "") for name in self.values})
            self.sections[section] = tuple(_joined(self.parts))
        for name in sorted(set().union(*map(self._named, self.sections.values()))):
            self._told.setdefault(name, {host: word for host, known in self._words.items() for word, is_name in known.items() if is_name == name})
        for name, known in self._told.items():
            for host, values in self.values.items():
                values[name] = known.get(host, "")

    def _masked(self, name: str, text: str) -> str:
        known = self._words[name]
        return _WORD.sub(lambda word: f"\0{known[word[0]]}\0" if word[0] in known else word[0], text)

    def _own(self, name: str, text: str) -> str:
        """A masked text with the host's own words again."""
        back = {value: word for word, value in self._words[name].items()}
        return _MARK.sub(lambda match: back[match[1]], text)

    def _section(self, section: str, texts: Mapping[str, str]) -> None:
        distinct = list(dict.fromkeys(texts.values()))
        if len(distinct) == 1:
            self.parts.extend(_parsed(distinct[0]))
            return
        cut = {text: text.splitlines(keepends=True) for text in distinct}
        first = _alike(list(cut.values()))
        last = _alike([lines[first:][::-1] for lines in cut.values()])
        middles = {text: lines[first : len(lines) - last] for text, lines in cut.items()}
        common = reduce(_common, middles.values())
        gaps = {text: _gaps(lines, common) for text, lines in middles.items()}
        whole = cut[distinct[0]]
        self.parts.extend(_parsed("".join(whole[:first])))
        for number in range(len(common) + 1):
            self._gap(section, {name: gaps[text][number] for name, text in texts.items()})
            self.parts.extend(_parsed("".join(common[number : number + 1])))
        self.parts.extend(_parsed("".join(whole[len(whole) - last :]) if last else ""))

    def _gap(self, section: str, found: Mapping[str, tuple[str, ...]]) -> None:
        if len(set(found.values())) == 1:
            self.parts.extend(_parsed("".join(next(iter(found.values())))))
        elif not self._facts(found):
            texts = {name: "".join(lines) for name, lines in found.items()}
            word = "kf_" + re.sub(r"[^a-z]+", "_", re.sub(r"^[0-9]+-|\.ks\.j2$", "", section))
            if max(map(len, found.values())) > _LONG or len(set(texts.values())) <= min(_FEW, len(texts) // 2 + 1):
                self._choice(word, texts)
            else:
                self.parts.append(Value(self._tell(word, {name: self._own(name, text) for name, text in texts.items()})))

    def _facts(self, found: Mapping[str, tuple[str, ...]]) -> bool:
        """Lines NAME="value" that differ in their values alone: only the values are the hosts'."""
        read = {name: [_FACT.match(line) for line in lines] for name, lines in found.items()}
        keys = {tuple(match[1] if match else "" for match in matches) for matches in read.values()}
        if len(keys) != 1 or "" in next(iter(keys)):
            return False
        for number, key in enumerate(next(iter(keys))):
            values = {name: matches[number][2] for name, matches in read.items()}  # type: ignore[index]
            if len(set(values.values())) == 1:
                self.parts.extend(_parsed(f'{key}="{next(iter(values.values()))}"\n'))
                continue
            told = self._tell(key.lower(), {name: self._own(name, value) for name, value in values.items()})
            self.parts.extend([Text(f'{key}="'), Value(told), Text('"\n')])
        return True

    def _choice(self, word: str, texts: Mapping[str, str]) -> None:
        keys = {text: hashlib.sha256(text.encode()).hexdigest()[:8] if text else "none" for text in texts.values()}
        name = self._tell(word, {host: keys[text] for host, text in texts.items()})
        self.parts.append(Choice(name, tuple((key, tuple(_parsed(text))) for text, key in keys.items() if text)))

    def _tell(self, word: str, values: dict[str, str]) -> str:
        name, number = word, 2
        own = {value for known in self._words.values() for value in known.values()}
        while name in own or self._told.get(name, values) != values:
            name, number = f"{word}_{number}", number + 1
        self._told[name] = values
        return name

    def _named(self, parts: Sequence[Part]) -> set[str]:
        found = {part.name for part in parts if not isinstance(part, Text)}
        for part in parts:
            if isinstance(part, Choice):
                found.update(*(self._named(option) for _, option in part.options))
        return found


def _parsed(text: str) -> list[Union[Text, Value]]:
    pieces = _MARK.split(text)
    found: list[Union[Text, Value]] = []
    for number, piece in enumerate(pieces):
        if number % 2:
            found.append(Value(piece))
        elif piece:
            found.append(Text(piece))
    return found


def _joined(parts: Sequence[Part]) -> list[Part]:
    found: list[Part] = []
    for part in parts:
        if isinstance(part, Text) and found and isinstance(found[-1], Text):
            found[-1] = Text(found[-1].text + part.text)
        else:
            found.append(part)
    return found


def _alike(texts: Sequence[Sequence[str]]) -> int:
    """How many lines at the beginning are the same in all."""
    return next((n for n, lines in enumerate(zip(*texts)) if len(set(lines)) > 1), min(map(len, texts)))


def _common(one: list[str], two: list[str]) -> list[str]:
    """Lines that both have in the same order; a short line, such as `fi`, binds nothing together."""
    blocks = SequenceMatcher(None, one, two, autojunk=False).get_matching_blocks()
    return [line for block in blocks for line in one[block.a : block.a + block.size] if len(line.strip()) > 3]


def _gaps(lines: list[str], common: list[str]) -> list[tuple[str, ...]]:
    """The lines before, between and after the common ones, which are found in their order."""
    found: list[tuple[str, ...]] = []
    start = 0
    for line in common:
        here = lines.index(line, start)
        found.append(tuple(lines[start:here]))
        start = here + 1
    return [*found, tuple(lines[start:])]
