"""crio, kubelet, tools, driver, nvidia, ready, and the report."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from .conftest import FIRSTBOOT, Node
from .test_steps_system import unchanged

DATA = Path(__file__).parent / "data"
KERNEL = "4.18.0-425.3.1.el8.x86_64"
DROPIN = "/etc/crio/crio.conf.d/99-nvidia.conf"
# Python 3.11 and later.
TOML: Any = importlib.import_module("tomllib") if sys.version_info >= (3, 11) else None


def toml(text: str) -> dict[str, Any]:
    if TOML is None:
        pytest.skip("no TOML parser before Python 3.11")
    loaded = TOML.loads(text)
    assert isinstance(loaded, dict)
    return loaded


def archive(node: Node, name: str, files: dict[str, str]) -> str:
    """A tar.gz on the pretended web server; its sha256."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(text.encode()), 0o755 if "/bin/" in path or "." not in path else 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    (node.state / "www" / name).write_bytes(data.getvalue())
    return hashlib.sha256(data.getvalue()).hexdigest()


# --- crio -------------------------------------------------------------------------------------------------------------
BUNDLE = {
    **{
        f"cri-o/bin/{n}": f"#!/bin/bash\n# {n}\n"
        for n in ("conmon", "crictl", "crio", "crio-status", "crun", "pinns", "runc")
    },
    "cri-o/cni-plugins/bridge": "bridge",
    "cri-o/cni-plugins/loopback": "loopback",
    "cri-o/contrib/11-crio-ipv4-bridge.conflist": "{}",
    "cri-o/contrib/crio.service": "[Service]\nExecStart=/usr/local/bin/crio\n",
    "cri-o/contrib/policy.json": "{}\n",
    "cri-o/etc/10-crun.conf": '[crio.runtime]\ndefault_runtime = "crun"\n',
    "cri-o/etc/crictl.yaml": "x\n",
    "cri-o/etc/crio-umount.conf": "u\n",
    "cri-o/etc/crio.conf": "# crio\n",
    "cri-o/man/crio.8": "man",
}


@pytest.fixture
def bundle(node: Node) -> Node:
    sha = archive(node, "crio.tar.gz", BUNDLE)
    node.facts.update({"KF_CRIO_SOURCE": "bundle", "KF_CRIO_URL": "https://x/crio.tar.gz", "KF_CRIO_SHA256": sha})
    return node


def test_crio_bundle(bundle: Node) -> None:
    bundle.write("/opt/cni/bin/bridge", "kubernetes-cni's own")
    bundle.write("/etc/cni/net.d/100-crio-bridge.conf", "{}")
    bundle.write("/etc/crio/crio.conf.d/10-crun.conf", "x")
    assert bundle.install("crio") == 0, bundle.err
    for name in ("conmon", "crictl", "crio", "crio-status", "crun", "pinns", "runc"):
        assert (bundle.root / "usr/local/bin" / name).stat().st_mode & 0o777 == 0o755
    for path in (
        "/etc/systemd/system/crio.service",
        "/etc/crio/crio.conf",
        "/etc/containers/policy.json",
        "/usr/local/share/man/man8/crio.8",
        "/opt/cni/bin/loopback",
    ):
        assert bundle.has(path)
    assert bundle.read("/opt/cni/bin/bridge") == "kubernetes-cni's own"
    assert bundle.read("/etc/crictl.yaml").startswith("# kfimage")
    for gone in (
        "/etc/cni/net.d/11-crio-ipv4-bridge.conflist",
        "/etc/cni/net.d/100-crio-bridge.conf",
        "/etc/crio/crio.conf.d/10-crun.conf",
        "/var/cache/kfimage/crio-1.26.4.tar.gz",
    ):
        assert not bundle.has(gone)
    conf = toml(bundle.read("/etc/crio/crio.conf.d/10-kfimage.conf"))["crio"]
    assert conf["image"] == {"pause_image": "registry.k8s.io/pause:3.8"}
    assert (
        conf["runtime"]["default_runtime"] == "runc"
        and conf["runtime"]["cgroup_manager"] == "systemd"
        and conf["runtime"]["selinux"] is False
    )
    assert conf["runtime"]["runtimes"] == {"runc": {"runtime_path": "", "runtime_type": "oci"}}
    calls = bundle.calls()
    assert "systemctl enable crio" in calls and len([c for c in calls if c.startswith("curl")]) == 1
    assert not [c for c in calls if "start" in c]
    unchanged(bundle, "crio", install=True)
    assert not bundle.calls("curl")


