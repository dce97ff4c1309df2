"""A node in a temporary folder: the real scripts, a root of their own, and only fake system tools in PATH.

PATH holds nothing but the tools named in REAL (RHEL 8.7's base has them all) and the fakes below, each of which records
its arguments: a script that reaches for anything else fails here instead of touching this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Optional

import pytest

FIRSTBOOT = Path(__file__).resolve().parents[2] / "firstboot"
STEPS = sorted(p.name for p in (FIRSTBOOT / "steps").iterdir() if (p / "step.yaml").is_file())

# fmt: off
REAL = [
    "awk", "bash", "cat", "chmod", "cmp", "cp", "cut", "date", "dirname", "env", "find", "flock", "gpg", "gpgconf",
    "grep", "gzip", "head", "ln", "mkdir", "mktemp", "mv", "od", "readlink", "rm", "sed", "sha256sum", "shred", "sort",
    "stat", "sync", "tail", "tar", "tee", "touch", "tr", "uname", "wc", "xargs",
]
# fmt: on

FACTS = {
    "KF_SITE": "lab",
    "KF_NODE": "gpu-a01",
    "KF_ROLE": "gpu-worker",
    "KF_RELEASE": "rhel-8.7",
    "KF_OS_ID": "rhel",
    "KF_OS_VERSION": "8.7",
    "KF_STEPS": "packages access log register network swap selinux firewalld kernel time crio kubelet tools driver nvidia "
    "bootorder hooks ready",
    "KF_SELINUX": "permissive",
    "KF_KERNEL_LOCK": "yes",
    "KF_NTP": "10.20.0.1",
    "KF_HTTP_PROXY": "",
    "KF_HTTPS_PROXY": "",
    "KF_NO_PROXY": "",
    "KF_NODE_NETWORKS": "",
    "KF_SYSLOG": "",
    "KF_REPORT_URL": "",
    "KF_FIREWALL": "firewalld",
    "KF_FIREWALL_PORTS": "30000-32767/tcp",
    "KF_FIREWALL_PROTOCOLS": "4",
    "KF_FIREWALL_TRUSTED": "10.244.0.0/16 10.96.0.0/12",
    "KF_FIREWALL_CLUSTER": "10.20.0.0/16",
    "KF_FIREWALL_CLUSTER_PORTS": "10250/tcp",
    "KF_FIREWALL_SSH_FROM": "",
    "KF_MODULES": "",
    "KF_SYSCTLS": "",
    "KF_REPOS": "",
    "KF_PACKAGES": "",
    "KF_PACKAGES_LOCK": "",
    "KF_CRIO_SOURCE": "repo",
    "KF_CRIO_VERSION": "1.26.4",
    "KF_CRIO_URL": "",
    "KF_CRIO_SHA256": "",
    "KF_CRIO_PROXY": "",
    "KF_CRIO_RUNTIME": "runc",
    "KF_PAUSE_IMAGE": "registry.k8s.io/pause:3.8",
    "KF_REGISTRIES": "docker.io",
    "KF_MIRRORS": "",
    "KF_INSECURE_REGISTRIES": "",
    "KF_KUBERNETES_VERSION": "1.25.10",
    "KF_API_ENDPOINT": "10.20.0.10:6443",
    "KF_POD_CIDR": "10.244.0.0/16",
    "KF_SERVICE_CIDR": "10.96.0.0/12",
    "KF_DNS_DOMAIN": "cluster.local",
    "KF_NODE_LABELS": "",
    "KF_NODE_TAINTS": "",
    "KF_NODE_IP": "",
    "KF_KUBELET": "",
    "KF_CALICO": "ipip",
    "KF_TOOLS": "",
    "KF_NVIDIA_DRIVER": "kmod",
    "KF_NVIDIA_DRIVER_VERSION": "580.159.04",
    "KF_NVIDIA_TOOLKIT": "1.17.8",
    "KF_NVIDIA_CDI": "yes",
    "KF_NVIDIA_FABRIC_MANAGER": "auto",
    "KF_NVIDIA_PERSISTENCE": "yes",
    "KF_SECURE_BOOT": "no",
    "KF_BOOT_ORDER": "keep",
    "KF_SUDO": "nopasswd",
    "KF_RHSM_ORGANIZATION": "",
    "KF_RHSM_SERVER": "",
    "KF_RHSM_PROXY": "",
    "KF_ROUTES": "",
    "KF_DNS_SEARCH": "",
}

# What a system of the state in $FAKE/state answers; `fail` files make a call fail. Each fake is one bash body.
SYSTEMCTL = r"""
has() { grep -qxF -- "$2" "$S/$1" 2>/dev/null; }
add() { has "$1" "$2" || echo "$2" >>"$S/$1"; }
del() { sed -i "\|^$2\$|d" "$S/$1" 2>/dev/null || true; }
verb=; units=(); value=; now=
for a in "$@"; do
    case $a in
    --now) now=1 ;;
    -p) take=p ;;
    -*) ;;
    *) if [[ ${take:-} == p ]]; then value=$a take=; elif [[ -z $verb ]]; then verb=$a; else units+=("$a"); fi ;;
    esac
