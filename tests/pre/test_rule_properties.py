"""Laws of the disk rule: whatever the machine, what is chosen satisfies the rule and may be taken; else nothing is written."""

from __future__ import annotations

import tempfile
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

from fake_machine import GB, Disk, Machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SERIALS = st.sampled_from(["", "S1", "S2", "S 3"])
WWNS = st.sampled_from(["", "", "", "", "0x51", "0x52", "eui.53"])
MODELS = st.sampled_from(["DELLBOSS VD", "DELLBOSS_VD", "Micron 7450", "Virtual HDisk0", 'x"$(id)'])
KINDS = st.sampled_from([("sd", "sata"), ("sd", "sas"), ("vd", ""), ("nvme", "nvme"), ("sd", "usb"), ("sd", "iscsi")])
FOREIGN = st.sampled_from([(), (), (), (), (), (("ext4", "x"),), (("zfs_member", "t"),)])


@st.composite
def machines(draw: st.DrawFn) -> list[Disk]:
    found = []
    for number in range(draw(st.integers(1, 8))):
        kind, tran = draw(KINDS)
        name = f"nvme{number}n1" if kind == "nvme" else f"{kind}{'abcdefgh'[number]}"
        found.append(
            Disk(
                name,
                gb=draw(st.sampled_from([480, 480, 240, 960, 0])),
                tran=tran,
                model=draw(MODELS),
                serial=draw(st.one_of(SERIALS, st.just(f"N{number}"))),
                wwn=draw(WWNS),
                read_only=draw(st.booleans()) and draw(st.booleans()),
                removable=draw(st.booleans()) and draw(st.booleans()),
                bus="pci0000:00/usb1/1-1" if tran == "usb" and draw(st.booleans()) else "pci0000:00",
                signatures=draw(FOREIGN),
                ids=(f"id-{number}",),
            )
        )
    return draw(st.permutations(found))


KEYS = {
    "KF_DISK_SERIAL": ["N0", "N0 N1", "S1 S2", "S_3", "S*", "N*"],
    "KF_DISK_WWN": ["0x51", "51 52", "0x53"],
    "KF_DISK_ID": ["id-0", "id-1 id-2", "id-*"],
    "KF_DISK_MODEL": ["DELLBOSS VD", "DELL*", "*", "Micron_7450"],
    "KF_DISK_SIZE_MIN": [str(240 * GB), str(400 * GB)],
    "KF_DISK_SIZE_MAX": [str(480 * GB), str(600 * GB)],
}


@st.composite
def rules(draw: st.DrawFn) -> dict[str, str]:
    """Short rules mostly, as those of real sites are: long ones fit nothing."""
    named = draw(st.lists(st.sampled_from(sorted(KEYS)), max_size=draw(st.sampled_from([1, 1, 2, 6])), unique=True))
    rule = {key: draw(st.sampled_from(KEYS[key])) for key in named}
    for key, values in (("PICK", ["", "smallest", "largest"]), ("RAID", ["none", "mirror"]), ("WIPE", ["all", "guard"])):
        value = draw(st.sampled_from(values))
        if value:
            rule[f"KF_DISK_{key}"] = value
    return rule


def any_of(value: str, words: str) -> bool:
    return any(fnmatchcase(value, word) for word in words.split())


def bare(wwn: str) -> str:
    return wwn.lower().replace("0x", "").replace("eui.", "")


def fits(disk: Disk, rule: dict[str, str]) -> bool:
    """The rule, written a second time in another language."""
    return (
        any_of(disk.serial.replace(" ", "_"), rule.get("KF_DISK_SERIAL", "*"))
        and ("KF_DISK_WWN" not in rule or (bool(disk.wwn) and bare(disk.wwn) in map(bare, rule["KF_DISK_WWN"].split())))
        and any_of(disk.ids[0], rule.get("KF_DISK_ID", "*"))
        and fnmatchcase(disk.model.replace("_", " "), rule.get("KF_DISK_MODEL", "*").replace("_", " "))
        and int(rule.get("KF_DISK_SIZE_MIN", 0)) <= disk.gb * GB <= int(rule.get("KF_DISK_SIZE_MAX", 10**15))
    )


def expected(disks: list[Disk], rule: dict[str, str]) -> set[str]:
    """The disks that must be taken; empty where the script must refuse."""
    named = any("*" not in rule.get(key, "*") for key in ("KF_DISK_SERIAL", "KF_DISK_WWN", "KF_DISK_ID"))
    paths = Counter(bare(d.wwn) for d in disks if d.wwn)
    never = [d for d in disks if d.tran == "usb" or d.gb == 0 or d.read_only or d.model.startswith("Virtual")]
    shy = [d for d in disks if d.removable or d.tran == "iscsi" or paths[bare(d.wwn)] > 1]
    left = [d for d in disks if d not in never and fits(d, rule) and (named or d not in shy)]
    want = 2 if rule.get("KF_DISK_RAID") == "mirror" else 1
    if "KF_DISK_PICK" in rule and len(left) > want:
        left.sort(key=lambda d: d.gb, reverse=rule["KF_DISK_PICK"] == "largest")
        if left[want - 1].gb == left[want].gb:
            return set()
        left = left[:want]
    if len(left) != want or (want == 2 and same(*left)):
        return set()
    if rule.get("KF_DISK_WIPE") != "all" and any(d.signatures for d in left):
        return set()
    return {d.name for d in left}


def same(a: Disk, b: Disk) -> bool:
    model = a.model.replace("_", " ") == b.model.replace("_", " ")
    return (bool(a.wwn) and bare(a.wwn) == bare(b.wwn)) or (bool(a.serial) and a.serial == b.serial and model and a.gb == b.gb)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(machines(), rules())
def test_exactly_the_disks_of_the_rule_or_an_explicit_stop(disks: list[Disk], rule: dict[str, str]) -> None:
    wanted = expected(disks, rule)
    with tempfile.TemporaryDirectory() as folder:
        outcome = Machine(Path(folder) / "m", *disks).run(**rule)
        if not wanted:
            assert outcome.status != 0 and outcome.written is None and outcome.reason
            return
        assert outcome.status == 0, outcome.stderr
        assert outcome.written is not None
        lines = outcome.written.splitlines()
        only = next(line for line in lines if line.startswith("ignoredisk"))
        assert set(only.split("=")[1].split(",")) == wanted
        clear = next(line for line in lines if line.startswith("clearpart"))
        assert set(clear.split("--drives=")[1].split(",")) == wanted
        used = {word.split("=")[1] for line in lines for word in line.split() if word.startswith(("--ondisk=", "--boot-drive="))}
        assert used == wanted