def test_crio_bundle_is_fetched_through_its_own_proxy_alone(bundle: Node) -> None:
    bundle.facts.update({"KF_HTTPS_PROXY": "http://other.lab:1", "KF_CRIO_PROXY": "http://proxy.lab:3128"})
    assert bundle.install("crio") == 0, bundle.err
    assert "--proxy http://proxy.lab:3128 " in bundle.calls("curl")[0]


def test_crio_bundle_is_laid_again_when_a_file_or_the_pin_changed(bundle: Node) -> None:
    assert bundle.install("crio") == 0
    bundle.write("/usr/local/bin/crio", "someone's own")
    assert bundle.install("crio") == 0
    assert bundle.read("/usr/local/bin/crio") == BUNDLE["cri-o/bin/crio"]
    bundle.facts["KF_CRIO_SHA256"] = archive(bundle, "crio.tar.gz", {**BUNDLE, "cri-o/cni-plugins/loopback": "newer"})
    assert bundle.install("crio") == 0
    assert bundle.read("/opt/cni/bin/loopback") == "newer"  # laid by us, so ours to replace


def test_crio_bundle_refused(bundle: Node) -> None:
    bundle.facts["KF_CRIO_SHA256"] = "0" * 64
    assert bundle.install("crio") == 1
    assert f"is not the file that was pinned: wanted sha256 {'0' * 64}, got " in bundle.err
    assert not bundle.has("/usr/local/bin/crio") and not list(bundle.root.rglob("*.part"))
    bundle.facts["KF_CRIO_SHA256"] = ""
    assert bundle.install("crio") == 1
    assert "has no sha256 pin" in bundle.err
    bundle.facts["KF_CRIO_SHA256"] = archive(bundle, "crio.tar.gz", {"other/file": "x"})
    assert bundle.install("crio") == 1
    assert "is not a CRI-O bundle" in bundle.err
    bundle.facts["KF_CRIO_SHA256"] = "1" * 64  # not what lies in the cache
    bundle.fail("curl", "curl: (7) Failed to connect")
    assert bundle.install("crio") == 1
    assert bundle.err.count("curl: (7)") == 4 and "cannot fetch https://x/crio.tar.gz" in bundle.err


