"""What the rack's mirror holds: the repositories, their keys, the CRI-O bundle and the tools, all made here.

The packages have the names, versions, dependencies and file places of the real ones; the programs in them are small stand-ins
which do what the steps ask of them: say a version, open a socket, stay running.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from pathlib import Path
from typing import NamedTuple

from .rpms import Keys, Rpm, build, repository

KUBE, TOOLKIT, CRIO, HELM, KUSTOMIZE, DRIVER = "1.25.10", "1.17.8", "1.26.4", "3.13.2", "5.0.3", "545.23.08"
_SLEEP = "exec sleep infinity\n"

_KUBELET_UNIT = """[Unit]
Description=kubelet: The Kubernetes Node Agent
Wants=network-online.target
After=network-online.target
[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10
[Install]
WantedBy=multi-user.target
"""

# Says READY like the real one (Type=notify), listens where crictl looks, and refuses a default runtime whose binary is missing.
_CRIO = f'''#!/usr/bin/python3
import glob, os, re, socket, sys
if "--version" in sys.argv:
    print("crio version {CRIO}\\nVersion:          {CRIO}")
    sys.exit()
runtime, paths = "runc", {{}}
for name in sorted(glob.glob("/etc/crio/crio.conf.d/*")):
    table = ""
    for line in open(name):
        found = re.match(r'\\[crio\\.runtime\\.runtimes\\.(.*)\\]', line)
        table = found.group(1) if found else table
        found = re.match(r'default_runtime = "(.*)"', line)
        runtime = found.group(1) if found else runtime
        found = re.match(r'runtime_path = "(.*)"', line)
        if found and found.group(1):
            paths[table] = found.group(1)
if runtime in paths and not os.access(paths[runtime], os.X_OK):
    sys.exit("runtime " + runtime + ": no such file")
os.makedirs("/var/run/crio", exist_ok=True)
if os.path.exists("/var/run/crio/crio.sock"):
    os.unlink("/var/run/crio/crio.sock")
server = socket.socket(socket.AF_UNIX)
server.bind("/var/run/crio/crio.sock")
server.listen(8)
open("/run/crio/runtime", "w").write(runtime)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
    told.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    server.accept()[0].close()
'''
_CRIO_UNIT = """[Unit]
Description=Container Runtime Interface for OCI (CRI-O)
After=network-online.target
[Service]
Type=notify
ExecStart=/usr/local/bin/crio $CRIO_CONFIG_OPTIONS
Restart=on-failure
RestartSec=10
[Install]
WantedBy=multi-user.target
"""
_CRICTL = """#!/usr/bin/python3
import socket
socket.socket(socket.AF_UNIX).connect("/var/run/crio/crio.sock")
"""


def kubernetes(version: str, post: str = "") -> list[Rpm]:
    """What pkgs.k8s.io has of one version; `post` is the kubelet's %post."""
    release = "150500.1.1"
    needs = ("conntrack", "ebtables", "ethtool", "iproute", "iptables >= 1.4.21", "kubernetes-cni >= 1.2.0", "mount", "socat", "util-linux")
    says = '#!/bin/sh\n[ "$1" = --version ] && { echo "Kubernetes v' + version + '"; exit; }\n' + _SLEEP
    return [
        Rpm("kubelet", version, release, needs, files={"/usr/bin/kubelet": says, "/usr/lib/systemd/system/kubelet.service": _KUBELET_UNIT}, post=post),
        Rpm(
            "kubeadm", version, release, ("kubelet >= 1.19.0", "kubectl >= 1.19.0", "kubernetes-cni >= 1.2.0", "cri-tools >= 1.25.0"),
            files={"/usr/bin/kubeadm": f"#!/bin/sh\necho v{version}\n"},
        ),
        Rpm("kubectl", version, release, files={"/usr/bin/kubectl": "#!/bin/sh\n"}),
    ]


def kubernetes_friends() -> list[Rpm]:
    plugins = {f"/opt/cni/bin/{name}": f"#!/bin/sh\necho {name} of the RPM\n" for name in ("bridge", "loopback", "portmap")}
    return [
        Rpm("kubernetes-cni", "1.2.0", "150500.2.1", files=plugins),
        Rpm("cri-tools", "1.25.0", "150500.1.1", files={"/usr/bin/crictl": _CRICTL}),
    ]


def toolkit(version: str) -> list[Rpm]:
    """NVIDIA's container toolkit: four packages that must be of one version."""
    ctk = f"""#!/bin/bash
case "$1 $2" in
--version*) echo "NVIDIA Container Toolkit CLI version {version}" ;;
"cdi generate") printf 'cdiVersion: 0.5.0\\nkind: nvidia.com/gpu\\ndevices: []\\n' >"${{3#--output=}}" ;;
esac
"""
    exact = f"nvidia-container-toolkit-base = {version}-1"
    return [
        Rpm("libnvidia-container1", version, files={"/usr/lib64/libnvidia-container.so.1": "ELF\n"}),
        Rpm("libnvidia-container-tools", version, requires=(f"libnvidia-container1 >= {version}-1",), files={"/usr/bin/nvidia-container-cli": "#!/bin/sh\n"}),
        Rpm("nvidia-container-toolkit-base", version, files={
            "/usr/bin/nvidia-ctk": ctk,
            "/usr/bin/nvidia-container-runtime": "#!/bin/sh\n",
            "/etc/nvidia-container-runtime/config.toml": '[nvidia-container-runtime]\nruntimes = ["runc", "crun"]\n',
        }),
        Rpm(
            "nvidia-container-toolkit", version,
            requires=(f"libnvidia-container-tools >= {version}-1", "libnvidia-container-tools < 2.0.0", exact),
            files={"/usr/bin/nvidia-container-runtime-hook": "#!/bin/sh\n"},
        ),
    ]


def driver() -> list[Rpm]:
    module = f"/lib/modules/4.18.0-425.3.1.el8.x86_64/extra/nvidia-{DRIVER}/nvidia.ko"
    smi = '#!/bin/sh\necho "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-0)"\n'
    unit = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
    return [
        Rpm("kmod-nvidia", DRIVER, "1.el8_7", ("nvidia-driver = 545.23.08",), files={f"/usr{module}": f"module {DRIVER}\n"}, post="exit 0"),
        Rpm("nvidia-driver", DRIVER, "1.el8", files={"/usr/bin/nvidia-smi": smi, "/usr/lib/systemd/system/nvidia-persistenced.service": unit}),
    ]


def userland() -> list[Rpm]:
    """RHEL's own packages as dnf sees them; their files are Debian's, which rpm does not know."""
    names = (
        "/bin/sh", "/usr/bin/sh", "/bin/bash", "conntrack", "conntrack-tools", "ebtables", "ethtool", "iproute", "iptables = 1.8.4",
        "mount", "socat", "util-linux", "systemd", "system-release = 8.7", "system-release(releasever) = 8.7",
    )
    return [Rpm("redhat-userland", "8.7", provides=names), Rpm("container-selinux", "2.189.0")]


def archive(file: Path, texts: dict[str, str]) -> str:
    """A .tar.gz of these; its sha256."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w:gz") as tar:
        for name, text in texts.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o755 if text.startswith("#!") else 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return hashlib.sha256(file.read_bytes()).hexdigest()


def bundle(file: Path, plugins: str = "of the bundle") -> str:
    """CRI-O's static bundle, laid out like upstream's, with all that its own installer would do and we do not."""
    texts = {
        "cri-o/bin/crio": _CRIO,
        "cri-o/bin/crictl": _CRICTL,
        "cri-o/contrib/crio.service": _CRIO_UNIT,
        "cri-o/contrib/policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}\n',
        "cri-o/contrib/11-crio-ipv4-bridge.conflist": '{"name": "crio"}\n',
        "cri-o/etc/crio.conf": "[crio]\n",
        "cri-o/etc/10-crun.conf": '[crio.runtime]\ndefault_runtime = "crun"\n',
        "cri-o/etc/crio-umount.conf": "/var/run/containers/*\n",
        "cri-o/man/crio.8": "crio\n",
        "cri-o/man/crio.conf.5": "crio.conf\n",
        "cri-o/install": "#!/bin/sh\nexit 1\n",
    }
    texts.update({f"cri-o/bin/{name}": f"#!/bin/sh\n# {name}\n" for name in ("conmon", "conmonrs", "pinns", "runc", "crun")})
    texts.update({f"cri-o/cni-plugins/{name}": f"#!/bin/sh\necho {name} {plugins}\n" for name in ("bridge", "loopback", "macvlan")})
    return archive(file, texts)


class World(NamedTuple):
    """The folder that is served, the fingerprints of the keys and the sha256 of the archives."""

    folder: Path
    kubernetes: str
    nvidia: str
    drivers: str
    other: str
    crio: str
    helm: str
    kustomize: str


def _variant(folder: Path, base: str, name: str) -> Path:
    """A repository to serve in place of `base`: the same packages before they were signed."""
    there = folder / name
    shutil.copytree(folder / f".{base}", there)
    return there


def make(folder: Path, keyring: Path) -> World:
    """All of it, in about ten seconds."""
    keys = Keys(keyring)
    # As kubernetes/release#3818: one key, its first copy long expired, a later copy of the very same key good.
    kube = keys.make("kubernetes", "--faked-system-time", "20200101T000000!")
    keys.export(kube, folder / "keys" / "kubernetes-expired.asc")
    keys.gpg("--quick-set-expire", kube, "20y")
    nvidia, drivers, other = keys.make("nvidia"), keys.make("drivers"), keys.make("other")
    for name, key in (("kubernetes", kube), ("nvidia", nvidia), ("drivers", drivers), ("other", other)):
        keys.export(key, folder / "keys" / f"{name}.asc")

    raw = {"kubernetes": [kubernetes(KUBE) + kubernetes_friends(), kubernetes("1.25.16")], "nvidia": [toolkit(TOOLKIT), toolkit("1.18.0")], "drivers": [driver()]}
    for name, sets in raw.items():
        (folder / f".{name}").mkdir(parents=True)
        for rpms in sets:
            build(folder / f".{name}", rpms)
        there = _variant(folder, name, name)
        keys.sign({"kubernetes": kube, "nvidia": nvidia, "drivers": drivers}[name], there.glob("*.rpm"))
        repository(there)

    repository(_variant(folder, "kubernetes", "kubernetes-unsigned"))
    there = _variant(folder, "kubernetes", "kubernetes-other")
    keys.sign(other, there.glob("*.rpm"))
    repository(there)
    there = folder / "kubernetes-newer"
    shutil.copytree(folder / "kubernetes", there, ignore=shutil.ignore_patterns(f"kube*-{KUBE}-*", "repodata"))
    repository(there)
    there = _variant(folder, "kubernetes", "kubernetes-scriptlet")
    build(there, [kubernetes(KUBE, post="echo cannot reach the daemon >&2\nexit 1")[0]])
    keys.sign(kube, there.glob("*.rpm"))
    repository(there)
    keys.close()

    (folder / "rpms").mkdir()
    build(folder / "rpms", userland())
    return World(
        folder, kube, nvidia, drivers, other,
        crio=bundle(folder / "files" / "cri-o.tar.gz"),
        helm=archive(folder / "files" / "helm.tar.gz", {"linux-amd64/helm": f"#!/bin/sh\necho v{HELM}+g2a2fb3b\n", "linux-amd64/LICENSE": "x\n"}),
        kustomize=archive(folder / "files" / "kustomize.tar.gz", {"kustomize": f"#!/bin/sh\necho v{KUSTOMIZE}\n"}),
    )
