"""The nodes as a Terraform module in JSON: an output `nodes` and nothing that Terraform would have to create."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kfimage.artefact import Artefact
from kfimage.errors import Report
from kfimage.exports.made import Made, file
from kfimage.model import Plan
from kfimage.render import netboot
from kfimage.render.kickstart import Piece

TITLE = "Terraform module with the nodes as an output (JSON)"


def sections(plan: Plan) -> tuple[Piece, ...]:
    return ()


def check(made: Made, report: Report) -> None:
    """Every plan can be said in JSON."""


def export(made: Made) -> Iterator[Artefact]:
    nodes = {plan.name: literal(_node(plan)) for plan in made.plans if plan.node is not None}
    module = {
        "//": f"Written by {made.generator}. In a configuration: module \"kfimage\" {{ source = \"./DIR\" }}, then module.kfimage.nodes[\"NAME\"].",
        "output": {"nodes": {"description": f"The nodes of {made.site}", "value": nodes}},
    }
    yield file("main.tf.json", json.dumps(module, indent=2, sort_keys=True) + "\n")


def literal(value: Any) -> Any:
    """A value that Terraform takes as it is: in its JSON every string is a template, whose two openings are doubled."""
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, dict):
        return {literal(key): literal(item) for key, item in value.items()}
    return [literal(item) for item in value] if isinstance(value, list) else value


def _node(plan: Plan) -> dict[str, Any]:
    node = plan.node
    assert node is not None
    return {
        "hostname": node.hostname, "ip": node.ip, "kernel_args": list(netboot.inst_args(plan, plan.boot.url)) if plan.boot.url else [],
        "kickstart_url": f"{plan.boot.url}/kickstart/{plan.name}.ks" if plan.boot.url else None,
        "kubernetes": plan.kubernetes.version, "labels": dict(plan.kubernetes.labels), "mac": node.boot_mac, "macs": list(node.macs),
        "release": plan.release.name, "role": plan.role, "taints": list(plan.kubernetes.taints),
    }
