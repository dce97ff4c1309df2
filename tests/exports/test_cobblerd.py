"""A real cobblerd 3.3.10 gets what `render --format cobbler` wrote and gives it back byte for byte.

Needs root, unshare, rsync and KFIMAGE_COBBLER, a virtual environment made by tests/exports/cobblerd/venv.sh.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exports.hostile import bodies
from exports.sites import exported, rack
from kfimage.artefact import Artefact
from kfimage.exports.cobbler import engine
from kfimage.exports.merge import Choice, Part, Text, Value, filled
from kfimage.sinks import directory

HERE = Path(__file__).resolve().parent
VENV = os.environ.get("KFIMAGE_COBBLER", "")
MISSING = [w for w in ("unshare", "nsenter", "ip", "rsync") if shutil.which(w) is None] + (["root"] if os.geteuid() else []) + (["KFIMAGE_COBBLER"] if not VENV else [])
BODIES = int(os.environ.get("KFIMAGE_EXAMPLES") or 100)
NODE = "/cblr/svc/op/autoinstall/system/{}"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=f"NOT TESTED against the real Cobbler: {', '.join(MISSING)} missing (tests/exports/cobblerd/venv.sh)")]


class Cobbler:
    """A running cobblerd."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.process = subprocess.Popen([str(HERE / "cobblerd/start.sh"), str(root), VENV], start_new_session=True)
        for _ in range(120):
            time.sleep(0.5)
            assert self.process.poll() is None, (root / "cobblerd.log").read_text()
            if self.run("test", "-e", "/var/lib/cobbler/web.ss").returncode == 0 and self._answers():
                return
        raise AssertionError((root / "cobblerd.log").read_text())

    def _answers(self) -> bool:
        try:
            return bool(self.ask(["ping"])[0])
        except AssertionError:
            return False

    def run(self, *words: str, input: Optional[str] = None, env: Optional[dict[str, str]] = None) -> subprocess.CompletedProcess[str]:
        """A command in cobblerd's namespace; `exec` made its pid that of start.sh."""
        whole = {**os.environ, "PATH": f"{VENV}/bin:{os.environ['PATH']}", **(env or {})}
        return subprocess.run(["nsenter", "-t", str(self.process.pid), "-m", "-n", *words], input=input, env=whole, capture_output=True, text=True, timeout=600, check=False)

    def ask(self, *calls: Sequence[Any]) -> list[Any]:
        """The answers to XML-RPC calls and HTTP requests; see inside.py."""
        done = self.run(f"{VENV}/bin/python", str(HERE / "cobblerd/inside.py"), input=json.dumps(calls))
        assert done.returncode == 0, done.stderr[-2000:]
        answers: list[Any] = json.loads(done.stdout)
        return answers

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def cobbler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cobbler]:
    found = Cobbler(tmp_path_factory.mktemp("cobbler"))
    try:
        calls: list[list[Any]] = []
        for name in ("rhel-8.7", "rhel-8.10"):
            handle = {"answer": len(calls)}
            values = {"name": name, "arch": "x86_64", "breed": "redhat", "os_version": "rhel8", "kernel": "/var/lib/cobbler/vmlinuz", "initrd": "/var/lib/cobbler/initrd.img"}
            calls += [["new_distro", "TOKEN"], *(["modify_distro", handle, key, value, "TOKEN"] for key, value in values.items()), ["save_distro", handle, "TOKEN"]]
        found.ask(*calls)
        yield found
    finally:
        found.stop()


def expected(files: dict[str, Artefact]) -> dict[str, str]:
    """What each node must get."""
    return {a.owner: a.content.decode() for a in files.values() if a.kind == "kickstart"}


def push(files: dict[str, Artefact], prefix: str, *, static: bool = False) -> list[list[Any]]:
    """The calls that put a bundle into an empty Cobbler, in the order a push makes them."""
    calls: list[list[Any]] = []

    def call(*words: Any) -> dict[str, int]:
        calls.append(list(words))
        return {"answer": len(calls) - 1}

    for path, artefact in files.items():
        for kind in ("templates", "snippets"):
            if path.startswith(f"cobbler/{kind}/"):
                method = "write_autoinstall_template" if kind == "templates" else "write_autoinstall_snippet"
                call(method, path.removeprefix(f"cobbler/{kind}/"), artefact.content.decode(), "TOKEN")
    for profile in json.loads(files["cobbler/bundle.json"].content)["profiles"]:
        handle = call("new_profile", "TOKEN")
        for key in ("name", "distro", "autoinstall", "autoinstall_meta", "kernel_options"):
            call("modify_profile", handle, key, prefix + profile[key] if key == "name" else profile[key], "TOKEN")
        call("save_profile", handle, "TOKEN")
        for system in profile["systems"]:
            handle = call("new_system", "TOKEN")
            keys = {**{key: system[key] for key in ("hostname", "kernel_options", "netboot_enabled", "autoinstall_meta")}}
            for key, value in {"name": prefix + system["name"], "profile": prefix + profile["name"], **keys}.items():
                call("modify_system", handle, key, value, "TOKEN")
            if static:
                call("modify_system", handle, "autoinstall", system["static_autoinstall"], "TOKEN")
            call("save_system", handle, "TOKEN")
    return calls