done
u=${units[0]:-}; u=${u%.service}
case $verb in
is-enabled)
    if has enabled "$u"; then echo enabled; exit 0; fi
    if has masked "$u"; then echo masked; else echo disabled; fi
    exit 1 ;;
is-active) has active "$u" ;;
is-failed) has failed "$u" ;;
enable) add enabled "$u"; [[ -z $now ]] || add active "$u" ;;
disable) del enabled "$u"; [[ -z $now ]] || del active "$u" ;;
mask) add masked "$u" ;;
start | restart) ! has broken "$u" || exit 1; add active "$u" ;;
stop) del active "$u" ;;
cat) has exists "$u" ;;
list-units) cat "$S/swap-units" 2>/dev/null || true ;;
show) cat "$S/show.$u.$value" 2>/dev/null || echo no ;;
esac
"""
FAKES = {
    "systemctl": SYSTEMCTL,
    "rpm": r"""
case $1 in
-q) grep -qxF -- "$2" "$S/rpms" 2>/dev/null || { echo "package $2 is not installed"; exit 1; } ;;
--import) : ;;
esac""",
    "dnf": r"""
cat "$S/dnf-output" 2>/dev/null || true
on=
for a in "$@"; do if [[ -n $on ]]; then echo "$a" >>"$S/rpms"; elif [[ $a == install ]]; then on=1; fi; done""",
    "curl": r"""
out=; url=
while (($#)); do case $1 in --output) out=$2; shift ;; --url) url=$2; shift ;; esac; shift; done
[[ $out == /dev/null ]] || cp "$S/www/${url##*/}" "$out" """,
    "sysctl": r"""
if [[ $1 == -n ]]; then
    grep "^$2 = " "$S/sysctl" | tail -n1 | sed 's/^[^=]*= //' | grep . || exit 1
else
    [[ ! -e $S/sysctl-stuck ]] || exit 0
    grep -h ' = ' "$S/sysctl" "${*: -1}" 2>/dev/null >"$S/sysctl.new" || true
    mv "$S/sysctl.new" "$S/sysctl"
fi""",
    "swapon": 'cat "$S/swaps" 2>/dev/null || true',
    "swapoff": 'rm -f "$S/swaps"',
    "getenforce": 'cat "$S/getenforce" 2>/dev/null || echo Permissive',
    "setenforce": 'if [[ $1 == 1 ]]; then echo Enforcing; else echo Permissive; fi >"$S/getenforce"',
    "matchpathcon": 'echo "system_u:object_r:${MATCH:-container_runtime_exec_t}:s0"',
    "uname": "if [[ ${1:-} == -n ]]; then echo gpu-a01; else echo 4.18.0-425.3.1.el8.x86_64; fi",
    "firewall-cmd": r"""
case "$*" in
*--get-default-zone*) echo public ;;
*--permanent*--list-*) cat "$S/fw-permanent" 2>/dev/null || true ;;
*--list-*) cat "$S/fw-runtime" 2>/dev/null || true ;;
esac""",
    "crio": 'echo "crio version 1.26.4"',
    "crio-status": 'cat "$KFIMAGE_ROOT"/etc/crio/crio.conf.d/*.conf',
    "kubelet": 'echo "Kubernetes v1.25.10"',
    "kubeadm": "echo v1.25.10",
    "NetworkManager": 'cat "$KFIMAGE_ROOT"/etc/NetworkManager/conf.d/*.conf',
    "subscription-manager": r"""
case $1 in
identity) [[ -e $S/registered ]] ;;
register) touch "$S/registered"; echo "registered with $*" ;;
release)
    if [[ $2 == --set=* ]]; then echo "${2#--set=}" >"$S/release"; fi
    echo "Release: $(cat "$S/release" 2>/dev/null || echo not set)" ;;
esac""",
    "modinfo": r"""
[[ -e $S/nvidia-module ]] || exit 1
case "$*" in *version*) cat "$S/nvidia-module" ;; *signer*) cat "$S/signer" 2>/dev/null || true ;; esac""",
    "modprobe": r"""
m=${*: -1}
if [[ $1 == --dry-run ]]; then [[ $m != xt_owner ]]; exit; fi
mkdir -p "$KFIMAGE_ROOT/sys/module/${m//-/_}" """,
    "nvidia-smi": 'cat "$S/smi" 2>/dev/null',
    "nvidia-ctk": r"""
