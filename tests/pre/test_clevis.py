"""clevis.sh: binds, proves the binding, removes the passphrase; stops, in words, wherever that is not proven."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_machine import CLEVIS, Disk, Machine, Outcome

SECRET = "5" * 64
BOUND = "b" * 40
KERNEL = "4.18.0-425.3.1.el8.x86_64"
THUMB = "3ZWS6-cDrCG61UPJS2BMmPU4I54"
TANG = {"KF_DISK_ENCRYPT": "tang", "KF_DISK_TANG": f"http://10.0.0.9:7500={THUMB}"}
TPM = {"KF_DISK_ENCRYPT": "tpm2", "KF_DISK_TPM2_PCRS": "0,7"}

# A LUKS header as a folder of key slots: enough for open, luksRemoveKey and clevis to disagree if the script errs.
CRYPTSETUP = """slots=$F/slots; slot=; file=
while [[ $# -gt 0 ]]; do case $1 in --key-slot) slot=$2; shift;; --key-file) file=$2; shift;; luksRemoveKey) remove=1; file=${@: -1};; esac; shift; done
if [[ $file == - ]]; then given=$(cat); else given=$(cat "$file"); fi
for s in "$slots"/${slot:-*}; do
    [[ -e $s && $(cat "$s") == "$given" ]] || continue
    [[ -n ${remove:-} && ! -e $F/stubborn ]] && rm "$s"
    exit 0
done
exit 2"""
CLEVIS_FAKE = f"""case "$2" in
bind) [[ ! -e $F/no-tang ]] || exit 1; printf %s {BOUND} >"$F/slots/1"; printf "%s" "${{@: -1}}" >"$F/policy";;
list) [[ ! -e $F/slots/1 ]] || echo "1: sss '{{}}'";;
pass) if [[ -e $F/wrong ]]; then echo wrong; else echo {BOUND}; fi;;
esac"""
LSINITRD = 'cat "$F/initramfs" 2>/dev/null || printf "usr/bin/clevis-decrypt\\nusr/bin/clevis-decrypt-tang\\nusr/bin/clevis-decrypt-tpm2\\n"'


def node(tmp_path: Path, tpm: bool = True) -> Machine:
    machine = Machine(tmp_path / "m", Disk("sda"), tpm=tpm)
    for name, body in (("cryptsetup", CRYPTSETUP), ("clevis", CLEVIS_FAKE), ("lsinitrd", LSINITRD), ("dracut", 'touch "$2"')):
        machine.fake(name, body)
    for folder in ("etc", "root", "boot", "fake/slots", f"lib/modules/{KERNEL}", "lib/modules/left-over"):
        (machine.root / folder).mkdir(parents=True)
    (machine.root / f"lib/modules/{KERNEL}/modules.dep").touch()
    (machine.root / "etc/crypttab").write_text("# made by anaconda\nluks-1234 UUID=1234 none discard\n")
    (machine.root / "root/kfimage-luks").write_text(SECRET)
    (machine.root / "fake/slots/0").write_text(SECRET)
    (machine.root / "proc/sysrq-trigger").touch()
    return machine


def slots(machine: Machine) -> dict[str, str]:
    return {path.name: path.read_text() for path in (machine.root / "fake/slots").iterdir()}


def stopped(outcome: Outcome) -> str:
    assert outcome.status != 0
    assert not (outcome.root / "root/kfimage-luks").exists()
    line = (outcome.root / "dev/kmsg").read_text().splitlines()[-1]
    return line.removeprefix("<2>kfimage: the installation has stopped: ").removesuffix("; boot the machine again to install it anew")


POLICIES = [
    (TANG, {"t": 1, "pins": {"tang": [{"url": "http://10.0.0.9:7500", "thp": THUMB}]}}),
    (TPM, {"t": 1, "pins": {"tpm2": {"pcr_bank": "sha256", "pcr_ids": "0,7"}}}),
    ({"KF_DISK_ENCRYPT": "tpm2"}, {"t": 1, "pins": {"tpm2": {}}}),
    (
        {**TPM, **TANG, "KF_DISK_ENCRYPT": "both"},
        {"t": 2, "pins": {"tang": [{"url": "http://10.0.0.9:7500", "thp": THUMB}], "tpm2": {"pcr_bank": "sha256", "pcr_ids": "0,7"}}},
    ),
    (
        {"KF_DISK_ENCRYPT": "tang", "KF_DISK_TANG": f"http://a/x={THUMB} https://[::1]:1={THUMB}", "KF_DISK_CLEVIS_THRESHOLD": "2"},
        None,
    ),
    (
        {"KF_DISK_ENCRYPT": "tang", "KF_DISK_TANG": f"http://a={THUMB} https://b:8443={THUMB}", "KF_DISK_CLEVIS_THRESHOLD": "2"},
        {"t": 2, "pins": {"tang": [{"url": "http://a", "thp": THUMB}, {"url": "https://b:8443", "thp": THUMB}]}},
    ),
]


@pytest.mark.parametrize(("facts", "policy"), POLICIES)
def test_binds_proves_and_removes(tmp_path: Path, facts: dict[str, str], policy: object) -> None:
    machine = node(tmp_path)
    outcome = machine.run(CLEVIS, **facts)
    if policy is None:
        assert "is not URL=THUMBPRINT of a Tang server" in stopped(outcome)
        return
    assert outcome.status == 0, outcome.stderr
    assert json.loads((machine.root / "fake/policy").read_text()) == policy
    assert slots(machine) == {"1": BOUND}
    assert not (machine.root / "root/kfimage-luks").exists()
    assert f"dracut --force {machine.root}/boot/initramfs-{KERNEL}.img {KERNEL}" in outcome.calls
    everything = outcome.stderr + "".join(outcome.calls) + (machine.root / "dev/console").read_text()
    assert SECRET not in everything and BOUND not in everything


def test_nothing_to_do(tmp_path: Path) -> None:
    outcome = Machine(tmp_path / "m", Disk("sda")).run(CLEVIS, KF_DISK_ENCRYPT="none")
    assert (outcome.status, outcome.calls) == (0, ())


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        ("no-tang", "clevis cannot bind /dev/disk/by-uuid/1234; is the Tang server reachable and its thumbprint right, is the TPM free?"),
        ("wrong", "the binding of /dev/disk/by-uuid/1234 does not open it; the temporary passphrase was not removed"),
        ("stubborn", "the temporary passphrase of /dev/disk/by-uuid/1234 still opens it (cryptsetup returned 0)"),
    ],
)
def test_what_is_not_proven_stops(tmp_path: Path, mark: str, reason: str) -> None:
    machine = node(tmp_path)
    (machine.root / "fake" / mark).touch()
    assert stopped(machine.run(CLEVIS, **TANG)) == reason
    assert "0" in slots(machine)


@pytest.mark.parametrize(
    ("change", "facts", "reason"),
    [
        ("root/kfimage-luks", TANG, "the passphrase was not handed over (/root/kfimage-luks)"),
        ("etc/crypttab", TANG, "/etc/crypttab does not exist: Anaconda made no encrypted volume"),
        ("fake/slots/0", TANG, "the passphrase made before the installation does not open /dev/disk/by-uuid/1234"),
        (f"lib/modules/{KERNEL}/modules.dep", TANG, "no kernel is installed under /lib/modules"),
        ("dev/tpmrm0", TPM, "this machine shows no TPM 2.0 (/dev/tpmrm0)"),
        ("", {"KF_DISK_ENCRYPT": "tang"}, "disk.encrypt asks for Tang, and no server is named"),
        ("", {**TANG, "KF_DISK_TANG": "http://10.0.0.9"}, "'http://10.0.0.9' is not URL=THUMBPRINT of a Tang server"),
        ("", {**TPM, "KF_DISK_TPM2_PCRS": "seven"}, "'seven' is not a list of PCRs"),
        ("", {**TANG, "KF_DISK_CLEVIS_THRESHOLD": "0"}, "KF_DISK_CLEVIS_THRESHOLD is '0', not 1 to 9"),
        ("", {"KF_DISK_ENCRYPT": "yes"}, "KF_DISK_ENCRYPT is 'yes', not one of: none tang tpm2 both"),
    ],
)
def test_refuses(tmp_path: Path, change: str, facts: dict[str, str], reason: str) -> None:
    machine = node(tmp_path)
    if change:
        (machine.root / change).unlink()
    assert stopped(machine.run(CLEVIS, **facts)) == reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("bin/bash", f"the initramfs of kernel {KERNEL} holds no clevis: is clevis-dracut installed?"),
        ("clevis-decrypt clevis-decrypt-tpm2", f"the initramfs of kernel {KERNEL} cannot ask Tang"),
    ],
)
def test_an_initramfs_that_could_not_open_it_stops(tmp_path: Path, content: str, reason: str) -> None:
    machine = node(tmp_path)
    (machine.root / "fake/initramfs").write_text(content)
    assert stopped(machine.run(CLEVIS, **TANG)) == reason


@pytest.mark.parametrize(("mode", "last"), [("hold", ""), ("poweroff", "o"), ("reboot", "b")])
def test_failure_modes(tmp_path: Path, mode: str, last: str) -> None:
    machine = node(tmp_path)
    (machine.root / "fake/no-tang").touch()
    stopped(machine.run(CLEVIS, **TANG, KF_ON_FAILURE=mode))
    assert (machine.root / "proc/sysrq-trigger").read_text() == last
