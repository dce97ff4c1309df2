"""Writes kfimage/verify/proven.txt: the payload's scripts and those that kickstarts paste, proven one by one."""

from __future__ import annotations

import sys
from pathlib import Path

from kfimage.assets import builtin
from kfimage.catalog import Catalog
from kfimage.render.payload import Payload
from kfimage.verify import guide, shell
from kfimage.verify.prove import PASTED, digest, is_script, place_of

LIST = Path(__file__).parent.parent / "kfimage/verify/proven.txt"


def lines() -> list[str]:
    """A line for each script without a finding: its digest and its path."""
    catalog = Catalog(builtin())
    payload = {f"firstboot/root/{place}": data for place, (data, _) in Payload(catalog).files.items()}
    scripts = [(path, data, place_of(path)) for path, data in payload.items() if is_script(path, data)]
    scripts += [(path, catalog.read(path), place) for path, place in PASTED.items()]
    found = []
    for path, data, place in scripts:
        report = shell.check_script(data.decode(), path, place=place)
        report.extend(guide.check_text(data.decode(), path))
        if report:
            sys.stderr.write("".join(f"{problem}\n" for problem in report))
        else:
            found.append(f"{digest(path, data)}  {path}\n")
    return found


if __name__ == "__main__":
    LIST.write_text("".join(lines()))
