"""Layers to plans: defaults < site < role < group < node, merged as located trees and typed once.

A section that no layer of a node changes is built once and shared by every plan, and so is each problem in it.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

from kfimage import grammar
from kfimage.catalog import UNKNOWN_NAME, Catalog
from kfimage.errors import ERROR, WARNING, KfimageError, Mark, Report, define, did_you_mean, near
from kfimage.grammar import BAD_VALUE, MISSING, UNKNOWN_KEY, WRONG_SHAPE, build, specs
from kfimage.kinds import Bad, hostname
from kfimage.located import Mapping, Node, Scalar, Sequence, at, canonical, lay, merge
from kfimage.model import GroupLayer, Layer, Match, NodeId, NodeLayer, Plan, Release, RoleLayer, SiteFile
from kfimage.nics import IDENTITY, node_nics, role_nics
from kfimage.sitefile import SiteSource

TIE = define(
    "KF1204", ERROR, "two groups of equal priority give one node different values",
    why="The order in which groups are written means nothing, so neither value wins.",
    fix="give one of the groups a higher `priority`",
)
ORDER = define(
    "KF1205", ERROR, "a step stands before one it must follow",
    why="A step builds on what the earlier one left.",
    fix="reorder `steps`",
)

NO_NODES = define(
    "KF1211", WARNING, "a group that holds no node",
    why="What it says reaches no machine: mostly a misspelt pattern or role, or nodes that have moved.",
    fix="correct its `match`, or remove the group",
)

_NOT_LAYERED = frozenset(("kfimage", "site", "roles", "groups", "nodes", "nodes_from"))
_ROLE_ONLY = frozenset(("description",))
_GROUP_ONLY = frozenset(("match", "priority"))


@dataclass(frozen=True)
class NamedLayer:
    """One layer as it was written."""

    name: str
    tree: Mapping


@dataclass(frozen=True)
class _Group:
    name: str
    match: Match
    priority: int
    tree: Mapping
    networks: tuple[Any, ...]
    named: Optional[Callable[[str], object]]

    def holds(self, node: str, role: str, address: Optional[str]) -> bool:
        match = self.match
        if self.named is not None and not self.named(node):
            return False
        if match.role and role not in match.role:
            return False
        if self.networks:
            import ipaddress

            try:
                ip = ipaddress.ip_address((address or "").partition("/")[0])
            except ValueError:
                return False
            return any(ip in network for network in self.networks)
        return True


@dataclass(frozen=True)
class Base:
    """Everything below the node layer for one role and set of groups: layers, merged tree, typed sections."""

    role: str
    layers: tuple[NamedLayer, ...]
    tree: Mapping
    sections: dict[str, Any] = field(default_factory=dict, compare=False)


class Resolver:
    """Plans of a site, one at a time or all; problems of everything it looked at gather in `report`."""

    def __init__(self, source: SiteSource, catalog: Catalog) -> None:
        self.source = source
        self.catalog = catalog
        self.report = Report()
        self._bases: dict[tuple[str, tuple[str, ...]], Optional[Base]] = {}
        self._typed: dict[tuple[str, int], tuple[Any, bool]] = {}
        self._broken: dict[int, set[str]] = {}
        self._kept: list[Node] = []
        self._steps_checked: set[int] = set()
        self._releases: dict[str, Release] = {}
        self._defaults = catalog.defaults(self.report)
        self._site = _without(source.top, _NOT_LAYERED)
        self.site_name = _text(source.top.get("site")) or "site"
        self._check_layer(Layer, self._defaults, "")
        # Nodes are checked when their plan is built: theirs is the top layer, so nothing shadows a value of theirs.
        build(SiteFile, _without(source.top, frozenset(("nodes",))), "", self.report, partial=True)
        self._require_top()
        self._roles = self._site_roles()
        self._groups = tuple(self._site_groups())
        self._held: set[str] = set()
        self._check_step_names()

    # -- what there is -------------------------------------------------------------------------------------------

    @property
    def node_names(self) -> tuple[str, ...]:
        return tuple(sorted(self.source.nodes.entries))

    def role_names(self) -> tuple[str, ...]:
        return tuple(sorted({*self.catalog.roles(), *self._roles}))

    def role_of(self, node: str) -> Optional[str]:
        return _text(at(self.source.nodes.get(node), "role"))

    # -- plans ---------------------------------------------------------------------------------------------------

    def role_plan(self, role: str, mark: Optional[Mark] = None) -> Optional[Plan]:
        """The plan of a role as such: every layer but group and node."""
        base = self._base(role, (), mark or Mark(self.source.file))
        if base is None:
            return None
        sections = self._sections(base, None, "")
        if self._broken.get(id(base)):
            return None
        return self._plan(role, base.role, None, role_nics(sections["network"]), sections, lambda: base.tree)

    def node_plan(self, name: str) -> Optional[Plan]:
        """The plan of one node, or None when its layers have problems."""
        # A report of its own: a problem told before, in a layer that many nodes share, is still a problem of this node.
        whole, self.report = self.report, Report()
        try:
            return self._node_plan(name)
        finally:
            whole.extend(self.report)
            self.report = whole

    def _node_plan(self, name: str) -> Optional[Plan]:
        node = self.source.nodes.get(name)
        where = f"nodes.{name if name.isprintable() else ascii(name)}"
        try:
            hostname(name)
        except Bad as bad:
            self.report.add(BAD_VALUE, self.source.nodes.key_mark(name), f"nodes: {bad}", bad.hint)
        if isinstance(node, Scalar) and node.empty:
            node = Mapping(node.mark)
        if not isinstance(node, Mapping):
            mark = node.mark if node is not None else Mark(self.source.file)
            self.report.add(WRONG_SHAPE, mark, f"{where}: a mapping is needed", "at least {role: ROLE}")
            return None
        base = self._node_base(name, node, where)
        if base is None:
            self._loose_keys(node, where)
            return None
        sections = self._sections(base, node, where)
        if self._broken.get(id(base), set()) - node.entries.keys():
            self._loose_keys(node, where)
            return None
        nics, identity = node_nics(name, node, where, sections["network"], self.report)
        if self.report:
            return None
        return self._plan(name, base.role, identity, nics, sections, lambda: merge(base.tree, node))

    def empty_groups(self) -> None:
        """Report groups that hold none of the site's nodes; to be asked once every node's plan was."""
        trees = self.source.top.get("groups")
        if not isinstance(trees, Mapping) or not self.node_names:
            return
        for group in self._groups:
            if group.name not in self._held:
                hints = [near(role, self.role_names()) for role in group.match.role if role not in self.role_names()]
                hints += [near(pattern, self.node_names) for pattern in group.match.name]
                self.report.add(NO_NODES, trees.keys[group.name], f"groups.{group.name} holds no node", next(filter(None, hints), None))

    def layers(self, name: str) -> tuple[NamedLayer, ...]:
        """The layers of a node or role, lowest first, each as it was written."""
        node = self.source.nodes.get(name)
        if isinstance(node, Mapping):
            base = self._node_base(name, node, name)
            return (*base.layers, NamedLayer(f"node {name}", node)) if base else ()
        base = self._base(name, (), Mark(self.source.file))
        return base.layers if base else ()

    def where(self, name: str, *path: str) -> Mark:
        """The place of the layer that gave a key of a node or role; of the nearest key above it when no layer did."""
        for end in range(len(path), 0, -1):
            for layer in reversed(self.layers(name)):
                parent: Optional[Node] = layer.tree
                for part in path[: end - 1]:
                    parent = parent.get(part) if isinstance(parent, Mapping) else None
                if isinstance(parent, Mapping) and path[end - 1] in parent.entries:
                    return parent.keys[path[end - 1]]
        return Mark(self.source.file)

    # -- layers --------------------------------------------------------------------------------------------------

    def _require_top(self) -> None:
        for key in ("kfimage", "site"):
            if self.source.top.get(key) is None:
                self.report.add(MISSING, Mark(self.source.file, 1, 1), f"'{key}' is missing", specs(SiteFile)[key].doc)

    def _check_layer(self, cls: type, tree: Mapping, path: str) -> None:
        build(cls, tree, path, self.report, partial=True)

    def _site_roles(self) -> dict[str, Mapping]:
        roles = self.source.top.get("roles")
        return {name: tree for name, tree in roles if isinstance(tree, Mapping)} if isinstance(roles, Mapping) else {}

    def _site_groups(self) -> Iterator[_Group]:
        import ipaddress

        groups = self.source.top.get("groups")
        if not isinstance(groups, Mapping):
            return
        for name, tree in sorted(groups.entries.items()):
            if not isinstance(tree, Mapping):
                continue
            typed = build(GroupLayer, tree, f"groups.{name}", Report(), partial=True)
            if typed.match is None:
                self.report.add(MISSING, groups.keys[name], f"groups.{name}: 'match' is missing", "name, role or network of its nodes")
                continue
            networks = tuple(ipaddress.ip_network(n) for n in typed.match.network)
            named = re.compile("|".join(map(fnmatch.translate, typed.match.name))).match if typed.match.name else None
            yield _Group(name, typed.match, typed.priority or 0, _without(tree, _GROUP_ONLY), networks, named)

    def _node_base(self, name: str, node: Mapping, where: str) -> Optional[Base]:
        role_node = node.get("role")
        if role_node is None:
            self.report.add(MISSING, self.source.nodes.key_mark(name), f"{where}: 'role' is missing", did_you_mean("", self.role_names()))
            return None
        role = _text(role_node)
        if role is None:
            self.report.add(WRONG_SHAPE, role_node.mark, f"{where}.role: one role's name is needed")
            return None
        address = _first_address(node)
        groups = tuple(g.name for g in self._groups if g.holds(name, role, address))
        self._held.update(groups)
        return self._base(role, groups, role_node.mark)

    def _base(self, role: str, groups: tuple[str, ...], mark: Mark) -> Optional[Base]:
        key = (role, groups)
        if key not in self._bases:
            self._bases[key] = self._make_base(role, groups, mark)
        elif self._bases[key] is None and role not in self.role_names():
            self._unknown_role(role, mark)
        return self._bases[key]

    def _unknown_role(self, role: str, mark: Mark) -> None:
        name = role if role.isprintable() else ascii(role)
        self.report.add(UNKNOWN_NAME, mark, f"no role '{name[:60]}'", did_you_mean(role, self.role_names()))

    def _make_base(self, role: str, groups: tuple[str, ...], mark: Mark) -> Optional[Base]:
        if role not in self.role_names():
            self._unknown_role(role, mark)
            return None
        layers = [NamedLayer("built-in default", self._defaults), NamedLayer("site", self._site)]
        for tree in self.catalog.role(role, self.report):
            self._check_layer(RoleLayer, tree, f"role {role}")
            self._check_names(tree)
            layers.append(NamedLayer(f"role {role}", _without(tree, _ROLE_ONLY)))
        if role in self._roles:
            layers.append(NamedLayer(f"role {role}", _without(self._roles[role], _ROLE_ONLY)))
        chosen = sorted((g for g in self._groups if g.name in groups), key=lambda g: (g.priority, g.name))
        self._check_ties(chosen)
        layers.extend(NamedLayer(f"group {g.name}", g.tree) for g in chosen)
        tree = Mapping(self._site.mark)
        for layer in layers:
            tree = merge(tree, layer.tree)
        return Base(role, tuple(layers), tree)

    def _check_ties(self, groups: list[_Group]) -> None:
        for i, one in enumerate(groups):
            for other in groups[i + 1 :]:
                if one.priority == other.priority:
                    for path, mark, before in _clashes(one.tree, other.tree, ""):
                        self.report.add(TIE, mark, f"groups {one.name} and {other.name} both give {path} (the other: {before})")

    # -- sections ------------------------------------------------------------------------------------------------

    def _sections(self, base: Base, node: Optional[Mapping], where: str) -> dict[str, Any]:
        # A section that this node's own layer changes is typed with it, never without: its parts may only be right together.
        own = node.entries.keys() if node is not None else frozenset()
        for key in specs(Layer).keys() - base.sections.keys() - own:
            base.sections[key], right = self._section(key, specs(Layer)[key], base.tree.get(key))
            if not right:
                self._broken.setdefault(id(base), set()).add(key)
        if node is None:
            return base.sections
        changed: dict[str, Any] = {}
        for key, child in node:
            if key in IDENTITY:
                continue
            spec = specs(Layer).get(key)
            if spec is None:
                known = (*specs(NodeLayer),)
                self.report.add(UNKNOWN_KEY, node.keys[key], f"unknown key '{ascii(key)[1:-1][:60]}' in {where}", did_you_mean(key, known))
                continue
            changed[key] = grammar.value(spec, lay(base.tree.get(key), child), f"{where}.{key}", self.report)
        return {**base.sections, **changed}

    def _section(self, key: str, spec: grammar.Spec, node: Optional[Node]) -> tuple[Any, bool]:
        """A section's value, and whether nothing is wrong with it."""
        if node is None:
            if spec.shape == "list":
                return (), True
            if spec.shape == "table":
                return grammar.NOTHING, True
            return (spec.of() if isinstance(spec.of, type) else None), True
        cached = (key, id(node))
        if cached not in self._typed:
            self._kept.append(node)
            report = Report()
            self._typed[cached] = grammar.value(spec, node, key, report), not report
            self.report.extend(report)
        return self._typed[cached]

    def _loose_keys(self, node: Mapping, where: str) -> None:
        build(NodeLayer, node, where, self.report, partial=True)

    def _plan(self, name: str, role: str, node: Optional[NodeId], nics: Any, sections: dict[str, Any], tree: Callable[[], Mapping]) -> Optional[Plan]:
        named = sections["release"]
        try:
            release = self._releases.get(named) or self.catalog.release(named, tree().key_mark("release"), self.report)
        except KfimageError as error:
            self.report.extend(error.report)
            return None
        steps = sections["steps"]
        if id(steps) not in self._steps_checked:
            self._steps_checked.add(id(steps))
            self._kept.append(steps)
            self._check_steps(steps, tree())
        if release is None:
            return None
        self._releases[named] = release
        own = {"name": name, "role": role, "site": self.site_name, "node": node, "release": release, "nics": nics}
        return grammar.whole(Plan, {**sections, **own})

    def _check_step_names(self) -> None:
        """Every layer's steps exist, also where a layer above names others or no node is of the role or group."""
        self._check_names(self.source.top)
        for several in ("roles", "groups", "nodes"):
            layers = self.source.nodes if several == "nodes" else self.source.top.get(several)
            for _, tree in layers if isinstance(layers, Mapping) else ():
                if isinstance(tree, Mapping):
                    self._check_names(tree)

    def _check_names(self, layer: Mapping) -> None:
        node = layer.get("steps")
        if node is None:
            return
        for element in node.elements if isinstance(node, Sequence) else (node,):
            name = _text(element)
            if name is not None and name not in self.catalog.steps():
                self._unknown_step(name, element.mark)

    def _unknown_step(self, name: str, mark: Mark) -> None:
        shown = name if name.isprintable() else ascii(name)
        self.report.add(UNKNOWN_NAME, mark, f"no step '{shown[:60]}'", did_you_mean(name, self.catalog.steps()))

    def _check_steps(self, steps: tuple[str, ...], tree: Mapping) -> None:
        node = tree.get("steps")
        marks = [e.mark for e in node.elements] if isinstance(node, Sequence) else [tree.key_mark("steps")]
        known = self.catalog.steps()
        for index, name in enumerate(steps):
            mark = marks[min(index, len(marks) - 1)]
            if name not in known:
                self._unknown_step(name, mark)
                continue
            try:
                late = sorted(set(self.catalog.step(name).after) & set(steps[index + 1 :]))
            except KfimageError as error:
                self.report.extend(error.report)
                continue
            for other in late:
                self.report.add(ORDER, mark, f"step '{name}' follows '{other}', which stands behind it")


