"""matchbox: a profile for each node and a group that chooses it by MAC; kickstarts stay where `render` wrote them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kfimage.artefact import Artefact
from kfimage.errors import Report
from kfimage.exports.made import Made, beside, file, need_url
from kfimage.model import Plan
from kfimage.render import netboot
from kfimage.render.kickstart import Piece

TITLE = "matchbox groups and profiles (JSON)"


def sections(plan: Plan) -> tuple[Piece, ...]:
    return ()


def check(made: Made, report: Report) -> None:
    need_url(made, report)


def export(made: Made) -> Iterator[Artefact]:
    for plan in made.plans:
        yield file(f"profiles/{plan.name}.json", _json(profile(plan)), plan.name)
        # Without a MAC there is no group: one without a selector would install every machine that asks.
        if plan.node is not None and plan.node.boot_mac is not None and plan.boot.nodes == "install":
            yield file(f"groups/{plan.name}.json", _json(group(plan, plan.node.boot_mac)), plan.name)
    yield file("README.md", beside(__file__, "README.md"))


def profile(plan: Plan) -> dict[str, Any]:
    url = plan.boot.url or ""
    files = f"{url}/netboot/{plan.release.name}"
    args = ["initrd=initrd.img", *netboot.inst_args(plan, url)]
    if plan.node is not None and plan.node.boot_mac is not None:
        args.append(f"BOOTIF={netboot.dashed(plan.node.boot_mac)}")
    return {
        "boot": {"args": args, "initrd": [f"--name initrd.img {files}/initrd.img"], "kernel": f"{files}/vmlinuz"},
        "id": plan.name, "name": f"{plan.name} ({plan.role}, {plan.release.name})",
    }


def group(plan: Plan, mac: str) -> dict[str, Any]:
    metadata = {"release": plan.release.name, "role": plan.role, "site": plan.site}
    return {"id": plan.name, "metadata": metadata, "name": plan.name, "profile": plan.name, "selector": {"mac": mac}}


def _json(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=2, sort_keys=True) + "\n"
