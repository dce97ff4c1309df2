"""The root that %post made, booted with real systemd: the steps in order, again at the next boot, after a change, after a fault."""

from __future__ import annotations

import os
import random
import re
from typing import Any

import kit
import pytest

from . import hardware
from .conftest import SOAK, Lab
from .machine import Node

pytestmark = pytest.mark.slow
soak = pytest.mark.skipif(not SOAK, reason="another boot: KFIMAGE_SOAK=1 runs it")
FIRSTBOOT = kit.ROOT / "firstboot" / "steps"
# What a boot may write: logs, the clock's and systemd's own files, sqlite's, and what the test itself lays down.
_MOVING = (r"^/var/log", r"^/run", r"^/tmp", r"^/var/tmp", r"^/var/lib/(systemd|NetworkManager|chrony|dbus|private|rsyslog|kf-test-report)", r"^/var/spool",
           r"\.sqlite", r"^/opt/kf-test", r"^/var/cache", r"^/etc/(resolv.conf|\.updated|ld.so.cache)", r"^/var/\.updated", r"/\.rpm\.lock$")  # fmt: skip


def done(journal: list[dict[str, Any]]) -> dict[str, int]:
    """When each step said that it is done, by the clock of that boot."""
    found = {}
    for entry in journal:
        match = re.fullmatch(r"([a-z]+): done", str(entry.get("MESSAGE")))
        if match and entry.get("_SYSTEMD_UNIT") == f"kfimage-{match.group(1)}.service":
            found[match.group(1)] = int(entry["__MONOTONIC_TIMESTAMP"])
    return found


def said(journal: list[dict[str, Any]], pattern: str) -> list[str]:
    return [str(e.get("MESSAGE")) for e in journal if re.search(pattern, str(e.get("MESSAGE")))]


def words(step: str, key: str) -> list[str]:
    """A `# key:` line of a step's run.sh."""
    return [w for line in re.findall(rf"^# {key}:(.*)$", (FIRSTBOOT / step / "run.sh").read_text(), re.M) for w in line.split()]


def steps(lab: Lab, name: str) -> list[str]:
    return [s for s in kit.facts(lab.kickstarts[name])["KF_STEPS"].split() if (FIRSTBOOT / s / "run.sh").is_file()]


def ready(lab: Lab, name: str, *, gpus: int = 1) -> Node:
    node, result = lab.install(name)
    assert result.status == 0, result.output
    hardware.give(node, gpus=gpus)
    return node


def converged(node: Node, state: str = "ready") -> None:
    report = hardware.report(node)
    wanted = {"kfimage.target": "active", "kfimage-retry.timer": "inactive", "crio": "active", "kubelet": "inactive", "firewalld": "active"}
    assert {key: report[key] for key in wanted} == wanted, report
    assert report["state"] == state
    assert report["failed"].strip() == ""


def test_a_gpu_node_converges_in_order_and_then_does_nothing(lab: Lab) -> None:
    node = ready(lab, "gpu-01")
    every = steps(lab, "gpu-01")

    first = node.boot()
    converged(node)
    report = hardware.report(node)
    assert report["runtime"] == "nvidia"
    assert report["differs"].strip() == ""
    assert int(report["rules"]) >= 1
    assert not said(first, r"ordering cycle|Unknown (lvalue|key)|Failed to (parse|resolve)")
    when = done(first)
    assert sorted(when) == sorted(every)
    for step in every:
        for other in set(words(step, "after")) & set(every):
            assert when[other] < when[step], f"{step} before {other}"
    assert len(node.text("/var/lib/burn-in").splitlines()) == 1
    assert [told["state"] for told in lab.rack.posted()] == ["ready"]
    assert "ready to join 10.20.0.10:6443" in node.text("/etc/motd.d/kfimage")
    before = node.changes(*_MOVING)

    # What is done and depends on no boot is not even looked at; the rest looks, and has nothing to write but its stamp.
    second = node.boot()
    converged(node)
    each_boot = {step for step in every if words(step, "stamp") == ["/proc/sys/kernel/random/boot_id"]}
    assert set(done(second)) == each_boot
    assert {m.split(":")[0] for m in said(second, r"^[a-z]+: already done$")} == set(every) - each_boot
    after = node.changes(*_MOVING, r"^/var/lib/kfimage/(done/|status.json)")
    assert {p: c[:5] for p, c in after.items()} == {p: c[:5] for p, c in before.items() if p in after}
    assert not [path for path in before if path not in after and not path.startswith(("/var/lib/kfimage/done/", "/var/lib/kfimage/status.json"))]
    assert len(lab.rack.posted()) == 1

    # A changed fact: of the steps that do not look at each boot, exactly those that read it.
    facts = node.file("/etc/kfimage/facts.env")
    facts.write_text(facts.read_text().replace('KF_NTP="10.20.0.1"', 'KF_NTP="10.20.0.2"'))
    third = node.boot()
    converged(node)
    assert set(done(third)) - each_boot == {step for step in every if "KF_NTP" in words(step, "needs")} == {"time"}
    assert "server 10.20.0.2 iburst" in node.text("/etc/chrony.conf")
    assert len(node.text("/var/lib/burn-in").splitlines()) == 1


