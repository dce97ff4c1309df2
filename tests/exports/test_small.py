"""Ansible, matchbox, Terraform and Redfish: small formats, read back as their tools would."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kit
import pytest
import yaml

from exports.sites import RACK, exported, rack, refused
from kfimage import exports
from kfimage.exports.ansible.export import group
from kfimage.exports.terraform.export import literal

NODES = {f"cp-{n}" for n in ("a1", "a2", "b1")} | {"cpu-a1", "cpu-a2"} | {f"gpu-{n}" for n in ("a1", "a2", "a3", "b1", "b2", "b3", "b4")}


def loaded(name: str, path: str) -> Any:
    return json.loads(rack(name)[0][path].content)


def test_formats_are_folders() -> None:
    assert exports.names() == ("ansible", "cobbler", "cobbler-cheetah", "foreman", "matchbox", "redfish", "terraform")
    for name in exports.names():
        assert exports.load(name).TITLE
    with pytest.raises(KeyError):
        exports.load("tree")


@pytest.mark.parametrize("name", exports.names())
def test_the_same_site_gives_the_same_bytes_and_no_path_twice(name: str) -> None:
    once, _ = rack(name)
    again, made = exported(name)
    assert {p: (a.content, a.mode) for p, a in once.items()} == {p: (a.content, a.mode) for p, a in again.items()}
    assert len(list(exports.load(name).export(made))) == len(again)
    assert all(not p.startswith("/") and ".." not in p for p in again)


@pytest.mark.parametrize("name", exports.names())
def test_the_rack_has_no_findings_of_its_own_in_any_format(name: str) -> None:
    assert refused(name, RACK) == []


# -- Ansible ----------------------------------------------------------------------------------------------------------


def test_ansible_inventory() -> None:
    inventory = yaml.safe_load(rack("ansible")[0]["inventory.yaml"].content)["all"]
    roles = {name: set(inventory["children"][name]["hosts"]) for name in ("control_plane", "cpu_worker", "gpu_worker")}
    assert set().union(*roles.values()) == NODES and sum(map(len, roles.values())) == 12
    assert set(inventory["children"]["rhel_8_10"]["hosts"]) == {"gpu-b4"}
    host = inventory["children"]["gpu_worker"]["hosts"]["gpu-b1"]
    assert (host["ansible_host"], host["ansible_user"], host["kfimage_macs"]) == ("10.20.2.31", "ops", ["52:54:00:20:04:01", "52:54:00:20:04:02"])
    assert inventory["children"]["cpu_worker"]["hosts"]["cpu-a1"]["ansible_host"] == "cpu-a1.lab.example.org"


@pytest.mark.parametrize(("name", "wanted"), [("gpu-worker", "gpu_worker"), ("rhel-8.7", "rhel_8_7"), ("x", "x")])
def test_ansible_group_names(name: str, wanted: str) -> None:
    assert group(name) == wanted and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", wanted)


@pytest.mark.skipif(shutil.which("ansible-inventory") is None, reason="NOT TESTED: ansible-inventory is not installed (apt-get install ansible-core)")
def test_ansible_itself_reads_it(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_bytes(rack("ansible")[0]["inventory.yaml"].content)
    done = subprocess.run(["ansible-inventory", "-i", "inventory.yaml", "--list"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)["_meta"]["hostvars"]) == NODES and "WARNING" not in done.stderr


# -- matchbox ---------------------------------------------------------------------------------------------------------


def test_matchbox_chooses_by_mac() -> None:
    files, _ = rack("matchbox")
    assert {p[9:-5] for p in files if p.startswith("profiles/")} == {p[7:-5] for p in files if p.startswith("groups/")} == NODES
    found, boot = loaded("matchbox", "groups/gpu-b1.json"), loaded("matchbox", "profiles/gpu-b1.json")["boot"]
    assert found["selector"] == {"mac": "52:54:00:20:04:01"} and found["profile"] == "gpu-b1"
    assert boot["kernel"] == "http://10.20.0.5/kfimage/netboot/rhel-8.7/vmlinuz"
    assert "inst.ks=http://10.20.0.5/kfimage/kickstart/gpu-b1.ks" in boot["args"] and boot["args"][-1] == "BOOTIF=01-52-54-00-20-04-01"
    assert boot["args"][0] == "initrd=initrd.img" and boot["initrd"][0].startswith("--name initrd.img ")


def test_matchbox_leaves_out_what_must_not_be_installed() -> None:
    local, _ = exported("matchbox", RACK.replace("order: disk-first", "order: disk-first, nodes: local"))
    assert not [p for p in local if p.startswith("groups/")]
    role, _ = exported("matchbox", "kfimage: 1\nsite: lab\nboot: {url: http://s}\ninstall: {url: http://m/8.7}\n", roles=("cpu-worker",))
    assert [p for p in role if p != "README.md"] == ["profiles/cpu-worker.json"]


# -- Terraform --------------------------------------------------------------------------------------------------------


def test_terraform_module() -> None:
    nodes = loaded("terraform", "main.tf.json")["output"]["nodes"]["value"]
    assert set(nodes) == NODES
    assert nodes["gpu-a1"]["kickstart_url"] == "http://10.20.0.5/kfimage/kickstart/gpu-a1.ks"
    assert (nodes["gpu-a1"]["mac"], nodes["gpu-a1"]["ip"], nodes["cpu-a1"]["ip"]) == ("52:54:00:20:03:01", "10.20.1.31", None)
    assert nodes["gpu-a1"]["taints"] == ["nvidia.com/gpu=present:NoSchedule"]


def test_terraform_takes_no_string_for_a_template() -> None:
    assert literal({"a${b}": ["%{if x}", "$x", 1, None]}) == {"a$${b}": ["%%{if x}", "$x", 1, None]}


# -- Redfish ----------------------------------------------------------------------------------------------------------


def test_redfish_recipe() -> None:
    recipe = loaded("redfish", "redfish.json")
    assert {node["name"] for node in recipe["nodes"]} == NODES
    used = set(re.findall(r"\{([a-z]+)\}", json.dumps([[s["path"], s.get("body")] for s in recipe["steps"]])))
    assert used == set(recipe["variables"])
    once = next(s["body"]["Boot"] for s in recipe["steps"] if s["method"] == "PATCH")
    assert once["BootSourceOverrideEnabled"] == "Once"
    page = rack("redfish")[0]["redfish.md"].content.decode()
    assert all(f"| {name} |" in page for name in NODES) and page.count("POST /redfish") == 3


@pytest.mark.parametrize("name", ["matchbox", "redfish"])
def test_formats_that_name_an_address_need_one(name: str) -> None:
    site = RACK.replace("url: http://10.20.0.5/kfimage, ", "")
    found = refused(name, site)
    assert len(found) == 1 and found[0].startswith("site.yaml:8:1: ") and "KF7502" in found[0]


# -- the command ------------------------------------------------------------------------------------------------------


def test_render_writes_a_format_and_check_takes_it(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    shutil.copytree(kit.SITES / "rack", folder / "rack")
    (folder / "site.yaml").write_text(RACK)
    for name in exports.names():
        done = kit.run("render", "--format", name, "-o", f"out-{name}", cwd=folder)
        assert done.returncode == 0, done.stderr
        index = json.loads((folder / f"out-{name}/index.json").read_bytes())
        assert index["format"] == name and index["artefacts"]
    assert kit.run("check", "out-cobbler", cwd=folder).returncode == 0
    assert (folder / "out-cobbler/cobbler/apply.sh").stat().st_mode & 0o777 == 0o755
    again = kit.run("render", "--format", "cobbler", "-o", "out-cobbler", cwd=folder)
    assert "wrote 0 of " in again.stderr


def test_a_format_does_not_replace_another_in_its_folder(tmp_path: Path) -> None:
    role = ("render", "--role", "cpu-worker", "-o", "out")
    assert kit.run(*role, cwd=tmp_path).returncode == 0
    before = (tmp_path / "out/index.json").read_bytes()
    done = kit.run(*role, "--format", "ansible", cwd=tmp_path)
    assert done.returncode == 2 and "holds the format 'tree'" in done.stderr
    assert (tmp_path / "out/index.json").read_bytes() == before


@pytest.mark.parametrize(("arguments", "said"), [(("--format", "coblber"), "did you mean 'cobbler'?"), (("--format", "foreman", "-o", "-"), "many files"),
                                                (("--format", "cobbler", "--node", "gpu-a1"), "wrong for their role's others")])
def test_wrong_use_of_formats(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = kit.run("render", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and not list(tmp_path.iterdir())
