"""What in a stream stands behind what: services and their workloads, webhooks and what they admit, certificates and their secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Optional

from kfimage.finalize.stream import Key, Object, Stream, entries, mapping, words

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
CONFIGURATIONS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


class Service(NamedTuple):
    """A webhook's backend, as its configuration names it."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Webhook:
    """One webhook of a configuration; `fails` tells whether its absence refuses what it admits."""

    config: Object
    name: str
    fails: bool
    service: Optional[Service]
    rules: tuple[Mapping[str, Any], ...]
    namespaces: Mapping[str, Any]
    objects: Mapping[str, Any]

    def admits(self, group: str, plural: str, labels: Mapping[str, str], namespace_labels: Optional[Mapping[str, str]]) -> bool:
        """Whether creating such an object calls it; cluster-scoped objects have no namespace labels."""
        return (
            any(_rule(rule, group, plural) for rule in self.rules)
            and selects(self.objects, labels)
            and (namespace_labels is None or selects(self.namespaces, namespace_labels))
        )


def _rule(rule: Mapping[str, Any], group: str, plural: str) -> bool:
    groups, resources, operations = (strings(rule.get(k)) for k in ("apiGroups", "resources", "operations"))
    return ("*" in groups or group in groups) and any(r in ("*", "*/*", plural) for r in resources) and bool({"*", "CREATE"} & set(operations))


def strings(value: Any) -> list[str]:
    """The texts in a list; none when it is no list."""
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def selects(selector: Optional[Mapping[str, Any]], labels: Mapping[str, str]) -> bool:
    """Kubernetes' label selector; an empty one selects everything."""
    if any(labels.get(k) != v for k, v in mapping(selector, "matchLabels").items()):
        return False
    for _, e in entries(selector, "matchExpressions"):
        value, values = labels.get(str(e.get("key"))), strings(e.get("values"))
        holds = {"Exists": value is not None, "DoesNotExist": value is None, "In": value in values, "NotIn": value not in values}
        if not holds.get(str(e.get("operator")), False):
            return False
    return True


class Relations:
    """The relations of one stream, each computed once."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.workloads = tuple(o for o in stream.of(*WORKLOADS) if o.group == "apps")
        self._namespaces = {o.name: {**o.labels, "kubernetes.io/metadata.name": o.name} for o in stream.of("Namespace")}

    @cached_property
    def webhooks(self) -> tuple[Webhook, ...]:
        return tuple(hook for o in self.stream.of(*CONFIGURATIONS) for hook in _webhooks(o))

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        return self._namespaces.get(namespace, {"kubernetes.io/metadata.name": namespace})

    def behind(self, service: Optional[Service]) -> tuple[Object, ...]:
        """The workloads whose pods answer for a service of the stream."""
        found = self.stream.by_key.get(Key("", "Service", service.namespace, service.name)) if service else None
        if found is None:
            return ()
        selector = words(found.body, "spec", "selector")
        return tuple(w for w in self.workloads if selector and w.namespace == found.namespace and selector.items() <= pod_labels(w).items())

    def admits(self, hook: Webhook, o: Object) -> bool:
        """Whether sending this object calls the webhook."""
        resource = self.stream.resource(o)
        if resource is None:
            return False
        labels = self.namespace_labels(o.namespace) if o.namespace else None
        return hook.admits(o.group, resource.plural, o.labels, labels)

    def admits_pods_of(self, hook: Webhook, workload: Object) -> bool:
        return hook.admits("", "pods", pod_labels(workload), self.namespace_labels(workload.namespace))

    @cached_property
    def injectors(self) -> tuple[Webhook, ...]:
        """Webhooks without which pods of the stream are not created."""
        return tuple(h for h in self.webhooks if h.fails and any(self.admits_pods_of(h, w) for w in self.workloads if w not in self.behind(h.service)))

    @cached_property
    def guards(self) -> tuple[Webhook, ...]:
        """Webhooks without which objects of the stream, other than pods, are refused."""
        return tuple(h for h in self.webhooks if h.fails and any(self.admits(h, o) for o in self.stream))


def _webhooks(config: Object) -> Iterator[Webhook]:
    for _, hook in entries(config.body, "webhooks"):
        service = mapping(hook, "clientConfig", "service")
        yield Webhook(
            config, str(hook.get("name", "")), hook.get("failurePolicy", "Fail") == "Fail",
            Service(str(service.get("namespace")), str(service.get("name"))) if service else None,
            tuple(rule for _, rule in entries(hook, "rules")), mapping(hook, "namespaceSelector"), mapping(hook, "objectSelector"),
        )


def template(workload: Object) -> dict[str, Any]:
    return mapping(workload.body, "spec", "template")


def pod_labels(workload: Object) -> dict[str, str]:
    return words(template(workload), "metadata", "labels")


def pod_spec(workload: Object) -> dict[str, Any]:
    return mapping(template(workload), "spec")


def stateful(workload: Object) -> bool:
    """Whether it keeps state others may need first: a StatefulSet, or pods with a volume claim."""
    return workload.kind == "StatefulSet" or any("persistentVolumeClaim" in v for _, v in entries(pod_spec(workload), "volumes"))