def test_crio_registries_proxy_and_secret(node: Node) -> None:
    node.tell("rpms", "cri-o\n")
    node.write("/etc/kfimage/secrets/pull-auth", "{}", 0o644)
    node.facts.update(
        {
            "KF_MIRRORS": "docker.io=mirror.lab:5000/docker quay.io=mirror.lab:5000/quay docker.io=second.lab/d",
            "KF_INSECURE_REGISTRIES": "mirror.lab:5000",
            "KF_HTTP_PROXY": "http://p%41:3128",
            "KF_HTTPS_PROXY": "http://p:3128",
            "KF_NO_PROXY": "10.0.0.0/8,.lab",
            "KF_NODE_NETWORKS": "10.20.1.0/24 fd00::/64",
            "KF_CRIO_RUNTIME": "crun",
            "KF_SELINUX": "enforcing",
        }
    )
    assert node.install("crio") == 0, node.err
    registries = toml(node.read("/etc/containers/registries.conf.d/10-kfimage.conf"))
    assert registries["unqualified-search-registries"] == ["docker.io"]
    assert [
        (r["prefix"], r["insecure"], [(m["location"], m["insecure"]) for m in r.get("mirror", [])])
        for r in registries["registry"]
    ] == [
        ("docker.io", False, [("mirror.lab:5000/docker", True), ("second.lab/d", False)]),
        ("quay.io", False, [("mirror.lab:5000/quay", True)]),
        ("mirror.lab:5000", True, []),
    ]
    assert node.read("/etc/systemd/system/crio.service.d/20-kfimage-proxy.conf").splitlines()[1:] == [
        "[Service]",
        'Environment="HTTP_PROXY=http://p%%41:3128"',
        'Environment="HTTPS_PROXY=http://p:3128"',
        'Environment="NO_PROXY=10.0.0.0/8,.lab,10.20.1.0/24,fd00::/64"',
    ]
    conf = toml(node.read("/etc/crio/crio.conf.d/10-kfimage.conf"))["crio"]
    assert conf["image"]["global_auth_file"] == "/etc/kfimage/secrets/pull-auth"
    assert (
        conf["runtime"]["default_runtime"] == "crun"
        and "crun" in conf["runtime"]["runtimes"]
        and conf["runtime"]["selinux"] is True
    )
    assert (node.root / "etc/kfimage/secrets/pull-auth").stat().st_mode & 0o777 == 0o600
    node.facts.update(
        {"KF_HTTP_PROXY": "", "KF_HTTPS_PROXY": "", "KF_REGISTRIES": "", "KF_MIRRORS": "", "KF_INSECURE_REGISTRIES": ""}
    )
    assert node.install("crio") == 0
    assert not node.has("/etc/systemd/system/crio.service.d/20-kfimage-proxy.conf") and not node.has(
        "/etc/containers/registries.conf.d/10-kfimage.conf"
    )


def test_crio_run(node: Node) -> None:
    node.tell("rpms", "cri-o\n")
    node.write("/etc/crio/crio.conf.d/10-kfimage.conf.rpmsave", "x")
    assert node.boot("crio") == 0, node.err
    calls = node.calls()
    assert "systemctl restart crio" in calls and "systemctl daemon-reload" not in calls
    assert "crictl --runtime-endpoint unix:///var/run/crio/crio.sock info" in calls
    assert "/etc/crio/crio.conf.d/10-kfimage.conf.rpmsave is read by CRI-O too" in node.err
    # podman's bridge lies in the same folder: only Calico's network, by name, may make the node Ready.
    assert '\ncni_default_network = "k8s-pod-network"\n' in node.read("/etc/crio/crio.conf.d/10-kfimage.conf")
    unchanged(node, "crio")
    assert "systemctl restart crio" not in node.calls()
    node.facts["KF_PAUSE_IMAGE"] = "registry.lab/pause:3.8"
    node.tell("show.crio.NeedDaemonReload", "yes\n")
    assert node.boot("crio") == 0
    calls = node.calls()
    assert "systemctl daemon-reload" in calls and "systemctl restart crio" in calls


def test_crio_failures(node: Node) -> None:
    assert node.install("crio") == 1
    assert "cri-o is not installed" in node.err
    node.tell("rpms", "cri-o\n")
    node.fail("crictl", "connection refused")
    assert node.boot("crio") == 1
    assert "CRI-O does not answer on unix:///var/run/crio/crio.sock" in node.err
    node.fake("crictl")
    node.fake("crio", "echo crio version 1.25.1")
    assert node.boot("crio") == 1
    assert "CRI-O is 1.25.1, not 1.26.4" in node.err


