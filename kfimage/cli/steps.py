"""`kfimage steps`."""

from __future__ import annotations

import json as encoder
import sys
from pathlib import Path
from typing import Any, Optional

from kfimage.catalog import Step
from kfimage.cli.load import load
from kfimage.cli.usage import wrong_use
from kfimage.errors import did_you_mean
from kfimage.located import Scalar, Sequence
from kfimage.pipeline import Pipeline

GUIDE = {
    1: "disable swap",
    2: "SELinux permissive",
    3: "firewall",
    4: "modules and sysctls for containers",
    5: "CRI-O",
    6: "kubelet, kubeadm, kubectl",
    7: "NetworkManager and Calico",
    8: "kustomize",
    9: "helm",
    10: "NVIDIA container toolkit",
    11: "NVIDIA device plugin",
    12: "NVIDIA gpu-operator",
    13: "join the worker",
    14: "Kubeflow",
}
"""The guide's steps, by number."""


def run(role: Optional[str], site: Optional[Path], json: bool) -> None:
    pipeline = load(site)
    pipeline.raise_for()
    roles = pipeline.resolver.role_names()
    if role is not None and role not in roles:
        raise wrong_use(f"no role '{role}'", did_you_mean(role, roles))
    rows = table(pipeline, role)
    if json:
        sys.stdout.write(encoder.dumps(rows, indent=1) + "\n")
        return
    head = ("ORDER", "STEP", "GUIDE", "TITLE", "ROLES")
    lines = [
        head,
        *(
            (str(r["order"] or "-"), r["step"], ",".join(map(str, r["guide"])) or "-", r["title"], ", ".join(r["roles"]) or "-")
            for r in rows
        ),
    ]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() + "\n")


def table(pipeline: Pipeline, role: Optional[str]) -> list[dict[str, Any]]:
    """One row for each step, in the order in which they run; steps that no role has stand last, with order 0."""
    by_role = {name: steps_of(pipeline, name) for name in pipeline.resolver.role_names()}
    wanted = by_role[role] if role else _together(list(by_role.values()), pipeline.catalog.steps())
    used = {name for steps in by_role.values() for name in steps}
    rows = []
    for position, name in enumerate(wanted, 1):
        step = describe(pipeline, name)
        rows.append(
            {
                "order": position if name in used else 0,
                "step": name,
                "guide": list(step.guide),
                "title": step.title or "",
                "roles": [r for r, steps in by_role.items() if name in steps],
            }
        )
    return rows


def describe(pipeline: Pipeline, name: str) -> Step:
    known = pipeline.catalog.steps()
    if name not in known:
        raise wrong_use(f"no step '{name}'", did_you_mean(name, known))
    return pipeline.catalog.step(name)


def steps_of(pipeline: Pipeline, role: str) -> list[str]:
    """The steps a role names, whatever else may be wrong with it."""
    steps: list[str] = []
    for layer in pipeline.resolver.layers(role):
        node = layer.tree.get("steps")
        elements = node.elements if isinstance(node, Sequence) else (node,) if node is not None else None
        if elements is not None:
            steps = [e.text for e in elements if isinstance(e, Scalar)]
    return steps


def _together(orders: list[list[str]], every: tuple[str, ...]) -> list[str]:
    """One order that keeps each role's own as far as they agree: the longest first, the others' steps put before what follows them."""
    merged: list[str] = []
    for order in sorted(orders, key=len, reverse=True):
        for index, name in enumerate(order):
            if name not in merged:
                after = next((merged.index(later) for later in order[index + 1 :] if later in merged), len(merged))
                merged.insert(after, name)
    return [*merged, *(name for name in every if name not in merged)]
