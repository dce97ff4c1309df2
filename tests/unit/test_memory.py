"""The second run: it spares what nothing has changed, and whatever has changed is made and proven again."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import fields
from pathlib import Path
from typing import Callable

import pytest
from cli_runner import Ran, kfimage

from kfimage.sinks.memory import FILE

SITE = """\
kfimage: 1
site: lab
install: {url: http://10.20.0.5/rhel}
boot: {url: http://10.20.0.5/kf, order: disk-first}
access: {admin: ops, ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHTTFkZ5LMQXCwKpHCBWZGBxVUdIWYhBLyWhHJ8c9tEs ops@lab]}
kubernetes: {api: 10.20.0.10:6443}
files: {/etc/issue: {source: issue}}
nodes_from: {file: nodes.csv}
nodes:
  a: {role: cpu-worker, mac: 52:54:00:00:00:01, address: 10.20.1.1/16}
  b: {role: cpu-worker, mac: 52:54:00:00:00:02, address: 10.20.1.2/16}
  c: {role: gpu-worker, mac: 52:54:00:00:00:03, address: 10.20.1.3/16}
"""


class Lab:
    """A site in a folder, rendered to tree/."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tree = folder, folder / "tree"
        self.write("site.yaml", SITE)
        self.write("issue", "lab\n")
        self.write("nodes.csv", "name,role,mac,address\nd,cpu-worker,52:54:00:00:00:04,10.20.1.4/16\n")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def run(self) -> Ran:
        return kfimage("render", "--site", self.folder / "site.yaml", "--output", self.tree)

    def render(self) -> set[str]:
        """Render; the files that were written, but for the two that always are."""
        # The clock of a file system ticks every few milliseconds, and what shares a tick with the memory is not believed.
        time.sleep(0.03)
        before = self.stamps()
        done = self.run()
        assert done.code == 0, done.err
        after = self.stamps()
        return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)} - {"index.json", FILE}

    def stamps(self) -> dict[str, tuple[int, int]]:
        found = {}
        for path in self.tree.rglob("*"):
            if path.is_file():
                found[path.relative_to(self.tree).as_posix()] = (path.lstat().st_ino, path.lstat().st_ctime_ns)
        return found

    def contents(self) -> dict[str, tuple[bytes, int]]:
        return {p.relative_to(self.tree).as_posix(): (p.read_bytes(), p.stat().st_mode) for p in self.tree.rglob("*") if p.is_file()}

    def fresh(self) -> dict[str, tuple[bytes, int]]:
        """What a run that remembers nothing writes."""
        shutil.move(self.tree, self.folder / "kept")
        self.render()
        found = self.contents()
        shutil.rmtree(self.tree)
        shutil.move(self.folder / "kept", self.tree)
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    found = Lab(tmp_path)
    found.render()
    return found


def test_nothing_changed_nothing_written(lab: Lab) -> None:
    assert lab.render() == set()
    assert lab.contents() == lab.fresh()


