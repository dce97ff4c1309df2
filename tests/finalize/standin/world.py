"""What the stand-in's cluster holds, and how it is changed: objects, discovery, apply with owners, admission."""

from __future__ import annotations

import base64
import copy
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

from kfimage.finalize.apis import BUILTIN
from kfimage.finalize.relations import selects

Key = tuple[str, str, str, str]
"""Group, plural, namespace, name."""

_VERSIONS = {
    "": ["v1"], "apps": ["v1"], "batch": ["v1"], "policy": ["v1"], "autoscaling": ["v2", "v1", "v2beta2"], "scheduling.k8s.io": ["v1"],
    "storage.k8s.io": ["v1"], "rbac.authorization.k8s.io": ["v1"], "apiextensions.k8s.io": ["v1"], "admissionregistration.k8s.io": ["v1"],
    "networking.k8s.io": ["v1"], "coordination.k8s.io": ["v1"], "node.k8s.io": ["v1"],
}
"""Groups and versions of Kubernetes 1.25, as far as the streams use them."""
CONFIGURATIONS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
CA = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nstand-in\n-----END CERTIFICATE-----\n").decode()


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


class Cut(Exception):
    """The connection ends without an answer."""


Fault = Callable[[str, str, str], None]
"""Is shown method, plural and name of each request, and may raise Refusal or Cut."""


@dataclass
class Weather:
    """How fast the cluster is, in seconds, and what is wrong with it."""

    crd: float = 1.0
    pull: float = 5.0
    slots: int = 1
    start: float = 5.0
    issue: float = 2.0
    default_class: bool = True
    absent: frozenset[str] = frozenset()
    """Images that no registry has."""
    fault: Optional[Fault] = None
    lost: Callable[[], bool] = field(default=lambda: False)
    """Whether the answer to a write is lost on its way back, after the write was done."""
    webhook: Callable[[str], str] = field(default=lambda name: "")
    """What calling a webhook ends in, by its service's name, when that is not what the world itself says."""


