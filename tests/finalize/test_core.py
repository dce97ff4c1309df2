"""The pure core: reading a stream, normalising it, its relations and waves, on the real stream and on small ones."""

from __future__ import annotations

import json
import random

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kfimage.errors import Report
from kfimage.finalize import credentials, normalise
from kfimage.finalize.apis import builtin, served
from kfimage.finalize.images import images, registry, tag
from kfimage.finalize.lint import lint
from kfimage.finalize.relations import Relations, selects
from kfimage.finalize.step import ordered
from kfimage.finalize.steps import preflight
from kfimage.finalize.stream import Stream, plain, read
from kfimage.finalize.waves import waves

from . import rig

WAVES = json.loads((rig.DATA / "kubeflow-1.7.0-waves.json").read_text(encoding="utf-8"))
IMAGES = json.loads((rig.DATA / "kubeflow-1.7.0-images.json").read_text(encoding="utf-8"))


def test_the_real_stream_is_read_as_pyyaml_reads_it() -> None:
    expected = [d for d in yaml.load_all(rig.text(), Loader=yaml.CSafeLoader) if d]
    assert [o.body for o in rig.real()] == expected


def test_marks_point_at_the_text() -> None:
    lines = rig.text().decode().splitlines()
    for o in rig.real().objects[::37]:
        line = lines[o.mark("metadata", "name").line - 1]
        assert line.strip() == f"name: {o.name}" or o.name in line
        assert lines[o.mark("kind").line - 1] == f"kind: {o.kind}"


@pytest.mark.parametrize(("text", "value"), [
    ("yes", True), ("Off", False), ("y", "y"), ("~", None), ("010", 8), ("0x1F", 31), ("1_000", 1000), ("1.30", 1.3), ("1e3", 1000.0), ("1:30", "1:30"),
    ("2023-01-01", "2023-01-01"), ("0.1.2", "0.1.2"), ("-5", -5), ("08", "08"), ("tRue", "tRue"), ("1e", "1e"), (".", "."),
])
def test_plain_scalars_have_kubernetes_types(text: str, value: object) -> None:
    assert plain(text) == value and type(plain(text)) is type(value)


def test_lists_are_taken_apart_and_faults_are_placed() -> None:
    report = Report()
    stream = read(b"# comment only\n---\nkind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {kind: B}\n"
                  b"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\nkind: X\n---\na: [\n---\napiVersion: v1\nkind: P\nmetadata: {generateName: x-}\n",
                  "s.yaml", report)
    assert [o.id for o in stream] == ["ConfigMap//a"]
    assert [(p.id, p.mark.line) for p in report] == [("KF9601", 7), ("KF9602", 11), ("KF9601", 13), ("KF1000", 16), ("KF9601", 17)]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_reported(data: bytes) -> None:
    read(data, "s.yaml", Report())


# -- normalising -----------------------------------------------------------------------------------------------------


def test_what_the_real_stream_needs() -> None:
    found: dict[str, set[str]] = {}
    for change in normalise.changes(rig.real()):
        found.setdefault(change.rule, set()).add(change.object.id)
    assert {rule: len(ids) for rule, ids in found.items()} == {
        normalise.CA: 8, normalise.TIME: 18, normalise.STATUS: 12, normalise.PROTOCOL: 17, normalise.NAMESPACE: 1, normalise.CLUSTER_SCOPED: 2, normalise.GONE: 1}
    assert found[normalise.NAMESPACE] == {"ConfigMap//default-install-config-9h2h2b6hbk"}
    assert found[normalise.GONE] == {"HorizontalPodAutoscaler/knative-serving/webhook"}


def test_normalising_is_idempotent_and_leaves_the_rest_alone() -> None:
    once = normalise.normalise(rig.real())
    assert not list(normalise.changes(once)) and normalise.normalise(once).objects == once.objects
    touched = {c.object.id for c in normalise.changes(rig.real())}
    same = [(a, b) for a, b in zip(rig.real(), once) if a.id not in touched]
    assert len(same) > 500 and all(a is b for a, b in same)


def test_a_real_certificate_stays() -> None:
    pem = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
    text = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: a}\nwebhooks: [{name: b, clientConfig: {caBundle: %s}}]\n"
    assert not list(normalise.changes(rig.parsed(text % pem)))
    assert [c.rule for c in normalise.changes(rig.parsed(text % "Cg=="))] == [normalise.CA]
    assert [c.rule for c in normalise.changes(rig.parsed(text % '""'))] == [normalise.CA]


# -- waves -----------------------------------------------------------------------------------------------------------


def test_the_rules_give_the_waves_of_1_7_0() -> None:
    found = waves(normalise.normalise(rig.real()))
    assert {o.id: w.number for w in found for o in w.objects} == {i: w["wave"] for w in WAVES["waves"] for i in w["objects"]}
    assert [(w.name, len(w.objects)) for w in found] == [(w["name"], w["count"]) for w in WAVES["waves"]]


def test_the_order_of_a_stream_does_not_move_anything() -> None:
    objects = list(rig.real())
    random.Random(6).shuffle(objects)
    before = {o.key: w.number for w in waves(rig.real()) for o in w.objects}
    assert {o.key: w.number for w in waves(Stream(tuple(objects))) for o in w.objects} == before