@pytest.mark.parametrize(("form", "static"), [("cobbler", False), ("cobbler", True), ("cobbler-cheetah", False), ("cobbler-cheetah", True)])
def test_every_node_of_the_rack_gets_its_bytes(cobbler: Cobbler, form: str, static: bool) -> None:
    files, _ = rack(form)
    wanted, prefix = expected(files), f"{form}-{static}-".lower()
    cobbler.ask(*push(files, prefix, static=static))
    served = cobbler.ask(*(["GET", NODE.format(prefix + name)] for name in wanted))
    assert len(wanted) == 12
    for (name, text), (status, got) in zip(wanted.items(), served):
        assert (status, got) == (200, text), name


def test_apply_sh_adds_then_edits_and_reads_back(cobbler: Cobbler, tmp_path: Path) -> None:
    files, _ = rack("cobbler")
    directory.write(tmp_path, files.values(), {})
    apply = str(tmp_path / "cobbler/apply.sh")
    first = cobbler.run(apply)
    assert first.returncode == 0, first.stdout + first.stderr
    nodes = expected(files)
    assert cobbler.ask(*(["GET", NODE.format(name)] for name in nodes)) == [[200, text] for text in nodes.values()]
    # A node that is installed stays installed: applying again does not switch its netboot on.
    assert cobbler.ask(["GET", "/cblr/svc/op/nopxe/system/gpu-a1"])[0][1].strip() == "True"
    before = cobbler.ask(*(["get_system", name] for name in nodes))
    assert [system["netboot_enabled"] for system in before] == [name != "gpu-a1" for name in nodes]
    again = cobbler.run(apply)
    assert again.returncode == 0, again.stdout + again.stderr
    after = cobbler.ask(*(["get_system", name] for name in nodes))
    assert [{k: v for k, v in s.items() if k != "mtime"} for s in after] == [{k: v for k, v in s.items() if k != "mtime"} for s in before]
    bonded = dict(zip(nodes, after))["gpu-b1"]
    assert {name: port["mac_address"] for name, port in bonded["interfaces"].items()} == {"eno1": "52:54:00:20:04:01", "eno2": "52:54:00:20:04:02"}


def test_apply_sh_notices_what_cobbler_serves_instead(cobbler: Cobbler, tmp_path: Path) -> None:
    """A template that Cobbler cannot render is HTTP 200 and exit code 0 there; here it is a failure."""
    files, _ = exported("cobbler", roles=("cpu-worker",))
    directory.write(tmp_path, files.values(), {})
    template = tmp_path / "cobbler/templates/kfimage/cpu-worker-rhel-8.7.ks"
    template.write_text(template.read_text() + "{% if %}\n")
    broken = cobbler.run(str(tmp_path / "cobbler/apply.sh"))
    assert broken.returncode == 1
    assert "system cpu-a1: Cobbler serves other bytes" in broken.stderr and "EXCEPTION OCCURRED" in broken.stderr
    assert cobbler.ask(["GET", NODE.format("cpu-a1")])[0][0] == 200
    directory.write(tmp_path, files.values(), {})
    assert cobbler.run(str(tmp_path / "cobbler/apply.sh")).returncode == 0


def test_apply_sh_without_the_distro(cobbler: Cobbler, tmp_path: Path) -> None:
    files, _ = exported("cobbler", roles=("cpu-worker",))
    directory.write(tmp_path, files.values(), {})
    done = cobbler.run(str(tmp_path / "cobbler/apply.sh"), env={"KF_COBBLER_DISTRO": "absent"})
    assert done.returncode == 1 and "no distro 'absent'" in done.stderr