class World:
    """The objects, under one lock; time is whatever `now` says."""

    def __init__(self, now: Callable[[], float], weather: Optional[Weather] = None) -> None:
        self.now, self.weather = now, weather or Weather()
        self.lock = threading.RLock()
        self.objects: dict[Key, dict[str, Any]] = {}
        self.owners: dict[Key, dict[str, set[tuple[str, ...]]]] = {}
        self.rules: dict[str, list[dict[str, Any]]] = {}
        self.ready: dict[Key, float] = {}
        self.version = 100
        self.requests: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        for name in ("default", "kube-system", "kube-public"):
            self.put(("", "namespaces", "", name), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "status": {"phase": "Active"}})
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "cpu-01"},
                "status": {"allocatable": {"cpu": "32", "memory": "128Gi"}, "conditions": [{"type": "Ready", "status": "True"}]}}
        self.put(("", "nodes", "", "cpu-01"), node)
        if self.weather.default_class:
            annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
            self.put(("storage.k8s.io", "storageclasses", "", "std"), {
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "std", "annotations": annotations}, "provisioner": "stand-in"})

    def put(self, key: Key, o: dict[str, Any]) -> None:
        self.version += 1
        meta = o["metadata"]
        meta["resourceVersion"] = str(self.version)
        meta.setdefault("uid", f"u{self.version}")
        meta.setdefault("creationTimestamp", "2023-06-01T00:00:00Z")
        meta.setdefault("generation", 1)
        self.objects[key] = o

    def of(self, plural: str, namespace: Optional[str] = None) -> list[dict[str, Any]]:
        return [o for (_, r, ns, _), o in list(self.objects.items()) if r == plural and (namespace is None or ns == namespace)]

    def condition(self, key: Key, kind: str, status: str = "True", message: str = "") -> None:
        """Set one condition of an object's status."""
        o = self.objects[key]
        conditions = o.setdefault("status", {}).setdefault("conditions", [])
        new = {"type": kind, "status": status, "reason": kind, "message": message, "lastTransitionTime": o["metadata"]["creationTimestamp"]}
        if new not in conditions:
            conditions[:] = [c for c in conditions if c["type"] != kind] + [new]
            self.put(key, o)

    def kinds(self) -> dict[str, list[tuple[str, str, bool]]]:
        """What is served: group version to (plural, kind, namespaced)."""
        found: dict[str, list[tuple[str, str, bool]]] = {}
        for (group, kind), resource in BUILTIN.items():
            for version in _VERSIONS.get(group, ()):
                if version == "v1" or kind == "HorizontalPodAutoscaler":
                    found.setdefault(f"{group}/{version}" if group else version, []).append((resource.plural, kind, resource.namespaced))
        for crd in self.of("customresourcedefinitions"):
            if holds(crd, "Established"):
                spec = crd["spec"]
                for version in spec["versions"]:
                    if version.get("served"):
                        name = f"{spec['group']}/{version['name']}"
                        found.setdefault(name, []).append((spec["names"]["plural"], spec["names"]["kind"], spec["scope"] == "Namespaced"))
        return found

    def apply(self, key: Key, new: dict[str, Any], manager: str, *, force: bool, dry_run: bool) -> tuple[dict[str, Any], int]:
        """Server-side apply."""
        current = self.objects.get(key)
        mine = set(leaves(new))
        owners = {m: set(p) for m, p in self.owners.get(key, {}).items()}
        conflicts = [(m, p) for m, paths in owners.items() if m != manager for p in paths & mine if current and at(current, p) != at(new, p)]
        if conflicts and not force:
            what, path = conflicts[0]
            raise Refusal(409, "Conflict", f'Apply failed with {len(conflicts)} conflicts: conflict with "{what}": .{".".join(path)}')
        for m, path in conflicts:
            owners[m].discard(path)
        owners[manager] = mine
        merged = merge(copy.deepcopy(current), {k: v for k, v in new.items() if k != "status"}) if current else copy.deepcopy(new)
        return self.keep(key, merged, owners, dry_run=dry_run)

    def keep(self, key: Key, new: dict[str, Any], owners: dict[str, set[tuple[str, ...]]], *, dry_run: bool = False) -> tuple[dict[str, Any], int]:
        """Admit and store; unchanged content keeps its resourceVersion."""
        group, plural, namespace, name = key
        current = self.objects.get(key)
        if namespace and ("", "namespaces", "", namespace) not in self.objects:
            raise Refusal(404, "NotFound", f'namespaces "{namespace}" not found')
        meta = new["metadata"]
        meta.pop("managedFields", None)
        if namespace:
            meta["namespace"] = namespace
        else:
            meta.pop("namespace", None)
        size = sum(len(k) + len(v) for k, v in (meta.get("annotations") or {}).items())
        if size > 262144:
            raise Refusal(422, "Invalid", f'{new["kind"]} "{name}" is invalid: metadata.annotations: Too long: must have at most 262144 bytes')
        self.admit(group, plural, namespace, new, "UPDATE" if current else "CREATE")
        if new.get("stringData"):
            new.setdefault("data", {}).update({k: base64.b64encode(v.encode()).decode() for k, v in new.pop("stringData").items()})
        if plural == "namespaces":
            new.setdefault("status", {"phase": "Active"})
        if dry_run:
            return new, 200 if current else 201
        self.owners[key] = owners
        if current is None or {**new, "metadata": {**new["metadata"]}} != current:
            if current is not None and new.get("spec") != current.get("spec"):
                meta["generation"] = meta.get("generation", 1) + 1
                self.ready.pop(key, None)
            self.put(key, new)
        return new, 200 if current else 201

    def admit(self, group: str, plural: str, namespace: str, o: dict[str, Any], operation: str) -> None:
        """Call the webhooks that the stored configurations name; Refusal when one that must answer does not."""
        if plural in CONFIGURATIONS:
            return
        labels = (self.objects.get(("", "namespaces", "", namespace)) or {"metadata": {}})["metadata"].get("labels") or {}
        for config in [*self.of(CONFIGURATIONS[0]), *self.of(CONFIGURATIONS[1])]:
            for hook in config.get("webhooks") or []:
                rules = hook.get("rules") or self.rules.get(config["metadata"]["name"]) or []
                hit = any(_hit(rule, group, plural, operation) for rule in rules)
                if hook.get("failurePolicy") == "Ignore" or not hit or not selects(hook.get("objectSelector"), o["metadata"].get("labels") or {}):
                    continue
                if namespace and not selects(hook.get("namespaceSelector"), labels):
                    continue
                why = self.call(hook["clientConfig"])
                if why:
                    service = hook["clientConfig"]["service"]
                    raise Refusal(500, "InternalError", f'Internal error occurred: failed calling webhook "{hook["name"]}": failed to call webhook: '
                                  f'Post "https://{service["name"]}.{service["namespace"]}.svc:443?timeout=10s": {why}')

    def call(self, config: dict[str, Any]) -> str:
        """Why a webhook cannot be called; '' when it answers."""
        service = config["service"]
        said = self.weather.webhook(service["name"])
        if said:
            return said
        if not self.answers(service["namespace"], service["name"]):
            return "dial tcp 10.96.0.9:443: connect: connection refused"
        return "" if config.get("caBundle") == CA else "tls: failed to verify certificate: x509: certificate signed by unknown authority"

    def answers(self, namespace: str, name: str) -> bool:
        """Whether a workload behind a service is ready."""
        service = self.objects.get(("", "services", namespace, name))
        selector = ((service or {}).get("spec") or {}).get("selector") or {}
        for plural in ("deployments", "statefulsets"):
            for w in self.of(plural, namespace) if selector else ():
                labels = w["spec"]["template"]["metadata"].get("labels") or {}
                if selector.items() <= labels.items() and ("apps", plural, namespace, w["metadata"]["name"]) in self.ready:
                    return True
        return False


