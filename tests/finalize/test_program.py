"""The commands themselves, in processes of their own, in real time and with real kills."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from . import rig
from .program import kfimage
from .standin.server import running
from .standin.world import Weather

FAST = {"crd": 0.1, "pull": 0.005, "slots": 4, "start": 0.05, "issue": 0.05}


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    path = tmp_path / "stream.yaml"
    path.write_bytes(rig.dumped(rig.light()))
    return path


def started(folder: Path, *args: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "NO_COLOR": "1"}
    return subprocess.Popen([sys.executable, "-m", "kfimage", "finalize", *map(str, args)], cwd=folder, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(folder: Path, *args: object) -> tuple[int, str, str]:
    process = started(folder, *args)
    out, err = process.communicate(timeout=180)
    return process.returncode, out, err


@rig.needs_kubectl
def test_a_whole_life(tmp_path: Path, stream: Path) -> None:
    """plan, apply, verify, apply again, status: what they print, what they change, how they end."""
    with running(Weather(**FAST)) as server:
        options = ("--stream", stream, "--kubeconfig", server.kubeconfig(tmp_path / "kubeconfig"))
        before = server.world.version
        code, out, _ = ended(tmp_path, "plan", *options, "--json")
        planned = json.loads(out)
        assert code == 0 and server.world.version == before and server.world.requests["PATCH:apply"] == 0
        assert [(s["step"], s["state"]) for s in planned["steps"]] == [("preflight", "done"), ("kubeflow", "todo")]
        assert [w["wave"] for w in planned["waves"]] == list(range(7)) and [w["strict"] for w in planned["waves"]][:3] == [True, False, True]
        assert ended(tmp_path, "verify", *options)[0] == 1
        code, out, err = ended(tmp_path, "apply", *options, "--json")
        assert code == 0, err
        assert json.loads(out)["sent"] == len(rig.light()) and "wave 0 foundation: sending 82 of 82 objects" in err
        after = server.world.version
        code, out, err = ended(tmp_path, "apply", *options)
        assert (code, out) == (0, "") and "0 objects sent; nothing had to be changed" in err
        code, out, _ = ended(tmp_path, "verify", *options)
        assert code == 0 and "kubeflow: done" in out and server.world.version == after
        code, out, _ = ended(tmp_path, "status", "--json")
        assert code == 0 and [s["state"] for s in json.loads(out)["steps"]] == ["unchanged", "unchanged"]


@rig.needs_kubectl
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_kill_9_and_resume(seed: int, tmp_path: Path, stream: Path) -> None:
    draw = random.Random(seed)
    with running(Weather(**FAST)) as server:
        options = ("--stream", stream, "--kubeconfig", server.kubeconfig(tmp_path / "kubeconfig"))
        journal = tmp_path / "finalize.journal"
        command: tuple[object, ...] = ("apply", *options)
        for _ in range(3):
            process = started(tmp_path, *command)
            lines = (len(journal.read_bytes().splitlines()) if journal.exists() else 0) + draw.randint(2, 250)
            while process.poll() is None and (not journal.exists() or len(journal.read_bytes().splitlines()) < lines):
                time.sleep(0.005)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split() if process.poll() is None else []
            process.send_signal(signal.SIGKILL)
            process.communicate()
            end = time.monotonic() + 5
            while any(Path(f"/proc/{child}/cmdline").exists() and b"proxy" in Path(f"/proc/{child}/cmdline").read_bytes() for child in children):
                assert time.monotonic() < end, "kubectl proxy outlives the run that started it"
                time.sleep(0.05)
            command = ("resume",)
        code, _, err = ended(tmp_path, "resume")
        assert code == 0, err
        assert len(server.world.ready) == 49
        assert server.world.requests["PATCH:apply"] <= 1.1 * len(rig.light())
        assert "nothing had to be changed" in ended(tmp_path, "resume")[2]


@rig.needs_kubectl
def test_another_stream_than_the_one_meant_is_code_5(tmp_path: Path, stream: Path) -> None:
    said = kfimage("finalize", "plan", "--stream", stream, "--stream-sha256", "0" * 64)
    assert said.code == 5 and "KF9603" in said.err and hashlib.sha256(stream.read_bytes()).hexdigest() in said.err
    with running(Weather(**FAST)) as server:
        code, _, err = ended(tmp_path, "apply", "--stream", stream, "--kubeconfig", server.kubeconfig(tmp_path / "kubeconfig"), "--only", "preflight")
        assert code == 0, err
    stream.write_bytes(stream.read_bytes() + b"\n")
    assert kfimage("finalize", "resume", "--journal", tmp_path / "finalize.journal").code == 5


@rig.needs_kubectl
def test_a_server_that_is_not_there_is_code_4(tmp_path: Path, stream: Path) -> None:
    with running() as server:
        kubeconfig = server.kubeconfig(tmp_path / "kubeconfig")
    said = kfimage("finalize", "apply", "--stream", stream, "--kubeconfig", kubeconfig, "--journal", tmp_path / "j")
    assert said.code == 4 and "KF9662" in said.err and "refused" in said.err
    said = kfimage("finalize", "plan", "--stream", stream, "--kubeconfig", tmp_path / "absent")
    assert said.code == 4 and "KF9662" in said.err


def test_without_kubectl(tmp_path: Path, stream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = kfimage("finalize", "plan", "--stream", stream)
    assert said.code == 1 and "KF9666" in said.err


@pytest.mark.parametrize(("args", "word"), [
    (("plan", "--only", "kubeflaw"), "did you mean 'kubeflow'?"), (("plan", "--only", "preflight", "--skip", "preflight"), "no step is left"),
    (("plan", "--skip", "nothing"), "no step"),
])
def test_wrong_use(args: tuple[str, ...], word: str, stream: Path) -> None:
    said = kfimage("finalize", *args, "--stream", stream)
    assert said.code == 2 and word in said.err


def test_a_journal_without_a_run(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"")
    for command in ("status", "resume"):
        said = kfimage("finalize", command, "--journal", tmp_path / "j")
        assert said.code == 2 and "no run" in said.err
    assert kfimage("finalize", "status", "--journal", tmp_path / "absent").code == 1


def test_the_status_of_a_run_that_failed(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [
        {"event": "run", "time": "2026-01-01T00:00:00Z", "stream": "/s.yaml", "steps": ["preflight", "kubeflow"]},
        {"event": "step", "step": "preflight", "state": "failed", "reason": "no default StorageClass"}, {"event": "sent", "code": 201},
        {"event": "sent", "code": 409}]
    (tmp_path / "j").write_text("".join(json.dumps(e) + "\n" for e in events))
    said = kfimage("finalize", "status", "--journal", tmp_path / "j")
    assert said.code == 0 and "preflight: failed: no default StorageClass\nkubeflow: not reached\n1 object sent, 1 refused" in said.out