# --- kubelet ----------------------------------------------------------------------------------------------------------
def test_kubelet(node: Node) -> None:
    yaml = pytest.importorskip("yaml")
    node.facts.update(
        {
            "KF_NODE_IP": "10.20.1.11",
            "KF_NODE_LABELS": "gpu=h200 rack=b",
            "KF_NODE_TAINTS": "nvidia.com/gpu=present:NoSchedule only:NoExecute",
            "KF_KUBELET": "maxPods=110 protectKernelDefaults=true containerLogMaxSize=50Mi",
        }
    )
    assert node.install("kubelet") == 0, node.err
    assert "systemctl enable kubelet" in node.calls()
    assert "ConditionPathExists=/var/lib/kubelet/config.yaml" in node.read(
        "/etc/systemd/system/kubelet.service.d/20-kfimage.conf"
    )
    assert yaml.safe_load(node.read("/etc/kfimage/join/join.yaml")) == {
        "apiVersion": "kubeadm.k8s.io/v1beta3",
        "kind": "JoinConfiguration",
        "patches": {"directory": "/etc/kfimage/join/patches"},
        "nodeRegistration": {
            "criSocket": "unix:///var/run/crio/crio.sock",
            "name": "gpu-a01",
            "taints": [
                {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"},
                {"key": "only", "value": "", "effect": "NoExecute"},
            ],
            "kubeletExtraArgs": {"node-ip": "10.20.1.11", "node-labels": "gpu=h200,rack=b"},
        },
    }
    assert yaml.safe_load(node.read("/etc/kfimage/join/patches/kubeletconfiguration+merge.yaml")) == {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "maxPods": 110,
        "protectKernelDefaults": True,
        "containerLogMaxSize": "50Mi",
    }
    node.tell("failed", "kubelet\n")
    assert node.boot("kubelet") == 0, node.err
    calls = node.calls()
    assert "systemctl reset-failed kubelet" in calls and not [c for c in calls if " start " in c or "restart" in c]
    unchanged(node, "kubelet")


def test_kubelet_without_anything_special(node: Node) -> None:
    yaml = pytest.importorskip("yaml")
    node.facts["KF_NODE"] = ""
    assert node.install("kubelet") == 0
    assert yaml.safe_load(node.read("/etc/kfimage/join/join.yaml"))["nodeRegistration"] == {
        "criSocket": "unix:///var/run/crio/crio.sock"
    }


def test_kubelet_failures(node: Node) -> None:
    node.fake("kubelet", "echo Kubernetes v1.25.16")
    assert node.boot("kubelet") == 1
    assert "kubelet is 'Kubernetes v1.25.16', not v1.25.10" in node.err
    node.facts["KF_KUBELET"] = "a.b=c"
    assert node.install("kubelet") == 1
    assert "'a.b=c' is not a field of KubeletConfiguration" in node.err
    node.facts["KF_NODE_LABELS"] = "node-role.kubernetes.io/worker="
    assert node.install("kubelet") == 1
    assert "kubelet may not give itself the label node-role.kubernetes.io/worker" in node.err


# --- tools ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def helm(node: Node) -> Node:
    sha = archive(
        node, "helm.tar.gz", {"linux-amd64/helm": "#!/bin/bash\necho v3.13.2+g2a2fb3b\n", "linux-amd64/README.md": "x"}
    )
    node.facts.update(
        {
            "KF_TOOLS": "helm",
            "KF_TOOL_HELM_VERSION": "3.13.2",
            "KF_TOOL_HELM_URL": "https://x/helm.tar.gz",
            "KF_TOOL_HELM_SHA256": sha,
            "KF_TOOL_HELM_PROXY": "http://proxy.lab:3128",
        }
    )
    return node


def test_tools(helm: Node) -> None:
    assert helm.install("tools") == 0, helm.err
    assert (helm.root / "usr/local/bin/helm").stat().st_mode & 0o777 == 0o755
    assert "--proxy http://proxy.lab:3128 " in helm.calls("curl")[0]
    unchanged(helm, "tools", install=True)
    assert not helm.calls("curl")


def test_tools_failures(helm: Node) -> None:
    helm.facts["KF_TOOL_HELM_VERSION"] = "3.14.0"
    assert helm.install("tools") == 1
    assert "helm says it is 'v3.13.2+g2a2fb3b', not v3.14.0" in helm.err
    del helm.facts["KF_TOOL_HELM_SHA256"]
    assert helm.install("tools") == 1
    assert "fact KF_TOOL_HELM_SHA256 is missing" in helm.err


# --- driver -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def gpu(node: Node) -> Node:
    """One H200 with its driver on disk: real outputs of one (tests/firstboot/data)."""
    node.gpus(1)
    node.tell("nvidia-module", "580.159.04\n")
    node.tell("smi", (DATA / "nvidia-smi-L.txt").read_text())
    node.write("/proc/driver/nvidia/version", (DATA / "proc-driver-nvidia-version.txt").read_text())
    return node


def secure_boot(node: Node) -> None:
    path = node.write("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "")
    path.write_bytes(b"\x06\0\0\0\x01")


def test_driver_install(node: Node) -> None:
    node.write(f"/boot/initramfs-{KERNEL}.img", "")
    node.write("/boot/initramfs-0-rescue-abc.img", "")
    node.write(f"/lib/modules/{KERNEL}/modules.dep", "")
    assert node.install("driver") == 0, node.err
    assert node.calls("dracut") == [
        f"dracut --force --omit-drivers nouveau {node.root}/boot/initramfs-{KERNEL}.img {KERNEL}"
    ]
    assert "blacklist nouveau\noptions nouveau modeset=0\n" in node.read("/etc/modprobe.d/kfimage-nouveau.conf")


def test_driver(gpu: Node) -> None:
    assert gpu.boot("driver") == 0, gpu.err
    assert [c for c in gpu.calls() if c.startswith(("modprobe", "systemctl", "nvidia-smi"))] == [
        "modprobe nvidia",
        "modprobe nvidia-uvm",
        "nvidia-smi -L",
        "systemctl is-active --quiet nvidia-persistenced",
        "systemctl enable --now nvidia-persistenced",
    ]
    assert "<5>driver: 1 GPUs with driver 580.159.04" in gpu.err
    unchanged(gpu, "driver")
    assert not gpu.calls("modprobe")


@pytest.mark.parametrize(
    ("wish", "switches", "starts"), [("auto", 0, False), ("auto", 4, True), ("yes", 0, True), ("no", 4, False)]
)
def test_fabric_manager_only_where_an_nvswitch_is(gpu: Node, wish: str, switches: int, starts: bool) -> None:
    gpu.gpus(1, switches)
    gpu.facts["KF_NVIDIA_FABRIC_MANAGER"] = wish
    assert gpu.boot("driver") == 0, gpu.err
    assert ("systemctl enable --now nvidia-fabricmanager" in gpu.calls()) is starts


def test_driver_without_a_gpu_says_so(node: Node) -> None:
    assert node.boot("driver") == 0
    assert "<4>driver: no NVIDIA GPU on the PCI bus" in node.err
    assert not [c for c in node.calls() if c.startswith(("modprobe", "nvidia", "systemctl"))]


def test_driver_not_ours(gpu: Node) -> None:
    gpu.facts["KF_NVIDIA_DRIVER"] = "none"
    assert gpu.boot("driver") == 0
    assert not gpu.calls("modprobe")


def test_driver_dkms(gpu: Node) -> None:
    gpu.facts["KF_NVIDIA_DRIVER"] = "dkms"
    (gpu.state / "nvidia-module").unlink()
    assert gpu.boot("driver") == 1
    assert f"kernel-devel for {KERNEL} is not installed" in gpu.err
    gpu.write(f"/lib/modules/{KERNEL}/build/Makefile", "")
    gpu.fake("dkms", 'echo 580.159.04 >"$S/nvidia-module"')
    assert gpu.boot("driver") == 0, gpu.err
    assert gpu.calls("dkms") == [f"dkms autoinstall -k {KERNEL}"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda n: (n.state / "nvidia-module").unlink(),
            f"there is no nvidia module for kernel {KERNEL} (driver mode kmod)",
        ),
        (lambda n: n.tell("nvidia-module", "545.23.08\n"), "is 545.23.08, the site wants 580.159.04"),
        (secure_boot, "Secure Boot is on and the nvidia module is not signed"),
        (lambda n: n.write("/sys/module/nouveau/x", ""), "nouveau holds the GPU"),
        (lambda n: n.fail("modprobe"), "nvidia does not load"),
        (
            lambda n: n.write(
                "/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  545.23.08  Mon Nov  6\n"
            ),
            "the loaded driver is 545.23.08, on disk is 580.159.04",
        ),
        (lambda n: n.gpus(8), "nvidia-smi sees 1 of the 8 GPUs"),
        (lambda n: n.fail("nvidia-smi"), "nvidia-smi sees 0 of the 1 GPUs"),
    ],
)
def test_driver_failures(gpu: Node, spoil: Any, says: str) -> None:
    spoil(gpu)
    assert gpu.boot("driver") == 1
    assert says in gpu.err and "<3>driver: next: " in gpu.err


