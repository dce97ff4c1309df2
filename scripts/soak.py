"""`make soak`: every test with its full count, slow ones too; writes build/soak.json, a list of {name, count, passed, seconds}.

`name` is a test file, `count` the tests it ran, `passed` whether all of them passed. Arguments go to pytest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = "5000"


def rows(junit: Path) -> list[dict[str, object]]:
    """One row for each test file of a junit report."""
    count: dict[str, int] = defaultdict(int)
    bad: dict[str, int] = defaultdict(int)
    seconds: dict[str, float] = defaultdict(float)
    for case in ElementTree.parse(junit).iter("testcase"):
        name = case.get("classname", "").replace(".", "/")
        if case.find("skipped") is None:
            count[name] += 1
        bad[name] += case.find("failure") is not None or case.find("error") is not None
        seconds[name] += float(case.get("time", 0))
    return [{"name": n, "count": count[n], "passed": not bad[n], "seconds": round(seconds[n], 1)} for n in sorted(seconds)]


def main(arguments: list[str]) -> int:
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    junit = build / "soak.xml"
    environment = {"KFIMAGE_EXAMPLES": EXAMPLES, "KFIMAGE_SOAK": "1", "KFIMAGE_CUTS": "50", **os.environ}
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={junit}", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment)
    if junit.exists():
        (build / "soak.json").write_text(json.dumps(rows(junit), indent=1) + "\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