def test_the_loop_breaker_switches_netboot_off(cobbler: Cobbler, tmp_path: Path) -> None:
    """The script of the last %post, with the kernel line that Cobbler gave, against Cobbler itself."""
    files, _ = rack("cobbler")
    cobbler.ask(*push(files, "loop-"))
    script = files["kickstart/gpu-b1.ks"].content.decode().rpartition("--log=/var/log/kfimage/cobbler.log\n")[2].removesuffix("%end\n")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cmdline").write_text(f"initrd=i inst.ks.sendmac inst.ks=http://127.0.0.1{NODE.format('loop-gpu-b1')} quiet\n")
    assert cobbler.ask(["get_system", "loop-gpu-b1"])[0]["netboot_enabled"] is True
    done = cobbler.run("bash", "-c", script, env={"KFIMAGE_ROOT": str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")
    assert cobbler.ask(["get_system", "loop-gpu-b1"], ["get_system", "loop-gpu-b2"])[0]["netboot_enabled"] is False
    assert cobbler.ask(["get_system", "loop-gpu-b2"])[0]["netboot_enabled"] is True


def test_snippets_stand_in_a_template_of_ones_own(cobbler: Cobbler) -> None:
    files, made = rack("cobbler-cheetah")
    cobbler.ask(*push(files, "own-"))
    own = "# mine: $system_name\n$SNIPPET('kfimage/gpu-worker-rhel-8.7-pre')$SNIPPET('kfimage/gpu-worker-rhel-8.7-post')# end\n"
    answers = cobbler.ask(
        ["write_autoinstall_template", "own.ks", own, "TOKEN"], ["get_system_handle", "own-gpu-b3", "TOKEN"],
        ["modify_system", {"answer": 1}, "autoinstall", "own.ks", "TOKEN"], ["save_system", {"answer": 1}, "TOKEN"], ["GET", NODE.format("own-gpu-b3")],
    )
    pieces = next(one.pieces for one in made.kickstarts() if one.plan.name == "gpu-b3")
    wanted = "".join(p.text for p in pieces if p.section.name[:3] in ("75-", "80-", "81-", "85-", "86-", "87-", "90-", "91-", "92-", "93-", "94-", "95-"))
    assert answers[-1][1] == f"# mine: own-gpu-b3\n{wanted}# end\n"


@pytest.mark.parametrize("form", ["jinja", "cheetah"])
def test_hostile_bodies(cobbler: Cobbler, form: str) -> None:
    """Every body, around values and choices as templates have them, through the node's own URL."""
    cases: list[tuple[list[Part], dict[str, str]]] = []

    @settings(max_examples=BODIES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.tuples(bodies, bodies, bodies, st.sampled_from(["a1", "none"])))
    def collect(found: tuple[str, str, str, str]) -> None:
        first, second, value, chosen = found
        parts: list[Part] = [Text("#version=RHEL8\n" + first), Value("kf_x"), Choice("kf_c", (("a1", (Text(second or "x"), Value("kf_x"))),)), Text("\n%end\n")]
        table = {"kf_c": chosen, "kf_x": value}
        if not engine.lost(filled(parts, table)):
            cases.append((parts, table))

    collect()
    assert len(cases) > BODIES * 0.7
    write = engine.jinja if form == "jinja" else engine.cheetah
    files, _ = rack("cobbler")
    name = f"fuzz-{form}"
    cobbler.ask(*push({p: a for p, a in files.items() if p.endswith(("bundle.json", "worker-rhel-8.7.ks", "8.10.ks", "plane-rhel-8.7.ks"))}, f"{name}-"))
    calls: list[list[Any]] = [["write_autoinstall_template", f"{name}.ks", "x", "TOKEN"], ["get_system_handle", f"{name}-cpu-a1", "TOKEN"]]
    calls.append(["modify_system", {"answer": 1}, "autoinstall", f"{name}.ks", "TOKEN"])
    start = len(calls)
    for parts, table in cases:
        calls += [["write_autoinstall_template", f"{name}.ks", write(parts), "TOKEN"], ["modify_system", {"answer": 1}, "autoinstall_meta", table, "TOKEN"],
                  ["save_system", {"answer": 1}, "TOKEN"], ["GET", NODE.format(f"{name}-cpu-a1")]]
    answers = cobbler.ask(*calls)[start + 3 :: 4]
    changed = [(filled(parts, table), got) for (parts, table), (_, got) in zip(cases, answers) if got != filled(parts, table)]
    assert len(answers) == len(cases) and not changed, changed[:2]
