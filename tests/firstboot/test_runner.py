"""The runner: stamps, facts, order, and what it says when something is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import FACTS, FIRSTBOOT, Node


@pytest.fixture
def toy(node: Node, tmp_path: Path) -> Node:
    """Two small steps beside the real runner: `first` needs KF_NTP, `second` needs KF_NODE and comes after it."""
    node.firstboot = tmp_path / "firstboot"
    node.firstboot.mkdir()
    for name in ("step", "lib.sh", "report"):
        shutil.copy2(FIRSTBOOT / name, node.firstboot / name)
    for name, needs, after in (("first", "KF_NTP", ""), ("second", "KF_NODE", "first")):
        folder = node.firstboot / "steps" / name
        (folder / "files/etc").mkdir(parents=True)
        (folder / f"files/etc/{name}.conf").write_text("static\n")
        (folder / "run.sh").write_text(
            f'# needs: {needs}\n# after: {after}\n. "$KFIMAGE_LIB/lib.sh"\ntool {name} "${needs}"\n'
        )
    (node.firstboot / "steps/first/install.sh").write_text('. "$KFIMAGE_LIB/lib.sh"\ntool "$KFIMAGE_PHASE"\n')
    node.facts["KF_STEPS"] = "first second"
    node.fake("tool")
    return node


def test_a_step_runs_once(toy: Node) -> None:
    assert toy.run("step", "run", "first") == 0
    assert toy.calls("tool") == ["tool first 10.20.0.1"]
    before = toy.bytes()
    assert toy.run("step", "run", "first") == 0
    assert "<6>first: already done" in toy.err
    assert toy.calls() == []
    assert toy.bytes() == before


def test_a_changed_fact_runs_only_the_steps_that_need_it(toy: Node) -> None:
    for name in ("first", "second"):
        assert toy.run("step", "run", name) == 0
    toy.calls()
    toy.facts["KF_NODE"] = "other"
    for name in ("first", "second"):
        assert toy.run("step", "run", name) == 0
    assert toy.calls("tool") == ["tool second other"]


@pytest.mark.parametrize("change", ["run.sh", "install.sh", "files/etc/first.conf"])
def test_a_changed_script_or_static_file_runs_the_step_again(toy: Node, change: str) -> None:
    assert toy.run("step", "run", "first") == 0
    with (toy.firstboot / "steps/first" / change).open("a") as file:
        file.write("# more\n")
    assert toy.run("step", "check", "first") == 1
    assert toy.run("step", "run", "first") == 0
    assert "already done" not in toy.err
    assert toy.read("/etc/first.conf") == (toy.firstboot / "steps/first/files/etc/first.conf").read_text()


def test_a_stamp_line_makes_a_file_part_of_done(toy: Node) -> None:
    script = toy.firstboot / "steps/first/run.sh"
    script.write_text("# stamp: /proc/sys/kernel/random/boot_id\n" + script.read_text())
    assert toy.run("step", "run", "first") == 0
    assert toy.run("step", "check", "first") == 0
    toy.write("/proc/sys/kernel/random/boot_id", "boot-2\n")
    assert toy.run("step", "check", "first") == 1


def test_a_failing_step_leaves_no_stamp_and_says_what_to_type(toy: Node) -> None:
    toy.fail("tool")
    assert toy.run("step", "run", "first") == 1
    assert "<3>kfimage: first failed with status 1" in toy.err
    assert "next: journalctl -b -u kfimage-first; by hand: systemctl start kfimage-first" in toy.err
    assert not toy.has("/var/lib/kfimage/done/first")


def test_a_step_waits_for_the_steps_before_it(toy: Node) -> None:
    assert toy.run("step", "run", "second") == 75
    assert "<4>second: waits for first" in toy.err
    assert toy.calls("tool") == []
    toy.facts["KF_STEPS"] = "second"  # a role without `first`
    assert toy.run("step", "run", "second") == 0


def test_a_missing_fact_is_an_error_that_names_it(toy: Node) -> None:
    del toy.facts["KF_NTP"]
    assert toy.run("step", "run", "first") == 1
    assert "fact KF_NTP is missing" in toy.err
    assert toy.calls("tool") == []


def test_a_fact_that_is_not_declared_is_not_there(toy: Node) -> None:
    script = toy.firstboot / "steps/first/run.sh"
    script.write_text(script.read_text().replace("# needs: KF_NTP", "# needs: KF_SITE"))
    assert toy.run("step", "run", "first", KF_NTP="from the environment") == 1
    assert "KF_NTP: unbound variable" in toy.err


def test_needs_by_prefix(toy: Node) -> None:
    script = toy.firstboot / "steps/first/run.sh"
    script.write_text(
        '# needs: KF_TOOL_*\n. "$KFIMAGE_LIB/lib.sh"\nfact a KF_TOOL_HELM_URL\ntool "$a"\n'
        'fact b KF_TOOL_NONE_URL\ntool "$b"\n'
    )
    toy.facts["KF_TOOL_HELM_URL"] = "http://x/helm"
    assert toy.run("step", "run", "first") == 1
    assert "fact KF_TOOL_NONE_URL is missing" in toy.err
    assert toy.calls("tool") == ["tool http://x/helm"]
    assert toy.run("step", "needs", "first") == 0
    assert toy.out == "KF_TOOL_*\n"


def test_install_lays_files_and_runs_install(toy: Node) -> None:
    assert toy.install("first") == 0
    assert toy.read("/etc/first.conf") == "static\n"
    assert toy.calls("tool") == ["tool install"]
    assert toy.has("/var/lib/kfimage/installed/first")


def test_list(toy: Node) -> None:
    assert toy.run("step", "run", "first") == 0
    assert toy.run("step", "list") == 0
    assert toy.out == "first        done\nsecond       to do\n"
    toy.facts["KF_NTP"] = "10.20.0.2"
    assert toy.run("step", "list") == 0
    assert toy.out.startswith("first        to do again: changed since it was done\n")


@pytest.mark.parametrize("argv", [[], ["run"], ["frob", "first"], ["list", "x"]])
def test_wrong_usage(toy: Node, argv: list[str]) -> None:
    assert toy.run("step", *argv) == 2
    assert toy.err.startswith("step install NAME")


@pytest.mark.parametrize("name", ["nosuch", "../first", "", "-x", "first/../first"])
def test_a_step_that_is_not_there(toy: Node, name: str) -> None:
    assert toy.run("step", "run", name) == 1
    assert f"there is no step '{name}'" in toy.err


HOSTILE = [
    'KF_X="a" ; touch /tmp/x',
    'KF_X="$(touch x)"',
    'KF_X="`id`"',
    "KF_X='a'",
    "KF_X=a",
    'kf_x="a"',
    'PATH="/tmp"',
    'KF_X="a"b"',
    'KF_X="a\\"',
    'KF_X="a\rb"',
    'KF_X="a\0b"',
    ' KF_X="a"',
    'export KF_X="a"',
    "# a comment",
    "",
    'KF_X="\N{LATIN SMALL LETTER E WITH ACUTE}"',
    'KF_X="a\tb"',
    'KF_X="a',
    'KF_X="<b>"',
    'KF_X="a;b"',
    'KF_X="a&b"',
    'KF_X="a|b"',
    'KF_X="{{ x }}"',
    'KF_X="!x"',
]


@pytest.mark.parametrize("line", HOSTILE)
def test_one_hostile_line_refuses_the_whole_file(toy: Node, line: str) -> None:
    good = "".join(f'{k}="{v}"\n' for k, v in toy.facts.items())
    toy.write("/etc/kfimage/facts.env", "").write_bytes((good + line + "\n" + 'KF_Z="z"\n').encode())
    assert toy.exec("step", "run", "first") == 1
    assert f"line {len(toy.facts) + 1} is not KF_NAME=" in toy.err
    assert "nothing was read" in toy.err
    assert toy.calls() == []


def test_a_fact_said_twice_is_refused(toy: Node) -> None:
    toy.write("/etc/kfimage/facts.env", 'KF_NTP="a"\nKF_NTP="b"\n')
    assert toy.exec("step", "run", "first") == 1
    assert "says KF_NTP twice" in toy.err


def test_no_facts_at_all(toy: Node) -> None:
    assert toy.exec("step", "run", "first") == 1
    assert "/etc/kfimage/facts.env cannot be read" in toy.err


def test_every_allowed_character_arrives(toy: Node) -> None:
    toy.facts["KF_NTP"] = "][ AZaz09._:/@,=+%~*-"
    assert toy.run("step", "run", "first") == 0
    assert toy.calls("tool") == ["tool first ][ AZaz09._:/@,=+%~*-"]


def test_the_last_line_needs_no_newline(toy: Node) -> None:
    facts = [f'{k}="{v}"' for k, v in toy.facts.items() if k != "KF_NTP"] + ['KF_NTP="last"']
    toy.write("/etc/kfimage/facts.env", "\n".join(facts))
    assert toy.exec("step", "run", "first") == 0
    assert toy.calls("tool") == ["tool first last"]


def test_the_facts_of_these_tests_are_the_contract(node: Node) -> None:
    """Every exact fact that a real step needs is one that the tests' facts.env has."""
    for folder in (FIRSTBOOT / "steps").iterdir():
        assert node.run("step", "needs", folder.name) == 0
        assert {f for f in node.out.split() if "*" not in f} <= set(FACTS)
