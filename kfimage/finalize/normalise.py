"""A stream as it should be sent: without what only a server or a CA injector may write, and with what older servers need.

Sent as written, the placeholders of caBundle overwrite the CA that was injected: a second run would break every webhook.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, NamedTuple

from kfimage.finalize.stream import Object, Path, Stream, entries, mapping

LOST_NAMESPACE = "default"
"""Where an object without a namespace goes: said here, so that the kubeconfig's current context does not decide."""

CONVERSIONS = {("autoscaling/v2beta2", "HorizontalPodAutoscaler"): "autoscaling/v2"}
"""APIs whose successor has the same fields: v2 of the autoscaler is v2beta2 made stable (Kubernetes 1.23)."""

CA = "placeholder caBundle"
TIME = "null creationTimestamp"
STATUS = "status"
PROTOCOL = "port without protocol"
NAMESPACE = "no namespace"
CLUSTER_SCOPED = "namespace on a cluster-scoped object"
GONE = "API with a successor of the same fields"


class Change(NamedTuple):
    """One thing normalising does to one object: which of the rules, and where in it."""

    object: Object
    rule: str
    path: Path


def changes(stream: Stream) -> Iterator[Change]:
    """What normalising would change, in the order of the stream."""
    for o in stream:
        for rule, path in _found(o, stream):
            yield Change(o, rule, path)


def normalise(stream: Stream) -> Stream:
    """The stream to send. Normalising it again changes nothing."""
    return Stream(tuple(_one(o, tuple(_found(o, stream))) for o in stream))


def client_configs(o: Object) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every place where an object tells the API server whom to call, with the path to it."""
    if o.kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        for index, hook in entries(o.body, "webhooks"):
            if isinstance(hook.get("clientConfig"), dict):
                yield ("webhooks", index, "clientConfig"), hook["clientConfig"]
    if o.kind == "CustomResourceDefinition":
        path = ("spec", "conversion", "webhook", "clientConfig")
        config = mapping(o.body, *path)
        if config:
            yield path, config


def placeholder(bundle: Any) -> bool:
    """Whether a caBundle holds no certificate. Kubernetes 1.31 refuses such a CRD; earlier ones fail at the first call."""
    if not isinstance(bundle, str):
        return True
    try:
        return b"BEGIN CERTIFICATE" not in base64.b64decode(bundle, validate=True)
    except (binascii.Error, ValueError):
        return True


def _found(o: Object, stream: Stream) -> Iterator[tuple[str, Path]]:
    for path, config in client_configs(o):
        if "caBundle" in config and placeholder(config["caBundle"]):
            yield CA, (*path, "caBundle")
    for path in _null_times(o.body, ()):
        yield TIME, path
    if "status" in o.body:
        yield STATUS, ("status",)
    if o.kind == "Service" and o.group == "":
        for index, port in entries(o.body, "spec", "ports"):
            if not port.get("protocol"):
                yield PROTOCOL, ("spec", "ports", index, "protocol")
    resource = stream.resource(o)
    if resource is not None and resource.namespaced != bool(o.namespace):
        yield (NAMESPACE if resource.namespaced else CLUSTER_SCOPED), ("metadata", "namespace")
    if (o.api, o.kind) in CONVERSIONS:
        yield GONE, ("apiVersion",)


def _null_times(node: Any, path: Path) -> Iterator[Path]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "creationTimestamp" and value is None and path[-1:] == ("metadata",):
                yield (*path, key)
            elif isinstance(value, (dict, list)):
                yield from _null_times(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            if isinstance(value, (dict, list)):
                yield from _null_times(value, (*path, index))


def _one(o: Object, found: tuple[tuple[str, Path], ...]) -> Object:
    body: Any = o.body
    for rule, path in found:
        if rule == PROTOCOL:
            body = put(body, path, "TCP")
        elif rule == NAMESPACE:
            body = put(body, path, LOST_NAMESPACE)
        elif rule == GONE:
            body = put(body, path, CONVERSIONS[o.api, o.kind])
        else:
            body = put(body, path, None)
    return o if body is o.body else o.but(body)


def put(node: Any, path: Path, value: Any) -> Any:
    """A copy of a tree with one value set, or its key taken out when the value is None; the rest is shared."""
    first, rest = path[0], path[1:]
    copy: Any = list(node) if isinstance(node, list) else dict(node or {})
    if rest:
        below: Any = copy.get(first) if isinstance(copy, dict) else copy[first]
        copy[first] = put(below, rest, value)
    elif value is None:
        del copy[first]
    else:
        copy[first] = value
    return copy
