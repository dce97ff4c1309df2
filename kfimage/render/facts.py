"""What varies between nodes, as the lines of /etc/kfimage/facts.env: every line is KF_NAME="value" of a safe alphabet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kfimage.kinds import FACT_SAFE
from kfimage.lock import Lock
from kfimage.model import Nvidia, Plan, Repository, Tool
from kfimage.render import proxy
from kfimage.render.firewall import openings

TOOLKIT = ("nvidia-container-toolkit", "nvidia-container-toolkit-base", "libnvidia-container-tools", "libnvidia-container1")
KUBERNETES = ("kubelet", "kubeadm", "kubectl")


def text(facts: Mapping[str, str]) -> str:
    """facts.env; raises ValueError on a value outside the alphabet, which the kinds should have refused long before."""
    for name, value in facts.items():
        if not FACT_SAFE.match(value):
            raise ValueError(f"{name}: {value!r} cannot be a fact")
    return "".join(f'{name}="{value}"\n' for name, value in facts.items())


def own(plan: Plan) -> dict[str, str]:
    """The facts that are this node's alone."""
    node = plan.node
    return {
        "KF_NODE": node.hostname if node else "",
        "KF_NODE_IP": (node.ip or "") if node else "",
        "KF_NODE_NETWORKS": _list(dict.fromkeys(a.network for nic in plan.nics for part in (nic, *nic.vlans.values()) for a in part.address)),
        "KF_ROUTES": _list(routes(plan)),
    }


def routes(plan: Plan) -> tuple[str, ...]:
    """Static routes as DEVICE,NETWORK,HOP[,METRIC]: the form of the fact KF_ROUTES."""
    found = []
    for nic in plan.nics:
        parts = [(nic.device, nic), *((f"{nic.device}.{tag}", vlan) for tag, vlan in nic.vlans.items())]
        for device, part in parts:
            for route in part.routes:
                words = [device, route.to or "", route.via or ""]
                found.append(",".join(words if route.metric is None else [*words, str(route.metric)]))
    return tuple(found)


def shared(plan: Plan, lock: Lock) -> dict[str, str]:
    """Every other fact, in a fixed order."""
    k, net = plan.kubernetes, plan.network
    opened = openings(plan.firewall, plan.calico, k)
    facts = {
        "KF_SITE": plan.site,
        "KF_ROLE": plan.role,
        "KF_RELEASE": plan.release.name,
        "KF_OS_ID": plan.release.os_id,
        "KF_OS_VERSION": plan.release.os_version,
        "KF_STEPS": _list(plan.steps),
        "KF_ADMIN": plan.access.admin or "",
        "KF_SUDO": plan.access.sudo or "",
        "KF_SELINUX": plan.selinux,
        "KF_KERNEL_LOCK": _yes(plan.kernel.lock),
        "KF_SECURE_BOOT": _yes(plan.boot.secure),
        "KF_ON_FAILURE": plan.boot.on_failure or "hold",
        "KF_BOOT_ORDER": plan.boot.order or "keep",
        "KF_NTP": _list(plan.time.ntp),
        "KF_DNS_SEARCH": _list(net.search),
        "KF_HTTP_PROXY": plan.proxy.http or "",
        "KF_HTTPS_PROXY": plan.proxy.https or plan.proxy.http or "",
        "KF_SYSLOG": _with_port(plan.report.syslog, 514),
        "KF_REPORT_URL": plan.report.url or "",
        "KF_RHSM_ORGANIZATION": (plan.install.rhsm.organization or "") if plan.install.rhsm else "",
        "KF_RHSM_SERVER": (plan.install.rhsm.server or "") if plan.install.rhsm else "",
        "KF_RHSM_PROXY": proxy.rhsm_proxy(plan) if plan.install.rhsm else "",
        "KF_FIREWALL": plan.firewall.mode or "firewalld",
        "KF_FIREWALL_PORTS": _list(opened.ports),
        "KF_FIREWALL_PROTOCOLS": _list(opened.protocols),
        "KF_FIREWALL_TRUSTED": _list(opened.trusted),
        "KF_FIREWALL_CLUSTER": _list(opened.cluster),
        "KF_FIREWALL_CLUSTER_PORTS": _list(opened.cluster_ports),
        "KF_FIREWALL_SSH_FROM": _list(plan.firewall.ssh_from),
        "KF_MODULES": _list(plan.kernel.modules),
        "KF_SYSCTLS": _list(f"{key}={value}" for key, value in plan.kernel.sysctl.items()),
        "KF_KUBERNETES_VERSION": k.version or "",
        "KF_API_ENDPOINT": k.api or "",
        "KF_POD_CIDR": k.pods or "",
        "KF_SERVICE_CIDR": k.services or "",
        "KF_DNS_DOMAIN": k.dns_domain or "",
        "KF_NODE_LABELS": _list(f"{key}={value}" for key, value in k.labels.items()),
        "KF_NODE_TAINTS": _list(k.taints),
        "KF_KUBELET": _list(f"{key}={value}" for key, value in k.kubelet.items()),
        "KF_CALICO": plan.calico.encapsulation or "",
        "KF_PACKAGES": _list(third_party(plan, lock)),
        "KF_PACKAGES_LOCK": _list(locked(plan)),
    }
    facts.update(_repositories(plan))
    facts.update(_crio(plan, lock))
    facts.update(_tools(plan, lock))
    facts.update(_nvidia(plan.nvidia, plan.steps))
    fetched = [value for name, value in facts.items() if name.startswith(("KF_REPO_", "KF_TOOL_", "KF_CRIO_")) and name.endswith(("_URL", "_KEY"))]
    facts["KF_NO_PROXY"] = proxy.no_proxy(plan, fetched) if plan.proxy.http or plan.proxy.https else ""
    return facts


