"""A site as it was written: site.yaml, its CSV of nodes, and the folder beside it."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import Optional

from kfimage.assets import Folder
from kfimage.errors import ERROR, Mark, Report, define, did_you_mean
from kfimage.grammar import WRONG_SHAPE, build, specs
from kfimage.located import DUPLICATE, Mapping, Scalar, Sequence, decode, parse
from kfimage.model import NodeLayer, NodesFrom

UNREADABLE = define(
    "KF1008", ERROR, "a file that cannot be read",
    why="The site names it, so part of the node would be missing.",
    fix="check the path (relative to the site's folder) and its permissions",
)
CSV_SHAPE = define(
    "KF1009", ERROR, "a CSV line or column kfimage cannot place",
    why="A value without a known column would be lost without a word.",
    fix="name the column as the key it fills, or map it under nodes_from.columns ('-' leaves it out)",
)

EMPTY = "kfimage: 1\nsite: default\n"
"""What a run without any site file stands on: the built-in defaults and nothing else."""

_TITLES = {
    "name": "name", "hostname": "name", "host": "name", "node": "name", "nodename": "name", "servername": "name",
    "role": "role", "mac": "mac", "macaddress": "mac", "hwaddr": "mac",
    "address": "address", "ip": "address", "ipaddress": "address", "ipaddr": "address", "cidr": "address",
    "gateway": "gateway", "gw": "gateway",
}


@dataclass(frozen=True)
class SiteSource:
    """The parsed site: its top mapping, its nodes (CSV and YAML together), and its folder."""

    file: str
    top: Mapping
    nodes: Mapping
    folder: Optional[Folder]


def read_site(data: bytes, file: str, folder: Optional[Folder], report: Report) -> SiteSource:
    """A site from its bytes. Never raises: faults go to the report and what is left is an empty mapping."""
    text = decode(data, file, report)
    top = (parse(text, file, report) if text is not None else None) or Mapping(Mark(file))
    nodes = Mapping(top.key_mark("nodes"))
    source = top.get("nodes_from")
    if source is not None and folder is not None:
        # The grammar reports what is wrong with it when the whole file is checked.
        wanted = build(NodesFrom, source, "nodes_from", Report())
        if wanted.file:
            _read_csv(wanted, source.mark, folder, nodes, report)
    written = top.get("nodes")
    if isinstance(written, Mapping):
        for name, node in written:
            if name in nodes.entries:
                report.add(DUPLICATE, written.keys[name], f"node '{name}' is already given at {nodes.keys[name]}")
                continue
            nodes.put(name, node, written.keys[name])
    elif written is not None and not (isinstance(written, Scalar) and written.empty):
        report.add(WRONG_SHAPE, written.mark, "nodes: a mapping is needed, each node's name with what it is", "as in gpu-01: {role: gpu-worker}")
    return SiteSource(file, top, nodes, folder)


def _read_csv(wanted: NodesFrom, mark: Mark, folder: Folder, nodes: Mapping, report: Report) -> None:
    assert wanted.file is not None
    data = folder.read(wanted.file)
    name = folder.name(wanted.file)
    if data is None:
        report.add(UNREADABLE, mark, f"nodes_from: {name} cannot be read")
        return
    text = decode(data, name, report)
    if text is None:
        return
    rows = csv.reader(io.StringIO(text), delimiter=_delimiter(text), strict=True)
    # Not splitlines(): the csv module knows no line break but these, and a place must be counted as an editor counts.
    lines = text.split("\n")
    keys: Optional[list[str]] = None
    before = 0
    try:
        for row in rows:
            line, before = before + 1, rows.line_num
            if not any(cell.strip() for cell in row) or row[0].lstrip().startswith("#"):
                continue
            if keys is None:
                keys = _columns(row, wanted, Mark(name, line, 1), report)
                if keys is None:
                    return
            else:
                _row(row, keys, lines[line - 1], Mark(name, line, 1), nodes, report)
    except csv.Error as error:
        report.add(CSV_SHAPE, Mark(name, rows.line_num), f"not CSV: {error}", "quote cells that hold quotes or separators")


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _columns(row: list[str], wanted: NodesFrom, mark: Mark, report: Report) -> Optional[list[str]]:
    keys: list[str] = []
    before = len(report)
    known = {*specs(NodeLayer), "name"}
    for title in row:
        plain = title.strip()
        key = wanted.columns.get(plain) or _TITLES.get(re.sub(r"[^a-z]", "", plain.lower())) or plain
        if key != "-" and key.split(".")[0] not in known:
            report.add(CSV_SHAPE, mark, f"column '{plain[:60]}' is no key of a node", did_you_mean(plain, known))
        if key != "-" and key in keys:
            report.add(CSV_SHAPE, mark, f"two columns fill '{key}'")
        keys.append(key)
    if "name" not in keys:
        report.add(CSV_SHAPE, mark, "no column gives the nodes' names", "the first line holds the column titles; one must be name")
    return None if len(report) > before else keys


def _row(row: list[str], keys: list[str], line: str, mark: Mark, nodes: Mapping, report: Report) -> None:
    if len(row) > len(keys):
        report.add(CSV_SHAPE, mark, f"{len(row)} cells, but {len(keys)} columns have a title")
        return
    node = Mapping(mark)
    name, name_mark = "", mark
    position = 0
    for key, cell in zip(keys, row):
        text = cell.strip()
        found = line.find(text, position) if text else -1
        where = mark._replace(column=found + 1) if found >= 0 else mark
        position = max(position, found + len(text))
        if not text or key == "-":
            continue
        if key == "name":
            name, name_mark = text, where
            continue
        _put(node, key.split("."), text, where)
    if not name:
        report.add(CSV_SHAPE, mark, "the node has no name")
    elif name in nodes.entries:
        report.add(DUPLICATE, name_mark, f"node '{name}' is already given at {nodes.keys[name]}")
    else:
        nodes.put(name, node, name_mark)


def _put(node: Mapping, path: list[str], text: str, mark: Mark) -> None:
    for part in path[:-1]:
        below = node.get(part)
        if not isinstance(below, Mapping):
            below = Mapping(mark)
            node.put(part, below, mark)
        node = below
    parts = text.split()
    many = len(parts) > 1 and path[-1] in ("address", "dns", "search", "id", "serial", "wwn")
    value = Sequence(tuple(Scalar(p, mark) for p in parts), mark) if many else Scalar(text, mark)
    node.put(path[-1], value, mark)
