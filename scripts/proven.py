"""Writes kfimage/verify/proven.txt: the payload's scripts, proven one by one."""

from __future__ import annotations

import sys
from pathlib import Path

from kfimage.assets import builtin
from kfimage.catalog import Catalog
from kfimage.render.payload import Payload
from kfimage.verify import guide, shell
from kfimage.verify.prove import digest, is_script, place_of

LIST = Path(__file__).parent.parent / "kfimage/verify/proven.txt"


def lines() -> list[str]:
    """A line for each script of the built-in payload without a finding: its digest and its path."""
    found = []
    for place, (data, _) in Payload(Catalog(builtin())).files.items():
        path = f"firstboot/root/{place}"
        if is_script(path, data):
            report = shell.check_script(data.decode(), path, place=place_of(path))
            report.extend(guide.check_text(data.decode(), path))
            if report:
                sys.stderr.write("".join(f"{problem}\n" for problem in report))
            else:
                found.append(f"{digest(path, data)}  {path}\n")
    return found


if __name__ == "__main__":
    LIST.write_text("".join(lines()))
