"""Generated passwords in the place of those that Kubeflow publishes; kept in one Secret of the cluster and nowhere else."""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

from kfimage.errors import ERROR, Exit, KfimageError, Mark, Report, define
from kfimage.finalize.apis import Resource
from kfimage.finalize.cluster import Cluster, failed
from kfimage.finalize.lint import KNOWN_PASSWORDS, passwords
from kfimage.finalize.normalise import put
from kfimage.finalize.relations import pod_spec
from kfimage.finalize.stream import Key, Object, Stream, entries, mapping, words
from kfimage.kinds import Secret

NAMESPACE, NAME = "kubeflow", "kfimage-credentials"
DEX, DEX_HASH, OIDC, MINIO, KATIB, PIPELINES = "dex-password", "dex-hash", "oidc-client-secret", "minio-secret-key", "katib-mysql-root", "pipelines-mysql-root"
NAMES = (DEX, DEX_HASH, OIDC, MINIO, KATIB, PIPELINES)

PUBLISHED_DEFAULT = define(
    "KF9667", ERROR, "a published password would be installed",
    why="It stands in a public repository: whoever reaches the login or a store can use it.",
    fix="take it out of the stream; --insecure-demo installs it as it is, for a cluster that nobody else can reach",
)
OTHER_PASSWORDS = define(
    "KF9668", ERROR, "the cluster's databases were set up with passwords that kfimage does not have",
    why="A database keeps the root password of its first start; with a generated one in its Secret nobody could log in any more.",
    fix=f"put the passwords in use into Secret {NAMESPACE}/{NAME}, or keep the published ones with --insecure-demo",
)
NO_BCRYPT = define(
    "KF9669", ERROR, "this machine's libcrypt cannot make a bcrypt hash",
    why="dex takes nothing but bcrypt.", fix=f"install libxcrypt, or put your own values into Secret {NAMESPACE}/{NAME}: {', '.join(NAMES)}",
)


@dataclass(frozen=True)
class Slot:
    """Where one of the credentials belongs; it is filled when the object is sent."""

    name: str


def slotted(stream: Stream) -> Stream:
    """The stream with a slot wherever Kubeflow 1.7.0 publishes a password, and databases that take no empty one."""
    return Stream(tuple(_CHANGES[o.key](o) if o.key in _CHANGES else o for o in stream))


def published(stream: Stream) -> Report:
    """The published passwords and open databases that a stream still installs."""
    found = Report()
    for o in stream:
        passwords(o, found)
    report = Report()
    for p in found:
        report.add(PUBLISHED_DEFAULT, p.mark, p.message)
    return report


def _secret(values: dict[str, str], slots: dict[str, str]) -> Callable[[Object], Object]:
    def change(o: Object) -> Object:
        body = {key: value for key, value in o.body.items() if key != "stringData"}
        kept = {k: v for k, v in mapping(o.body, "data").items() if k not in slots}
        plain = {k: base64.b64encode(v.encode()).decode() for k, v in values.items()}
        return o.but({**body, "data": {**kept, **plain, **{key: Slot(name) for key, name in slots.items()}}})

    return change


_HASH = re.compile(rf"^(\s*)hash: ({'|'.join(re.escape(p) for p in KNOWN_PASSWORDS if p.startswith('$2'))})$", re.M)


def _dex(o: Object) -> Object:
    """The login's hash comes from dex's environment, which is filled from its client Secret."""
    text = words(o.body, "data").get("config.yaml")
    return o if text is None else o.but(put(o.body, ("data", "config.yaml"), _HASH.sub(r"\1hashFromEnv: DEX_USER_PASSWORD_HASH", text)))