def test_dkms_under_secure_boot(gpu: Node) -> None:
    secure_boot(gpu)
    gpu.facts["KF_NVIDIA_DRIVER"] = "dkms"
    (gpu.state / "nvidia-module").unlink()
    assert gpu.boot("driver") == 1
    assert "what DKMS builds is unsigned" in gpu.err
    assert not gpu.calls("dkms")


# --- nvidia -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def toolkit(gpu: Node) -> Node:
    spec = (DATA / "nvidia-cdi.yaml").read_text()
    gpu.tell("cdi.yaml", spec)
    for path in re.findall(r"(?:hostPath|path): (/\S+)", spec):
        gpu.write(path, "", 0o755)
    gpu.write("/usr/bin/nvidia-container-runtime", "", 0o755)
    gpu.write("/sys/module/nvidia/x", "")
    return gpu


def test_nvidia(toolkit: Node) -> None:
    assert toolkit.boot("nvidia") == 0, toolkit.err
    conf = toml(toolkit.read(DROPIN))["crio"]["runtime"]
    assert conf == {
        "default_runtime": "nvidia",
        "runtimes": {"nvidia": {"runtime_path": "/usr/bin/nvidia-container-runtime", "runtime_type": "oci"}},
    }
    assert not toolkit.has("/etc/crio/conf.d")
    assert toolkit.read("/etc/cdi/nvidia.yaml") == (DATA / "nvidia-cdi.yaml").read_text()
    calls = toolkit.calls()
    links, restart = (
        calls.index("nvidia-ctk system create-dev-char-symlinks --create-all"),
        calls.index("systemctl restart crio"),
    )
    assert links < restart
    assert "systemctl enable kfimage-cdi.path" in calls
    assert not [c for c in calls if "runtime configure" in c]
    assert "create-dev-char-symlinks" in toolkit.read("/etc/udev/rules.d/71-kfimage-nvidia-dev-char.rules")
    unchanged(toolkit, "nvidia")
    assert "systemctl restart crio" not in toolkit.calls()


