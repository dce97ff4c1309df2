"""Units: fixtures by listing, what the reader reads, and the laws."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfimage.errors import CHECKS, Report
from kfimage.verify import units, unitset
from kfimage.verify.unittable import read_unit, split_words, timespan

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "checks"
TABLE = units.load_table((ROOT / "kickstart/releases/rhel-8.7/systemd.json").read_text())
IDS = sorted(check for check in CHECKS if check.startswith("KF3"))


def found(place: Path) -> set[str]:
    """The ids reported for a unit, or for a folder of units in which *.preset names what is enabled."""
    files = {str(place): place.read_bytes().decode()} if place.is_file() else {
        f.name: f.read_bytes().decode() for f in sorted(place.iterdir()) if f.suffix != ".preset"}  # fmt: skip
    report = Report()
    for path, text in files.items():
        report.extend(units.check_unit(text, path, TABLE))
        if unitset.is_step_unit(text, path):
            report.extend(unitset.check_house_shape(text, path))
    if place.is_dir():
        presets = [line.split() for f in place.glob("*.preset") for line in f.read_text().splitlines()]
        wanted = [words[1] for words in presets if words[:1] == ["enable"]]
        report.extend(unitset.check_unit_set(files, TABLE, wanted=wanted))
    return {problem.id for problem in report}


def fixture(check: str, kind: str) -> Path:
    places = [place for place in (FIXTURES / check).iterdir() if place.name.split(".")[0] == kind]
    assert len(places) == 1, f"{check} needs one {kind} fixture"
    return places[0]


@pytest.mark.parametrize("check", IDS)
def test_fixture(check: str) -> None:
    assert check in found(fixture(check, "fail"))
    assert not found(fixture(check, "pass")), "a passing fixture is clean of every check"


def test_every_folder_has_its_check() -> None:
    assert sorted(path.name for path in FIXTURES.glob("KF3*")) == IDS


def says(body: str, kind: str = "service") -> list[str]:
    return [str(problem).split("\n")[0] for problem in units.check_unit(body, f"x.{kind}", TABLE)]


SERVICE = "[Service]\nType=oneshot\nTimeoutStartSec=9\nExecStart=/bin/true\n"


@pytest.mark.parametrize(
    ("line", "want"),
    [
        (
            "LoadCredential=a:b",
            "x.service:5:1: error KF3013: LoadCredential= is known to newer systemd, not to RHEL 8.7",
        ),
        ("Wants=crio.service", "x.service:5:1: error KF3012: Wants= is not read in [Service]"),
        ("EnvironmentFiles=A=1", "x.service:5:1: error KF3012: unknown directive EnvironmentFiles= in [Service]"),
        ("StandardOutput=truncate:/x", "x.service:5:16: error KF3101: StandardOutput= does not take 'truncate:/x'"),
        ("ExecStart=/bin/echo \\\n  a %F", "x.service:6:5: error KF3103: unknown specifier '%F' in ExecStart="),
        ("ExecStart=/bin/echo %d", "x.service:5:21: error KF3103: %d is known to newer systemd"),
        ("Environment=A=${B}", ""),
        ("StandardOutput=append:/var/log/x", ""),
        ("ExecCondition=/bin/true", ""),
        ("ExecStart=/bin/echo $$ ${A} %% %N", ""),
        ("X-Ours=1", ""),
        ("ExecStart=/bin/sh -c 'a && b > c'", ""),
        ("ProtectSystem=true", ""),
    ],
)
def test_one_line(line: str, want: str) -> None:
    got = says(f"{SERVICE}{line}\n")
    assert len(got) == bool(want)
    assert not want or got[0].startswith(want)


def test_misspelt_directive_has_a_hint() -> None:
    hints = [p.hint for p in units.check_unit(f"{SERVICE}TimoutStopSec=1\n", "x.service", TABLE)]
    assert hints == ["did you mean 'TimeoutStopSec'?"]


def test_unknown_condition_runs_unconditionally() -> None:
    for key in ("ConditionMemory", "ConditionPathExist"):
        (problem,) = units.check_unit(f"[Unit]\n{key}=/x\n{SERVICE}", "x.service", TABLE)
        assert problem.id == "KF3014" and "UNCONDITIONALLY" in problem.check.why


def test_a_reset_is_not_a_repeat() -> None:
    assert says(SERVICE + "TimeoutStartSec=\nTimeoutStartSec=8\n") == [
        "x.service:5:17: error KF3102: TimeoutStartSec= has no value"
    ]
    assert not says("[Service]\nExecStart=/bin/false\nExecStart=\nExecStart=/bin/true\n")


def test_timer_and_path_need_something_to_wait_for() -> None:
    assert "has none of OnActiveSec" in says("[Timer]\nUnit=a.service\n", "timer")[0]
    assert not says("[Timer]\nOnBootSec=3min\nOnUnitInactiveSec=2min\n", "timer")
    assert "has none of DirectoryNotEmpty" in says("[Path]\nUnit=a.service\n", "path")[0]


def test_drop_in_needs_no_exec_start() -> None:
    assert not units.check_unit("[Service]\nEnvironment=A=1\n", "crio.service.d/10-proxy.conf", TABLE)


def test_timer_after_the_target_it_is_part_of_the_boot_of_is_a_cycle() -> None:
    """Timers come before timers.target, which comes before basic.target: a well-known trap."""
    timer = (
        "[Unit]\nAfter=multi-user.target\n[Timer]\nOnBootSec=1\nUnit=sshd.service\n[Install]\nWantedBy=timers.target\n"
    )
    (problem,) = (p for p in unitset.check_unit_set({"t.timer": timer}, TABLE) if p.id == "KF3301")
    assert problem.mark.line == 2 and "timers.target" in problem.message


def test_no_cycle_for_a_target_whose_unit_says_the_opposite() -> None:
    unit = SERVICE + "[Unit]\nAfter=multi-user.target\n[Install]\nWantedBy=multi-user.target\n"
    assert "KF3301" not in {p.id for p in unitset.check_unit_set({"a.service": unit}, TABLE)}


def test_wanted_but_not_there() -> None:
    (problem,) = unitset.check_unit_set({}, TABLE, wanted=["kfimage-a.service", "crio.service"])
    assert "kfimage-a.service is to be enabled" in problem.message


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed: cycles not cross-checked"
)
@pytest.mark.parametrize("kind", ["fail", "pass"])
def test_systemd_sees_the_same_cycle(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "etc/systemd/system"
    shutil.copytree(FIXTURES / "KF3301" / kind, folder)
    (folder / "multi-user.target").write_text("[Unit]\nDescription=x\n")
    (folder / "multi-user.target.wants").mkdir()
    for unit in ("first.service", "second.service"):
        (folder / "multi-user.target.wants" / unit).symlink_to(f"../{unit}")
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/true").symlink_to("/bin/true")
    done = subprocess.run(
        ["systemd-analyze", f"--root={tmp_path}", "verify", "multi-user.target"], capture_output=True, text=True
    )
    if "No such file or directory" in done.stderr and "cycle" not in done.stderr and kind == "fail":
        pytest.skip(f"systemd-analyze cannot load a root here: {done.stderr[:200]}")
    assert ("ordering cycle" in done.stderr) == (kind == "fail"), done.stderr


LINES = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(
            ["[Unit]", "[Service]", "[Install]", "ExecStart=", "After=a.service\\", "#c\\", 'Environment="a', "X=%"]
        ),
    ),
    max_size=12,
).map("\n".join)


@given(LINES, st.sampled_from(["x.service", "x@.timer", "a/y.service.d/1.conf", "z", "", "kfimage-a.service"]))
@settings(deadline=None, max_examples=150)
def test_nothing_raises_and_marks_point_into_the_text(text: str, path: str) -> None:
    report = units.check_unit(text, path, TABLE)
    report.extend(unitset.check_unit_set({path: text, "b.service": text}, TABLE, wanted=[path]))
    report.extend(unitset.check_house_shape(text, path))
    lines = text.split("\n")
    for problem in report:
        if problem.mark.line:
            assert problem.mark.line <= len(lines)
            assert problem.mark.column <= len(lines[problem.mark.line - 1]) + 2


@given(st.text(max_size=60))
def test_words_are_where_they_say(text: str) -> None:
    words, _ = split_words(text)
    assert all(0 <= word.offset < len(text) for word in words)
    assert [word.offset for word in words] == sorted(word.offset for word in words)


@given(st.integers(0, 10**6), st.sampled_from(["", "s", "min", " h", "ms", "5min20s"]))
def test_time_spans(number: int, unit: str) -> None:
    assert timespan(f"{number}{unit}")
    assert not timespan(f"{number}x")


def test_value_keeps_its_place_over_continued_lines() -> None:
    unit = read_unit("[Service]\nExecStart=/bin/echo \\\n   one \\\n   two\n", "x.service", Report())
    value = unit.assignments[0]
    assert value.value == "/bin/echo     one     two"
    assert value.at(value.value.index("two")) == ("x.service", 4, 4)
