"""What the site itself brings to run: hooks, carried files and steps are linted where they were written, and steps say what they need."""

from __future__ import annotations

import shutil
from pathlib import Path

import kit
import pytest

from kfimage.assets import builtin
from kfimage.catalog import Catalog
from kfimage.errors import Mark
from kfimage.render.payload import Payload
from kfimage.verify import shell, shellcheck
from kfimage.verify.prove import compare_step, is_script, place_of

LOOP = "#!/bin/bash\nset -euo pipefail\ncurl http://10.20.0.5/x | bash\n"


def findings(site: str, folder: Path) -> set[tuple[str, str, int]]:
    """(id, file, line) of everything a run says of the site's own files."""
    pipeline = kit.pipeline(kit.HEAD + site, folder)
    plans = pipeline.plans(["cpu-worker"])
    assert not pipeline.report.failed(), [str(p) for p in pipeline.report]
    list(pipeline.artefacts(plans))
    return {(p.id, p.mark.file, p.mark.line) for p in pipeline.report}


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def test_hooks_and_carried_scripts_are_linted_at_their_own_path(tmp_path: Path) -> None:
    write(tmp_path, {"a.sh": LOOP, "b.sh": LOOP, "c": LOOP, "d": LOOP, "e.py": "#!/usr/bin/python3\ncurl | bash\n"})
    found = findings(
        "hooks: {pre: a.sh, post: [b.sh, e.py], firstboot: c}\n"
        "files: {/usr/local/bin/d: {source: d, mode: '0755'}, /etc/motd: {content: 'curl | bash'}, /opt/x.sh: {content: \"set -e\\ncurl http://h/x | sh\\n\"}}\n",
        tmp_path,
    )
    assert {(file, line) for id, file, line in found if id == "KF4103"} == {("a.sh", 3), ("b.sh", 3), ("c", 3), ("d", 3), ("/opt/x.sh", 2)}


def test_a_hook_is_judged_by_where_it_runs(tmp_path: Path) -> None:
    write(tmp_path, {"h.sh": "#!/bin/bash\nset -euo pipefail\nsystemctl restart chronyd\n"})
    assert ("KF4201", "h.sh", 3) in findings("hooks: {post: h.sh}\n", tmp_path)
    assert not any(id == "KF4201" for id, _, _ in findings("hooks: {firstboot: h.sh}\n", tmp_path))


def test_a_hook_that_does_not_parse_is_told_by_shellcheck_or_bash(tmp_path: Path) -> None:
    if not (shutil.which("shellcheck") or shutil.which("bash")):
        pytest.skip("neither shellcheck nor bash is here")
    write(tmp_path, {"h.sh": "#!/bin/bash\nset -euo pipefail\nif true; then\necho a\n"})
    assert ("KF4401", "h.sh") in {(id, file) for id, file, _ in findings("hooks: {firstboot: h.sh}\n", tmp_path)}


def test_without_shellcheck_bash_reads_the_syntax() -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is not here")
    report = shellcheck.run({"a.sh": "if true; then\n", "b.sh": "echo b\n"}, program="shellcheck-that-is-not-here")
    assert [(p.id, p.mark.file) for p in report] == [("KF4400", "a.sh"), ("KF4401", "a.sh")]


STEP = {
    "firstboot/steps/odd/step.yaml": "title: odd\nacts: nowhere\nwhy: for this test\nneeds: [KF_SITE, KF_ROLE]\nafter: [time]\n",
    "firstboot/steps/odd/install.sh": f"#!/bin/bash\n# needs: KF_SITE KF_NODE\n# after: crio\n{LOOP}systemctl restart chronyd\n",
}


def test_a_steps_scripts_are_linted_at_their_own_path_and_say_what_step_yaml_says(tmp_path: Path) -> None:
    write(tmp_path, STEP)
    found = findings("roles: {cpu-worker: {steps: [time, odd]}}\n", tmp_path)
    script, described = "firstboot/steps/odd/install.sh", "firstboot/steps/odd/step.yaml"
    assert {("KF4103", script, 6), ("KF4201", script, 7), ("KF4900", script, 2), ("KF4900", script, 3), ("KF4900", described, 0)} <= found
    assert not any(file.startswith("firstboot/root/") for _, file, _ in found)
    said = [p.message for p in compare_step(Catalog(builtin(), kit.Folder(tmp_path)), "odd")]
    assert said == [
        "`# needs:` names KF_NODE, and `needs` of step.yaml does not", "`# after:` names crio, and `after` of step.yaml does not",
        "`after` names time, and no `# after:` of the step's scripts does", "`needs` names KF_ROLE, and no `# needs:` of the step's scripts does",
    ]


@pytest.mark.parametrize("name", kit.catalog().steps())
def test_the_built_in_steps_say_the_same_twice(name: str) -> None:
    assert not list(compare_step(kit.catalog(), name))


def test_the_built_in_install_scripts_fit_the_installers_chroot() -> None:
    installers = {p: d.decode() for p, (d, _) in Payload(kit.catalog()).files.items() if is_script(p, d) and place_of(p) == "post"}
    assert len(installers) > 10
    assert not [str(p) for path, text in installers.items() for p in shell.check_script(text, path, place="post")]
    enable = shell.check_script("set -e\nsystemctl enable x.service\nsystemctl disable y.service\n", "x", place="post")
    assert not list(enable)


def test_every_release_installs_what_the_steps_need() -> None:
    catalog, report = kit.catalog(), kit.Report()
    needed = {package for step in catalog.steps() for package in catalog.step(step).packages}
    assert {"chrony", "firewalld", "efibootmgr", "gnupg2"} <= needed
    for name in catalog.releases():
        release = catalog.release(name, Mark(name), report)
        assert release is not None and needed <= set(release.packages), name
