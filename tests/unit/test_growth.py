"""What grows is one folder: a role, a release, a step and a kickstart section are each added by a folder and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import kit
import pytest

from kfimage.assets import Folder, builtin
from kfimage.catalog import Catalog

ROLE = "description: a role for the tests\nsteps: [packages, network, swap, selinux, firewalld, kernel, time, crio, kubelet, ready]\nfirewall: {ports: [10250/tcp]}\n"
STEP = "title: a step for the tests\nguide: []\nacts: install.sh does nothing\nwhy: to be added\ndiffers: it is not in the guide\nneeds: [KF_SITE]\nafter: [packages]\n"
INSTALL = '#!/bin/bash\n# needs: KF_SITE\n# after: packages\n# shellcheck source=/dev/null\n. "$KFIMAGE_LIB/lib.sh"\n\ninfo "dummy of $KF_SITE"\n'
SECTION = "{# a section for the tests #}\n# plan {{ plan.name }} of {{ plan.site }}\n"


def grow(top: Path) -> None:
    """One folder each: the role dummy, the release rhel-8.7-dummy, the step dummy; and one file for a section."""
    role = top / "kickstart" / "roles" / "dummy"
    role.mkdir(parents=True)
    (role / "role.yaml").write_text(ROLE)
    release = top / "kickstart" / "releases" / "dummy-8.9"
    release.mkdir(parents=True)
    text = (kit.ROOT / "kickstart" / "releases" / "rhel-8.7" / "release.yaml").read_text()
    (release / "release.yaml").write_text(text.replace("8.7", "8.9").replace("units: rhel-8.9", "units: rhel-8.7"))
    step = top / "firstboot" / "steps" / "dummy"
    step.mkdir(parents=True)
    (step / "step.yaml").write_text(STEP)
    (step / "install.sh").write_text(INSTALL)
    sections = top / "kickstart" / "sections"
    sections.mkdir(exist_ok=True)
    (sections / "12-dummy.ks.j2").write_text(SECTION)


@pytest.fixture
def copied(tmp_path: Path) -> Folder:
    """The built-in folders as they are in a checkout, copied and grown."""
    for name in ("kickstart", "firstboot"):
        shutil.copytree(kit.ROOT / name, tmp_path / name)
    grow(tmp_path)
    return Folder(tmp_path, "copy:")


def test_a_role_release_step_and_section_are_found_by_listing(copied: Folder) -> None:
    catalog, before = Catalog(copied), Catalog(builtin())
    assert set(catalog.roles()) - set(before.roles()) == {"dummy"}
    assert set(catalog.releases()) - set(before.releases()) == {"dummy-8.9"}
    assert set(catalog.steps()) - set(before.steps()) == {"dummy"}
    assert [name for name, _ in catalog.sections("dummy-8.9")][:2] == ["10-head.ks.j2", "12-dummy.ks.j2"]


def test_what_was_added_renders_and_is_proven(copied: Folder) -> None:
    role = copied.root / "kickstart" / "roles" / "dummy" / "role.yaml"
    # The one line that a step asks for: its name in the role that wants it.
    role.write_text(role.read_text().replace("[packages, network,", "[packages, dummy, network,"))
    made = kit.tree(kit.HEAD + "release: dummy-8.9\nnodes: {n1: {role: dummy, mac: 52:54:00:00:00:01}}\n", over=copied)
    kickstart = made["kickstart/n1.ks"].content.decode()
    assert "# plan n1 of lab\n" in kickstart
    assert "for step in packages dummy network " in kickstart
    assert kit.facts(kickstart)["KF_OS_VERSION"] == "8.9"
    assert kit.facts(kickstart)["KF_ROLE"] == "dummy"
    assert made["firstboot/root/usr/libexec/kfimage/steps/dummy/install.sh"].mode == 0o755
    assert "dummy-8.9/vmlinuz" in made["netboot/pxelinux.cfg/default"].content.decode() or "n1" in "".join(made)


@pytest.mark.parametrize("role", [*kit.catalog().roles(), "dummy"])
@pytest.mark.parametrize("release", ["rhel-8.7", "dummy-8.9"])
def test_every_role_renders_on_every_release(copied: Folder, role: str, release: str) -> None:
    found = kit.pipeline(kit.HEAD + f"release: {release}\n", over=copied)
    plans = found.plans([role])
    (made,) = kit.rendered(plans, by=found.renderer)
    assert kit.errors(made.report) == [] and kit.errors(found.report) == []


def test_the_same_folders_beside_a_site_do_the_same(tmp_path: Path) -> None:
    grow(tmp_path)
    role = tmp_path / "kickstart" / "roles" / "dummy" / "role.yaml"
    role.write_text(role.read_text().replace("[packages, network,", "[packages, dummy, network,"))
    made = kit.tree(kit.HEAD + "release: dummy-8.9\nnodes: {n1: {role: dummy}}\n", tmp_path)
    kickstart = made["kickstart/n1.ks"].content.decode()
    assert "# plan n1 of lab\n" in kickstart and "for step in packages dummy network " in kickstart
    assert "firstboot/root/usr/libexec/kfimage/steps/dummy/install.sh" in made


def test_a_site_with_a_role_step_section_and_hook_of_its_own() -> None:
    folder = kit.SITES / "own"
    made = kit.tree((folder / "site.yaml").read_bytes(), folder)
    kickstart = made["kickstart/st-01.ks"].content.decode()
    assert "printf '%s\\n' own > /etc/issue.d/site.issue" in kickstart
    assert kit.facts(kickstart)["KF_STEPS"].split()[9] == "motd"
    assert kit.facts(kickstart)["KF_NODE_LABELS"] == "example.org/storage=yes"
    assert kit.heredocs(kickstart)["/etc/kfimage/hooks/firstboot.d/01-hello.sh"] == (folder / "hooks" / "hello.sh").read_bytes()
    assert made["firstboot/root/usr/libexec/kfimage/steps/motd/files/etc/motd.d/site"].content == b"This node serves disks.\n"


def test_a_site_may_change_a_built_in_role_and_section(tmp_path: Path) -> None:
    role = tmp_path / "kickstart" / "roles" / "cpu-worker"
    role.mkdir(parents=True)
    (role / "role.yaml").write_text("selinux: enforcing\n")
    sections = tmp_path / "kickstart" / "sections"
    sections.mkdir()
    (sections / "30-locale.ks.j2").write_text("{# ours #}\nlang {{ plan.locale.language }}\nkeyboard --vckeymap=us\ntimezone {{ plan.time.zone }} --utc\n")
    text = kit.tree(kit.HEAD + "nodes: {n1: {role: cpu-worker}}\n", tmp_path)["kickstart/n1.ks"].content.decode()
    assert "selinux --enforcing" in text and "keyboard --vckeymap=us\n" in text
    assert kit.facts(text)["KF_FIREWALL_CLUSTER_PORTS"].startswith("179/tcp"), "the built-in role lies below the site's"


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("kickstart/roles/bad/role.yaml", "steps: [nonsense]\n", "no step 'nonsense'"),
        ("kickstart/roles/bad/role.yaml", "step: [packages]\n", "unknown key 'step'"),
        ("kickstart/roles/bad/role.yaml", "selinux: off\n", "selinux: 'off'"),
        ("kickstart/roles/bad/role.yaml", "a: [\n", "KF1000"),
        ("kickstart/releases/bad/release.yaml", "title: x\n", "is missing"),
        ("firstboot/steps/bad/step.yaml", "title: x\n", "is missing"),
    ],
)
def test_a_broken_folder_of_the_site_is_told_by_file_and_line(tmp_path: Path, path: str, text: str, words: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    wanted = {"roles": "nodes: {n: {role: bad}}\n", "releases": "release: bad\nnodes: {n: {role: cpu-worker}}\n"}
    site = wanted.get(path.split("/")[1], "nodes: {n: {role: cpu-worker, steps: [bad]}}\n")
    errors = kit.problems(kit.HEAD + site, tmp_path)
    assert any(words in e for e in errors), errors
    assert any(e.startswith(path) for e in errors), errors


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ plan.nothing }}\n", "12-x.ks.j2"), ("{{ plan }}\n", "12-x.ks.j2"), ("{% if %}\n", "12-x.ks.j2"), ("{{ plan.boot.secure }}\n", "12-x.ks.j2"),
        ("{{ plan.node }}\n", "12-x.ks.j2"), ("{{ other }}\n", "12-x.ks.j2"),
    ],
)
def test_a_broken_section_of_the_site_is_one_message_and_no_traceback(tmp_path: Path, template: str, words: str) -> None:
    (tmp_path / "site.yaml").write_text(kit.HEAD + "nodes: {n1: {role: cpu-worker}}\n")
    sections = tmp_path / "kickstart" / "sections"
    sections.mkdir(parents=True)
    (sections / "12-x.ks.j2").write_text(template)
    done = kit.run("render", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr and words in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()


def test_a_section_that_means_something_else_than_the_plan_is_refused(tmp_path: Path) -> None:
    sections = tmp_path / "kickstart" / "sections"
    sections.mkdir(parents=True)
    (sections / "55-security.ks.j2").write_text("{# ours #}\nselinux --disabled\nfirewall --enabled --port=6443/tcp\n")
    found = kit.pipeline(kit.HEAD + "nodes: {n1: {role: cpu-worker}}\n", tmp_path)
    (made,) = kit.rendered(found.plans(), by=found.renderer)
    assert any("KF2900" in e or "KF2" in e for e in kit.errors(made.report))