def _without(tree: Mapping, keys: frozenset[str]) -> Mapping:
    if not keys & tree.entries.keys():
        return tree
    kept = Mapping(tree.mark)
    for key, node in tree:
        if key not in keys:
            kept.put(key, node, tree.keys[key])
    return kept


def _text(node: Optional[Node]) -> Optional[str]:
    return node.text if isinstance(node, Scalar) and not node.empty else None


def _first_address(node: Mapping) -> Optional[str]:
    found = node.get("address")
    if found is None:
        interfaces = node.get("interfaces")
        for _, nic in sorted(interfaces.entries.items()) if isinstance(interfaces, Mapping) else ():
            found = found or at(nic, "address")
            vlans = at(nic, "vlans")
            for _, vlan in sorted(vlans.entries.items()) if isinstance(vlans, Mapping) else ():
                found = found or at(vlan, "address")
    if isinstance(found, Sequence) and found.elements:
        found = found.elements[0]
    return _text(found)


def _clashes(one: Mapping, other: Mapping, path: str) -> Iterator[tuple[str, Mark, Mark]]:
    for key in sorted(one.entries.keys() & other.entries.keys()):
        a, b = one.entries[key], other.entries[key]
        where = f"{path}.{key}" if path else key
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from _clashes(a, b, where)
        elif canonical(a) != canonical(b):
            first, second = sorted((a.mark, b.mark))
            yield where, second, first
