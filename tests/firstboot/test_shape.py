"""What holds for every step: its words, its unit, its scripts. A new step is picked up by listing the folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from .conftest import FIRSTBOOT, STEPS, said

SCRIPTS = sorted(
    p for p in FIRSTBOOT.rglob("*") if p.is_file() and (p.suffix == ".sh" or p.read_bytes().startswith(b"#!"))
)
UNITS = sorted(p for p in FIRSTBOOT.rglob("*") if p.suffix in (".service", ".timer", ".target", ".path"))
AT_BOOT = [name for name in STEPS if (FIRSTBOOT / "steps" / name / "run.sh").exists()]
# What a step unit may wait for besides other steps.
SYSTEM = {
    "network-online.target",
    "local-fs.target",
    "NetworkManager.service",
    "firewalld.service",
    "chronyd.service",
    "crio.service",
    "systemd-modules-load.service",
    "systemd-sysctl.service",
    "kfimage-retry.timer",
}


def _words(name: str) -> dict[str, list[str]]:
    loaded = yaml.safe_load((FIRSTBOOT / "steps" / name / "step.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize("name", STEPS)
def test_step_yaml_says_everything_and_nothing_else(name: str) -> None:
    words = _words(name)
    assert [key for key in words if key != "packages"] == ["title", "guide", "acts", "why", "differs", "needs", "after"]
    for key in ("title", "acts", "why", "differs"):
        assert isinstance(words[key], str) and "\n" not in words[key] and words[key]
    assert set(words["after"]) <= set(STEPS) - {name}
    assert (FIRSTBOOT / "steps" / name / "install.sh").exists() or (FIRSTBOOT / "steps" / name / "run.sh").exists()


@pytest.mark.parametrize("name", STEPS)
def test_needs_are_the_facts_the_scripts_use(name: str) -> None:
    used: set[str] = set()
    for script in ("install.sh", "run.sh"):
        path = FIRSTBOOT / "steps" / name / script
        if path.exists():
            code = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
            # KF_REPO_${part} and KF_TOOL_$(...) are names put together.
            used.update(f"{n}*" if n.endswith("_") else n for n in re.findall(r"\bKF_[A-Z0-9_]*", code))
    assert sorted(_words(name)["needs"]) == said(name, "needs") == sorted(used)


@pytest.mark.parametrize("name", STEPS)
def test_after_agrees_in_step_yaml_and_scripts(name: str) -> None:
    assert sorted(_words(name)["after"]) == said(name, "after")


def test_lib_reads_no_fact() -> None:
    code = [line for line in (FIRSTBOOT / "lib.sh").read_text().splitlines() if not line.lstrip().startswith("#")]
    names = set(re.findall(r"\bKF_[A-Z0-9_]+", "\n".join(code))) - {"KF_NAME"}
    assert {n for n in names if n != "KF_"} == set()


def test_no_cycle_and_ready_is_last() -> None:
    after = {name: set(_words(name)["after"]) for name in STEPS}
    order: list[str] = []
    while after:
        free = sorted(n for n, before in after.items() if before <= set(order))
        assert free, f"a cycle among {sorted(after)}"
        order += free
        after = {n: b for n, b in after.items() if n not in order}
    assert set(_words("ready")["after"]) == set(AT_BOOT) - {"ready"}


@pytest.mark.parametrize("name", STEPS)
def test_unit_shape(name: str) -> None:
    """The same lines in every step's unit; only what a step waits for and how long it may take differ."""
    path = FIRSTBOOT / "steps" / name / f"kfimage-{name}.service"
    if name not in AT_BOOT:
        assert not path.exists(), "a unit whose step does nothing at boot"
        return
    lines = path.read_text().splitlines()
    after = next((line[6:].split() for line in lines if line.startswith("After=")), [])
    assert sorted(a for a in after if a not in SYSTEM) == [
        f"kfimage-{o}.service" for o in said(name, "after") if o in AT_BOOT
    ]
    online = "network-online.target" in after
    assert [re.sub(r"^(Description=kfimage: |After=|TimeoutStartSec=).*", r"\1", line) for line in lines] == [
        "[Unit]",
        "Description=kfimage: ",
        "Documentation=man:kfimage-firstboot(7)",
        *(["Wants=network-online.target"] if online else []),
        *(["After="] if after else []),
        "OnFailure=kfimage-report@%N.service",
        "",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        f"ExecStart=/usr/libexec/kfimage/step run {name}",
        "TimeoutStartSec=",
        "StandardOutput=journal+console",
        "",
        "[Install]",
        "RequiredBy=kfimage.target",
    ]


