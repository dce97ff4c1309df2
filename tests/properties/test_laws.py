"""The laws: what holds for every site, looked for by Hypothesis. `KFIMAGE_EXAMPLES=N` looks N times."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import kit
import pytest
import strategies
from hypothesis import assume, given, note
from hypothesis import strategies as st

from kfimage.errors import Mark, Report
from kfimage.located import Mapping, Scalar, Sequence, canonical, merge, parse
from kfimage.verify.prove import Prover


def resolved(tree: dict[str, Any]) -> list[Any]:
    found = kit.pipeline(json.dumps(tree))
    plans = found.plans()
    # Combinations the grammar forbids are passed over; test_most_random_sites_are_accepted counts them.
    assume(not kit.errors(found.report))
    return plans


@given(strategies.sites(names=True))
def test_every_accepted_site_is_understood_as_planned(tree: dict[str, Any]) -> None:
    note(json.dumps(tree))
    for made in kit.rendered(resolved(tree)):
        assert not kit.errors(made.report)
        assert kit.facts(made.kickstart)["KF_ROLE"] == made.plan.role
        assert made.kickstart.isascii() and "\r" not in made.kickstart


def test_most_random_sites_are_accepted() -> None:
    """The laws over accepted sites say nothing when hardly any is accepted."""
    accepted = []

    @given(strategies.sites())
    def look(tree: dict[str, Any]) -> None:
        found = kit.pipeline(json.dumps(tree))
        found.plans()
        accepted.append(not kit.errors(found.report))

    look()
    assert sum(accepted) * 2 > len(accepted), f"{sum(accepted)} of {len(accepted)}"


def shuffled(tree: Any, chance: random.Random) -> Any:
    if isinstance(tree, dict):
        keys = list(tree)
        chance.shuffle(keys)
        return {key: shuffled(tree[key], chance) for key in keys}
    return [shuffled(value, chance) for value in tree] if isinstance(tree, list) else tree


def files(tree: dict[str, Any]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for made in kit.rendered(resolved(tree), shared=True):
        found[made.plan.name] = made.kickstart.encode()
        found.update({a.path: a.content for a in made.files})
    return found


@given(strategies.sites(), st.randoms(use_true_random=False))
def test_key_order_never_changes_bytes(tree: dict[str, Any], chance: random.Random) -> None:
    assert files(tree) == files(shuffled(tree, chance))


SCALARS: list[tuple[tuple[str, ...], list[str]]] = [
    (("selinux",), ["permissive", "enforcing"]), (("locale", "language"), ["de_DE.UTF-8", "en_GB.UTF-8", "fr_FR.UTF-8", "it_IT.UTF-8"]),
    (("time", "zone"), ["Europe/Berlin", "UTC", "Asia/Tokyo", "America/Lima"]), (("boot", "timeout"), ["1", "2", "3", "4"]),
    (("network", "mtu"), ["1500", "9000", "1400", "4000"]), (("kubernetes", "pods"), ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"]),
    (("crio", "runtime"), ["runc", "crun"]), (("calico", "encapsulation"), ["ipip", "vxlan", "none"]), (("disk", "wipe"), ["guard", "all"]),
    (("kernel", "lock"), ["yes", "no"]), (("nvidia", "toolkit"), ["1.17.8", "1.17.7", "1.17.6"]), (("release",), ["rhel-8.7", "rhel-8.10", "rocky-8.10"]),
    (("kubernetes", "labels", "a"), ["b", "c", "d"]), (("access", "admin"), ["ops", "root1", "adm1"]),
]
ORDER = ("site", "role", "low", "high", "node")


@given(st.lists(st.tuples(st.sampled_from(SCALARS), st.lists(st.sampled_from(ORDER), min_size=1, unique=True)), min_size=1, max_size=6,
                unique_by=lambda pair: pair[0][0]), st.data())
def test_the_highest_layer_that_says_a_key_wins(said: Any, data: st.DataObject) -> None:
    """default < site < role < group of lower priority < group of higher priority < node; and the mark names the winner."""
    layers: dict[str, dict[str, Any]] = {name: {} for name in ORDER}
    wanted = {}
    for (path, values), where in said:
        for name in (n for n in ORDER if n in where):
            value = data.draw(st.sampled_from(values))
            part = layers[name]
            for key in path[:-1]:
                part = part.setdefault(key, {})
            part[path[-1]] = value
            wanted[path] = value
    tree = {
        "kfimage": "1", "site": "lab", **layers["site"], "roles": {"gpu-worker": layers["role"]},
        "groups": {"b-low": {"match": {"name": "n*"}, "priority": "1", **layers["low"]}, "a-high": {"match": {"role": "gpu-worker"}, "priority": "2", **layers["high"]}},
        "nodes": {"n1": {"role": "gpu-worker", **layers["node"]}},
    }
    found = kit.pipeline(json.dumps(tree))
    (plan,) = found.plans()
    for path, text in wanted.items():
        value: Any = plan
        for key in path:
            value = value[key] if not hasattr(value, key) else getattr(value, key)
        value = value.name if path == ("release",) else {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
        assert str(value) == text, path
        mark = found.resolver.where("n1", *path)
        assert json.dumps(tree)[mark.column - 1 :].startswith(f'"{path[-1]}": "{text}"'), path


@given(strategies.racks())
def test_a_proof_that_is_shared_is_everybodys_proof(tree: dict[str, Any]) -> None:
    """Proving once for each shape says of each kickstart what proving it alone says."""
    plans = resolved(tree)
    alone = {made.plan.name: sorted((p.id, p.severity) for p in made.report) for made in kit.rendered(plans)}
    prover, renderer = Prover(kit.catalog()), kit.pipeline(kit.HEAD).renderer
    stands: dict[str, str] = {}
    for plan in plans:
        stand = prover.stand(plan, renderer.pieces(plan), plan.name)
        first = stands.setdefault(stand.shape, plan.name)
        assert stand.first == (first == plan.name)
        assert alone[plan.name] == alone[first], f"{plan.name} is taken for {first}"


_PLAIN = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufeff\ufffe\uffff\u2028\u2029\x7f\x85")
NESTED = st.recursive(
    st.text(_PLAIN, max_size=12),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), inner, max_size=4)), max_leaves=12,
)


def _visit(node: Any, tree: Any, lines: list[str]) -> None:
    assert node.mark.line and node.mark.column
    here = lines[node.mark.line - 1][node.mark.column - 1 :]
    if isinstance(node, Scalar):
        assert node.text == tree
        assert here.startswith(json.dumps(tree, ensure_ascii=False))
    elif isinstance(node, Sequence):
        assert here.startswith("[")
        for child, value in zip(node.elements, tree):
            _visit(child, value, lines)
    else:
        assert here.startswith("{")
        for key, child in node:
            assert lines[node.keys[key].line - 1][node.keys[key].column - 1 :].startswith(json.dumps(key))
            _visit(child, tree[key], lines)


@given(st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), NESTED, max_size=5), st.sampled_from([None, 1, 3]))
def test_every_mark_points_at_its_text(tree: dict[str, Any], indent: Any) -> None:
    text = json.dumps(tree, ensure_ascii=False, indent=indent)
    report = Report()
    found = parse(text, "f", report)
    assert found is not None and not report, [str(p) for p in report]
    _visit(found, tree, text.split("\n"))


def _located(tree: Any) -> Mapping:
    return parse(json.dumps(tree), "f", Report()) or Mapping(Mark("f"))


LAYERS = st.dictionaries(st.sampled_from("abc"), NESTED, max_size=3)


@given(LAYERS, LAYERS, LAYERS)
def test_the_last_layer_wins_and_merging_a_layer_twice_changes_nothing(one: Any, two: Any, three: Any) -> None:
    a, b, c = map(_located, (one, two, three))
    merged = merge(merge(a, b), c)
    for key, node in c:
        below = merge(a, b).get(key)
        if not (isinstance(node, Mapping) and isinstance(below, Mapping)):
            assert canonical(merged.entries[key]) == canonical(node)
    assert canonical(merge(merged, c)) == canonical(merged)
    assert canonical(merge(a, None)) == canonical(merge(a, Mapping(a.mark))) == canonical(merge(Mapping(a.mark), a)) == canonical(a)


@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_raise(data: bytes) -> None:
    found = kit.pipeline(data)
    found.plans()
    for problem in found.report:
        assert problem.message.isprintable()


@given(st.text(st.sampled_from("kfimage: 1\nsite{}[]&*a!'\"#|>-?,<%@`~\t"), max_size=120))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    found = kit.pipeline(kit.HEAD + text)
    found.plans()


def everything(root: Path) -> dict[str, tuple[bytes, int]]:
    return {p.relative_to(root).as_posix(): (p.read_bytes(), p.stat().st_mode) for p in root.rglob("*") if p.is_file() and not p.name.startswith(".kfimage")}


@pytest.mark.parametrize("site", ["rack.yaml", "own/site.yaml"])
def test_the_environment_never_changes_a_byte(site: str, tmp_path: Path) -> None:
    worlds = [
        ({"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C", "HOME": "/"}, 0o022),
        ({"PYTHONHASHSEED": "12345", "TZ": "Pacific/Auckland", "LC_ALL": "C.UTF-8", "LANG": "de_DE.UTF-8", "SOURCE_DATE_EPOCH": "1", "COLUMNS": "20"}, 0o077),
    ]
    trees = []
    for number, (env, umask) in enumerate(worlds):
        place = tmp_path / f"p{number}"
        place.mkdir()
        done = kit.run("render", "--site", str(kit.SITES / site), "-o", "out", cwd=place, env=env, umask=umask)
        assert done.returncode == 0, done.stderr
        trees.append(everything(place / "out"))
    assert trees[0].keys() == trees[1].keys()
    assert [p for p in trees[0] if trees[0][p] != trees[1][p]] == []
