"""What the cluster must offer before anything is sent: looked at, never changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kfimage.errors import ERROR, KfimageError, Mark, Report, define
from kfimage.finalize.apis import builtin, served
from kfimage.finalize.cluster import Cluster
from kfimage.finalize.images import containers
from kfimage.finalize.normalise import normalise
from kfimage.finalize.relations import WORKLOADS, template
from kfimage.finalize.step import Done, Note, Retry, State
from kfimage.finalize.steps import Settings
from kfimage.finalize.stream import Object, Stream, mapping, words

WRONG_VERSION = define(
    "KF9671", ERROR, "a Kubernetes that cannot take the stream",
    why="Objects of an API that the server lacks are refused, in every pass.", fix="use a release of the stream for this Kubernetes",
)
NO_STORAGE = define(
    "KF9672", ERROR, "no default StorageClass, and claims that name none",
    why="The claims stay Pending, and with them every database and all that needs one.",
    fix="install a provisioner and mark its class: storageclass.kubernetes.io/is-default-class=true", source="kubeflow/manifests 1913, 2833, 3258",
)
NOT_READY = define(
    "KF9673", ERROR, "no node that can run anything",
    why="Every pod would stay Pending.", fix="`kubectl describe nodes` tells why they are not Ready, or which taints they have",
)
TOO_SMALL = define(
    "KF9674", ERROR, "less CPU or memory than the stream's pods ask for",
    why="The scheduler leaves the last pods Pending.", fix="add nodes; requests count, not use",
)

_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_UNITS = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_SIDECAR = {"cpu": 0.01, "memory": 40 * 2.0**20}
"""What istio's injector asks for each proxy (measured over the 29 of Kubeflow 1.7.0: 0.29 CPU, 1.13 GiB)."""


class Preflight:
    name = "preflight"
    title = "what the cluster must offer before"
    after: tuple[str, ...] = ()
    retry = Retry(deadline=60, idle=10)

    def __init__(self, stream: Stream, inputs: Mapping[str, str]) -> None:
        self.stream = stream
        self.inputs = inputs

    def check(self, cluster: Cluster) -> State:
        """Done, or KfimageError with everything that is wrong: waiting mends none of it."""
        report = Report()
        version = str(cluster.version().get("gitVersion", ""))
        _version(self.stream, version, report)
        _storage(self.stream, cluster, report)
        nodes = _nodes(cluster, report)
        _room(self.stream, nodes, report)
        if report:
            raise KfimageError(report)
        return Done(f"Kubernetes {version}, {len(nodes)} nodes ready")

    def apply(self, cluster: Cluster, note: Note) -> None:
        """Nothing: what preflight finds is for people to mend."""


def make(settings: Settings) -> Preflight:
    return Preflight(normalise(settings.stream), {"stream": settings.digest})


def _version(stream: Stream, version: str, report: Report) -> None:
    found = re.match(r"v1\.(\d+)", version)
    if not found:
        report.add(WRONG_VERSION, Mark("cluster"), f"its version is '{version}'")
        return
    minor = int(found[1])
    for o in stream:
        when = served(o.api, o.kind)
        if builtin(o.api, o.kind) is not None and not when.since <= minor < when.gone:
            report.add(WRONG_VERSION, o.mark("apiVersion"), f"{o.id}: {o.api} is not served by {version}")


def _storage(stream: Stream, cluster: Cluster, report: Report) -> None:
    claims = [o for o in stream.of("PersistentVolumeClaim") if mapping(o.body, "spec").get("storageClassName") is None]
    classes = [*cluster.listing("storage.k8s.io/v1", "storageclasses"), *(o.body for o in stream.of("StorageClass"))]
    if claims and not any(words(c, "metadata", "annotations").get(_DEFAULT) == "true" for c in classes):
        report.add(NO_STORAGE, claims[0].mark(), f"{', '.join(o.id for o in claims)} would wait for ever")


def _nodes(cluster: Cluster, report: Report) -> list[dict[str, Any]]:
    usable = [n for n in cluster.listing("v1", "nodes") if _usable(n)]
    if not usable:
        report.add(NOT_READY, Mark("cluster"), "no node is Ready and without NoSchedule taint")
    return usable


def _usable(node: dict[str, Any]) -> bool:
    spec = node.get("spec") or {}
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in mapping(node, "status").get("conditions") or [])
    tainted = any(t.get("effect") in ("NoSchedule", "NoExecute") for t in spec.get("taints") or [])
    return ready and not tainted and not spec.get("unschedulable")


def _room(stream: Stream, nodes: list[dict[str, Any]], report: Report) -> None:
    if not nodes:
        return
    for what, unit, shown in (("cpu", 1.0, "CPUs"), ("memory", 2.0**30, "GiB")):
        there = sum(quantity(mapping(n, "status", "allocatable").get(what, "0")) for n in nodes)
        asked = sum(_requests(stream, what))
        if there < asked:
            report.add(TOO_SMALL, Mark("cluster"), f"{there / unit:.1f} {shown} allocatable on {len(nodes)} nodes, {asked / unit:.1f} requested")


def _requests(stream: Stream, what: str) -> Iterator[float]:
    injected = {o.name for o in stream.of("Namespace") if o.labels.get("istio-injection") == "enabled"}
    for o in stream.of(*WORKLOADS):
        pods = quantity(mapping(o.body, "spec").get("replicas", 1))
        for path, container in containers(o):
            if "containers" in path:
                yield pods * quantity(mapping(container, "resources", "requests").get(what, "0"))
        if o.namespace in injected and not _opted_out(o):
            yield pods * _SIDECAR[what]


def _opted_out(workload: Object) -> bool:
    return any(words(template(workload), "metadata", part).get("sidecar.istio.io/inject") == "false" for part in ("labels", "annotations"))


def quantity(text: object) -> float:
    """Kubernetes' resource quantity; 0 for what is none."""
    found = re.match(r"([0-9.]+)([A-Za-z]*)\Z", str(text))
    return float(found[1]) * _UNITS.get(found[2], 0.0) if found else 0.0