case "$*" in
--version) echo "NVIDIA Container Toolkit CLI version 1.17.8"; echo commit: none ;;
"cdi generate --output="*) cp "$S/cdi.yaml" "${3#--output=}" ;;
esac""",
    "journalctl": 'case "$*" in *"-p err"*) cat "$S/journal.err" ;; *) cat "$S/journal" ;; esac 2>/dev/null',
    "lsinitrd": "echo usr/lib/modules/nouveau.ko.xz",
    "efibootmgr": r"""
if [[ $1 == -q ]]; then sed -i "s/^BootOrder:.*/BootOrder: $3/" "$S/efi"; else cat "$S/efi"; fi""",
    "ip": 'cat "$S/routes" 2>/dev/null || true',
    "sleep": "",
    "restorecon": "",
    "semanage": "",
    "chronyc": "",
    "crictl": "",
    "dkms": "",
    "dracut": "",
    "firewall-offline-cmd": "",
}


class Node:
    """The node under test; `calls` are what fakes were called with since the last look."""

    def __init__(self, tmp: Path) -> None:
        self.root, self.bin, self.state, self._log = tmp / "root", tmp / "bin", tmp / "state", tmp / "log"
        self.facts, self.firstboot, self.err = dict(FACTS), FIRSTBOOT, ""
        for folder in (self.root, self.bin, self.state, self.state / "www"):
            folder.mkdir()
        for tool in REAL:
            path = shutil.which(tool)
            assert path, f"this machine has no {tool}"
            (self.bin / tool).symlink_to(path)
        for name, body in FAKES.items():
            self.fake(name, body)
        self.write("/proc/sys/kernel/random/boot_id", "boot-1\n")
        self.write("/proc/cmdline", "root=/dev/mapper/rhel-root ro\n")

    def fake(self, name: str, body: str = "") -> None:
        """A recording command; `body` runs with $S, the folder of the pretended system's state."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        record = '{ printf "%s" "${0##*/}"; for a in "$@"; do printf " %s" "$a"; done; echo; } >>"$FAKE_LOG"\n'
        path.write_text(f"#!/bin/bash\n{record}S=$FAKE_STATE\n{body}\n")
        path.chmod(0o755)

    def fail(self, name: str, message: str = "broken") -> None:
        self.fake(name, f'echo "{message}" >&2; exit 1')

    def missing(self, name: str) -> None:
        (self.bin / name).unlink(missing_ok=True)

    def tell(self, name: str, text: str) -> None:
        """State of the pretended system."""
        path = self.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def has(self, path: str) -> bool:
        return os.path.lexists(self.root / path.lstrip("/"))

    def gpus(self, count: int = 1, switches: int = 0) -> None:
        for number in range(count + switches):
            device = f"/sys/bus/pci/devices/0000:{number:02x}:00.0"
            self.write(f"{device}/vendor", "0x10de\n")
            self.write(f"{device}/class", "0x030200\n" if number < count else "0x068000\n")

    def run(self, *argv: str, **env: str) -> int:
        self.write("/etc/kfimage/facts.env", "".join(f'{k}="{v}"\n' for k, v in self.facts.items()))
        return self.exec(*argv, **env)

    def exec(self, *argv: str, **env: str) -> int:
        """Run without writing facts.env first."""
        done = subprocess.run(
            [str(self.firstboot / argv[0]), *argv[1:]],
            capture_output=True,
            text=True,
            timeout=60,
            env={
                "PATH": str(self.bin),
                "KFIMAGE_ROOT": str(self.root),
                "FAKE_LOG": str(self._log),
                "FAKE_STATE": str(self.state),
                "KFIMAGE_TRIES": "2",
                "HOME": "/nonexistent",
                **env,
            },
        )
        self.err, self.out = done.stderr, done.stdout
        return done.returncode

    def install(self, name: str) -> int:
        return self.run("step", "install", name)

    def boot(self, name: str) -> int:
        """Run a step as its unit would, with the steps before it counted as done."""
        self.facts["KF_STEPS"] = name
        return self.run("step", "run", name)

    def calls(self, name: Optional[str] = None) -> list[str]:
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        self._log.unlink(missing_ok=True)
        return [line for line in lines if name is None or line.split(" ")[0] == name]

    def bytes(self) -> dict[str, bytes]:
        """Every file of the root but locks: what must not change in a second run."""
        return {str(p): p.read_bytes() for p in sorted(self.root.rglob("*")) if p.is_file() and "/run/" not in str(p)}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def said(name: str, key: str) -> list[str]:
    """Words of the `# key:` lines of a step's scripts."""
    words: set[str] = set()
    for script in ("install.sh", "run.sh"):
        path = FIRSTBOOT / "steps" / name / script
        if path.exists():
            for line in path.read_text().splitlines():
                if line.startswith(f"# {key}:"):
                    words.update(line.split(":", 1)[1].split())
    return sorted(words)
