"""`diff`: equal is 0, different is 3, and what is told is what changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_runner import GOOD_SITE, kfimage

from kfimage.cli.treediff import kickstarts

CHANGES = [
    (
        "pods: 10.244.0.0/16",
        "pods: 10.245.0.0/16",
        "~ kubernetes.pods: 10.244.0.0/16 -> 10.245.0.0/16   <- new.yaml:7:",
        '~ %post: KF_POD_CIDR: "10.244.0.0/16" -> "10.245.0.0/16"',
    ),
    ("dns: [10.20.0.1]", "dns: [10.20.0.2]", "~ network.dns: [10.20.0.1] -> [10.20.0.2]   <- new.yaml:6:", "+ network "),
    (
        "{rack: a}",
        "{rack: a, row: b}",
        "+ kubernetes.labels.row = b   <- new.yaml:9:",
        '~ %post: KF_NODE_LABELS: "rack=a" -> "rack=a row=b"',
    ),
    (
        "address: 10.20.1.11/24",
        "address: 10.20.1.12/24",
        "~ node.ip: 10.20.1.11 -> 10.20.1.12   <- new.yaml:11:3",
        '~ %post: KF_NODE_IP: "10.20.1.11" -> "10.20.1.12"',
    ),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sites(old: str, new: str) -> None:
    Path("old.yaml").write_text(GOOD_SITE)
    assert old in GOOD_SITE
    Path("new.yaml").write_text(GOOD_SITE.replace(old, new))


def trees(old: str, new: str) -> None:
    sites(old, new)
    for name in ("old", "new"):
        ran = kfimage("render", "--site", f"{name}.yaml", "-o", name)
        assert ran.code == 0, ran.err


@pytest.mark.parametrize(("old", "new", "said", "_"), CHANGES)
def test_sites(old: str, new: str, said: str, _: str) -> None:
    sites(old, new)
    ran = kfimage("diff", "old.yaml", "new.yaml")
    assert ran.code == 3 and said in ran.out and not ran.err


@pytest.mark.parametrize(("old", "new", "_", "said"), CHANGES)
def test_trees(old: str, new: str, _: str, said: str) -> None:
    trees(old, new)
    ran = kfimage("diff", "old", "new")
    assert ran.code == 3 and said in ran.out and not ran.err


def test_equal_sites_whatever_their_spelling() -> None:
    Path("old.yaml").write_text(GOOD_SITE)
    head, body = GOOD_SITE.split("install:", 1)
    Path("new.yaml").write_text(
        "selinux: permissive\n" + head + "install:" + body.replace("52:54:00:12:34:56", "52-54-00-12-34-56".upper())
    )
    assert kfimage("diff", "old.yaml", "new.yaml") == (0, "", "")


def test_equal_trees() -> None:
    trees("lab", "lab")
    assert kfimage("diff", "old", "new") == (0, "", "")


def test_nodes_that_come_and_go() -> None:
    sites("cpu-b01:", "cpu-b02:")
    ran = kfimage("diff", "old.yaml", "new.yaml")
    assert ran.code == 3 and ran.out.splitlines()[:2] == ["+ cpu-b02", "- cpu-b01"]
    found = json.loads(kfimage("diff", "old.yaml", "new.yaml", "--json").out)
    assert found == {"equal": False, "added": ["cpu-b02"], "removed": ["cpu-b01"], "changed": []}


def test_nodes_that_change_alike_are_told_once() -> None:
    sites("dns: [10.20.0.1]", "dns: [10.20.0.2]")
    ran = kfimage("diff", "old.yaml", "new.yaml")
    assert ran.out.startswith("~ cpu-b01, gpu-a01\n") and ran.out.count("network.dns:") == 1


def test_json_of_a_change() -> None:
    sites("selinux: enforcing", "selinux: permissive")
    (node,) = json.loads(kfimage("diff", "old.yaml", "new.yaml", "--json").out)["changed"]
    assert node["name"] == "cpu-b01"
    (change,) = node["changes"]
    assert (change["key"], change["old"], change["new"]) == ("selinux", "enforcing", "permissive") and change["at"].startswith(
        "new.yaml:12:"
    )


def test_a_folder_with_a_site_is_a_site() -> None:
    sites("lab", "lab")
    Path("folder").mkdir()
    Path("folder/site.yaml").write_text(GOOD_SITE)
    assert kfimage("diff", "old.yaml", "folder").code == 0


def test_two_kinds_are_wrong_use() -> None:
    trees("lab", "lab")
    ran = kfimage("diff", "old", "new.yaml")
    assert ran.code == 2 and "old is a tree and new.yaml is a site" in ran.err
    Path("none").mkdir()
    assert kfimage("diff", "old", "none").code == 2


def test_a_site_with_an_error_is_1() -> None:
    sites("gateway: 10.20.1.1", "gatway: 10.20.1.1")
    ran = kfimage("diff", "old.yaml", "new.yaml")
    assert ran.code == 1 and not ran.out and "KF1001" in ran.err


def test_a_tree_with_a_file_gone() -> None:
    trees("dns: [10.20.0.1]", "dns: [10.20.0.2]")
    Path("new/kickstart/gpu-a01.ks").unlink()
    ran = kfimage("diff", "old", "new")
    assert ran.code == 2 and "kfimage check new" in ran.err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("user --name=ops --password=$6$abc$aaaaSECRET1 --iscrypted\n", "user --name=ops --password=$6$abc$bbbbSECRET2 --iscrypted\n"),
        ("rootpw --iscrypted $6$abc$aaaaSECRET1\n", "rootpw --iscrypted $6$abc$bbbbSECRET2\n"),
        ('rhsm --organization=1 --activation-key="SECRET1 x"\n', 'rhsm --organization=2 --activation-key="SECRET2 x"\n'),
        ("%post\nbase64 -d <<E\nU0VDUkVUMQSECRET1\nE\n%end\n", "%post\nbase64 -d <<E\nU0VDUkVUMQSECRET2\nE\n%end\n"),
        ("url --url=http://u:SECRET1@h/x\n", "url --url=http://u:SECRET2@h/y\n"),
        ("autopart --encrypted --passphrase=SECRET1\n", "autopart --passphrase=SECRET2\n"),
    ],
)
def test_no_secret_is_printed(old: str, new: str) -> None:
    said = "\n".join(map(str, kickstarts(old, new)))
    assert said and "SECRET" not in said


def test_sections_that_come_and_go() -> None:
    said = list(
        map(
            str,
            kickstarts("lang x\n%packages\nvim\n%end\n%pre\nA\n%end\n", "lang x\n%packages\nnano\n%end\n%pre\nA\n%end\n%pre\nB\n%end\n"),
        )
    )
    assert said == ["- %packages: vim", "+ %packages: nano", "+ %pre (2)"]