def test_nvidia_without_a_gpu_breaks_nothing(node: Node) -> None:
    node.write(DROPIN, '[crio.runtime]\ndefault_runtime = "nvidia"\n')  # the GPU was taken out
    assert node.boot("nvidia") == 0, node.err
    assert "<4>nvidia: no NVIDIA GPU on the PCI bus" in node.err
    assert not node.has(DROPIN) and not node.has("/etc/cdi/nvidia.yaml")
    calls = node.calls()
    assert "systemctl restart crio" in calls and not [c for c in calls if c.startswith("nvidia")]


def test_nvidia_without_the_runtime_writes_nothing(toolkit: Node) -> None:
    (toolkit.root / "usr/bin/nvidia-container-runtime").unlink()
    assert toolkit.boot("nvidia") == 1
    assert "nvidia-container-runtime is not installed; CRI-O is left as it is" in toolkit.err
    assert not toolkit.has(DROPIN) and "systemctl restart crio" not in toolkit.calls()


def test_nvidia_takes_back_what_stops_crio(toolkit: Node) -> None:
    toolkit.fake("crictl", f"[[ ! -e $KFIMAGE_ROOT{DROPIN} ]]")
    assert toolkit.boot("nvidia") == 1
    assert "CRI-O does not start with the NVIDIA runtime; it is taken back" in toolkit.err
    assert not toolkit.has(DROPIN)
    assert toolkit.calls("systemctl").count("systemctl restart crio") == 2


