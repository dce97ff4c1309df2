"""What a stream of Kubernetes objects will do to a cluster that its author did not mean: checks with stable ids and places."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

from kfimage.errors import ERROR, NOTE, WARNING, Report, define
from kfimage.finalize import normalise
from kfimage.finalize.apis import builtin, served
from kfimage.finalize.images import Image, containers, images, registry, tag
from kfimage.finalize.relations import Relations
from kfimage.finalize.stream import Object, Stream, entries, words

PLACEHOLDER = define(
    "KF9610", WARNING, "a caBundle that holds no certificate",
    why="Applied again, it overwrites the CA that was injected into the cluster, and every call of that webhook fails; Kubernetes 1.31 refuses such a CRD.",
    fix="remove the key: who injects the CA also adds it (`kfimage finalize` leaves it out)", source="kubeflow/manifests 2553; kserve 4002",
)
GONE = define(
    "KF9611", ERROR, "an API that this version of Kubernetes no longer serves",
    why="The object is refused with 'no matches for kind', in every pass of a loop, for ever.",
    fix="use the API that followed it", source="Kubernetes' deprecated API migration guide",
)
ENDING = define(
    "KF9612", WARNING, "an API that the next version of Kubernetes no longer serves",
    why="The next upgrade of the cluster makes the stream fail.", fix="use the API that followed it", source="Kubernetes' deprecated API migration guide",
)
NOT_YET = define(
    "KF9613", ERROR, "an API that this version of Kubernetes does not serve yet",
    why="The object is refused with 'no matches for kind'.", fix="use a newer Kubernetes or an older release of the stream",
    source="Kubernetes' deprecated API migration guide",
)
UNKNOWN_KIND = define(
    "KF9614", NOTE, "a kind that neither Kubernetes nor the stream defines",
    why="Its CRD must be in the cluster before, or the object is refused.", fix="install what defines it first, or add its CRD to the stream",
)
SERVER_OWNED = define(
    "KF9615", NOTE, "a value that only the server writes",
    why="It is ignored or makes the object look changed at each apply.", fix="remove it (`kfimage finalize` leaves it out)",
)
NO_PROTOCOL = define(
    "KF9616", NOTE, "a Service port without protocol",
    why="API servers before 1.21 refuse it in server-side apply: the protocol is part of the list's key.", fix="add `protocol: TCP`",
    source="structured-merge-diff 183; kubernetes PR 98576",
)
NO_NAMESPACE = define(
    "KF9617", WARNING, "an object of a namespaced kind without a namespace",
    why="It lands in whatever namespace the kubeconfig's current context names.",
    fix=f"give it a namespace (`kfimage finalize` takes '{normalise.LOST_NAMESPACE}')",
)
NEEDLESS_NAMESPACE = define(
    "KF9618", NOTE, "a cluster-scoped object with a namespace",
    why="Its kind has no namespaces; tools that build the address themselves ask for one that does not exist.", fix="remove metadata.namespace",
)
UNTAGGED = define(
    "KF9620", WARNING, "an image without a tag, or with the tag latest",
    why="What runs changes without any change here, and the default pull policy becomes Always.", fix="name a version or a digest",
)
SHORT_NAME = define(
    "KF9621", WARNING, "an image name without a registry",
    why="CRI-O resolves it only by the node's unqualified-search-registries, and refuses it when that is empty or ambiguous.",
    fix="write the registry, as in docker.io/library/python:3.7", source="cri-o 3884, 9401",
)
HIDDEN = define(
    "KF9622", NOTE, "an image named outside a pod's containers",
    why="Lists made from pod specs or by `grep image:` miss it, so an air gap or a mirror lacks it when a controller starts it.",
    fix="carry it along with the images of the pods",
)
ALWAYS_PULL = define(
    "KF9623", NOTE, "a container that is pulled at every start",
    why="Without its registry the pod does not start again, even when the image lies on the node.", fix="`imagePullPolicy: IfNotPresent`, or keep a mirror",
)
MARGIN = define(
    "KF9630", WARNING, "an object that client-side apply can hardly hold",
    why="`kubectl apply` keeps a copy in an annotation, and all annotations of an object together may have 262144 bytes.",
    fix="apply it server-side, as `kfimage finalize` does", source="kubeflow/manifests 2914, 2954; kserve 3487",
)
PUBLISHED = define(
    "KF9640", WARNING, "a password or key that is published with the stream",
    why="Who can reach the cluster's login or stores can use it: it stands in a public repository.",
    fix="`kfimage finalize apply` replaces it by a generated one, unless --insecure-demo is given",
)
OPEN_DATABASE = define(
    "KF9641", WARNING, "a database that takes an empty password",
    why="Every pod that reaches its port is its root.", fix="set a password from a Secret; `kfimage finalize apply` does for the databases it knows",
)
NO_BACKEND = define(
    "KF9650", NOTE, "a webhook whose backend is not in the stream",
    why="What it admits is refused until its backend answers, and nothing here installs that.", fix="install the backend first",
)

_RULES = {
    normalise.CA: PLACEHOLDER, normalise.TIME: SERVER_OWNED, normalise.STATUS: SERVER_OWNED, normalise.PROTOCOL: NO_PROTOCOL,
    normalise.NAMESPACE: NO_NAMESPACE, normalise.CLUSTER_SCOPED: NEEDLESS_NAMESPACE,
}
ANNOTATIONS = 262144
_CLOSE = 0.9
KNOWN_PASSWORDS = {
    "$2y$12$4K/VkmDd1q1Orb3xAt82zu8gk7Ad6ReFR4LCP9UeYE90NLiN9Df72": "the login of user@example.com (12341234)",
    "pUBnBOY80SnXgjibTYM9ZWNzY2xreNGQok": "the OIDC client's secret", "minio123": "MinIO's secret key",
}
"""Published in kubeflow/manifests v1.7.0, and with it in every fork."""
_KEYS = {("katib-mysql-secrets", "MYSQL_ROOT_PASSWORD"): "test", ("mysql-secret", "password"): ""}
"""Values too short to search for anywhere but in their own key."""


def lint(stream: Stream, minor: int, report: Report) -> None:
    """Every finding about a stream for Kubernetes 1.`minor`."""
    for change in normalise.changes(stream):
        check = _RULES.get(change.rule)
        if check is not None:
            report.add(check, change.object.mark(*change.path), f"{change.object.id}: {'.'.join(map(str, change.path))}")
    for o in stream:
        _api(o, stream, minor, report)
        _annotation(o, report)
        passwords(o, report)
    for image in images(stream):
        _image(image, report)
    _backends(stream, report)


def _api(o: Object, stream: Stream, minor: int, report: Report) -> None:
    mark, when = o.mark("apiVersion"), served(o.api, o.kind)
    instead = f"use {when.instead}" if when.instead else None
    if builtin(o.api, o.kind) is None:
        if (o.group, o.kind) not in stream.kinds:
            report.add(UNKNOWN_KIND, mark, f"{o.id}: {o.api} {o.kind}")
    elif minor >= when.gone:
        report.add(GONE, mark, f"{o.id}: {o.api} {o.kind} ended with Kubernetes 1.{when.gone - 1}", instead)
    elif minor + 1 == when.gone:
        report.add(ENDING, mark, f"{o.id}: {o.api} {o.kind} ends with Kubernetes 1.{when.gone - 1}", instead)
    elif minor < when.since:
        report.add(NOT_YET, mark, f"{o.id}: {o.api} {o.kind} came with Kubernetes 1.{when.since}")


def _annotation(o: Object, report: Report) -> None:
    own = sum(len(k.encode()) + len(str(v).encode()) for k, v in o.annotations.items())
    name = "kubectl.kubernetes.io/last-applied-configuration"
    text = json.dumps(o.body, separators=(",", ":"), ensure_ascii=False)
    # kubectl writes <, > and & as six bytes each, as Go's encoder does by default.
    size = own + len(name) + len(text.encode()) + 1 + 5 * sum(map(text.count, "<>&"))
    if size > ANNOTATIONS * _CLOSE:
        left = 100 * (ANNOTATIONS - size) / ANNOTATIONS
        word = f"{left:.1f} % are left" if left >= 0 else "client-side apply refuses it"
        report.add(MARGIN, o.mark("metadata", "name"), f"{o.id}: {size} of {ANNOTATIONS} bytes of annotations; {word}")


def _texts(o: Object) -> Iterator[tuple[str, str, str]]:
    """Texts of ConfigMaps and Secrets: under which part, key, and the text itself."""
    for part in ("data", "stringData"):
        for key, value in words(o.body, part).items():
            try:
                yield part, key, base64.b64decode(value).decode() if o.kind == "Secret" and part == "data" else value
            except ValueError:
                continue


def passwords(o: Object, report: Report) -> None:
    """Published passwords, and databases that take an empty one."""
    if o.kind in ("Secret", "ConfigMap") and o.group == "":
        for part, key, text in _texts(o):
            for known, what in KNOWN_PASSWORDS.items():
                if known in text:
                    report.add(PUBLISHED, o.mark(part, key), f"{o.id}: {key} holds {what}")
            if o.kind == "Secret" and _KEYS.get((o.name, key)) == text:
                report.add(PUBLISHED, o.mark(part, key), f"{o.id}: {key} is {'empty' if not text else 'the published one'}")
    for path, container in containers(o):
        for index, env in entries(container, "env"):
            if env.get("name") == "MYSQL_ALLOW_EMPTY_PASSWORD" and env.get("value"):
                report.add(OPEN_DATABASE, o.mark(*path, "env", index), f"{o.id}: MYSQL_ALLOW_EMPTY_PASSWORD")


def _image(image: Image, report: Report) -> None:
    o, mark = image.object, image.object.mark(*image.path)
    if image.hidden:
        report.add(HIDDEN, mark, f"{o.id}: {image.reference} in {'.'.join(map(str, image.path))}")
    if tag(image.reference) in ("", "latest"):
        report.add(UNTAGGED, mark, f"{o.id}: {image.reference}")
    if not registry(image.reference):
        report.add(SHORT_NAME, mark, f"{o.id}: {image.reference}")
    if image.policy == "Always":
        report.add(ALWAYS_PULL, mark, f"{o.id}: {image.reference}")


def _backends(stream: Stream, report: Report) -> None:
    relations = Relations(stream)
    for hook in relations.webhooks:
        if hook.fails and hook.service is not None and not relations.behind(hook.service):
            report.add(NO_BACKEND, hook.config.mark("webhooks"), f"{hook.config.id}: {hook.name} calls {hook.service.namespace}/{hook.service.name}")
