"""An Ansible inventory: a group for each role and release, and what a playbook may want to know of each host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from kfimage.artefact import Artefact
from kfimage.errors import Report
from kfimage.exports.made import Made, file
from kfimage.model import Plan
from kfimage.render.kickstart import Piece

TITLE = "Ansible inventory (YAML)"


def sections(plan: Plan) -> tuple[Piece, ...]:
    return ()


def check(made: Made, report: Report) -> None:
    """An inventory holds nothing that could be refused."""


def export(made: Made) -> Iterator[Artefact]:
    groups: dict[str, Any] = {group(plan.role): {"hosts": {}} for plan in made.plans}
    groups.update({group(plan.release.name): {"hosts": {}} for plan in made.plans})
    for plan in made.plans:
        if plan.node is not None:
            groups[group(plan.role)]["hosts"][plan.name] = _variables(plan)
            groups[group(plan.release.name)]["hosts"][plan.name] = {}
    inventory = {"all": {"children": groups, "vars": {"kfimage_site": made.site}}}
    text = yaml.safe_dump(inventory, sort_keys=True, default_flow_style=False, allow_unicode=True, width=200)
    yield file("inventory.yaml", f"# Written by {made.generator}: ansible-inventory -i inventory.yaml --graph\n{text}")


def group(name: str) -> str:
    """A group's name as Ansible wants it: letters, digits and _, and no digit first."""
    return "".join(c if c.isalnum() else "_" for c in name if c.isascii())


def _variables(plan: Plan) -> dict[str, Any]:
    node = plan.node
    assert node is not None
    found: dict[str, Any] = {
        "ansible_host": node.ip or node.hostname, "kfimage_hostname": node.hostname, "kfimage_macs": list(node.macs), "kfimage_role": plan.role,
        "kfimage_release": plan.release.name, "kfimage_steps": list(plan.steps), "kfimage_kubernetes": plan.kubernetes.version,
    }
    if plan.access.admin:
        found["ansible_user"] = plan.access.admin
    return found
