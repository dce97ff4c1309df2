"""What the tests of finalize share: the real stream, a lighter one of the same shape, and runs against the stand-in."""

from __future__ import annotations

import functools
import gzip
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from kfimage.errors import KfimageError, Report
from kfimage.finalize import steps
from kfimage.finalize.cluster import Cluster, Proxy
from kfimage.finalize.execute import Ran, run
from kfimage.finalize.manifests import APPLIED
from kfimage.finalize.normalise import put
from kfimage.finalize.stream import Object, Stream, read

from .standin.server import Server, Turned, running
from .standin.world import Weather

DATA = Path(__file__).parent / "data"
SHA256 = "2c73cd22bfcfaebce8e8625ff0bf0f4b6967fa2e8eeac7c6c9c0bc659e982bb3"
"""Of the stream that kubectl 1.27 to 1.33 build from kubeflow/manifests v1.7.0, directory example."""

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not in PATH (Debian: kubernetes-client)")


@functools.lru_cache(maxsize=1)
def text() -> bytes:
    return gzip.decompress((DATA / "kubeflow-1.7.0-example.yaml.gz").read_bytes())


@functools.lru_cache(maxsize=1)
def real() -> Stream:
    """Kubeflow 1.7.0, all 611 objects."""
    report = Report()
    stream = read(text(), "kubeflow.yaml", report)
    assert not report and len(stream) == 611
    return stream


@functools.lru_cache(maxsize=1)
def light() -> Stream:
    """The real stream with the CRDs' schemas emptied and only every fifth account and rule kept: the same relations, a tenth of the bytes."""
    kept, seen = [], 0
    for o in real():
        if o.kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount"):
            seen += 1
            if seen % 5:
                continue
        kept.append(_emptied(o) if o.kind == "CustomResourceDefinition" else o)
    return Stream(tuple(kept))


def _emptied(o: Object) -> Object:
    versions = [{**v, "schema": {"openAPIV3Schema": {"type": "object"}}} for v in o.body["spec"]["versions"]]
    return o.but(put(o.body, ("spec", "versions"), versions))


def parsed(document: str) -> Stream:
    """A stream written in a test; it must be readable."""
    report = Report()
    stream = read(document.encode(), "s.yaml", report)
    assert not report, list(report)
    return stream


class Killed(BaseException):
    """The end of a process, as far as one process can play it."""


@dataclass
class Rig:
    """A stand-in with kubectl in front; each `run` is what a fresh process would do."""

    server: Server
    clock: Turned
    proxy: Proxy
    sends: int = 0
    events: list[Mapping[str, Any]] = field(default_factory=list)

    def run(self, stream: Stream, *, kill: Optional[int] = None, demo: bool = False, change: Callable[[Any], Any] = lambda step: step) -> tuple[Ran, ...]:
        cluster = Cluster(self.proxy)
        left = kill

        def note(event: Mapping[str, object]) -> None:
            nonlocal left
            self.events.append(dict(event))
            if left is not None:
                left -= 1
                if left < 0:
                    raise Killed

        made = [change(step) for step in steps.make(steps.names(), steps.Settings(stream, "0" * 64, demo))]
        try:
            return run(made, cluster, self.clock, note)
        finally:
            self.sends += cluster.sends

    def end_state(self) -> dict[str, Any]:
        """What a cluster ends in, apart from when and how: objects, what was sent of each, what runs, and who injected what."""
        # What controllers still do after the last thing a run waits for: istiod's root certificate in the profile's namespace, say.
        self.clock.sleep(5)
        world = self.server.world
        objects = {key: (o["metadata"].get("annotations") or {}).get(APPLIED) for key, o in world.objects.items() if key[1] != "pods"}
        return {"objects": objects, "ready": set(world.ready), "injected": {k for k, owners in world.owners.items() if "injector" in owners}}


@contextmanager
def rig(tmp_path: Path, weather: Optional[Weather] = None) -> Iterator[Rig]:
    clock = Turned()
    with running(weather, clock) as server, Proxy(server.kubeconfig(tmp_path / "kubeconfig")) as proxy:
        yield Rig(server, clock, proxy)


def failure(work: Callable[[], object]) -> KfimageError:
    """The error that work must end in."""
    with pytest.raises(KfimageError) as caught:
        work()
    return caught.value


def dumped(stream: Stream) -> bytes:
    """A stream as a file: JSON is YAML."""
    return "\n---\n".join(json.dumps(o.body) for o in stream).encode()
