"""The rack's site with the test's mirror in it, rendered by the real command."""

from __future__ import annotations

import base64
from pathlib import Path

import kit

from .machine import SERVER
from .world import CRIO, DRIVER, HELM, KUBE, KUSTOMIZE, TOOLKIT, World

SECRET = base64.b64encode(b"puller:not-in-any-log").decode()

_SITE = f"""\
kfimage: 1
site: lab
release: rhel-8.7
install: {{url: {SERVER}/BaseOS, repos: {{appstream: {SERVER}/AppStream}}}}
boot: {{url: {SERVER}/kfimage}}
access:
  admin: ops
  ssh_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB3KXFKLahgIm9yOq3Ga3Eozs3a8mWXBM/XPFUpWxjt6 ops@lab
time: {{ntp: [10.20.0.1]}}
network: {{dns: [10.20.0.1], search: [lab.example.org], gateway: 10.20.1.1}}
kernel: {{modules: [nvme_tcp], sysctl: {{vm.max_map_count: 262144}}}}
kubernetes: {{version: {KUBE}, api: "10.20.0.10:6443", pods: 10.244.0.0/16, labels: {{example.org/rack: a}}, kubelet: {{maxPods: 110}}}}
firewall: {{cluster: [10.20.1.0/24, "fd00:20:1::/64"], ssh_from: [10.20.0.0/24], extra: [9100/tcp]}}
crio:
  version: {CRIO}
  url: {SERVER}/files/cri-o.tar.gz
  sha256: CRIO_SHA256
  mirrors: {{docker.io: "mirror.lab:5000/docker"}}
  pull_credentials: {{file: secrets/pull-auth.json}}
repositories:
  kubernetes: {{url: {SERVER}/kubernetes, key: {{url: {SERVER}/keys/kubernetes.asc, fingerprint: KUBERNETES_KEY}}}}
  nvidia-container-toolkit: {{url: {SERVER}/nvidia, key: {{url: {SERVER}/keys/nvidia.asc, fingerprint: NVIDIA_KEY}}}}
  lab-drivers: {{url: {SERVER}/drivers, key: {{file: keys/drivers.asc, fingerprint: DRIVERS_KEY}}}}
files: {{/etc/profile.d/lab.sh: {{content: "export LAB=rack\\n"}}}}
hooks: {{post: [hooks/asset-tag.sh], firstboot: [hooks/burn-in.sh]}}
report: {{url: {SERVER}/report, syslog: "10.20.0.9:514"}}
roles:
  gpu-worker:
    nvidia: {{driver: {{mode: kmod, version: {DRIVER}, packages: [kmod-nvidia-{DRIVER}-1.el8_7]}}, toolkit: {TOOLKIT}}}
    kubernetes: {{taints: ["nvidia.com/gpu=present:NoSchedule"]}}
  control-plane:
    waive: [crio.pull_credentials]
    tools:
      helm: {{version: {HELM}, url: {SERVER}/files/helm.tar.gz, sha256: HELM_SHA256}}
      kustomize: {{version: {KUSTOMIZE}, url: {SERVER}/files/kustomize.tar.gz, sha256: KUSTOMIZE_SHA256}}
nodes:
  gpu-01: {{role: gpu-worker, mac: "52:54:00:20:03:01", address: 10.20.1.31/24}}
  cp-01: {{role: control-plane, mac: "52:54:00:20:01:01", address: 10.20.1.11/24}}
"""


def site(world: World) -> str:
    """The site's text, with the pins of what the mirror really has."""
    text = _SITE.replace("CRIO_SHA256", world.crio).replace("HELM_SHA256", world.helm).replace("KUSTOMIZE_SHA256", world.kustomize)
    return text.replace("KUBERNETES_KEY", world.kubernetes).replace("NVIDIA_KEY", world.nvidia).replace("DRIVERS_KEY", world.drivers)


def render(folder: Path, world: World) -> dict[str, str]:
    """Write the site's folder, run `kfimage render`, put the tree on the mirror; each node's kickstart."""
    (folder / "site.yaml").parent.mkdir(parents=True)
    (folder / "site.yaml").write_text(site(world))
    for name, text in {
        "keys/drivers.asc": (world.folder / "keys" / "drivers.asc").read_text(),
        "secrets/pull-auth.json": f'{{"auths": {{"docker.io": {{"auth": "{SECRET}"}}}}}}\n',
        "hooks/asset-tag.sh": '#!/bin/bash\nset -e\nprintf "%s %s\\n" "$KF_NODE" "$KF_ROLE" > /etc/asset-tag\n',
        "hooks/burn-in.sh": "#!/bin/bash\nset -e\ndate +%s%N >> /var/lib/burn-in\n",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    done = kit.run("render", "-o", str(world.folder / "kfimage"), cwd=folder)
    assert done.returncode == 0, done.stderr
    return {name: (world.folder / "kfimage" / "kickstart" / f"{name}.ks").read_text() for name in ("gpu-01", "cp-01")}
