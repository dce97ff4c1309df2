"""Any stream as waves: each holds what can be sent once the waves before it stand. The rules look at relations, not at names.

Kubeflow 1.7.0's published order is the golden test; the one name below is the one thing a stream does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kfimage.finalize.relations import CONFIGURATIONS, Relations, Service, stateful, strings
from kfimage.finalize.stream import Key, Object, Stream, mapping

FOUNDATION, CONFIG, TRUST, INFRASTRUCTURE, APPLICATIONS, CUSTOM, TENANTS = range(7)
NAMES = ("foundation", "config", "trust-and-mesh", "certificates-and-infrastructure", "applications", "controller-crs", "user-profile")
STRICT = frozenset((FOUNDATION, TRUST))
"""Waves that must stand before the next is sent. The others can be waited for together: gates there cost time and save no send."""

_FIRST = frozenset(("Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "RuntimeClass", "IngressClass"))
_RUNS = frozenset(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job", "CronJob"))
TENANT = frozenset((("kubeflow.org", "Profile"),))
"""Kinds that become a namespace with workloads of its own: no CRD says so."""


class Wave(NamedTuple):
    """One wave, in the order of the stream."""

    number: int
    name: str
    objects: tuple[Object, ...]


def waves(stream: Stream) -> tuple[Wave, ...]:
    """Every object of the stream once; empty waves are left out."""
    placed = _Placing(Relations(stream)).place()
    found = []
    for number, name in enumerate(NAMES):
        objects = tuple(o for o in stream if placed[o.key] == number)
        if objects:
            found.append(Wave(number, name, objects))
    return tuple(found)


class _Placing:
    def __init__(self, relations: Relations) -> None:
        self.relations = relations
        self.first = self._first_backends()
        self.mesh = self._mesh_groups()
        self.issuing = {o.namespace for o in relations.stream.of("Certificate") if self._guarded(o)}

    def place(self) -> Mapping[Key, int]:
        return {o.key: self._wave(o) for o in self.relations.stream}

    def _first_backends(self) -> frozenset[Key]:
        """The workloads that admit what follows, with those installed together with them (a webhook needs whoever signs for it)."""
        needed = [w for hook in (*self.relations.injectors, *self.relations.guards) for w in self.relations.behind(hook.service)]
        families = {(w.namespace, w.labels["app.kubernetes.io/instance"]) for w in needed if "app.kubernetes.io/instance" in w.labels}
        family = [w for w in self.relations.workloads if (w.namespace, w.labels.get("app.kubernetes.io/instance")) in families]
        return frozenset(w.key for w in (*needed, *family))

    def _mesh_groups(self) -> frozenset[str]:
        """Groups of configuration that the injector itself validates: policies must lie there before the first proxy starts."""
        services = {hook.service for hook in self.relations.injectors}
        groups = {g for h in self.relations.webhooks if h.service in services and not h.fails for rule in h.rules for g in strings(rule.get("apiGroups"))}
        return frozenset(groups - {"", "*"})

    def _guarded(self, o: Object) -> bool:
        return any(self.relations.admits(hook, o) for hook in self.relations.guards)

    def _wave(self, o: Object) -> int:
        if o.kind in CONFIGURATIONS:
            return max([self._of_service(h.service) for h in self.relations.webhooks if h.config is o] or [CONFIG])
        if o.kind == "APIService":
            service = mapping(o.body, "spec", "service")
            return self._of_service(Service(str(service.get("namespace")), str(service.get("name")))) if service else CONFIG
        if (o.group, o.kind) in TENANT:
            return TENANTS
        if o.kind in _FIRST:
            return FOUNDATION
        if o.kind in _RUNS:
            return self._of_workload(o)
        if self._guarded(o):
            return INFRASTRUCTURE
        return self._of_custom(o)

    def _of_custom(self, o: Object) -> int:
        custom = (o.group, o.kind) in self.relations.stream.kinds or self.relations.stream.resource(o) is None
        return CUSTOM if custom and o.group not in self.mesh else CONFIG

    def _of_service(self, service: object) -> int:
        behind = self.relations.behind(service if isinstance(service, Service) else None)
        # Who answers is not in the stream: it must be there already, and then the configuration is only configuration.
        return max([self._of_workload(w) for w in behind] or [CONFIG])

    def _of_workload(self, o: Object) -> int:
        if o.key in self.first:
            return TRUST
        # Stateless workloads of a namespace wait for its certificates and stores; both are the wave before.
        return INFRASTRUCTURE if stateful(o) or o.namespace not in self.issuing else APPLICATIONS
