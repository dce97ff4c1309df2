"""`make bench`: what kfimage costs, each time as a ratio to something measured in the same run; writes build/bench.json.

A row is {name, value, unit, baseline, ratio, goal, met}. Wall clock, median of the rounds; machines differ, ratios hardly do.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional

import rack

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KFIMAGE = Path(sys.executable).with_name("kfimage")
NODES = int(os.environ.get("KFIMAGE_BENCH_NODES", "10000"))
ROUNDS = int(os.environ.get("KFIMAGE_BENCH_ROUNDS", "3"))
STARTS = 5 * ROUNDS
MEGABYTES = 400


class Run(NamedTuple):
    """How long a command took, and the most memory it had, in MB."""

    seconds: float
    peak: float


def run(*command: object, cwd: Path) -> Run:
    """Run a command to its end; anything but exit code 0 ends the benchmark."""
    start = time.perf_counter()
    with open(cwd / "stderr", "w+") as stderr:
        child = subprocess.Popen([str(c) for c in command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            stderr.seek(0)
            raise SystemExit(f"{' '.join(map(str, command))}: exit {child.returncode}\n{stderr.read()[-3000:]}")
    return Run(seconds, usage.ru_maxrss / 1024)


def row(name: str, value: float, unit: str, goal: float, baseline: Optional[float] = None, *, met: Optional[bool] = None) -> dict[str, Any]:
    """A row; the goal is for the ratio where there is a baseline, for the value otherwise."""
    ratio = None if baseline is None else value / baseline
    if met is None:
        met = (value if ratio is None else ratio) <= goal
    rounded = {"value": round(value, 4), "baseline": baseline and round(baseline, 4), "ratio": ratio and round(ratio, 2)}
    return {"name": name, **rounded, "unit": unit, "goal": goal, "met": met}


def fleet(work: Path) -> Iterator[dict[str, Any]]:
    """A large site rendered whole, rendered again with one node changed, and its files written with nothing else to do."""
    site, tree, copy = work / "site.yaml", work / "tree", work / "copy"
    changed = NODES // 2 + 1
    first, second, alone, touched = [], [], [], set()
    for _ in range(ROUNDS):
        shutil.rmtree(tree, ignore_errors=True)
        shutil.rmtree(copy, ignore_errors=True)
        site.write_text(rack.text(NODES))
        first.append(run(KFIMAGE, "render", "--output", tree, cwd=work))
        alone.append(float(subprocess.run([sys.executable, HERE / "alone.py", tree, copy], check=True, capture_output=True).stdout))
        before = stamps(tree)
        site.write_text(rack.text(NODES, changed=changed))
        second.append(run(KFIMAGE, "render", "--output", tree, cwd=work))
        after = stamps(tree)
        touched |= {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    whole = statistics.median(r.seconds for r in first)
    yield row(f"render: {NODES} nodes, against writing the same files alone", whole, "s", 4, statistics.median(alone))
    yield row(f"render: {NODES} nodes, peak memory", max(r.peak for r in first), "MB", MEGABYTES)
    yield row(f"render: one of {NODES} nodes changed, against the whole", statistics.median(r.seconds for r in second), "s", 0.3, whole)
    own = {p for p in touched if p not in ("index.json", ".kfimage-memory.json")}
    strange = {p for p in own if rack.name(changed) not in p and "01-" + rack.mac(changed).replace(":", "-") not in p}
    yield row("render: files of other nodes touched by that run", len(strange), "files", 0, met=not strange and bool(own))


def stamps(tree: Path) -> dict[str, tuple[int, int]]:
    """What shows that a file was written: its inode and when that last changed."""
    found = {}
    for folder, _, names in os.walk(tree):
        for name in names:
            at = os.lstat(os.path.join(folder, name))
            found[os.path.relpath(os.path.join(folder, name), tree)] = (at.st_ino, at.st_ctime_ns)
    return found


def starts(work: Path) -> Iterator[dict[str, Any]]:
    """What one short command costs, against Python doing nothing. The commands take turns, so that a busy moment hits all alike."""
    commands = {
        "pass": (sys.executable, "-c", "pass"),
        "kfimage --help": (KFIMAGE, "--help"),
        "kfimage render --role gpu-worker, proof included": (KFIMAGE, "render", "--role", "gpu-worker"),
    }
    empty = work / "empty"
    empty.mkdir()
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(STARTS):
        for name, command in commands.items():
            shutil.rmtree(empty / "out", ignore_errors=True)
            taken[name].append(run(*command, cwd=empty).seconds)
    base, brief, render = (statistics.median(times) for times in taken.values())
    yield row("kfimage --help, against python -c pass", brief, "s", 8, base)
    yield row("kfimage render --role gpu-worker, proof included, against python -c pass", render, "s", 40, base)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for people."""
    lines = [f"{'':78} {'value':>10} {'baseline':>10} {'ratio':>7} {'goal':>6}"]
    for r in rows:
        value, baseline, ratio = f"{r['value']:.4g} {r['unit']}", "" if r["baseline"] is None else f"{r['baseline']:.4g}", "" if r["ratio"] is None else f"{r['ratio']:.2f}"
        lines.append(f"{r['name']:78} {value:>10} {baseline:>10} {ratio:>7} {r['goal']:>6} {'met' if r['met'] else 'NOT MET'}")
    return "\n".join(lines)


def main() -> int:
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as folder:
        work = Path(folder)
        # The first start of all compiles what is not compiled yet.
        run(KFIMAGE, "--version", cwd=work)
        for rows_of in (starts, fleet):
            rows.extend(rows_of(work))
    (build / "bench.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))
    return 0 if all(r["met"] for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