def used_repositories(plan: Plan) -> dict[str, Repository]:
    """The repositories a node of this plan is told of: NVIDIA's toolkit repository only where the toolkit is wanted."""
    unused = set() if "nvidia" in plan.steps else {"nvidia-container-toolkit"}
    return {name: repo for name, repo in plan.repositories.items() if name not in unused}


def third_party(plan: Plan, lock: Lock) -> tuple[str, ...]:
    """What the one pinned dnf transaction installs, sorted."""
    names = [lock.package(name, plan.kubernetes.version or "") or f"{name}-{plan.kubernetes.version}" for name in KUBERNETES]
    if "nvidia" in plan.steps and plan.nvidia.toolkit:
        names.extend(f"{name}-{plan.nvidia.toolkit}" for name in TOOLKIT)
    if plan.crio.source == "repo":
        names.append(f"cri-o-{plan.crio.version}")
    driver = plan.nvidia.driver
    if "driver" in plan.steps and driver and driver.mode in ("kmod", "dkms"):
        names.extend(driver.packages)
    names.extend(plan.packages.third_party)
    return tuple(sorted(set(names)))


def locked(plan: Plan) -> tuple[str, ...]:
    """Packages that a later `dnf update` must leave alone."""
    names = [*KUBERNETES, "cri-tools", "kubernetes-cni"]
    if "nvidia" in plan.steps:
        names.extend(TOOLKIT)
    if plan.crio.source == "repo":
        names.append("cri-o")
    if "driver" in plan.steps and plan.nvidia.driver and plan.nvidia.driver.mode in ("kmod", "dkms"):
        names.extend(("kmod-nvidia*", "nvidia-driver*"))
    return tuple(sorted(set(names)))


def fact_name(word: str) -> str:
    """A repository's or tool's id as part of a fact's name."""
    return re.sub(r"[^A-Z0-9]", "_", word.upper())


