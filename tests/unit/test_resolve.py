"""Layers to plans: who wins, who is asked, and that a fault in a shared layer stops every plan that stands on it."""

from __future__ import annotations

import kit
import pytest

NODE = "nodes: {n1: {role: gpu-worker, address: 10.0.0.11/24}, n2: {role: cpu-worker, address: 10.0.1.12/24}}\n"


def test_defaults_alone_make_every_role() -> None:
    found = kit.pipeline(kit.HEAD)
    assert [p.name for p in found.plans()] == list(kit.catalog().roles())
    assert kit.errors(found.report) == []


@pytest.mark.parametrize(
    ("match", "wanted"),
    [
        ("name: 'n*'", {"n1", "n2"}), ("name: n1", {"n1"}), ("name: ['x*', n2]", {"n2"}), ("role: cpu-worker", {"n2"}), ("role: [cpu-worker, gpu-worker]", {"n1", "n2"}),
        ("network: 10.0.0.0/24", {"n1"}), ("network: [10.0.0.0/24, 10.0.1.0/24]", {"n1", "n2"}), ("network: 10.9.0.0/16", set()), ("{name: 'n*', role: gpu-worker}", {"n1"}),
        ("{name: n1, role: cpu-worker}", set()), ("network: 'fd00::/8'", set()),
    ],
)
def test_a_group_holds_the_nodes_its_selector_fits(match: str, wanted: set[str]) -> None:
    match = match if match.startswith("{") else f"{{{match}}}"
    found = kit.pipeline(kit.HEAD + NODE + f"groups: {{g: {{match: {match}, selinux: enforcing}}}}\n")
    assert {p.name for p in found.plans() if p.selinux == "enforcing"} == wanted
    assert kit.errors(found.report) == []


def test_a_group_by_network_sees_addresses_of_vlans_too() -> None:
    site = kit.HEAD + "groups: {g: {match: {network: 10.7.0.0/16}, selinux: enforcing}}\nnodes: {n: {role: cpu-worker, interfaces: {eno1: {mac: 52:54:00:00:00:01, vlans: {7: {address: 10.7.0.5/24}}}}}}\n"
    assert kit.plan(site, "n").selinux == "enforcing"


def test_the_group_of_higher_priority_wins_whatever_its_name() -> None:
    groups = "groups: {a: {match: {name: 'n*'}, priority: 2, selinux: enforcing}, b: {match: {name: 'n*'}, priority: 1, selinux: permissive}}\n"
    assert kit.plan(kit.HEAD + NODE + groups, "n1").selinux == "enforcing"


def test_a_tie_between_groups_is_told_only_where_they_differ() -> None:
    same = "groups: {a: {match: {name: 'n*'}, selinux: enforcing, locale: {keyboard: de}}, b: {match: {name: n1}, selinux: enforcing, locale: {language: de_DE.UTF-8}}}\n"
    assert kit.problems(kit.HEAD + NODE + same) == []
    differ = same.replace("name: n1}, selinux: enforcing", "name: n1}, selinux: permissive")
    (error,) = kit.problems(kit.HEAD + NODE + differ)
    assert "KF1204" in error and "groups a and b both give selinux" in error
    apart = differ.replace("name: 'n*'", "name: n2")
    assert kit.problems(kit.HEAD + NODE + apart) == [], "no node is in both"


def test_lists_replace_and_mappings_merge() -> None:
    site = kit.HEAD + "time: {ntp: [10.0.0.1, 10.0.0.2], zone: Europe/Berlin}\nnodes: {n: {role: cpu-worker, time: {ntp: [10.0.0.3]}}}\n"
    plan = kit.plan(site, "n")
    assert (plan.time.ntp, plan.time.zone) == (("10.0.0.3",), "Europe/Berlin")


def test_an_install_source_of_a_higher_layer_takes_the_place_of_the_lower_one() -> None:
    site = kit.HEAD + "install: {url: http://a/b, repos: {x: http://a/c}}\nroles: {cpu-worker: {install: {cdrom: yes}}}\nnodes: {n: {role: cpu-worker}, m: {role: gpu-worker, install: {nfs: {server: h, path: /p}}}}\n"
    assert kit.plan(site, "n").install.source == "cdrom"
    assert kit.plan(site, "m").install.source == "nfs"
    assert list(kit.plan(site, "m").install.repos) == ["x"]


def test_a_section_nobody_changes_is_one_object() -> None:
    found = kit.pipeline(kit.HEAD + NODE + "roles: {gpu-worker: {selinux: enforcing}}\n")
    one, two = found.plans()
    assert one.disk is two.disk and one.kubernetes is two.kubernetes


@pytest.mark.parametrize("fault", ["release: rhel-9.9", "release: [a]", "selinux: off", "time: {zone: X/Y}", "kubernetes: {pods: x}", "disk: {raid: 5}", "network: 7",
                                   "install: {url: x}", "crio: {version: ''}", "boot: []", "files: {a: b}", "waive: [everything]", "hooks: {post: /etc/passwd}", "kubernetes: {version: 1.2}"])
def test_a_fault_in_a_shared_layer_stops_every_plan_and_is_told_once(fault: str) -> None:
    for site in (kit.HEAD + fault + "\n", kit.HEAD + fault + "\n" + NODE):
        found = kit.pipeline(site)
        assert found.plans() == []
        found.plans()
        errors = kit.errors(found.report)
        assert errors and len(errors) == len(set(errors))
        assert all(e.startswith("site.yaml:3:") for e in errors), errors


def test_a_fault_that_the_node_itself_overrides_is_still_a_fault_of_the_layer() -> None:
    errors = kit.problems(kit.HEAD + "selinux: off\nnodes: {n: {role: cpu-worker, selinux: enforcing}}\n")
    assert len(errors) == 1 and errors[0].startswith("site.yaml:3:10: error KF1100")


def test_layers_that_are_right_only_together_are_looked_at_together() -> None:
    site = kit.HEAD + "disk: {raid: mirror, root: {id: [a]}}\nnodes: {n: {role: cpu-worker, disk: {root: {id: [a, b]}}}}\n"
    assert kit.problems(site) == []


def test_steps_out_of_order_are_told() -> None:
    (error,) = kit.problems(kit.HEAD + "roles: {cpu-worker: {steps: [hooks, crio, packages]}}\nnodes: {n: {role: cpu-worker}}\n")[:1]
    assert "KF1205" in error and "site.yaml:3:" in error


def test_the_place_of_a_value_is_its_winning_layer() -> None:
    found = kit.pipeline(kit.HEAD + "selinux: permissive\n" + NODE.replace("role: gpu-worker", "role: gpu-worker, selinux: enforcing"))
    found.plans()
    assert str(found.resolver.where("n1", "selinux")).startswith("site.yaml:4:")
    assert str(found.resolver.where("n2", "selinux")) == "site.yaml:3:1"
    assert str(found.resolver.where("n2", "kubernetes", "pods")).startswith("kfimage:kickstart/defaults.yaml:")
    assert str(found.resolver.where("gpu-worker", "steps")).startswith("kfimage:kickstart/roles/gpu-worker/role.yaml:")


def test_a_site_role_without_a_folder_is_a_role() -> None:
    site = kit.HEAD + "roles: {mine: {steps: [packages, network, swap, selinux, firewalld, kernel, time, crio, kubelet, ready]}}\nnodes: {n: {role: mine}}\n"
    assert kit.plan(site, "n").role == "mine"
