"""Nodes from a CSV that people already have, and YAML's own ways to say a thing once."""

from __future__ import annotations

from pathlib import Path

import kit
import pytest

SITE = kit.HEAD + "nodes_from: nodes.csv\n"


def errors(tmp_path: Path, csv: str | bytes, site: str = SITE) -> list[str]:
    (tmp_path / "nodes.csv").write_bytes(csv if isinstance(csv, bytes) else csv.encode())
    return [e.splitlines()[0] for e in kit.problems(site, tmp_path)]


def nodes(tmp_path: Path, csv: str | bytes, site: str = SITE) -> dict[str, object]:
    (tmp_path / "nodes.csv").write_bytes(csv if isinstance(csv, bytes) else csv.encode())
    found = kit.pipeline(site, tmp_path)
    plans = found.plans()
    assert kit.errors(found.report) == []
    return {p.name: (p.role, p.node.macs, p.node.ip) for p in plans if p.node}


WANTED = {"n1": ("cpu-worker", ("52:54:00:00:00:01",), "10.0.0.11"), "n2": ("gpu-worker", ("52:54:00:00:00:02",), None)}


@pytest.mark.parametrize(
    "csv",
    [
        "name,role,mac,address\nn1,cpu-worker,52:54:00:00:00:01,10.0.0.11/24\nn2,gpu-worker,52:54:00:00:00:02,\n",
        "Hostname;Role;MAC Address;IP-Address\nn1;cpu-worker;52-54-00-00-00-01;10.0.0.11/24\nn2;gpu-worker;52:54:00:00:00:02;\n",
        "Host Name\tROLE\tHWADDR\tIP\nn1\tcpu-worker\t52:54:00:00:00:01\t10.0.0.11/24\nn2\tgpu-worker\t52:54:00:00:00:02\t\n",
        "\ufeffname,role,mac,address\r\nn1,cpu-worker,52:54:00:00:00:01,10.0.0.11/24\r\n\r\n# a comment\r\nn2,gpu-worker,52:54:00:00:00:02,\r\n",
        '"name","role","mac","address"\n"n1"," cpu-worker ","52:54:00:00:00:01","10.0.0.11/24"\n"n2","gpu-worker","52:54:00:00:00:02",""\n',
        "\n\nname,role,mac,address\nn1,cpu-worker,52:54:00:00:00:01,10.0.0.11/24\nn2,gpu-worker,52:54:00:00:00:02",
        "role,address,mac,server name\ncpu-worker,10.0.0.11/24,52:54:00:00:00:01,n1\ngpu-worker,,52:54:00:00:00:02,n2\n",
    ],
    ids=["plain", "semicolons", "tabs", "bom", "quotes", "blank lines", "order"],
)
def test_a_csv_as_people_have_it(tmp_path: Path, csv: str) -> None:
    assert nodes(tmp_path, csv) == WANTED


def test_columns_of_other_names_are_mapped_or_left_out(tmp_path: Path) -> None:
    site = kit.HEAD + "nodes_from: {file: nodes.csv, columns: {Zweck: role, Asset: '-', Konsole: kernel.console}}\n"
    csv = "name,Zweck,Asset,Konsole\nn1,cpu-worker,4711,tty0\n"
    (tmp_path / "nodes.csv").write_text(csv)
    assert kit.plan(site, "n1", tmp_path).kernel.console == ("tty0",)