def _hit(rule: dict[str, Any], group: str, plural: str, operation: str) -> bool:
    groups, resources, operations = rule["apiGroups"], rule["resources"], rule["operations"]
    return ("*" in groups or group in groups) and any(r in ("*", "*/*", plural) for r in resources) and bool({"*", operation} & set(operations))


def holds(o: dict[str, Any], condition: str) -> bool:
    return any(c["type"] == condition and c["status"] == "True" for c in (o.get("status") or {}).get("conditions") or [])


def _by_name(node: Any) -> bool:
    return isinstance(node, list) and bool(node) and all(isinstance(i, dict) and "name" in i for i in node)


_UNOWNED = ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "name", "namespace")


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The fields an object names; lists of named things count by name, others as a whole."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            if not (path == () and key in ("status", "apiVersion", "kind")) and not (path == ("metadata",) and key in _UNOWNED):
                yield from leaves(value, (*path, key))
    elif _by_name(node):
        for item in node:
            yield from leaves(item, (*path, f"[name={item['name']}]"))
    else:
        yield path


def at(node: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if part.startswith("[name="):
            node = next((i for i in node if i.get("name") == part[6:-1]), None) if isinstance(node, list) else None
        else:
            node = node.get(part) if isinstance(node, dict) else None
    return node


def merge(old: Any, new: Any, *, named: bool = True) -> Any:
    """Lay new on old in place; None takes a key out, as patches do."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in new.items():
            if key.startswith("$"):
                continue
            if value is None:
                old.pop(key, None)
            else:
                old[key] = merge(old[key], value, named=named) if key in old else copy.deepcopy(value)
        return old
    if named and _by_name(old) and _by_name(new):
        for item in new:
            same = next((x for x in old if x["name"] == item["name"]), None)
            if same is None:
                old.append(copy.deepcopy(item))
            else:
                merge(same, item)
        return old
    return copy.deepcopy(new)
