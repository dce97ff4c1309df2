"""Redfish: the requests that boot each node once from an installer image as virtual media, as data and as a page to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kfimage.artefact import Artefact
from kfimage.errors import Report
from kfimage.exports.made import Made, file, fill, need_url
from kfimage.model import Plan
from kfimage.render import netboot
from kfimage.render.kickstart import Piece

TITLE = "Redfish virtual media recipe (JSON and Markdown)"

_MEDIA = "/redfish/v1/Managers/{manager}/VirtualMedia/{slot}"
_SYSTEM = "/redfish/v1/Systems/{system}"
STEPS: tuple[dict[str, Any], ...] = (
    {"why": "find {system}, {manager} and a {slot} whose MediaTypes hold CD or DVD", "method": "GET", "path": "/redfish/v1/Systems"},
    {
        "why": "put the image in", "method": "POST", "path": f"{_MEDIA}/Actions/VirtualMedia.InsertMedia",
        "body": {"Image": "{image}", "Inserted": True, "WriteProtected": True},
    },
    {
        "why": "boot it once, so that the installed system starts afterwards", "method": "PATCH", "path": _SYSTEM,
        "body": {"Boot": {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideMode": "UEFI", "BootSourceOverrideTarget": "Cd"}},
    },
    {"why": "start the machine (ForceRestart when it is on)", "method": "POST", "path": f"{_SYSTEM}/Actions/ComputerSystem.Reset", "body": {"ResetType": "On"}},
    {"why": "when it is installed: take the image out", "method": "POST", "path": f"{_MEDIA}/Actions/VirtualMedia.EjectMedia", "body": {}},
)


def sections(plan: Plan) -> tuple[Piece, ...]:
    return ()


def check(made: Made, report: Report) -> None:
    need_url(made, report)


def export(made: Made) -> Iterator[Artefact]:
    nodes = [_node(plan) for plan in made.plans if plan.node is not None]
    recipe = {
        "generator": made.generator, "nodes": nodes, "schema": 1, "site": made.site, "steps": STEPS,
        "variables": {"image": "URL of the installer image", "manager": "id of the BMC", "slot": "id of its virtual drive", "system": "id of the machine"},
    }
    yield file("redfish.json", json.dumps(recipe, indent=1, sort_keys=True) + "\n")
    yield file("redfish.md", fill(__file__, "redfish.md.j2", made=made, nodes=nodes, steps=STEPS, json=json.dumps))


def _node(plan: Plan) -> dict[str, Any]:
    node = plan.node
    assert node is not None
    return {
        "name": plan.name, "hostname": node.hostname, "macs": list(node.macs), "role": plan.role, "release": plan.release.name,
        "kernel_args": list(netboot.inst_args(plan, plan.boot.url or "")),
    }
