"""The cluster, through the site's own kubectl: its kubeconfig, its certificates, its login plugins; one request for each object.

`kubectl proxy` on a private socket carries the requests, so that every answer has a code and a place instead of a line of text.
"""

from __future__ import annotations

import base64
import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Protocol
from urllib.parse import quote, urlencode

from kfimage.errors import ERROR, Exit, KfimageError, Mark, Report, define
from kfimage.finalize.answers import FOREVER, UNREACHABLE, Answer, judge
from kfimage.finalize.apis import Resource
from kfimage.finalize.stream import Object
from kfimage.kinds import Secret

NO_TOOL = define(
    "KF9666", ERROR, "a program that finalize needs is not there",
    why="kubectl speaks to the cluster with the site's own credentials.", fix="install the kubectl of the cluster's version, and put it into PATH",
)
MANAGER = "kfimage"
"""The field manager: what kfimage set stays its own, and what a CA injector or autoscaler set stays theirs."""
TIMEOUT = 60.0
JSON = "application/json"
_METADATA = f"{JSON};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,{JSON}"


class Transport(Protocol):
    """Carries one request to the API server. Never raises for what the other side does: no answer is code 0."""

    def request(self, method: str, path: str, body: Optional[bytes] = None, content: str = JSON, accept: str = JSON) -> Answer: ...


class Cluster:
    """Reads and server-side apply; secrets are revealed here, on their way to the API server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.sends = 0

    def get(self, path: str) -> Answer:
        return self._transport.request("GET", path)

    def listing(self, api: str, plural: str) -> list[dict[str, Any]]:
        """Every object of a kind in all namespaces; nothing when the kind is not served. Raises when the server does not answer."""
        return self._listing(api, plural, JSON)

    def metadata(self, api: str, plural: str) -> list[dict[str, Any]]:
        """The same without contents: finalize has no business in other people's Secrets, and CRDs are large."""
        return self._listing(api, plural, _METADATA)

    def _listing(self, api: str, plural: str, accept: str) -> list[dict[str, Any]]:
        answer = self._transport.request("GET", f"{root(api)}/{plural}", accept=accept)
        if answer.code == 404:
            return []
        if not answer.ok:
            raise failed(answer, Mark("cluster"), f"list of {plural}")
        return list(answer.body.get("items") or [])

    def version(self) -> dict[str, Any]:
        """The server's version. Raises KfimageError when there is no server."""
        answer = self.get("/version")
        if not answer.ok:
            raise failed(answer, Mark("cluster"), "its version")
        return answer.body

    def send(self, o: Object, resource: Resource, *, dry_run: bool = False) -> Answer:
        """Server-side apply of one object, taking over the fields it names."""
        query = {"fieldManager": MANAGER, "force": "true", **({"dryRun": "All"} if dry_run else {})}
        if not dry_run:
            self.sends += 1
        return self._transport.request("PATCH", f"{address(o, resource)}?{urlencode(query)}", _wire(o), "application/apply-patch+yaml")

    def create(self, o: Object, resource: Resource, *, dry_run: bool = False) -> Answer:
        """Create one object; 409 when it is there already."""
        query = urlencode({"fieldManager": MANAGER, **({"dryRun": "All"} if dry_run else {})})
        path = address(o, resource).rpartition("/")[0]
        return self._transport.request("POST", f"{path}?{query}", _wire(o))


def root(api: str) -> str:
    return f"/apis/{api}" if "/" in api else f"/api/{api}"


def address(o: Object, resource: Resource) -> str:
    """The path of an object."""
    namespace = f"/namespaces/{quote(o.namespace, safe='')}" if resource.namespaced else ""
    return f"{root(o.api)}{namespace}/{resource.plural}/{quote(o.name, safe=':')}"


def _wire(o: Object) -> bytes:
    """An object's JSON with its secrets revealed: as base64 under a Secret's data, as text elsewhere."""
    body = dict(o.body)
    if o.kind == "Secret" and isinstance(body.get("data"), dict):
        body["data"] = {k: base64.b64encode(v.reveal()).decode() if isinstance(v, Secret) else v for k, v in body["data"].items()}
    return json.dumps(body, default=_revealed).encode()


def _revealed(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal().decode()
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Unanswered(KfimageError):
    """The server gave no answer, or one that may be another in a moment."""


def failed(answer: Answer, mark: Mark, what: str) -> KfimageError:
    """The error that an answer is; an Unanswered when it is worth asking again."""
    verdict = judge(answer)
    report = Report()
    report.add(verdict.check, mark, f"{what}: {verdict.cause}")
    return (Unanswered if verdict.tries == FOREVER else KfimageError)(report, verdict.exit)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Proxy:
    """A running `kubectl proxy` on a socket in a folder only this user can enter."""

    def __init__(self, kubeconfig: Optional[Path] = None, kubectl: str = "kubectl") -> None:
        found = shutil.which(kubectl)
        if found is None:
            report = Report()
            report.add(NO_TOOL, Mark("command line"), f"{kubectl} is not in PATH")
            raise KfimageError(report, Exit.PROBLEM)
        self._folder = tempfile.TemporaryDirectory(prefix="kfimage-")
        self._socket = os.path.join(self._folder.name, "api")
        command = [found, *(["--kubeconfig", str(kubeconfig)] if kubeconfig else []), "proxy", f"--unix-socket={self._socket}"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None)
        self._connection: Optional[_Connection] = None
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        end = time.monotonic() + 20
        while not os.path.exists(self._socket):
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                said = self._process.communicate()[1].decode("utf-8", "replace").strip().splitlines()
                report = Report()
                report.add(UNREACHABLE, Mark("cluster"), f"kubectl proxy: {said[-1] if said else 'it opened no socket within 20 s'}",
                           "check the kubeconfig: `kubectl cluster-info` says more")
                raise KfimageError(report, Exit.REFUSED)
            time.sleep(0.02)

    def request(self, method: str, path: str, body: Optional[bytes] = None, content: str = JSON, accept: str = JSON) -> Answer:
        """One request; a connection that was kept too long is opened again once, for reads and repeatable applies."""
        reused = self._connection is not None
        headers = {"Content-Type": content, "Accept": accept}
        answer = self._once(method, path, body, headers)
        return self._once(method, path, body, headers) if answer.code == 0 and reused and method != "POST" else answer

    def _once(self, method: str, path: str, body: Optional[bytes], headers: Mapping[str, str]) -> Answer:
        try:
            if self._connection is None:
                self._connection = _Connection(self._socket)
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            return Answer(0, {"text": f"the connection ended: {error or type(error).__name__}"})
        if response.will_close:
            self._drop()
        return Answer(response.status, _decoded(data), _seconds(response.headers.get("Retry-After")))

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        self._drop()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._folder.cleanup()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_LIBC = ctypes.CDLL(None)
"""Loaded before any fork: the child may do little more than call it."""
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """Linux ends the proxy when finalize is killed: nobody else would close its door to the cluster."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError:
        return {"text": data[:300].decode("utf-8", "replace")}
    return body if isinstance(body, dict) else {"text": str(body)[:300]}


def _seconds(text: Optional[str]) -> float:
    return float(text) if text and text.isdigit() else 0.0
