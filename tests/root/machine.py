"""A node without a machine: a RHEL-like root, private mount and network namespaces, and what Anaconda does with a %post.

Nothing here touches this machine: the root lies in memory, every node is an overlay on it, and the network is a loopback with the
rack's address in a namespace of its own. It all goes when the process that holds the namespaces ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Optional

from kfimage.verify.kickstart import parse

from .rpms import run
from .world import World

HERE = Path(__file__).resolve().parent
ADDRESS, PORT = "10.20.0.5", 8099
LOWER = "/mnt/lower"
SERVER = f"http://{ADDRESS}:{PORT}"
TOOLS = ("createrepo_c", "dnf", "gpg", "gpgconf", "ip", "mmdebstrap", "nsenter", "rpm", "rpmbuild", "rpmsign", "systemd-nspawn", "tar", "unshare")
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "kmod", "procps", "iproute2", "iptables", "firewalld", "network-manager", "chrony", "rsyslog",
    "openssh-server", "sudo", "curl", "gpg", "gpg-agent", "gawk", "dnf", "rpm", "tar", "ca-certificates", "python3", "util-linux",
)  # fmt: skip


# --- the root ---------------------------------------------------------------------------------------------------------
def _sources() -> tuple[str, str]:
    """The distribution's suite, and sources.list lines for it as this machine's own apt has them."""
    listing = run("apt-get", "indextargets", "--format", "$(ORIGIN)|$(CODENAME)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
    rows = sorted({tuple(line.split("|")) for line in listing.splitlines() if line.startswith("Debian|")})
    assert rows, "apt knows no index of Debian: run apt-get update"
    suite = min((row[1] for row in rows), key=len)  # bookworm before bookworm-security
    return suite, "".join(f"{row[2]}\n" for row in rows)


def root_archive(cache: Path) -> Path:
    """The root as a tar, made once for each list of packages and sources; about 50 seconds the first time."""
    suite, sources = _sources()
    key = hashlib.sha256("\n".join([suite, sources, *PACKAGES]).encode()).hexdigest()[:16]
    made = cache / f"root-{key}.tar"
    if not made.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        words = ("mmdebstrap", "--quiet", "--variant=apt", f"--include={','.join(PACKAGES)}", suite, f"{made}.{os.getpid()}.tar", "-")
        run(*words, input=sources)
        os.replace(f"{made}.{os.getpid()}.tar", made)
    return made


_RHEL = {
    "/etc/os-release": 'NAME="Red Hat Enterprise Linux"\nVERSION="8.7 (Ootpa)"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="8.7"\nPLATFORM_ID="platform:el8"\n',
    "/etc/selinux/config": "# the mode\nSELINUX=enforcing\nSELINUXTYPE=targeted\n",
    "/etc/dnf/dnf.conf": "[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\nskip_if_unavailable=False\n",
    "/etc/chrony.conf": "pool 2.rhel.pool.ntp.org iburst\ndriftfile /var/lib/chrony/drift\n",
    # A tab where the guide's sed wants blanks.
    "/etc/fstab": "/dev/mapper/rhel-data /data xfs noauto 0 0\n/dev/mapper/rhel-swap\tnone\tswap\tdefaults\t0 0\n",
    "/etc/sysconfig/network-scripts/ifcfg-eno1": "DEVICE=eno1\nONBOOT=yes\n",
    "/etc/hostname": "localhost.localdomain\n",
    "/etc/rpm/macros.tests": "%_dbpath /var/lib/rpm\n",
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",  # an installed node has one: ConditionFirstBoot never holds
}  # fmt: skip
# firewalld 0.9 of RHEL 8.7 knows these keys; its backend there is nftables.
_FIREWALLD = ("DefaultZone=public", "CleanupOnExit=yes", "Lockdown=no", "IPv6_rpfilter=yes", "FirewallBackend=nftables", "FlushAllOnReload=yes")


# --- the namespaces ---------------------------------------------------------------------------------------------------
class Result(NamedTuple):
    """How a script ended. `held` means that it had not: it was stopped here while it held, as it would for ever."""

    status: Optional[int]
    output: str
    held: bool
    seconds: float


class Change(NamedTuple):
    """One path that differs from the installed root."""

    kind: str
    mode: int
    owner: tuple[int, int]
    content: str
    mtime: int


@dataclass
class Rack:
    """The namespaces, and the mirror and the root in them that every node starts from."""

    pid: int
    folder: Path
    world: World
    count: int = 0

    def path(self, path: str) -> Path:
        """A path inside, as this process reaches it."""
        return Path(f"/proc/{self.pid}/root{path}")

    def enter(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """A process inside the namespaces, in a process group of its own."""
        command = ("nsenter", f"--target={self.pid}", "--mount", "--net", "--", *words)
        return subprocess.Popen(command, text=True, errors="replace", start_new_session=True, **options)

    def inside(self, *words: str) -> str:
        process = self.enter(*words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, f"{words}: {output}"
        return output

    def faults(self, *rules: dict[str, Any]) -> None:
        """What the mirror does from now on; see mirror.py."""
        new = self.folder / "rules.new"
        new.write_text(json.dumps(rules))
        new.replace(self.folder / "rules")

    def asked(self) -> list[str]:
        """The requests so far, as the mirror logged them."""
        log = self.folder / "asked"
        return log.read_text().splitlines() if log.exists() else []

    def posted(self) -> list[dict[str, Any]]:
        file = self.folder / "posted"
        return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []

    def forget(self) -> None:
        for name in ("asked", "posted"):
            (self.folder / name).unlink(missing_ok=True)
        self.faults()

    def cut(self) -> None:
        """Kill all that runs in the roots, at one stroke: of nspawn alone its container would survive."""
        self.inside("sh", "-c", f"echo 1 >/sys/fs/cgroup/kft-{os.getpid()}/cgroup.kill")

    def node(self) -> Node:
        """A freshly installed root: an overlay whose upper layer is what was changed since."""
        self.count += 1
        base = f"/mnt/{self.count}"
        self.inside("mkdir", "-p", f"{base}/upper", f"{base}/work", f"{base}/root")
        options = f"lowerdir={LOWER},upperdir={base}/upper,workdir={base}/work"
        self.inside("mount", "-t", "overlay", "overlay", "-o", options, f"{base}/root")
        return Node(self, base)


_HOLD = """set -e
mount -t tmpfs tmpfs /run
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/kft-{pid}
mount -t tmpfs -o size=6G tmpfs /mnt
mkdir {lower}
ip link set lo up
ip address add {address}/32 dev lo
echo ready
cat >/dev/null
echo 1 >/sys/fs/cgroup/kft-{pid}/cgroup.kill
sleep 0.2
find /sys/fs/cgroup/kft-{pid} -depth -type d -exec rmdir {{}} \\; 2>/dev/null
"""


@contextmanager
def rack(folder: Path, world: World) -> Iterator[Rack]:
    """The namespaces and the mirror, for as long as the block runs; they end with this process, whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    me = os.getpid()
    script = _HOLD.format(pid=me, address=ADDRESS, lower=LOWER)
    words = ("unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", script)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        assert holder.stdout.readline() == "ready\n", "the namespaces could not be made: is this root with CAP_SYS_ADMIN?"
        made = Rack(holder.pid, folder, world)
        made.faults()
        words = (sys.executable, str(HERE / "mirror.py"), str(world.folder), ADDRESS, str(PORT), str(folder / "rules"), str(folder / "asked"))
        with made.enter(*words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as mirror:
            try:
                _wait_for_mirror(made)
                yield made
            finally:
                made.cut()
                os.killpg(mirror.pid, signal.SIGKILL)
                holder.stdin.close()


def _wait_for_mirror(made: Rack) -> None:
    for _ in range(100):
        if made.enter("curl", "-s", "-o", "/dev/null", f"{SERVER}/").wait(10) == 0:
            return
        time.sleep(0.1)
    raise AssertionError("the mirror does not answer")


def make_root(rack: Rack, archive: Path) -> None:
    """Unpack, and make it what Anaconda would have left: RHEL's own packages in place, none of the third parties'."""
    rack.inside("tar", "-xf", str(archive), "-C", LOWER, "--exclude=./dev/*")
    folder = rack.path(LOWER)
    for path, text in _RHEL.items():
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_symlink():
            file.unlink()
        file.write_text(text)
    (folder / "etc/firewalld/firewalld.conf").write_text("\n".join(_FIREWALLD) + "\n")
    for name in ("protocols", "services"):  # without them firewall-offline-cmd says INVALID_PROTOCOL: esp
        if not (folder / "etc" / name).exists():
            shutil.copy(f"/etc/{name}", folder / "etc" / name)
    sh = folder / "usr/bin/sh"
    sh.unlink()
    sh.symlink_to("bash")
    for unit in ("chrony.service", "chronyd.service"):  # Debian's name, and its alias, which is RHEL's
        (folder / "etc/systemd/system/multi-user.target.wants" / unit).unlink(missing_ok=True)
    unit = folder / "usr/lib/systemd/system/chrony.service"
    unit.rename(unit.with_name("chronyd.service"))
    (folder / "etc/systemd/system/chronyd.service").unlink(missing_ok=True)
    (folder / "etc/chrony").rename(folder / "etc/chrony.debian")
    (folder / "etc/init.d/chrony").unlink()
    link = folder / "etc/systemd/system/multi-user.target.wants/chronyd.service"
    link.symlink_to("/usr/lib/systemd/system/chronyd.service")
    rack.inside("rpm", "--root", LOWER, "--dbpath", "/var/lib/rpm", "-i", "--nodeps", *map(str, sorted((rack.world.folder / "rpms").glob("*.rpm"))))


# --- a node -----------------------------------------------------------------------------------------------------------
_HELD = "kfimage: this node is not ready and must not be used"


@dataclass
class Node:
    """One root, with all that was done to it."""

    rack: Rack
    base: str

    @property
    def root(self) -> Path:
        return self.rack.path(f"{self.base}/root")

    def file(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str:
        return self.file(path).read_text()

    def nspawn(self, *words: str, boot: bool = False, options: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The command that runs `words` in the root; the facts behind each option are in systemd-nspawn(1)."""
        # TMPFS_TMP=0: the script lies in the root's own /tmp. The cgroup: on a host with cgroup v1 -b would hang.
        start = f"echo $$ >/sys/fs/cgroup/kft-{os.getpid()}/cgroup.procs; export SYSTEMD_NSPAWN_TMPFS_TMP=0 SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1; exec \"$@\""
        spawn = ["systemd-nspawn", "-q", "-D", f"{self.base}/root", "--register=no", "--keep-unit", f"--network-namespace-path=/proc/{self.rack.pid}/ns/net"]
        spawn += ["--resolv-conf=off", "--timezone=off", "--link-journal=no", *options, *(("--boot",) if boot else ("--pipe",)), *words]
        return ("sh", "-c", start, "nspawn", *spawn)

    def sh(self, command: str) -> str:
        """What a command says inside the root; its failure is the test's."""
        return self.rack.inside(*self.nspawn("/bin/bash", "-c", command))

    def boot(self, timeout: float = 150) -> list[dict[str, Any]]:
        """Boot it with its own systemd until something in it powers it off; the journal of that boot, oldest line first."""
        process = self._boot()
        try:
            process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.rack.cut()
            process.wait()
        lines = self.rack.inside("journalctl", "--directory", f"{self.base}/root/var/log/journal", "--boot", "--output=json", "--all", "--quiet")
        found = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
        assert process.returncode == 0, "not powered off in time:\n" + "\n".join(str(entry.get("MESSAGE")) for entry in found[-60:])
        return found

    def boot_and_cut(self, seconds: float) -> bool:
        """Boot, and kill everything in it after so long, without a word; False when it had powered itself off before."""
        process = self._boot()
        try:
            process.communicate(timeout=seconds)
            return False
        except subprocess.TimeoutExpired:
            self.rack.cut()
            process.wait()
        return True

    def _boot(self) -> subprocess.Popen[str]:
        words = self.nspawn(boot=True, options=("--capability=CAP_NET_ADMIN", "--kill-signal=SIGRTMIN+3"))
        return self.rack.enter(*words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    def execute(self, script: str, interpreter: str = "/bin/bash", timeout: float = 240) -> Result:
        """As AnacondaKSScript.run does: the script in the root's /tmp, run by its interpreter, its shebang unread.

        A script that announces its failure and then does not end is stopped after it has held for two seconds.
        """
        file = self.file("/tmp/ks-script-k7f3")
        file.write_text(script)
        file.chmod(0o700)
        begin = time.monotonic()
        words = self.nspawn(interpreter, "/tmp/ks-script-k7f3", options=("--setenv=LC_ALL=C", "--setenv=ANA_INSTALL_PATH=/mnt/sysroot", "--chdir=/"))
        process = self.rack.enter(*words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, standing = _until(process, timeout)
        seconds = time.monotonic() - begin
        if standing != "ended":
            self.rack.cut()
        process.wait(20)
        file.unlink(missing_ok=True)
        assert standing != "runs", f"still running after {timeout:.0f}s, without a word of failure:\n{output}"
        return Result(process.returncode if standing == "ended" else None, output, standing == "holds", seconds)

    def changes(self, *without: str) -> dict[str, Change]:
        """All that differs from the installed root, but for paths that match one of these patterns."""
        upper = self.rack.path(f"{self.base}/upper")
        found = {}
        for path in sorted(upper.rglob("*")):
            name = "/" + path.relative_to(upper).as_posix()
            if any(re.search(pattern, name) for pattern in without):
                continue
            about = path.lstat()
            content = os.readlink(path) if path.is_symlink() else ""
            if stat.S_ISREG(about.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            kind = stat.filemode(about.st_mode)[0]
            mtime = 0 if kind == "d" else about.st_mtime_ns
            found[name] = Change(kind, stat.S_IMODE(about.st_mode), (about.st_uid, about.st_gid), content, mtime)
        return found


def _until(process: subprocess.Popen[str], timeout: float) -> tuple[str, str]:
    """Its output, and whether it ended, holds (it announced a failure and went on for two seconds), or runs still."""
    assert process.stdout is not None
    output, last, until = b"", 0.0, time.monotonic() + timeout
    descriptor = process.stdout.fileno()
    standing = "runs"
    while standing == "runs" and time.monotonic() < until:
        if last and time.monotonic() > last + 2:
            standing = "holds"
        elif select.select([descriptor], [], [], 0.2)[0]:
            piece = os.read(descriptor, 65536)
            output += piece
            if not piece:
                standing = "ended"
            elif _HELD.encode() in output and not last:
                last = time.monotonic()
    return output.decode(errors="replace"), standing


def posts(kickstart: str) -> list[tuple[str, str, bool]]:
    """(interpreter, script, --erroronfail) of each %post inside the new system, in file order, as pykickstart reads them."""
    parsed, report = parse(kickstart, "node.ks", "RHEL8")
    assert not list(report), [str(p) for p in report]
    from pykickstart.constants import KS_SCRIPT_POST

    scripts = [s for s in parsed.handler.scripts if s.type == KS_SCRIPT_POST and s.inChroot]
    return [(s.interp, s.script, s.errorOnFail) for s in scripts]
