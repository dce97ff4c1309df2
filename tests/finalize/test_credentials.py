"""Generated passwords: nothing published is installed, the two halves of each pair agree, a second run keeps them, and none is ever told."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from kfimage.errors import KfimageError
from kfimage.finalize import credentials, steps
from kfimage.finalize.lint import KNOWN_PASSWORDS
from kfimage.finalize.manifests import digest
from kfimage.finalize.normalise import normalise
from kfimage.kinds import Secret

from . import rig


def _data(cluster: rig.Rig, namespace: str, name: str) -> dict[str, str]:
    data = cluster.server.world.objects["", "secrets", namespace, name]["data"]
    return {k: base64.b64decode(v).decode() for k, v in data.items()}


@rig.needs_kubectl
def test_every_published_password_is_replaced_and_pairs_agree(tmp_path: Path) -> None:
    with rig.rig(tmp_path) as cluster:
        cluster.run(rig.light())
        kept = _data(cluster, credentials.NAMESPACE, credentials.NAME)
        assert set(kept) == set(credentials.NAMES) and len(set(kept.values())) == len(kept)
        dex, service = _data(cluster, "auth", "dex-oidc-client"), _data(cluster, "istio-system", "oidc-authservice-client")
        assert dex["OIDC_CLIENT_SECRET"] == service["CLIENT_SECRET"] == kept[credentials.OIDC] and dex["OIDC_CLIENT_ID"] == service["CLIENT_ID"]
        assert dex["DEX_USER_PASSWORD_HASH"] == kept[credentials.DEX_HASH]
        assert _data(cluster, "kubeflow", "mlpipeline-minio-artifact") == {"accesskey": "minio", "secretkey": kept[credentials.MINIO]}
        assert _data(cluster, "kubeflow", "mysql-secret") == {"username": "root", "password": kept[credentials.PIPELINES]}
        assert _data(cluster, "kubeflow", "katib-mysql-secrets") == {"MYSQL_ROOT_PASSWORD": kept[credentials.KATIB]}
        world = cluster.server.world.objects
        config = world["", "configmaps", "auth", "dex"]["data"]["config.yaml"]
        assert "hashFromEnv: DEX_USER_PASSWORD_HASH" in config and "hash: " not in config
        environment = world["apps", "deployments", "auth", "dex"]["spec"]["template"]["spec"]["containers"][0]["envFrom"]
        assert {"secretRef": {"name": "dex-oidc-client"}} in environment
        for name, variables in (("mysql", ["MYSQL_ROOT_PASSWORD"]), ("katib-mysql", ["MYSQL_ROOT_PASSWORD", "MYSQL_DATABASE"])):
            container = world["apps", "deployments", "kubeflow", name]["spec"]["template"]["spec"]["containers"][0]
            assert [e["name"] for e in container["env"]] == variables
        everything = json.dumps(list(world.values()))
        assert not [p for p in KNOWN_PASSWORDS if p in everything or base64.b64encode(p.encode()).decode() in everything]
        told = json.dumps(cluster.events)
        assert not [v for v in kept.values() if v in told]
        cluster.run(rig.light())
        assert _data(cluster, credentials.NAMESPACE, credentials.NAME) == kept


@rig.needs_kubectl
def test_databases_with_other_passwords_are_left_alone(tmp_path: Path) -> None:
    with rig.rig(tmp_path) as cluster:
        cluster.run(rig.light(), demo=True)
        assert _data(cluster, "kubeflow", "mlpipeline-minio-artifact")["secretkey"] == "minio123"
        error = rig.failure(lambda: cluster.run(rig.light()))
        assert {p.id for p in error.report} == {"KF9668"} and "mysql" in str(error)
        assert _data(cluster, "kubeflow", "mlpipeline-minio-artifact")["secretkey"] == "minio123"


@rig.needs_kubectl
def test_an_unfinished_secret_is_refused(tmp_path: Path) -> None:
    with rig.rig(tmp_path) as cluster:
        world = cluster.server.world
        world.put(("", "secrets", credentials.NAMESPACE, credentials.NAME), {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": credentials.NAME, "namespace": credentials.NAMESPACE}, "data": {"dex-password": "eA=="}})
        error = rig.failure(lambda: cluster.run(rig.light()))
        assert {p.id for p in error.report} == {"KF9668"} and "dex-hash" in str(error)


def test_a_published_password_elsewhere_is_refused() -> None:
    stream = rig.parsed("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: n}\ndata: {key: minio123}\n")
    with pytest.raises(KfimageError) as caught:
        steps.make(["kubeflow"], steps.Settings(stream, ""))
    assert [p.id for p in caught.value.report] == ["KF9667"]
    assert steps.make(["kubeflow"], steps.Settings(stream, "", insecure_demo=True))


def test_the_digest_does_not_depend_on_a_secret() -> None:
    slotted = credentials.slotted(normalise(rig.real()))
    assert [digest(o) for o in slotted] == [digest(o) for o in credentials.slotted(normalise(rig.real()))]
    assert not credentials.published(slotted) and len(credentials.published(normalise(rig.real()))) == 8


def test_generated_sets_differ_and_have_no_text() -> None:
    one, other = credentials.generate(), credentials.generate()
    assert set(one) == set(credentials.NAMES) and all(isinstance(v, Secret) for v in one.values())
    assert all(one[n].reveal() != other[n].reveal() for n in one)


def test_the_hash_is_the_one_that_dex_takes() -> None:
    """The published hash, which dex takes for 12341234, comes out again from its own salt."""
    known = next(p for p in KNOWN_PASSWORDS if p.startswith("$2y$"))
    assert credentials.bcrypt("12341234", "$2b$" + known[4:29]) == "$2b$" + known[4:]
    made = credentials.setting()
    assert credentials.bcrypt("x", made).startswith(made[:28]) and made != credentials.setting()


def test_a_libcrypt_without_bcrypt_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials.ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError(name)))
    with pytest.raises(KfimageError) as caught:
        credentials.bcrypt("x", credentials.setting())
    assert [p.id for p in caught.value.report] == ["KF9669"]