def _mysql(o: Object) -> Object:
    reference = {"name": "MYSQL_ROOT_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "mysql-secret", "key": "password"}}}
    return _environment(o, [reference])


def _katib_mysql(o: Object) -> Object:
    return _environment(o, [])


def _environment(o: Object, more: list[dict[str, Any]]) -> Object:
    kept = [
        {**c, "env": [e for _, e in entries(c, "env") if e.get("name") != "MYSQL_ALLOW_EMPTY_PASSWORD"] + more} for _, c in entries(pod_spec(o), "containers")
    ]
    if not kept:
        return o
    return o.but(put(o.body, ("spec", "template", "spec", "containers"), kept))


_CHANGES: dict[Key, Callable[[Object], Object]] = {
    Key("", "ConfigMap", "auth", "dex"): _dex,
    Key("", "Secret", "auth", "dex-oidc-client"): _secret({}, {"OIDC_CLIENT_SECRET": OIDC, "DEX_USER_PASSWORD_HASH": DEX_HASH}),
    Key("", "Secret", "istio-system", "oidc-authservice-client"): _secret({}, {"CLIENT_SECRET": OIDC}),
    Key("", "Secret", "kubeflow", "mlpipeline-minio-artifact"): _secret({"accesskey": "minio"}, {"secretkey": MINIO}),
    Key("", "Secret", "kubeflow", "katib-mysql-secrets"): _secret({}, {"MYSQL_ROOT_PASSWORD": KATIB}),
    Key("", "Secret", "kubeflow", "mysql-secret"): _secret({"username": "root"}, {"password": PIPELINES}),
    Key("apps", "Deployment", "kubeflow", "mysql"): _mysql,
    Key("apps", "Deployment", "kubeflow", "katib-mysql"): _katib_mysql,
}


class Vault:
    """The credentials of one cluster: read from its Secret, or made and kept there, when the first object needs one."""

    def __init__(self) -> None:
        self._values: Optional[dict[str, Secret]] = None

    def fill(self, o: Object, cluster: Cluster) -> Object:
        """The object with its slots filled."""
        if o.kind != "Secret" or not any(isinstance(v, Slot) for v in mapping(o.body, "data").values()):
            return o
        if self._values is None:
            self._values = _read(cluster) or _made(cluster)
        values = self._values
        return o.but(put(o.body, ("data",), {k: values[v.name] if isinstance(v, Slot) else v for k, v in o.body["data"].items()}))


_PATH = f"/api/v1/namespaces/{NAMESPACE}/secrets/{NAME}"
_MARK = Mark(f"cluster: Secret {NAMESPACE}/{NAME}")


def _read(cluster: Cluster) -> Optional[dict[str, Secret]]:
    answer = cluster.get(_PATH)
    if answer.code == 404:
        return None
    if not answer.ok:
        raise failed(answer, _MARK, NAME)
    data = answer.body.get("data") or {}
    lacking = [name for name in NAMES if not data.get(name)]
    if lacking:
        report = Report()
        report.add(OTHER_PASSWORDS, _MARK, f"the Secret has no {', '.join(lacking)}")
        raise KfimageError(report)
    return {name: Secret(base64.b64decode(data[name])) for name in NAMES}


def _made(cluster: Cluster) -> dict[str, Secret]:
    report = Report()
    for name in ("mysql", "katib-mysql", "minio"):
        if cluster.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}").ok:
            report.add(OTHER_PASSWORDS, Mark(f"cluster: Deployment {NAMESPACE}/{name}"), f"{name} runs already, and there is no Secret {NAMESPACE}/{NAME}")
    if report:
        raise KfimageError(report)
    values = generate()
    meta = {"name": NAME, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/managed-by": "kfimage"}}
    o = Object({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": dict(values)})
    answer = cluster.create(o, Resource("secrets", True))
    if answer.code == 409:
        # Made by a run that was killed before it could go on: what is kept there counts.
        found = _read(cluster)
        if found is not None:
            return found
    if not answer.ok:
        raise failed(answer, _MARK, NAME)
    return values


def generate() -> dict[str, Secret]:
    """A new set: 24 random characters each, 144 bits."""
    plain = {name: secrets.token_urlsafe(18) for name in NAMES if name != DEX_HASH}
    return {**{name: Secret(value.encode()) for name, value in plain.items()}, DEX_HASH: Secret(bcrypt(plain[DEX], setting()).encode())}


def setting() -> str:
    """bcrypt's parameters for a new hash: cost 12 and a random salt."""
    salt = "".join(secrets.choice("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") for _ in range(21))
    # 22 characters hold 132 bits of which bcrypt uses 128: the last can only be one of four.
    return f"$2b$12${salt}{secrets.choice('.Oeu')}"


def bcrypt(password: str, parameters: str) -> str:
    """The bcrypt hash of a password by the system's libcrypt: libxcrypt on RHEL 8 and later, and on Debian 11 and later."""
    for name in ("libcrypt.so.2", "libcrypt.so.1", ctypes.util.find_library("crypt")):
        if name is None:
            continue
        try:
            crypt = ctypes.CDLL(name).crypt
        except (OSError, AttributeError):
            continue
        crypt.restype, crypt.argtypes = ctypes.c_char_p, (ctypes.c_char_p, ctypes.c_char_p)
        made = crypt(password.encode(), parameters.encode())
        if made and made.startswith(parameters[:28].encode()) and len(made) == 60:
            return str(made.decode())
    report = Report()
    report.add(NO_BCRYPT, Mark("this machine"), "libcrypt has no $2b$")
    raise KfimageError(report, Exit.PROBLEM)
