"""Kubeflow from a stream: normalised, its published passwords replaced, applied in waves, done when every workload is ready."""

from __future__ import annotations

from collections.abc import Mapping

from kfimage.errors import KfimageError
from kfimage.finalize import credentials
from kfimage.finalize.cluster import Cluster
from kfimage.finalize.manifests import Manifests
from kfimage.finalize.normalise import normalise
from kfimage.finalize.step import Note, Retry, State
from kfimage.finalize.steps import Settings


class Kubeflow:
    name = "kubeflow"
    title = "Kubeflow: a stream in waves, one send for each object"
    after = ("preflight",)
    # Pulls decide: 51 images at 100 Mbit/s take most of an hour, and a single large one a quarter.
    retry = Retry(deadline=7200, idle=1800, first=1.0)

    def __init__(self, work: Manifests, inputs: Mapping[str, str]) -> None:
        self.work = work
        self.inputs = inputs

    def check(self, cluster: Cluster) -> State:
        return self.work.check(cluster)

    def apply(self, cluster: Cluster, note: Note) -> None:
        self.work.apply(cluster, note)


def make(settings: Settings) -> Kubeflow:
    """The step; refuses a stream that would install a published password, unless that was asked for."""
    stream = normalise(settings.stream)
    inputs = {"stream": settings.digest, "passwords": "published" if settings.insecure_demo else "generated"}
    if settings.insecure_demo:
        return Kubeflow(Manifests(stream), inputs)
    stream = credentials.slotted(stream)
    report = credentials.published(stream)
    if report:
        raise KfimageError(report)
    return Kubeflow(Manifests(stream, credentials.Vault().fill), inputs)
