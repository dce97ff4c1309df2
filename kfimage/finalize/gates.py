"""What must stand before more is sent, and what is missing and why; read from the cluster's own status."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Optional

from kfimage.finalize.apis import Resource
from kfimage.finalize.cluster import Cluster
from kfimage.finalize.normalise import client_configs, placeholder
from kfimage.finalize.relations import CONFIGURATIONS, Relations, Webhook, pod_labels, selects
from kfimage.finalize.step import Missing
from kfimage.finalize.stream import Object, Stream
from kfimage.finalize.waves import TENANT

Listed = dict[tuple[str, str], dict[str, Any]]


ABSENT = "not there yet"


class Gates:
    """The gates of one stream."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.relations = Relations(stream)

    def missing(self, objects: Sequence[Object], cluster: Cluster) -> Iterator[Missing]:
        """What of these objects does not stand yet."""
        yield from self._crds([o for o in objects if o.kind == "CustomResourceDefinition"], cluster)
        yield from self._namespaces([o for o in objects if o.kind == "Namespace"], cluster)
        yield from self._workloads(objects, cluster)
        yield from self._certificates(objects, cluster)
        yield from self._bundles(objects, cluster)
        yield from self._tenants(objects, cluster)

    def _crds(self, crds: Sequence[Object], cluster: Cluster) -> Iterator[Missing]:
        live = _listed(cluster, "apiextensions.k8s.io/v1", "customresourcedefinitions") if crds else {}
        for o in crds:
            conditions = _conditions(live.get(("", o.name)))
            refused = conditions.get("NamesAccepted", {})
            if conditions.get("Established", {}).get("status") != "True":
                yield Missing(o.id, str(refused.get("message")) if refused.get("status") == "False" else "not Established yet", o.mark())

    def _namespaces(self, namespaces: Sequence[Object], cluster: Cluster) -> Iterator[Missing]:
        live = _listed(cluster, "v1", "namespaces") if namespaces else {}
        for o in namespaces:
            phase = ((live.get(("", o.name)) or {}).get("status") or {}).get("phase")
            if phase != "Active":
                yield Missing(o.id, f"phase {phase}" if phase else ABSENT, o.mark())

    def _workloads(self, objects: Sequence[Object], cluster: Cluster) -> Iterator[Missing]:
        pods: Callable[[], list[dict[str, Any]]] = functools.lru_cache(maxsize=None)(lambda: cluster.listing("v1", "pods"))
        for kind, plural in (("Deployment", "deployments"), ("StatefulSet", "statefulsets"), ("DaemonSet", "daemonsets")):
            wanted = [o for o in objects if o.kind == kind and o.group == "apps"]
            live = _listed(cluster, "apps/v1", plural) if wanted else {}
            for o in wanted:
                found = live.get((o.namespace, o.name))
                if not ready(found):
                    yield Missing(o.id, _why(o, found, pods()), o.mark())

    def _certificates(self, objects: Sequence[Object], cluster: Cluster) -> Iterator[Missing]:
        certificates = [o for o in objects if o.kind == "Certificate" and o.group == "cert-manager.io"]
        live = _listed(cluster, certificates[0].api, "certificates") if certificates else {}
        for o in certificates:
            condition = _conditions(live.get((o.namespace, o.name))).get("Ready", {})
            if condition.get("status") != "True":
                yield Missing(o.id, str(condition.get("message") or "not Ready yet"), o.mark())

    def _bundles(self, objects: Sequence[Object], cluster: Cluster) -> Iterator[Missing]:
        for kind, plural in zip(CONFIGURATIONS, ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")):
            wanted = [o for o in objects if o.kind == kind]
            live = _listed(cluster, "admissionregistration.k8s.io/v1", plural) if wanted else {}
            for o in wanted:
                found = live.get(("", o.name))
                configs = [c for _, c in client_configs(o.but(found))] if found else []
                if not configs or any(placeholder(c.get("caBundle")) for c in configs):
                    yield Missing(o.id, "its caBundle is not injected yet" if found else ABSENT, o.mark())

    def _tenants(self, objects: Sequence[Object], cluster: Cluster) -> Iterator[Missing]:
        profiles = [o for o in objects if (o.group, o.kind) in TENANT]
        live = _listed(cluster, "v1", "namespaces") if profiles else {}
        for o in profiles:
            if ("", o.name) not in live:
                yield Missing(o.id, f"its namespace {o.name} is not made yet", o.mark())

    def answering(self, sent: Sequence[Object], cluster: Cluster) -> Iterator[Missing]:
        """Webhooks behind these workloads that do not let a rehearsal of what they admit pass."""
        keys = {o.key for o in sent}
        for hook in (*self.relations.guards, *self.relations.injectors):
            if any(w.key in keys for w in self.relations.behind(hook.service)):
                why = self._rehearse(hook, cluster)
                if why:
                    yield Missing(f"{hook.config.id} {hook.name}", why, hook.config.mark())

    def _rehearse(self, hook: Webhook, cluster: Cluster) -> str:
        """Send, as a dry run, something that the webhook must see; '' when it answered, if only to refuse that or to rehearse at all."""
        probe = self._probe(hook)
        if probe is None:
            return ""
        o, resource = probe
        answer = cluster.create(o, resource, dry_run=True) if o.kind == "Pod" else cluster.send(o, resource, dry_run=True)
        # Any rule of the cluster that refuses the rehearsal does so after the webhook let it pass.
        unheard = answer.code in (0, 404, 429) or answer.code >= 500 or "failed calling webhook" in answer.message or "service account" in answer.message
        return answer.message if unheard else ""

    def _probe(self, hook: Webhook) -> Optional[tuple[Object, Resource]]:
        for o in self.stream:
            resource = self.stream.resource(o)
            # A Secret may have parts that are only filled in when it is really sent.
            if resource is not None and o.kind != "Secret" and self.relations.admits(hook, o):
                return o, resource
        for w in self.relations.workloads:
            if self.relations.admits_pods_of(hook, w) and w not in self.relations.behind(hook.service):
                return _pod(w), Resource("pods", True)
        return None


def _pod(workload: Object) -> Object:
    meta = {"name": f"kfimage-probe-{workload.name}"[:63].rstrip("-."), "namespace": workload.namespace, "labels": pod_labels(workload)}
    spec = {"containers": [{"name": "probe", "image": "registry.k8s.io/pause:3.8"}]}
    return workload.but({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})


def _listed(cluster: Cluster, api: str, plural: str) -> Listed:
    return {(i["metadata"].get("namespace") or "", i["metadata"]["name"]): i for i in cluster.listing(api, plural)}


def _conditions(o: Optional[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {c["type"]: c for c in ((o or {}).get("status") or {}).get("conditions") or []}


def ready(o: Optional[dict[str, Any]]) -> bool:
    """Whether a live workload runs what was last asked of it, in full. A StatefulSet has no Available condition, so replicas are compared."""
    if o is None:
        return False
    status, spec = o.get("status") or {}, o.get("spec") or {}
    if status.get("observedGeneration", 0) < o["metadata"].get("generation", 1):
        return False
    if o.get("kind") == "DaemonSet" or "desiredNumberScheduled" in status:
        wanted = status.get("desiredNumberScheduled", 0)
        return bool(status.get("numberReady", 0) >= wanted and status.get("updatedNumberScheduled", wanted) >= wanted)
    wanted = spec.get("replicas", 1)
    return bool(status.get("readyReplicas", 0) >= wanted and status.get("updatedReplicas", 0) >= wanted)


def _why(o: Object, live: Optional[dict[str, Any]], pods: Sequence[dict[str, Any]]) -> str:
    """Why a workload is not ready: what its pods wait for, else what its controller says."""
    if live is None:
        return ABSENT
    selector = (live.get("spec") or {}).get("selector")
    own = [p for p in pods if p["metadata"].get("namespace") == o.namespace and selects(selector, p["metadata"].get("labels") or {})]
    for pod in own:
        why = _waits(pod)
        if why:
            return why
    for condition in _conditions(live).values():
        if (condition["type"] == "ReplicaFailure" and condition["status"] == "True") or (condition["type"] == "Progressing" and condition["status"] == "False"):
            return str(condition.get("message"))
    return "its pods are not ready yet" if own else "no pod was made yet"


def _waits(pod: dict[str, Any]) -> str:
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (container.get("state") or {}).get("waiting")
        if waiting and not container.get("ready"):
            return f"{container['name']}: {waiting.get('reason')}{': ' + waiting['message'] if waiting.get('message') else ''}"
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("message") or condition.get("reason"))
    return ""