def test_a_step_that_fails_twice_is_tried_again_and_reported_once(lab: Lab) -> None:
    node = ready(lab, "cp-01")
    node.file("/etc/kfimage/hooks/firstboot.d/01-burn-in.sh").write_text(
        '#!/bin/bash\necho x >>/var/lib/burn-in\n[ "$(wc -l </var/lib/burn-in)" -ge 3 ] || { echo "memory test: 2 errors"; exit 7; }\n'
    )
    journal = node.boot()
    converged(node)
    assert len(node.text("/var/lib/burn-in").splitlines()) == 3
    told = [(t["state"], t["step"]) for t in lab.rack.posted()]
    assert told == [("failed", "hooks"), ("ready", "ready")], told
    fault = lab.rack.posted()[0]
    assert fault["message"] == "hooks: /etc/kfimage/hooks/firstboot.d/01-burn-in.sh ended with status 7".split(": ", 1)[1], fault
    assert "01-burn-in.sh" in fault["next"]
    assert any("memory test: 2 errors" in line for line in fault["log"])
    # What is done stays done while the timer tries: every other step ran once.
    for step in set(steps(lab, "cp-01")) - {"hooks", "ready"}:
        assert len(said(journal, rf"^{step}: done$")) == 1, step
    # `ready` waited behind it, and that was no fault of its own.
    assert not [t for t in lab.rack.posted() if t["step"] == "ready" and t["state"] == "failed"]


def test_a_fault_stays_visible_until_somebody_mends_it(lab: Lab) -> None:
    """CRI-O's binary is broken: its step fails, those behind it wait, the console and the login say so."""
    node = ready(lab, "cp-01")
    node.file("/usr/local/bin/crio").write_text("#!/bin/sh\necho no such instruction >&2\nexit 132\n")
    manifest = node.file("/var/lib/kfimage/crio.manifest")
    lines = [line for line in manifest.read_text().splitlines() if not line.endswith("/crio")]
    manifest.write_text("\n".join(lines) + "\n")
    hardware.until(node, "grep -q '\"step\": \"crio\"' /var/lib/kfimage/status.json")
    node.boot()
    report = hardware.report(node)
    assert (report["state"], report["kfimage.target"]) == ("failed", "inactive")
    assert report["kfimage-retry.timer"] == "active"
    for path in ("/etc/motd.d/kfimage", "/etc/issue.d/kfimage.issue"):
        text = node.text(path)
        assert "kfimage: cp-01 is failed: crio: " in text
        assert "kfimage: next: " in text
    assert {t["step"] for t in lab.rack.posted()} == {"crio"}
    assert not node.file("/var/lib/kfimage/done/ready").exists()
    assert not node.file("/var/lib/kfimage/done/kubelet").exists()


@pytest.fixture(scope="module")
def whole(session: Lab) -> dict[str, Any]:
    """What a GPU node is after a first boot that nothing disturbed."""
    session.rack.forget()
    node = ready(session, "gpu-01")
    node.boot()
    converged(node)
    return state(node)


def state(node: Node) -> dict[str, Any]:
    """All that the first boot made, but for when it made it: content, mode and owner."""
    changes = node.changes(*_MOVING, r"^/var/lib/kfimage/(done/|status.json|crio.config)", r"^/var/lib/burn-in", r"^/etc/machine-id")
    return {path: change[:4] for path, change in changes.items()}


# Where a first boot that takes about eleven seconds is cut; CI takes one place, the soak fifty others, at random each time.
CUTS = [random.uniform(0.3, 14) for _ in range(int(os.environ.get("KFIMAGE_CUTS", "50")))] if SOAK else [4.2]


@pytest.mark.parametrize("seconds", CUTS, ids=[f"{s:.2f}s" for s in CUTS])
def test_a_power_cut_leaves_nothing_that_the_next_boot_does_not_mend(lab: Lab, whole: dict[str, Any], seconds: float) -> None:
    node = ready(lab, "gpu-01")
    node.boot_and_cut(seconds)
    node.boot()
    converged(node)
    assert state(node) == whole
    # A hook that was cut off may run again; one that was done may not.
    assert 1 <= len(node.text("/var/lib/burn-in").splitlines()) <= 2


@soak
def test_a_gpu_node_without_a_gpu_says_so_and_runs_plain_containers(lab: Lab) -> None:
    node = ready(lab, "gpu-01", gpus=0)
    node.boot()
    converged(node, "no-gpu")
    assert hardware.report(node)["runtime"] == "runc"
    assert not node.file("/etc/crio/crio.conf.d/99-nvidia.conf").exists()
    assert [told["state"] for told in lab.rack.posted()] == ["no-gpu"]