@pytest.mark.parametrize("unit", UNITS, ids=lambda p: p.name)
def test_units_hold_only_what_rhel_8_7_knows(unit: Path) -> None:
    """Against the release's own table; an unknown Condition would make a unit run unconditionally."""
    tables = sorted((FIRSTBOOT.parent / "kickstart/releases").glob("*/systemd.json"))
    assert tables, "no release has a table of systemd directives"
    table = json.loads(tables[0].read_text())["sections"]
    section = ""
    for line in unit.read_text().splitlines():
        if line.startswith("["):
            section = line[1:-1]
        elif "=" in line and not line.startswith("#"):
            key = line.split("=", 1)[0]
            assert key in table[section]["directives"], f"{unit.name}: {key}="
            assert key != "Restart", "a restarting oneshot cancels its dependants on 8.7"


def test_units_verify(tmp_path: Path) -> None:
    """systemd's own reading, with its text required to be empty: it ends with 0 on most faults."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    for unit in UNITS:
        shutil.copy(unit, folder)
    for name in ("libexec/kfimage/step", "libexec/kfimage/report", "libexec/kfimage/cdi", "bin/systemctl"):
        (tmp_path / "usr" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "usr" / name).write_text("#!/bin/bash\n")
        (tmp_path / "usr" / name).chmod(0o755)
    for other in ("basic", "sysinit", "shutdown", "network-online", "local-fs", "multi-user", "timers", "paths"):
        (folder / f"{other}.target").write_text("[Unit]\nDescription=x\n")
    names = [u.name for u in UNITS if "@" not in u.name]
    done = subprocess.run(
        [tool, f"--root={tmp_path}", "verify", "--man=no", "--recursive-errors=yes", *names],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_shellcheck() -> None:
    tool = shutil.which("shellcheck")
    if tool is None:
        if os.environ.get("CI"):
            pytest.fail("shellcheck is not installed; in CI it must be")
        pytest.skip("shellcheck is not installed: the scripts were not checked")
    done = subprocess.run([tool, *map(str, SCRIPTS)], capture_output=True, text=True, timeout=120)
    assert done.stdout == ""


# What RHEL 8.7's bash 4.4, coreutils 8.30 and curl 7.61 do not have (shellcheck knows no versions), and what a script
# in the installer's chroot or on a joined node must never do.
TOO_NEW = (
    r"EPOCHSECONDS|EPOCHREALTIME|SRANDOM|wait -p|\$\{\w+@[ULukK]\}|--retry-all-errors|--fail-with-body|--json\b"
    r"|--remove-on-error|--no-progress-meter|--output-dir"
)
NEVER = (
    r"firewall-cmd\s+--reload|systemctl\s+reload\s+firewalld|\bset -x\b|xtrace|\beval\b|curl[^|]*\|\s*(ba)?sh"
    r"|(?<!repo_)gpgcheck=0|--nogpgcheck|\bjq\b|\bpython"
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: str(p.relative_to(FIRSTBOOT)))
def test_scripts_keep_to_the_release_and_the_house(script: Path) -> None:
    text = script.read_text()
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert not re.search(TOO_NEW, code)
    assert not re.search(NEVER, code)
    if script.suffix == ".sh" and script.name != "lib.sh":
        assert text.startswith("#!/bin/bash\n")
    if script.name != "lib.sh":
        assert os.access(script, os.X_OK)
        assert "set -euo pipefail" in text or '/lib.sh"' in text
    # A path that is written or read literally goes through $ROOT; what a tool prints or takes as text does not.
    acts = "\n".join(
        line for line in re.sub(r"\\\n\s*", " ", code).splitlines() if not re.search(r"\b(die|warn|printf)\b", line)
    )
    for match in re.finditer(r"(?:>|<|-[efdrsxL] |rm -f |mkdir -p |cat )\s*/(?!dev/null)\S+", acts):
        pytest.fail(f"{script.name}: '{match.group(0)}' ignores KFIMAGE_ROOT")


def test_an_error_always_says_what_to_do() -> None:
    """`die` has two words; bash would take a missing second one for an unbound variable, at the worst moment."""
    for script in SCRIPTS:
        if script.name == "lib.sh":
            continue
        code = re.sub(r"\\\n\s*", " ", script.read_text())
        for match in re.finditer(r'\bdie ("(?:[^"\\]|\\.|\$\((?:[^()]|\([^()]*\))*\))*")\s*(\S?)', code):
            assert match.group(2) in ('"', "$"), f"{script}: {match.group(0)}"


def test_the_tree_holds_no_place_of_ours() -> None:
    for path in FIRSTBOOT.rglob("*"):
        if path.is_file():
            assert str(FIRSTBOOT.parent).encode() not in path.read_bytes(), path
