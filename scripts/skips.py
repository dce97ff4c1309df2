"""Refuse a test run in which a test was skipped that CI is meant to run: `scripts/skips.py JUNIT...`; or in which none ran."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

ALLOWED = (
    (r"no TOML parser before Python 3\.11", "the newer Pythons run it"),
    (r"\.\./shared/\S+ is not here|shared/data", "data that lies beside the project, not in it"),
    (r"against the real Cobbler", "not in CI yet: tests/exports/cobblerd/venv.sh makes one to run it by hand"),
    (r"ansible-inventory is not installed", "the inventory is read back as YAML all the same"),
    (r"KFIMAGE_SOAK=1 runs it", "the seeded part runs its like; `make soak` runs all"),
    (r"systemd-analyze cannot load a root here", "some systemd versions cannot; the unit table does not depend on it"),
)
"""(what pytest gives as the reason, why that is no loss)"""


def refused(junit: Path) -> tuple[list[str], int]:
    """The skips that are not allowed, and how many tests ran."""
    found, ran = [], 0
    for case in ElementTree.parse(junit).iter("testcase"):
        skipped = case.find("skipped")
        if skipped is None:
            ran += 1
        elif skipped.get("type") != "pytest.xfail":
            reason = f"{skipped.get('message', '')} {skipped.text or ''}"
            if not any(re.search(pattern, reason) for pattern, _ in ALLOWED):
                found.append(f"{junit.name}: {case.get('classname')}::{case.get('name')}: {skipped.get('message')}")
    return found, ran


def main(paths: list[str]) -> int:
    bad = 0
    for path in map(Path, paths):
        found, ran = refused(path)
        for line in found:
            sys.stderr.write(f"skipped, and CI is meant to run it: {line}\n")
        if not ran:
            sys.stderr.write(f"{path}: no test ran\n")
        bad += len(found) + (not ran)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
