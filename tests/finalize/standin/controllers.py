"""The stand-in's toy controller manager: everything that happens in a cluster by itself, as far as a stream can notice."""

from __future__ import annotations

from typing import Any

from .world import CA, CONFIGURATIONS, Key, Refusal, World, holds


class Controllers:
    """Steps the world by looking at it; `tick` may come as often as one likes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pulled: set[str] = set()
        self.pulling: dict[str, float] = {}
        self.queue: list[str] = []
        self.seen: dict[Key, dict[str, Any]] = {}

    def tick(self) -> None:
        with self.world.lock:
            self._pull()
            for key in list(self.world.objects):
                handler = _HANDLERS.get(key[1])
                if handler is not None and key in self.world.objects:
                    handler(self, key, self.world.objects[key], self.seen.setdefault(key, {"since": self.world.now()}))

    def _pull(self) -> None:
        now, weather = self.world.now(), self.world.weather
        for image, end in list(self.pulling.items()):
            if now >= end:
                self.pulled.add(image)
                del self.pulling[image]
                self.queue.remove(image)
        for image in self.queue:
            if len(self.pulling) < weather.slots and image not in self.pulling and image not in weather.absent:
                self.pulling[image] = now + weather.pull

    def crd(self, key: Key, o: dict[str, Any], state: dict[str, Any]) -> None:
        if not holds(o, "Established") and self.world.now() - state["since"] >= self.world.weather.crd:
            self.world.condition(key, "NamesAccepted")
            self.world.condition(key, "Established")
        self.injection(key, o, state)

    def workload(self, key: Key, o: dict[str, Any], state: dict[str, Any]) -> None:
        if key in self.world.ready:
            return
        template = o["spec"]["template"]
        if "pod" not in state and not self._make_pod(key, o, template, state):
            return
        images = [c["image"] for c in [*(template["spec"].get("initContainers") or []), *template["spec"]["containers"]]]
        self.queue.extend(i for i in dict.fromkeys(images) if i not in self.queue and i not in self.pulled)
        waits = self._waits(key[2], template["spec"], images)
        self._show(state["pod"], waits)
        if waits[0]:
            state.pop("run", None)
            return
        state.setdefault("run", self.world.now())
        if self.world.now() - state["run"] >= self.world.weather.start:
            self._ready(key, o, state)

    def _make_pod(self, key: Key, o: dict[str, Any], template: dict[str, Any], state: dict[str, Any]) -> bool:
        """Make the workload's pod; a refused one is tried again after 5 ms x 2^n, as a ReplicaSet does."""
        if self.world.now() < state.get("next", 0.0):
            return False
        labels = dict(template["metadata"].get("labels") or {})
        name = f"{key[3]}-0"
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": key[2], "labels": labels}, "spec": template["spec"], "status": {}}
        try:
            self.world.admit("", "pods", key[2], pod, "CREATE")
        except Refusal as refused:
            state["n"] = state.get("n", 0) + 1
            state["next"] = self.world.now() + min(0.005 * 2 ** state["n"], 1000)
            self.world.condition(key, "ReplicaFailure", message=refused.message)
            return False
        state["pod"] = ("", "pods", key[2], name)
        self.world.put(state["pod"], pod)
        conditions = (o.get("status") or {}).get("conditions") or []
        conditions[:] = [c for c in conditions if c["type"] != "ReplicaFailure"]
        return True

    def _waits(self, namespace: str, spec: dict[str, Any], images: list[str]) -> tuple[str, str]:
        """Why a pod does not run: the reason and message a kubelet or scheduler would give; empty when nothing is in its way."""
        objects = self.world.objects
        for volume in spec.get("volumes") or []:
            secret, config, claim = volume.get("secret"), volume.get("configMap"), volume.get("persistentVolumeClaim")
            if claim and (not self.world.weather.default_class or ("", "persistentvolumeclaims", namespace, claim["claimName"]) not in objects):
                return ("Unschedulable", "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims")
            if secret and not secret.get("optional") and ("", "secrets", namespace, secret["secretName"]) not in objects:
                return ("ContainerCreating", f'MountVolume.SetUp failed for volume "{volume["name"]}": secret "{secret["secretName"]}" not found')
            if config and not config.get("optional") and ("", "configmaps", namespace, config["name"]) not in objects:
                return ("ContainerCreating", f'MountVolume.SetUp failed for volume "{volume["name"]}": configmap "{config["name"]}" not found')
        for image in images:
            if image in self.world.weather.absent:
                return ("ImagePullBackOff", f'Back-off pulling image "{image}"')
            if image not in self.pulled:
                return ("ContainerCreating", "")
        return ("", "")

    def _show(self, pod: Key, waits: tuple[str, str]) -> None:
        o = self.world.objects[pod]
        reason, message = waits
        if reason == "Unschedulable":
            status: dict[str, Any] = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": reason, "message": message}]}
        elif reason:
            waiting = {"reason": reason, **({"message": message} if message else {})}
            status = {"containerStatuses": [{"name": o["spec"]["containers"][0]["name"], "ready": False, "state": {"waiting": waiting}}]}
        else:
            status = {"containerStatuses": [{"name": o["spec"]["containers"][0]["name"], "ready": False, "state": {"running": {}}}]}
        if o["status"] != status:
            o["status"] = status
            self.world.put(pod, o)

    def _ready(self, key: Key, o: dict[str, Any], state: dict[str, Any]) -> None:
        self.world.ready[key] = self.world.now()
        wanted = o["spec"].get("replicas", 1)
        o["status"] = {"observedGeneration": o["metadata"]["generation"], **{
            f"{word}eplicas" if word == "r" else f"{word}Replicas": wanted for word in ("r", "ready", "available", "updated", "current")}}
        self.world.condition(key, "Available")
        pod = self.world.objects[state["pod"]]
        pod["status"] = {"phase": "Running", "containerStatuses": [{"name": c["name"], "ready": True} for c in pod["spec"]["containers"]]}

    def certificate(self, key: Key, o: dict[str, Any], state: dict[str, Any]) -> None:
        if key[0] != "cert-manager.io" or holds(o, "Ready") or ("apps", "deployments", "cert-manager", "cert-manager") not in self.world.ready:
            return
        if (key[0], "issuers", key[2], o["spec"]["issuerRef"]["name"]) in self.world.objects:
            state.setdefault("issuing", self.world.now())
            if self.world.now() - state["issuing"] >= self.world.weather.issue:
                name = o["spec"]["secretName"]
                self.world.put(("", "secrets", key[2], name), {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": key[2]}, "data": {}})
                self.world.condition(key, "Ready")

    def injection(self, key: Key, o: dict[str, Any], state: dict[str, Any]) -> None:
        """CA bundles: by cert-manager's cainjector where annotated, else by the backend itself."""
        annotations = o["metadata"].get("annotations") or {}
        injector = ("apps", "deployments", "cert-manager", "cert-manager-cainjector") in self.world.ready
        source = annotations.get("cert-manager.io/inject-ca-from")
        if source:
            certificate = self.world.objects.get(("cert-manager.io", "certificates", *source.split("/")))  # type: ignore[arg-type]
            if injector and certificate and holds(certificate, "Ready"):
                self._inject(key, o)
        elif "cert-manager.io/inject-ca-from-secret" in annotations:
            if injector and ("apps", "deployments", "cert-manager", "cert-manager-webhook") in self.world.ready:
                self._inject(key, o)
        elif key[1] in CONFIGURATIONS and o.get("webhooks"):
            service = o["webhooks"][0]["clientConfig"]["service"]
            if self.world.answers(service["namespace"], service["name"]):
                self._inject(key, o)
                if not o["webhooks"][0].get("rules"):
                    self.world.rules[key[3]] = _knative(key[3])

    def _inject(self, key: Key, o: dict[str, Any]) -> None:
        webhook = ((o.get("spec") or {}).get("conversion") or {}).get("webhook")
        places = o.get("webhooks") or ([webhook] if webhook else [])
        if all(p["clientConfig"].get("caBundle") == CA for p in places):
            return
        for place in places:
            place["clientConfig"]["caBundle"] = CA
        names = [("webhooks", f"[name={p['name']}]", "clientConfig", "caBundle") for p in places] if o.get("webhooks") else [
            ("spec", "conversion", "webhook", "clientConfig", "caBundle")]
        owners = self.world.owners.setdefault(key, {})
        for paths in owners.values():
            paths -= set(names)
        owners["injector"] = set(names)
        self.world.put(key, o)

    def namespace(self, key: Key, o: dict[str, Any], state: dict[str, Any]) -> None:
        root = ("", "configmaps", key[3], "istio-ca-root-cert")
        if ("apps", "deployments", "istio-system", "istiod") in self.world.ready and root not in self.world.objects:
            self.world.put(root, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": root[3], "namespace": root[2]}, "data": {}})

    def profile(self, key: Key, o: dict[str, Any], state: dict[str, Any]) -> None:
        made = ("", "namespaces", "", key[3])
        if ("apps", "deployments", "kubeflow", "profiles-deployment") in self.world.ready and made not in self.world.objects:
            labels = {"istio-injection": "enabled", "app.kubernetes.io/part-of": "kubeflow-profile"}
            self.world.put(made, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": key[3], "labels": labels}, "status": {"phase": "Active"}})


_HANDLERS = {
    "customresourcedefinitions": Controllers.crd, "deployments": Controllers.workload, "statefulsets": Controllers.workload,
    "certificates": Controllers.certificate, "namespaces": Controllers.namespace, "profiles": Controllers.profile,
    CONFIGURATIONS[0]: Controllers.injection, CONFIGURATIONS[1]: Controllers.injection,
}


def _knative(name: str) -> list[dict[str, Any]]:
    """The rules that knative's webhooks write into their own configuration."""
    groups, resources = ([""], ["configmaps"]) if name.startswith(("config.", "webhook.istio")) else (["eventing.knative.dev"], ["*"])
    return [{"apiGroups": groups, "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": resources}]