def _repositories(plan: Plan) -> dict[str, str]:
    repositories = used_repositories(plan)
    facts = {"KF_REPOS": _list(repositories)}
    for name, repo in repositories.items():
        key = repo.key
        prefix = f"KF_REPO_{fact_name(name)}"
        facts[f"{prefix}_URL"] = repo.url or ""
        facts[f"{prefix}_KEY"] = (key.url or key_path(name)) if key else ""
        facts[f"{prefix}_PROXY"] = proxy.plan_proxy(plan, repo.url)
        # One word: KEY_PROXY would be the proxy of a repository called NAME-key.
        facts[f"{prefix}_KEYPROXY"] = proxy.plan_proxy(plan, key.url) if key else ""
        facts[f"{prefix}_FINGERPRINT"] = (key.fingerprint or "") if key else ""
        facts[f"{prefix}_EXPIRED_OK"] = _yes(key.accept_expired if key else None)
    return facts


def key_path(repository: str) -> str:
    """Where a key that the site brings lies on the node."""
    return f"/etc/pki/rpm-gpg/kfimage-{repository}"


def _crio(plan: Plan, lock: Lock) -> dict[str, str]:
    crio = plan.crio
    pin = lock.pin("crio", crio.version or "") if crio.source == "bundle" else None
    url = (crio.url or (pin.url if pin else "")) if crio.source == "bundle" else ""
    return {
        "KF_CRIO_SOURCE": crio.source or "",
        "KF_CRIO_VERSION": crio.version or "",
        "KF_CRIO_URL": url,
        "KF_CRIO_PROXY": proxy.plan_proxy(plan, url),
        "KF_CRIO_SHA256": (crio.sha256 or (pin.sha256 if pin else "")) if crio.source == "bundle" else "",
        "KF_CRIO_RUNTIME": crio.runtime or "",
        "KF_PAUSE_IMAGE": crio.pause_image or "",
        "KF_REGISTRIES": _list(crio.registries),
        "KF_MIRRORS": _list(f"{registry}={mirror}" for registry, mirror in crio.mirrors.items()),
        "KF_INSECURE_REGISTRIES": _list(crio.insecure),
    }


def _tools(plan: Plan, lock: Lock) -> dict[str, str]:
    tools: Mapping[str, Tool] = plan.tools if "tools" in plan.steps else {}
    facts = {"KF_TOOLS": _list(tools)}
    for name, tool in tools.items():
        pin = lock.pin(name, tool.version or "")
        prefix = f"KF_TOOL_{fact_name(name)}"
        facts[f"{prefix}_VERSION"] = tool.version or ""
        url = tool.url or (pin.url if pin else "")
        facts[f"{prefix}_URL"] = url
        facts[f"{prefix}_PROXY"] = proxy.plan_proxy(plan, url)
        facts[f"{prefix}_SHA256"] = tool.sha256 or (pin.sha256 if pin else "")
    return facts


def _nvidia(nvidia: Nvidia, steps: tuple[str, ...]) -> dict[str, str]:
    driver = nvidia.driver if "driver" in steps else None
    wanted = "nvidia" in steps
    return {
        "KF_NVIDIA_DRIVER": (driver.mode or "none") if driver else "none",
        "KF_NVIDIA_DRIVER_VERSION": (driver.version or "") if driver else "",
        "KF_NVIDIA_TOOLKIT": (nvidia.toolkit or "") if wanted else "",
        "KF_NVIDIA_CDI": _yes(nvidia.cdi and wanted),
        "KF_NVIDIA_FABRIC_MANAGER": (nvidia.fabric_manager or "auto") if driver else "no",
        "KF_NVIDIA_PERSISTENCE": _yes(nvidia.persistence and driver is not None),
    }


def _with_port(endpoint: str | None, port: int) -> str:
    if not endpoint or re.search(r":[0-9]+\Z", endpoint.rpartition("]")[2] or endpoint):
        return endpoint or ""
    return f"{endpoint}:{port}"


def _list(words: Iterable[str]) -> str:
    return " ".join(words)


def _yes(value: object) -> str:
    return "yes" if value else "no"