CHANGES: dict[str, tuple[Callable[[Lab], None], set[str]]] = {
    "a node": (lambda lab: lab.replace("site.yaml", "10.20.1.2/16", "10.20.1.9/16"), {"kickstart/b.ks"}),
    "a MAC": (
        lambda lab: lab.replace("site.yaml", "00:00:02", "00:00:09"),
        {f"netboot/{p}" for m in ("02", "09") for p in (f"pxelinux.cfg/01-52-54-00-00-00-{m}", f"grub/grub.cfg-01-52-54-00-00-00-{m}", f"ipxe/01-52-54-00-00-00-{m}.ipxe")},
    ),
    "a row of the CSV": (lambda lab: lab.replace("nodes.csv", "10.20.1.4", "10.20.1.9"), {"kickstart/d.ks"}),
    "a file the site sends along": (lambda lab: lab.write("issue", "changed\n"), {f"kickstart/{n}.ks" for n in "abcd"}),
    "a value of all nodes": (lambda lab: lab.replace("site.yaml", "10.20.0.10:6443", "10.20.0.11:6443"), {f"kickstart/{n}.ks" for n in "abcd"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_changed_is_written_and_nothing_else(lab: Lab, what: str) -> None:
    change, wanted = CHANGES[what]
    change(lab)
    written = lab.render()
    assert {path for path in written if not path.startswith("kickstart/") or path in wanted} >= wanted
    assert not {p for p in written if p.startswith("kickstart/")} - wanted or what == "a MAC"
    assert lab.contents() == lab.fresh()


def test_a_template_of_the_site_s_own_changes_every_kickstart(lab: Lab) -> None:
    sections = lab.folder / "kickstart" / "sections"
    sections.mkdir(parents=True)
    (sections / "99-own.ks.j2").write_text("{# ours #}\n# ours\n")
    assert {f"kickstart/{n}.ks" for n in "abcd"} <= lab.render()
    (sections / "99-own.ks.j2").write_text("{# ours #}\n# theirs\n")
    assert {f"kickstart/{n}.ks" for n in "abcd"} <= lab.render()
    assert lab.contents() == lab.fresh()


def _keep_times(path: Path, change: Callable[[], object]) -> None:
    before = path.stat()
    change()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


HARM: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "of the same size, its mtime put back": lambda path: _keep_times(path, lambda: path.write_bytes(path.read_bytes().replace(b"reboot", b"rebool", 1))),
    "removed": lambda path: path.unlink(),
    "of another mode": lambda path: path.chmod(0o666),
    "a link to a copy": lambda path: (shutil.copy2(path, path.with_suffix(".old")), path.unlink(), path.symlink_to(path.with_suffix(".old"))),
}


@pytest.mark.parametrize("what", HARM)
def test_a_file_that_was_harmed_is_repaired(lab: Lab, what: str) -> None:
    path = lab.tree / "kickstart" / "b.ks"
    good = path.read_bytes()
    HARM[what](path)
    assert "kickstart/b.ks" in lab.render()
    assert not path.is_symlink() and path.read_bytes() == good and path.stat().st_mode & 0o777 == 0o644


def test_a_harmed_memory_costs_time_only(lab: Lab) -> None:
    path = lab.tree / FILE
    good = path.read_bytes()
    for harm in (b"", b"{", b"[]", b'{"index":1}', good.replace(b'"nodes":{', b'"nodes":[{', 1), b"\xff" * 10, b"[" * 200_000):
        path.write_bytes(harm)
        assert lab.render() == set()
        assert path.read_bytes() == good


def test_an_index_that_was_edited_is_not_believed(lab: Lab) -> None:
    """Whoever changes a file and its line in index.json gets the file back as it must be."""
    path, index = lab.tree / "kickstart" / "b.ks", lab.tree / "index.json"
    good = path.read_bytes()
    path.write_bytes(good.replace(b"reboot", b"rebool", 1))
    found = json.loads(index.read_bytes())
    index.write_text(json.dumps(found))
    assert "kickstart/b.ks" in lab.render()
    assert path.read_bytes() == good


def test_a_copied_tree_is_looked_at_and_left(lab: Lab) -> None:
    shutil.copytree(lab.tree, lab.folder / "copy")
    shutil.rmtree(lab.tree)
    shutil.move(lab.folder / "copy", lab.tree)
    assert lab.render() == set()


def test_findings_are_told_every_time(lab: Lab) -> None:
    """What was proven with a finding is proven again, so that the finding does not fall silent."""
    lab.replace("site.yaml", "access: {admin: ops, ssh_keys: [ssh-ed25519", "access: {admin: ops} #")
    told = [lab.run().err.split("wrote")[0] for _ in range(2)]
    assert "KF2105" in told[0] and told[0] == told[1]
    assert json.loads((lab.tree / "index.json").read_bytes())["findings"] in told[1]


def test_a_plan_has_every_field_and_no_other(lab: Lab) -> None:
    """Plans and interfaces are made without their __init__ (grammar.whole), which would have looked at that."""
    import kit

    for plan in kit.pipeline(lab.folder.joinpath("site.yaml").read_bytes(), lab.folder).plans():
        for struct in (plan, *plan.nics):
            assert set(vars(struct)) == {field.name for field in fields(struct)}