def test_webhooks_stand_for_what_the_facts_say() -> None:
    relations = Relations(rig.real())
    got = {f"{h.config.id} {h.name}": sorted(w.id for w in relations.behind(h.service)) for h in relations.webhooks}
    assert got == {f"{config} {h['webhook']}": [h["backend"]] for config, hooks in WAVES["webhooks"].items() for h in hooks}
    pods = {w.id for w in relations.workloads if any(relations.admits_pods_of(h, w) for h in relations.injectors)}
    assert pods == {i for i, d in WAVES["workload_dependencies"].items() if "needs_pod_admission" in d} and len(pods) == 38


def test_a_strange_stream_has_waves_too() -> None:
    stream = rig.parsed("""
apiVersion: example.org/v1
kind: Thing
metadata: {name: t, namespace: n}
---
apiVersion: batch/v1
kind: Job
metadata: {name: j, namespace: n}
---
apiVersion: v1
kind: Namespace
metadata: {name: n}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: elsewhere}
webhooks: [{name: w, clientConfig: {url: "https://x"}, rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.example.org}
spec: {service: {name: s, namespace: n}}
""")
    assert [(w.name, [o.kind for o in w.objects]) for w in waves(stream)] == [
        ("foundation", ["Namespace"]), ("config", ["MutatingWebhookConfiguration", "APIService"]), ("certificates-and-infrastructure", ["Job"]),
        ("controller-crs", ["Thing"])]
    assert not waves(Stream(()))


@pytest.mark.parametrize(("expression", "labels", "holds"), [
    ({"key": "a", "operator": "In", "values": ["1"]}, {"a": "1"}, True), ({"key": "a", "operator": "In", "values": ["1"]}, {}, False),
    ({"key": "a", "operator": "NotIn", "values": ["1"]}, {}, True), ({"key": "a", "operator": "NotIn", "values": ["1"]}, {"a": "1"}, False),
    ({"key": "a", "operator": "Exists"}, {"a": ""}, True), ({"key": "a", "operator": "DoesNotExist"}, {"a": ""}, False),
    ({"key": "a", "operator": "Unheard"}, {"a": ""}, False),
])
def test_selectors(expression: dict[str, object], labels: dict[str, str], holds: bool) -> None:
    assert selects({"matchExpressions": [expression]}, labels) is holds


SAMPLE = [o for kind in {o.kind: o for o in rig.real()} for o in [next(x for x in rig.real() if x.kind == kind)] if kind != "CustomResourceDefinition"]
ODD = st.sampled_from([None, "x", "", 7, True, 1.5, [], {}, [1], ["x"], [None], [{}], {"a": 1}, {"name": []}, [{"name": 1, "env": "x"}]])


@given(st.data())
def test_ill_formed_objects_are_looked_at_without_a_crash(data: st.DataObject) -> None:
    """Streams are other people's: whatever stands where, lint says something and waves put it somewhere."""
    objects = []
    for o in data.draw(st.lists(st.sampled_from(SAMPLE), min_size=1, max_size=6, unique_by=id)):
        path, node = [], o.body
        while isinstance(node, (dict, list)) and node and (len(path) < 1 or data.draw(st.integers(0, 5))):
            key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
            path.append(key)
            node = node[key]
        if path[0] not in ("apiVersion", "kind") and path != ["metadata"] and path[:2] not in (["metadata", "name"], ["metadata", "namespace"]):
            o = o.but(normalise.put(o.body, tuple(path), data.draw(ODD.filter(lambda v: v is not None))))
        objects.append(o)
    stream = Stream(tuple(objects))
    lint(stream, 25, Report())
    sent = credentials.slotted(normalise.normalise(stream))
    assert sum(len(w.objects) for w in waves(sent)) == len(objects)
    assert sum(1 for _ in images(sent)) >= 0 and credentials.published(sent) is not None
    list(preflight._requests(sent, "cpu"))


# -- images and APIs -------------------------------------------------------------------------------------------------


def test_every_image_of_the_real_stream_is_found() -> None:
    found = list(images(rig.real()))
    wanted = {i["image"]: i["class"] for i in IMAGES["images"] if i["class"] != "compiled-in"}
    # The template of an injector that nothing uses: an image as far as any reader of the text can tell.
    assert {i.reference for i in found} - {"busybox:1.28"} == set(wanted)
    assert {i.reference for i in found if not i.hidden} == {i for i, c in wanted.items() if c == "platform"}


@pytest.mark.parametrize(("reference", "tagged", "at"), [
    ("mysql:8.0.29", "8.0.29", ""), ("localhost:5000/a/b", "", "localhost:5000"), ("docker.io/a/b:c", "c", "docker.io"), ("a/b@sha256:" + "0" * 64, "@", ""),
])
def test_parts_of_a_reference(reference: str, tagged: str, at: str) -> None:
    assert (tag(reference), registry(reference)) == (tagged, at)


def test_apis_come_and_go() -> None:
    assert served("autoscaling/v2beta2", "HorizontalPodAutoscaler").gone == 26 and served("autoscaling/v2", "HorizontalPodAutoscaler").since == 23
    assert served("v1", "Pod").gone > 100 and builtin("apps/v1", "Deployment") == ("deployments", True) and builtin("x.org/v1", "Deployment") is None


def test_steps_follow_what_they_name() -> None:
    class S:
        def __init__(self, name: str, *after: str) -> None:
            self.name, self.after = name, after

    made = [S("c", "b"), S("b", "a", "absent"), S("a")]
    assert [s.name for s in ordered(made)] == ["a", "b", "c"]  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a, b"):
        ordered([S("a", "b"), S("b", "a")])  # type: ignore[list-item]
