"""What the cluster must offer before: each lack is told, and nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from kfimage.errors import KfimageError
from kfimage.finalize.answers import Answer
from kfimage.finalize.cluster import Cluster
from kfimage.finalize.step import Done
from kfimage.finalize.steps import Settings, preflight

from . import rig

NODE: dict[str, Any] = {"metadata": {"name": "cpu-01"}, "spec": {}, "status": {
    "allocatable": {"cpu": "3", "memory": "8Gi"}, "conditions": [{"type": "Ready", "status": "True"}]}}
CLASS: dict[str, Any] = {"metadata": {"name": "std", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}


class Fixed:
    """A server that says what it was told to, and takes nothing."""

    def __init__(self, version: str, nodes: list[Mapping[str, Any]], classes: list[Mapping[str, Any]]) -> None:
        self.answers = {"/version": {"gitVersion": version}, "/api/v1/nodes": {"items": nodes}, "/apis/storage.k8s.io/v1/storageclasses": {"items": classes}}

    def request(self, method: str, path: str, body: object = None, content: str = "", accept: str = "") -> Answer:
        assert method == "GET"
        return Answer(200, self.answers[path])


def check(version: str = "v1.25.10", nodes: Any = (NODE,), classes: Any = (CLASS,)) -> Any:
    return preflight.make(Settings(rig.real(), "")).check(Cluster(Fixed(version, list(nodes), list(classes))))


def test_a_fitting_cluster() -> None:
    assert check() == Done("Kubernetes v1.25.10, 1 nodes ready")
    assert isinstance(check("v1.30.2-eks-1"), Done)


def _node(**spec: Any) -> dict[str, Any]:
    return {**NODE, "spec": spec}


UNREADY: dict[str, Any] = {**NODE, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
SMALL: dict[str, Any] = {**NODE, "status": {**NODE["status"], "allocatable": {"cpu": "2200m", "memory": "5Gi"}}}


@pytest.mark.parametrize(("change", "expected", "word"), [
    ({"version": "v1.22.17"}, "KF9671", "autoscaling/v2"), ({"version": "unknown"}, "KF9671", "unknown"), ({"classes": []}, "KF9672", "minio-pvc"),
    ({"nodes": []}, "KF9673", "no node"), ({"nodes": [UNREADY]}, "KF9673", "no node"), ({"nodes": [_node(unschedulable=True)]}, "KF9673", "no node"),
    ({"nodes": [_node(taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}])]}, "KF9673", "no node"),
    ({"nodes": [SMALL]}, "KF9674", "2.2 requested"), ({"nodes": [SMALL]}, "KF9674", "5.6 requested"),
])
def test_each_lack_is_told(change: dict[str, Any], expected: str, word: str) -> None:
    with pytest.raises(KfimageError) as caught:
        check(**change)
    assert {p.id for p in caught.value.report} == {expected} and word in str(caught.value)


def test_all_lacks_are_told_at_once() -> None:
    with pytest.raises(KfimageError) as caught:
        check("v1.22.17", [SMALL], [])
    assert {p.id for p in caught.value.report} == {"KF9671", "KF9672", "KF9674"}


@pytest.mark.parametrize(("text", "value"), [("100m", 0.1), ("1", 1.0), ("1.5Gi", 1.5 * 2**30), ("800Mi", 800 * 2**20), ("5k", 5000.0), ("1e3", 0.0), (None, 0.0)])
def test_quantities(text: object, value: float) -> None:
    assert preflight.quantity(text) == pytest.approx(value)
