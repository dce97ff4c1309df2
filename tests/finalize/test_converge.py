"""The kubeflow step against the stand-in, through the real kubectl, on a clock that the test turns."""

from __future__ import annotations

import os
import random
import re
import subprocess
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from kfimage.errors import Exit
from kfimage.finalize.step import Retry

from . import rig
from .standin.world import CA, CONFIGURATIONS, Cut, Refusal, Weather

pytestmark = rig.needs_kubectl
SEEDS = [*range(6), *(pytest.param(n, marks=pytest.mark.slow) for n in range(6, 6 + int(os.environ.get("KFIMAGE_EXAMPLES", "0")) // 5))]
"""One of each kind of trouble; `KFIMAGE_EXAMPLES=1000` with the slow tests is the soak of 200 more."""


def test_the_real_stream_converges_with_one_send_each(tmp_path: Path) -> None:
    with rig.rig(tmp_path) as cluster:
        ran = cluster.run(rig.real())
        world = cluster.server.world
        assert [(r.step, r.changed) for r in ran] == [("preflight", False), ("kubeflow", True)]
        assert cluster.sends == world.requests["PATCH:apply"] == 611
        # Nothing failed but the looking for what is not there: kinds before their CRD, credentials before they are made.
        assert {e[:4] for e in world.errors.elements()} <= {"404 "}
        assert all(200 <= e["code"] < 300 for e in cluster.events if e["event"] == "sent")
        assert len(world.ready) == 49 and not [o for plural in CONFIGURATIONS for o in world.of(plural) if not _injected(o)]
        before = world.version
        again = cluster.run(rig.real())
        assert world.version == before and cluster.sends == 611 and not any(r.changed for r in again)


def _injected(config: dict[str, Any]) -> bool:
    return all(h["clientConfig"].get("caBundle") == CA for h in config["webhooks"])


@pytest.mark.slow
def test_the_naive_loop_beside_it(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """What the guide types, bounded: client-side apply of the whole stream until it succeeds; then the ordered plan on a fresh cluster."""
    stream = tmp_path / "stream.yaml"
    stream.write_bytes(rig.text())
    told: dict[str, object] = {}
    with rig.rig(tmp_path) as cluster:
        world, passes, failed = cluster.server.world, 0, []
        while not failed or failed[-1]:
            passes += 1
            assert passes < 30
            done = subprocess.run(["kubectl", "--kubeconfig", str(tmp_path / "kubeconfig"), "apply", "-f", str(stream)],
                                  capture_output=True, text=True, cwd=tmp_path, timeout=300)
            failed.append(len(re.findall(r"no matches for kind|failed calling webhook", done.stderr)))
            cluster.clock.sleep(10)
        told["naive"] = {"passes": passes, "offered": 611 * passes, "errors per pass": failed, "ready at its end": len(world.ready)}
        assert failed[:2] == [80, 9] and passes > 2 and len(world.ready) < 49
    with rig.rig(tmp_path) as cluster:
        cluster.run(rig.real())
        told["ordered"] = {"sends": cluster.sends, "errors": 0, "ready at its end": len(cluster.server.world.ready)}
    record_property("comparison", str(told))
    print(told)


def test_reapplying_as_the_loop_does_would_wipe_what_ours_keeps(tmp_path: Path) -> None:
    """The placeholder in the stream is what wipes the CA: the same object, normalised, leaves it."""
    with rig.rig(tmp_path) as cluster:
        cluster.run(rig.light())
        world = cluster.server.world
        key = ("admissionregistration.k8s.io", CONFIGURATIONS[0], "", "katib.kubeflow.org")
        raw = next(o.body for o in rig.light() if o.kind == "MutatingWebhookConfiguration" and o.name == "katib.kubeflow.org")
        kept = world.objects[key]
        assert _injected(kept)
        world.apply(key, raw, "naive", force=True, dry_run=False)
        assert not _injected(world.objects[key])


def test_only_what_is_gone_or_changed_is_sent_again(tmp_path: Path) -> None:
    with rig.rig(tmp_path) as cluster:
        cluster.run(rig.light())
        world, minio = cluster.server.world, ("apps", "deployments", "kubeflow", "minio")
        del world.objects[minio]
        world.ready.pop(minio)
        cluster.server.controllers.seen.pop(minio)
        before = cluster.sends
        assert [r.changed for r in cluster.run(rig.light())] == [False, True]
        assert cluster.sends == before + 1 and minio in world.ready
        newer = rig.Stream(tuple(_newer(o) for o in rig.light()))
        cluster.run(newer)
        assert cluster.sends == before + 2 and world.objects[minio]["spec"]["template"]["spec"]["containers"][0]["image"].endswith("-newer")
        assert world.objects[minio]["metadata"]["generation"] == 2 == world.objects[minio]["status"]["observedGeneration"]


def test_what_somebody_deletes_meanwhile_comes_back(tmp_path: Path) -> None:
    with rig.rig(tmp_path) as cluster:
        world, minio, gone = cluster.server.world, ("apps", "deployments", "kubeflow", "minio"), []

        def fault(verb: str, plural: str, name: str) -> None:
            if minio in world.ready and not gone:
                gone.append(world.objects.pop(minio))
                world.ready.pop(minio)
                cluster.server.controllers.seen.pop(minio)

        world.weather.fault = fault
        cluster.run(rig.light())
        assert gone and minio in world.ready and cluster.sends == len(rig.light()) + 1


def _newer(o: rig.Object) -> rig.Object:
    if o.id != "Deployment/kubeflow/minio":
        return o
    path = ("spec", "template", "spec", "containers", 0, "image")
    return o.but(rig.put(o.body, path, o.body["spec"]["template"]["spec"]["containers"][0]["image"] + "-newer"))


# -- faults ----------------------------------------------------------------------------------------------------------


class Trouble:
    """Faults drawn from a seed, and what a run with them may end in: None for the clean end, else an id and a word of the cause."""

    def __init__(self, seed: int, now: Callable[[], float]) -> None:
        self.random, self.now = random.Random(seed), now
        r = self.random
        self.weather = Weather(crd=r.choice([0.0, 1.0, 40.0]), pull=r.choice([0.5, 5.0]), slots=r.choice([1, 3]), start=r.choice([0.5, 5.0]))
        self.ends: Optional[tuple[str, str]] = None
        self.until = r.uniform(20, 200)
        self.rate = r.choice([0.0, 0.01, 0.05])
        self.away = r.uniform(0, 100), r.uniform(1, 60)
        kind = seed % 6
        if kind == 1:
            self.weather.webhook = self._webhook(r.choice(["connect: connection refused", "x509: certificate signed by unknown authority", "EOF"]), self.until)
        elif kind == 2:
            self.weather.webhook = self._webhook("dial tcp 10.244.1.7:10250: connect: no route to host", 1e9)
            self.ends = "KF9663", "no route to host"
        elif kind == 3:
            self.weather.absent = frozenset(("gcr.io/arrikto/kubeflow/oidc-authservice:e236439",))
            self.ends = "KF9664", "oidc-authservice:e236439"
        elif kind == 4:
            self.weather.default_class = False
            self.ends = "KF9672", "mysql-pv-claim"
        self.restarts = kind == 5
        self.weather.fault = self.fault
        self.weather.lost = lambda: self.random.random() < self.rate / 2

    def _webhook(self, said: str, until: float) -> Callable[[str], str]:
        name = self.random.choice(["cert-manager-webhook", "istiod"])
        return lambda service: said if service == name and self.now() < until else ""

    def fault(self, verb: str, plural: str, name: str) -> None:
        if plural == "version":
            return
        start, length = self.away
        if self.restarts and start <= self.now() < start + length:
            raise Cut
        if verb == "PATCH:apply" and self.random.random() < self.rate:
            code, reason, message = self.random.choice([
                (409, "Conflict", "the object has been modified; please apply your changes to the latest version and try again"),
                (429, "TooManyRequests", "too many requests, please try again later"), (500, "InternalError", "etcdserver: request timed out"),
                (503, "ServiceUnavailable", "the server is currently unable to handle the request"), (0, "", "")])
            raise Refusal(code, reason, message) if code else Cut


def _bounded(step: Any) -> Any:
    step.retry = Retry(deadline=3600, idle=300, first=1.0)
    return step


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_end_in_the_same_state_or_name_their_cause(seed: int, tmp_path: Path, clean: dict[str, Any]) -> None:
    with rig.rig(tmp_path) as cluster:
        trouble = Trouble(seed, cluster.clock.now)
        if not trouble.weather.default_class:
            cluster.server.world.objects = {k: o for k, o in cluster.server.world.objects.items() if k[1] != "storageclasses"}
        cluster.server.world.weather = trouble.weather
        if trouble.ends is None:
            cluster.run(rig.light(), change=_bounded)
            assert cluster.end_state() == clean
        else:
            error = rig.failure(lambda: cluster.run(rig.light(), change=_bounded))
            check, word = trouble.ends
            assert check in {p.id for p in error.report} and word in str(error), str(error)
            assert cluster.clock.now() <= 3700


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The end state of a run in which nothing goes wrong."""
    with rig.rig(tmp_path_factory.mktemp("clean")) as cluster:
        cluster.run(rig.light())
        return cluster.end_state()


@pytest.mark.parametrize("seed", SEEDS[:2] + SEEDS[6:])
def test_killed_at_any_point_of_the_journal_and_resumed(seed: int, tmp_path: Path, clean: dict[str, Any]) -> None:
    draw = random.Random(1000 + seed)
    with rig.rig(tmp_path) as cluster:
        for _ in range(draw.randint(1, 3)):
            try:
                cluster.run(rig.light(), kill=draw.randint(0, 700))
            except rig.Killed:
                cluster.clock.sleep(draw.choice([0.0, 5.0, 60.0]))
        cluster.run(rig.light())
        assert cluster.end_state() == clean
        assert cluster.sends <= 1.1 * len(rig.light())
        before = cluster.server.world.version
        cluster.run(rig.light())
        assert cluster.server.world.version == before


# -- errors that do not go away --------------------------------------------------------------------------------------


def _only(plural: str, name: str, error: Refusal) -> Callable[[str, str, str], None]:
    def fault(verb: str, p: str, n: str) -> None:
        if (verb, p, n) == ("PATCH:apply", plural, name):
            raise error

    return fault


def test_a_refused_object_stops_the_run_at_its_line(tmp_path: Path) -> None:
    weather = Weather(fault=_only("deployments", "minio", Refusal(422, "Invalid", "Deployment.apps \"minio\" is invalid: spec.replicas: must be >= 0")))
    with rig.rig(tmp_path, weather) as cluster:
        error = rig.failure(lambda: cluster.run(rig.light()))
        (problem,) = error.report
        assert problem.id == "KF9660" and "spec.replicas" in problem.message and error.code == Exit.PROBLEM
        line = rig.text().decode().splitlines()[problem.mark.line - 1]
        assert problem.mark.file == "kubeflow.yaml" and line == "apiVersion: apps/v1"
        assert sum(e.get("object") == "Deployment/kubeflow/minio" for e in cluster.events) == 1


def test_a_firewall_stops_the_run_and_is_named(tmp_path: Path) -> None:
    """The rehearsal passed; then the route goes away: objects are refused, a few times, and no more."""
    said = Refusal(500, "InternalError", 'failed calling webhook "webhook.cert-manager.io": dial tcp 10.244.1.7:10250: connect: no route to host')
    state = {"armed": False}

    def fault(verb: str, plural: str, name: str) -> None:
        if verb == "PATCH:apply" and plural == "issuers" and state["armed"]:
            raise said

    with rig.rig(tmp_path, Weather(fault=fault)) as cluster:
        state["armed"] = True
        error = rig.failure(lambda: cluster.run(rig.light(), change=_bounded))
        assert [p.id for p in error.report] == ["KF9663"] and "no route to host" in str(error) and error.code == Exit.REFUSED
        assert cluster.clock.now() < 300


def test_a_server_that_goes_away_for_good_is_code_4(tmp_path: Path) -> None:
    with rig.rig(tmp_path) as cluster:
        def fault(verb: str, plural: str, name: str) -> None:
            if cluster.clock.now() > 5:
                raise Cut

        cluster.server.world.weather.fault = fault
        error = rig.failure(lambda: cluster.run(rig.light(), change=_bounded))
        assert error.code == Exit.REFUSED and "API server" in str(error) and cluster.clock.now() < 1000
