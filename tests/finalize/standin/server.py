"""The stand-in's HTTP side: what kubectl and helm ask of an API server, on loopback."""

from __future__ import annotations

import copy
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from .controllers import Controllers
from .world import Cut, Key, Refusal, Weather, World, leaves, merge

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
SHORT = {"namespaces": ["ns"], "deployments": ["deploy"], "customresourcedefinitions": ["crd", "crds"], "statefulsets": ["sts"], "configmaps": ["cm"]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    world: World

    def log_message(self, *args: Any) -> None:
        """Nothing: the world counts."""

    def answer(self, o: dict[str, Any], code: int = 200, headers: Optional[dict[str, str]] = None) -> None:
        data = json.dumps(o).encode()
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def handle_any(self) -> None:
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        parts = [unquote(p) for p in url.path.split("/") if p]
        try:
            found = self.route(parts, query, body)
            if found is not None:
                if self.command != "GET" and self.world.weather.lost():
                    raise Cut
                self.answer(*found)
        except Refusal as e:
            with self.world.lock:
                self.world.errors[f"{e.code} {_sort(e.message)}"] += 1
            status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": e.message, "reason": e.reason, "code": e.code}
            self.answer(status, e.code, {"Retry-After": "1"} if e.code == 429 else None)
        except Cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        except BrokenPipeError:
            pass

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

    def route(self, parts: list[str], query: dict[str, str], body: bytes) -> Optional[tuple[Any, ...]]:
        if parts == ["version"]:
            self.weather("discovery", "version")
            return ({"major": "1", "minor": "25", "gitVersion": "v1.25.10", "platform": "linux/amd64"},)
        if not parts:
            return ({"paths": []},)
        with self.world.lock:
            kinds = self.world.kinds()
        if parts[0] == "openapi":
            return self.openapi(parts, kinds)
        if parts == ["api"]:
            return ({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},)
        if parts == ["apis"]:
            return (_groups(kinds),)
        api, rest = (parts[1], parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
        if api not in kinds:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        if not rest:
            return (_resources(api, kinds[api]),)
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        plural, name = rest[0], rest[1] if len(rest) > 1 else None
        info = next((k for k in kinds[api] if k[0] == plural), None)
        if info is None:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        return self.rest(api, info, namespace, name, query, body)

    def openapi(self, parts: list[str], kinds: dict[str, Any]) -> Optional[tuple[Any, ...]]:
        if parts == ["openapi", "v3"]:
            paths = {(f"apis/{a}" if "/" in a else f"api/{a}"): a for a in kinds}
            return ({"paths": {p: {"serverRelativeURL": f"/openapi/v3/{p}?hash={len(kinds[a])}"} for p, a in paths.items()}},)
        if parts[1] == "v3":
            api = "/".join(parts[3:])
            if api not in kinds:
                raise Refusal(404, "NotFound", "no such document")
            return (_document(api, kinds[api]),)
        # An empty protobuf document; kubectl takes this media type, and one with an "@" in it makes Go's parser fail.
        self.send_response(200)
        self.send_header("Content-Type", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()
        return None

    def weather(self, plural: str, name: str) -> None:
        """Count the request, and let the day's fault have it."""
        apply = "apply-patch" in self.headers.get("Content-Type", "")
        kind = f"{self.command}:apply" if apply else self.command
        with self.world.lock:
            self.world.requests[f"{kind}?dryRun" if "dryRun=" in self.path else kind] += 1
            if self.world.weather.fault is not None:
                self.world.weather.fault(kind, plural, name)

    def rest(self, api: str, info: tuple[str, str, bool], namespace: str, name: Optional[str], query: dict[str, str], body: bytes) -> Optional[tuple[Any, ...]]:
        plural, _, namespaced = info
        group = api.partition("/")[0] if "/" in api else ""
        self.weather(plural, name or "")
        if self.command == "GET" and (name is None or "watch" in query):
            return self.listing(group, api, info, namespace, query)
        content = self.headers.get("Content-Type", "")
        with self.world.lock:
            o = _loaded(body, content)
            if self.command == "POST":
                name = o["metadata"]["name"]
            key: Key = (group, plural, namespace if namespaced else "", str(name))
            current = self.world.objects.get(key)
            apply = "apply-patch" in content
            if current is None and self.command != "POST" and not apply:
                raise Refusal(404, "NotFound", f'{plural}{"." + group if group else ""} "{name}" not found')
            if self.command == "GET":
                return (current,)
            if self.command == "DELETE":
                del self.world.objects[key]
                self.world.ready.pop(key, None)
                return (current,)
            if self.command == "POST" and current is not None:
                raise Refusal(409, "AlreadyExists", f'{plural} "{name}" already exists')
            dry, manager = "dryRun" in query, query.get("fieldManager", "kubectl")
            if apply:
                return self.world.apply(key, o, manager, force=query.get("force") == "true", dry_run=dry)
            if self.command in ("POST", "PUT"):
                return self.world.keep(key, o, {manager: set(leaves(o))}, dry_run=dry)
            patched = merge(copy.deepcopy(current), o, named="strategic" in content)
            return self.world.keep(key, patched, self.world.owners.get(key, {}), dry_run=dry)

    def listing(self, group: str, api: str, info: tuple[str, str, bool], namespace: str, query: dict[str, str]) -> Optional[tuple[Any, ...]]:
        fields, labels = (_selector(query.get(k, "")) for k in ("fieldSelector", "labelSelector"))

        def chosen() -> list[dict[str, Any]]:
            return [
                o for (g, r, ns, n), o in self.world.objects.items()
                if (g, r) == (group, info[0]) and (not namespace or ns == namespace) and fields.get("metadata.name", n) == n
                and labels.items() <= (o["metadata"].get("labels") or {}).items()
            ]

        with self.world.lock:
            if "watch" not in query and "as=PartialObjectMetadataList" in self.headers.get("Accept", ""):
                items = [{"metadata": o["metadata"]} for o in chosen()]
                meta = {"resourceVersion": str(self.world.version)}
                return ({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": items},)
            if "watch" not in query:
                return ({"kind": f"{info[1]}List", "apiVersion": api, "metadata": {"resourceVersion": str(self.world.version)}, "items": chosen()},)
        self.watch(chosen, int(query.get("resourceVersion") or 0), time.monotonic() + float(query.get("timeoutSeconds") or 60))
        return None

    def watch(self, chosen: Any, last: int, end: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while time.monotonic() < end:
            with self.world.lock:
                new = [o for o in chosen() if int(o["metadata"]["resourceVersion"]) > last]
                lines = [json.dumps({"type": "MODIFIED", "object": o}).encode() + b"\n" for o in new]
                last = max([last, *(int(o["metadata"]["resourceVersion"]) for o in new)])
            for line in lines:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
            time.sleep(0.1)
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()


def _loaded(body: bytes, content: str) -> Any:
    if not body:
        return None
    return json.loads(body) if "json" in content or body[:1] == b"{" else yaml.load(body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _sort(message: str) -> str:
    """A message without what names one object, so that messages can be counted."""
    return "".join(part if i % 2 == 0 else "..." for i, part in enumerate(message.split('"')))[:90]


def _selector(text: str) -> dict[str, str]:
    pairs = (x.split("=", 1) for x in text.replace("==", "=").split(",") if "=" in x and "!" not in x)
    return dict(pairs)  # type: ignore[arg-type]


def _groups(kinds: dict[str, Any]) -> dict[str, Any]:
    groups: dict[str, list[dict[str, str]]] = {}
    for api in kinds:
        if "/" in api:
            groups.setdefault(api.partition("/")[0], []).append({"groupVersion": api, "version": api.partition("/")[2]})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [{"name": g, "versions": v, "preferredVersion": v[0]} for g, v in groups.items()]}


def _resources(api: str, kinds: list[tuple[str, str, bool]]) -> dict[str, Any]:
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api, "resources": [
        {"name": r, "singularName": k.lower(), "namespaced": ns, "kind": k, "shortNames": SHORT.get(r, []), "verbs": VERBS} for r, k, ns in kinds]}


def _document(api: str, kinds: list[tuple[str, str, bool]]) -> dict[str, Any]:
    """Just enough for kubectl to see that patches take fieldValidation."""
    group, _, version = api.rpartition("/")
    parameters = [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]
    return {"openapi": "3.0.0", "info": {"title": "stand-in", "version": "v1.25"}, "paths": {f"/x/{r}/{{name}}": {"patch": {
        "parameters": parameters, "responses": {"200": {"description": "OK"}}, "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": k}}} for r, k, _ in kinds}}


class Turned:
    """A clock that stands until somebody sleeps; then the cluster's controllers live through that time."""

    def __init__(self) -> None:
        self.time = 0.0
        self.controllers: Optional[Controllers] = None

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        end = self.time + seconds
        while self.time < end:
            self.time = min(end, self.time + 0.5)
            if self.controllers is not None:
                self.controllers.tick()


class Server:
    """A running stand-in; `clock` is what a test injects into the executor."""

    def __init__(self, weather: Optional[Weather] = None, clock: Optional[Turned] = None) -> None:
        self.clock = clock
        self.world = World(clock.now if clock else time.monotonic, weather)
        self.controllers = Controllers(self.world)
        if clock is not None:
            clock.controllers = self.controllers
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"world": self.world}))
        self._http.daemon_threads = True
        self._stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def _tick(self) -> None:
        while not self._stopped.wait(0.02):
            self.controllers.tick()

    def kubeconfig(self, path: Path) -> Path:
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "s", "users": [{"name": "s", "user": {}}],
            "clusters": [{"name": "s", "cluster": {"server": self.url}}], "contexts": [{"name": "s", "context": {"cluster": "s", "user": "s"}}],
        }), encoding="utf-8")
        path.chmod(0o600)
        return path


@contextmanager
def running(weather: Optional[Weather] = None, clock: Optional[Turned] = None) -> Iterator[Server]:
    """A server for the length of a test. Without a clock it lives in real time."""
    server = Server(weather, clock)
    threads = [threading.Thread(target=server._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)]
    if clock is None:
        threads.append(threading.Thread(target=server._tick, daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        server._stopped.set()
        server._http.shutdown()
        server._http.server_close()