def test_nvidia_leaves_cdi_to_a_toolkit_that_does_it(toolkit: Node) -> None:
    toolkit.tell("exists", "nvidia-cdi-refresh.path\n")
    toolkit.write("/etc/cdi/nvidia.yaml", "stale")
    assert toolkit.boot("nvidia") == 0, toolkit.err
    assert not toolkit.has("/etc/cdi/nvidia.yaml")
    calls = toolkit.calls()
    assert (
        "systemctl enable --now nvidia-cdi-refresh.path" in calls
        and "systemctl start nvidia-cdi-refresh.service" in calls
    )


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda n: n.facts.update(KF_NVIDIA_TOOLKIT="1.19.1"), "toolkit is 1.17.8, the site wants 1.19.1"),
        (
            lambda n: (n.root / "usr/bin/nvidia-ctk").unlink(),
            "the CDI spec names /usr/bin/nvidia-ctk, which does not exist",
        ),
        (lambda n: n.tell("cdi.yaml", "nothing\n"), "nvidia-ctk wrote no CDI spec"),
        (
            lambda n: (
                n.write("/etc/crio/crio.conf.d/99-zz.conf", "") and n.fake("crio-status", "echo default_runtime = x")
            ),
            "its default runtime is not nvidia",
        ),
    ],
)
def test_nvidia_failures(toolkit: Node, spoil: Any, says: str) -> None:
    spoil(toolkit)
    assert toolkit.boot("nvidia") == 1
    assert says in toolkit.err


def test_nvidia_crun_and_strays(toolkit: Node) -> None:
    toolkit.facts["KF_CRIO_RUNTIME"] = "crun"
    toolkit.write(
        "/etc/nvidia-container-runtime/config.toml", '[nvidia-container-runtime]\nruntimes = ["docker-runc", "runc"]\n'
    )
    toolkit.write("/etc/crio/conf.d/99-nvidia.toml", "")
    assert toolkit.boot("nvidia") == 0, toolkit.err
    assert "nvidia-ctk config --set nvidia-container-runtime.runtimes=crun --in-place" in toolkit.calls()
    assert "/etc/crio/conf.d/99-nvidia.toml was written by nvidia-ctk" in toolkit.err


# --- ready and report -------------------------------------------------------------------------------------------------
@pytest.fixture
def almost(node: Node) -> Node:
    """A node whose one other step is done."""
    node.facts["KF_STEPS"] = "packages register kubelet ready"
    node.tell("enabled", "kubelet\n")
    for name in ("register", "kubelet"):
        assert node.run("step", "run", name) == 0, node.err
    node.calls()
    return node


def status(node: Node) -> dict[str, Any]:
    loaded = json.loads(node.read("/var/lib/kfimage/status.json"))
    assert isinstance(loaded, dict)
    return loaded


def test_ready(almost: Node) -> None:
    assert almost.run("step", "run", "ready") == 0, almost.err
    assert "<5>ready: ready to join 10.20.0.10:6443: kfimage join gpu-a01" in almost.err
    assert "systemctl stop kfimage-retry.timer" in almost.calls()
    assert {k: status(almost)[k] for k in ("state", "node", "step", "gpus", "log")} == {
        "state": "ready",
        "node": "gpu-a01",
        "step": "ready",
        "gpus": 0,
        "log": [],
    }
    assert almost.read("/etc/motd.d/kfimage").startswith("kfimage: gpu-a01 is ready: ready: ready to join")
    assert almost.run("step", "run", "ready") == 0 and almost.calls() == []


def test_ready_waits_for_every_step(almost: Node) -> None:
    (almost.root / "var/lib/kfimage/done/kubelet").unlink()
    assert almost.run("step", "run", "ready") == 75
    assert "waits for kubelet" in almost.err
    assert "systemctl stop kfimage-retry.timer" not in almost.calls()


def test_ready_sees_a_kubelet_that_crashes(almost: Node) -> None:
    almost.tell("show.kubelet.SubState", "auto-restart\n")
    almost.tell("show.kubelet.NRestarts", "17\n")
    assert almost.run("step", "run", "ready") == 1
    assert "kubelet crashes again and again (17 restarts)" in almost.err


