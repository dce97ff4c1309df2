"""The command line in this process: arguments in; exit code, stdout and stderr out."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Optional

ROOT = Path(__file__).resolve().parents[2]
GOOD_SITE = """\
kfimage: 1
site: lab
install: {url: http://10.20.0.5/rhel-8.7/BaseOS}
boot: {url: http://10.20.0.5/kfimage}
access: {admin: ops, ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICv5iQ7m4p0N3m0hXk8b3h5r9n1u2w3x4y5z6A7B8C9D ops@lab]}
network: {dns: [10.20.0.1], gateway: 10.20.1.1}
kubernetes: {api: 10.20.0.10:6443, pods: 10.244.0.0/16}
groups:
  rack-a: {match: {name: gpu-a*}, kubernetes: {labels: {rack: a}}}
nodes:
  gpu-a01: {role: gpu-worker, mac: 52:54:00:12:34:56, address: 10.20.1.11/24}
  cpu-b01: {role: cpu-worker, mac: 52:54:00:12:34:57, selinux: enforcing}
"""


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def kfimage(*args: object) -> Ran:
    """Run one command in this process."""
    from kfimage.cli.app import app

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code: Optional[object] = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app([str(a) for a in args], prog_name="kfimage")
        except SystemExit as end:
            code = end.code
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return Ran(int(code or 0), *texts)  # type: ignore[call-overload]


def process(*args: str, python: tuple[str, ...] = (), cwd: Optional[Path] = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m kfimage` as people do."""
    here = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, *python, "-m", "kfimage", *args], capture_output=True, text=True, cwd=cwd, env=here, timeout=120
    )