def test_dotted_columns_reach_any_key_and_several_words_are_a_list(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text("name,role,disk.root.serial,kubernetes.labels.zone,network.dns,disk.raid\nn1,cpu-worker,A1 B2,z1,10.0.0.1 10.0.0.2,mirror\n")
    plan = kit.plan(SITE, "n1", tmp_path)
    assert plan.disk.root is not None
    assert plan.disk.root.serial == ("A1", "B2")
    assert plan.network.dns == ("10.0.0.1", "10.0.0.2")
    assert dict(plan.kubernetes.labels) == {"zone": "z1"}


def test_the_csv_and_the_yaml_are_one_list_of_nodes(tmp_path: Path) -> None:
    found = nodes(tmp_path, "name,role\nn1,cpu-worker\n", SITE + "nodes: {n2: {role: gpu-worker}}\n")
    assert sorted(found) == ["n1", "n2"]


@pytest.mark.parametrize(
    ("csv", "wanted"),
    [
        ("name,role,mac\nn1,cpu-worker,52:54:00:00:00:0g\n", "nodes.csv:2:15: error KF1100: nodes.n1.mac: '52:54:00:00:00:0g' is not a MAC address"),
        ("name,role\nn1,cpu-wroker\n", "nodes.csv:2:4: error KF1203: no role 'cpu-wroker'"),
        ("name,role\nN1,cpu-worker\n", "nodes.csv:2:1: error KF1100: nodes: 'N1' has upper-case letters"),
        ("name,role\nn1,cpu-worker\nn1,cpu-worker\n", "nodes.csv:3:1: error KF1002: node 'n1' is already given at nodes.csv:2:1"),
        ("name,role,rack\nn1,cpu-worker,7\n", "nodes.csv:1:1: error KF1009: column 'rack' is no key of a node"),
        ("role,mac\ncpu-worker,52:54:00:00:00:01\n", "nodes.csv:1:1: error KF1009: no column gives the nodes' names"),
        ("name,host,role\nn1,n1,cpu-worker\n", "nodes.csv:1:1: error KF1009: two columns fill 'name'"),
        ("name,role\nn1,cpu-worker,extra\n", "nodes.csv:2:1: error KF1009: 3 cells, but 2 columns have a title"),
        ("name,role\n,cpu-worker\n", "nodes.csv:2:1: error KF1009: the node has no name"),
        ("name,role\nn1,\n", "nodes.csv:2:1: error KF1007: nodes.n1: 'role' is missing"),
        ('name,role\nn1,"cpu-worker\n', "nodes.csv:2: error KF1009: not CSV"),
        ('name,role\nn1,"cpu"worker\n', "nodes.csv:2: error KF1009: not CSV"),
        ("name,role,selinux.x\nn1,cpu-worker,a\n", "nodes.csv:2:15: error KF1005"),
        ("name,role,disk.rot\nn1,cpu-worker,a\n", "nodes.csv:2:15: error KF1001: unknown key 'rot' in nodes.n1.disk"),
        (b"name,role\nn1,cpu-w\xfcrker\n", "nodes.csv:2:9: error KF1000: byte 0xfc is not UTF-8"),
        ("name,role\n" + "a" * 200_000 + ",cpu-worker\n", "nodes.csv:2: error KF1009: not CSV"),
    ],
)
def test_a_fault_in_a_csv_is_told_by_line_and_column(tmp_path: Path, csv: str | bytes, wanted: str) -> None:
    found = errors(tmp_path, csv)
    assert any(e.startswith(wanted) for e in found), found


def test_cells_with_line_breaks_keep_the_later_lines_right(tmp_path: Path) -> None:
    csv = 'name,role,kernel.args\nn1,cpu-worker,"quiet\n"\nn2,cpu-wroker,\n'
    found = errors(tmp_path, csv)
    assert [e for e in found if "KF1203" in e] == ["nodes.csv:4:4: error KF1203: no role 'cpu-wroker'"], found


def test_odd_line_separators_in_a_csv_are_no_line_breaks(tmp_path: Path) -> None:
    found = errors(tmp_path, "name,role\nn\u2028a,cpu-worker\nn\x85b,cpu-worker\nn\x0cc,cpu-worker\nn2,cpu-wroker\n")
    assert any(e.startswith("nodes.csv:5:4: error KF1203") for e in found), found


def test_a_csv_and_a_node_given_twice_or_a_csv_that_is_not_there(tmp_path: Path) -> None:
    assert errors(tmp_path, "name,role\nn1,cpu-worker\n", SITE + "nodes: {n1: {role: cpu-worker}}\n") == [
        "site.yaml:4:9: error KF1002: node 'n1' is already given at nodes.csv:2:1"]
    assert [e.splitlines()[0] for e in kit.problems(kit.HEAD + "nodes_from: other.csv\n", tmp_path)] == ["site.yaml:3:13: error KF1008: nodes_from: other.csv cannot be read"]


@pytest.mark.parametrize("name", ["../nodes.csv", "/etc/passwd", "a/../../nodes.csv", "", "-"])
def test_a_csv_outside_of_the_site_folder_is_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "nodes.csv").write_text("name,role\nn1,cpu-worker\n")
    assert kit.problems(kit.HEAD + f"nodes_from: '{name}'\n", tmp_path / "site")


def test_anchors_and_merge_keys_make_nodes(tmp_path: Path) -> None:
    site = kit.HEAD + (
        "nodes:\n  n1: &n {role: cpu-worker, address: 10.0.0.11/24, mac: 52:54:00:00:00:01, kernel: {args: [quiet]}}\n"
        "  n2: {<<: *n, address: 10.0.0.12/24, mac: 52:54:00:00:00:02}\n"
    )
    plan = kit.plan(site, "n2")
    assert plan.kernel.args == ("quiet",) and plan.node is not None and plan.node.ip == "10.0.0.12"


def test_ten_thousand_nodes_load_in_seconds(tmp_path: Path) -> None:
    import time

    rows = "".join(f"n{i},cpu-worker,52:54:00:{i >> 16 & 255:02x}:{i >> 8 & 255:02x}:{i & 255:02x},10.{i >> 8}.{i & 255}.5/24\n" for i in range(10_000))
    (tmp_path / "nodes.csv").write_text("name,role,mac,address\n" + rows)
    before = time.monotonic()
    found = kit.pipeline(SITE + "kubernetes: {pods: 172.16.0.0/16, services: 172.17.0.0/16}\n", tmp_path)
    assert len(found.plans()) == 10_000
    assert kit.errors(found.report) == []
    assert time.monotonic() - before < 20


@pytest.mark.parametrize("written", ["[a, b]", "a"])
def test_nodes_that_are_no_mapping(written: str) -> None:
    assert kit.places(f"{kit.HEAD}nodes: {written}\n") == [("KF1005", 3, 8)]