def test_a_gpu_node_without_a_gpu_is_not_ready_as_one(almost: Node) -> None:
    almost.facts["KF_STEPS"] += " nvidia"
    almost.tell("rpms", "cri-o\n")
    assert almost.run("step", "run", "nvidia") == 0, almost.err
    assert almost.run("step", "run", "ready") == 0, almost.err
    assert status(almost)["state"] == "no-gpu"
    almost.gpus(2)
    almost.write("/proc/sys/kernel/random/boot_id", "boot-2\n")
    assert almost.run("step", "run", "ready") == 75  # nvidia first: it must look again


@pytest.fixture
def failed(node: Node) -> Node:
    node.tell("failed", "kfimage-swap\n")
    node.tell("show.kfimage-swap.ExecMainStatus", "1\n")
    nasty = 'swap: say "hi" \\ \t tab \x1b[31m \N{SNOWMAN}'
    node.tell("journal", "".join(f"line {n}\n" for n in range(19)) + nasty + "\n")
    node.tell(
        "journal.err",
        "swap: swap is still on: /dev/sda3\nswap: next: swapoff -v /dev/sda3\nkfimage: swap failed with status 1\n",
    )
    node.facts["KF_REPORT_URL"] = "http://10.20.0.5/report"
    return node


def test_report(failed: Node) -> None:
    assert failed.run("report", "kfimage-swap") == 0, failed.err
    told = status(failed)
    assert {k: told[k] for k in ("kfimage", "state", "node", "role", "site", "step", "message", "next")} == {
        "kfimage": 1,
        "state": "failed",
        "node": "gpu-a01",
        "role": "gpu-worker",
        "site": "lab",
        "step": "swap",
        "message": "swap is still on: /dev/sda3",
        "next": "swapoff -v /dev/sda3",
    }
    assert len(told["log"]) == 20 and told["log"][19].startswith('swap: say "hi" \\   tab [31m ')
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["time"])
    for path in ("/etc/motd.d/kfimage", "/etc/issue.d/kfimage.issue"):
        assert (
            failed.read(path)
            == "kfimage: gpu-a01 is failed: swap: swap is still on: /dev/sda3\nkfimage: next: swapoff -v /dev/sda3\n"
        )
    assert "line 18" in failed.err
    posts = failed.calls("curl")
    assert len(posts) == 1 and "--max-time 10" in posts[0] and posts[0].endswith("--url http://10.20.0.5/report")
    assert failed.run("report", "kfimage-swap") == 0
    assert failed.calls("curl") == []  # the same fault is told once


def test_report_is_silent_about_what_did_not_fail_itself(failed: Node) -> None:
    failed.tell("failed", "")
    assert failed.run("report", "kfimage-swap") == 0
    failed.tell("failed", "kfimage-swap\n")
    failed.tell("show.kfimage-swap.ExecMainStatus", "75\n")
    assert failed.run("report", "kfimage-swap") == 0
    assert not failed.has("/var/lib/kfimage/status.json") and not failed.calls("curl")


def test_report_survives_a_dead_network_and_broken_facts(failed: Node) -> None:
    failed.fail("curl", "curl: (7) refused")
    assert failed.run("report", "kfimage-swap") == 0
    assert "could not post the status" in failed.err
    assert failed.run("report", "kfimage-swap") == 0
    assert len(failed.calls("curl")) == 2  # not told yet, so tried again
    failed.write("/etc/kfimage/facts.env", "rubbish\n")
    assert failed.exec("report", "kfimage-swap") == 0
    assert status(failed)["node"] == "gpu-a01" and status(failed)["role"] == ""


def test_report_of_a_killed_script(failed: Node) -> None:
    failed.tell("journal.err", "")
    failed.tell("journal", "")
    assert failed.run("report", "kfimage-swap") == 0
    assert status(failed)["message"] == "ended with status 1" and status(failed)["log"] == []
    assert status(failed)["next"] == "journalctl -b -u kfimage-swap"


def test_the_payload_has_what_the_units_call() -> None:
    for unit in FIRSTBOOT.rglob("*.service"):
        for command in re.findall(r"^ExecStart=/usr/libexec/kfimage/(\S+)", unit.read_text(), re.M):
            assert (FIRSTBOOT / command).exists() or list(
                FIRSTBOOT.glob(f"steps/*/files/usr/libexec/kfimage/{command}")
            ), unit
