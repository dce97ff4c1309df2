"""The guide's defects: fixtures by listing, the guide itself, and our own scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfimage.errors import CHECKS
from kfimage.verify import guide

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "checks"
IDS = sorted(check for check in CHECKS if check.startswith("KF6"))

# The commands as the guide has them, with the blanks at the ends of its lines; step 13 mixes prose and commands.
GUIDE = {
    1: """\
swapoff -a

sed -i '/ swap / s/^\\(.*\\)$/#\\1/g' /etc/fstab\x20\x20\x20\x20\x20
""",
    2: """\
sed -i 's/^SELINUX=enforcing$/SELINUX=permissive/' /etc/selinux/config\x20\x20

sed -i 's/^SELINUX=disabled$/SELINUX=permissive/' /etc/selinux/config
""",
    3: """\
systemctl enable firewalld && systemctl start firewalld || true

sed -i 's/^FirewallBackend=nftables$/FirewallBackend=iptables/' /etc/firewalld/firewalld.conf

systemctl restart firewalld

firewall-cmd --permanent --add-port=179/tcp
firewall-cmd --permanent --add-port=443/tcp
firewall-cmd --permanent --add-port=6443/tcp
firewall-cmd --permanent --add-port=2379-2380/tcp
firewall-cmd --permanent --add-port=10250/tcp
firewall-cmd --permanent --add-port=10251/tcp
firewall-cmd --permanent --add-port=10252/tcp
firewall-cmd --permanent --add-port=15000-15090/tcp
firewall-cmd --permanent --add-port=30000-32767/tcp
firewall-cmd --permanent --add-port=9090/tcp
firewall-cmd --permanent --add-port=8008/tcp
firewall-cmd --permanent --add-port=8012/tcp
firewall-cmd --permanent --add-port=8013/tcp

firewall-cmd --reload
""",
    4: """\
cat <<EOF | tee /etc/modules-load.d/k8s.conf
overlay
br_netfilter
EOF

modprobe overlay
modprobe br_netfilter

cat <<EOF | tee /etc/sysctl.d/k8s.conf
net.bridge.bridge-nf-call-iptables  = 1
net.bridge.bridge-nf-call-ip6tables = 1
net.ipv4.ip_forward                 = 1
EOF

# reboot not needed
sysctl --system

lsmod | grep br_netfilter
lsmod | grep overlay

sysctl net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables net.ipv4.ip_forward
""",
    5: """\
export VERSION=1.26
export OS=CentOS_8

curl -L -o /etc/yum.repos.d/devel:kubic:libcontainers:stable.repo https://download.opensuse.org/repositories/devel:/kubic:/libcontainers:/stable/$OS/devel:kubic:libcontainers:stable.repo

curl -L -o /etc/yum.repos.d/devel:kubic:libcontainers:stable:cri-o:$VERSION.repo https://download.opensuse.org/repositories/devel:kubic:libcontainers:stable:cri-o:$VERSION/$OS/devel:kubic:libcontainers:stable:cri-o:$VERSION.repo

dnf install -y cri-o

systemctl enable crio
systemctl start crio
""",
    6: """\
cat <<EOF | tee /etc/yum.repos.d/kubernetes.repo
[kubernetes]
name=Kubernetes
baseurl=https://packages.cloud.google.com/yum/repos/kubernetes-el7-\\$basearch
enabled=1
gpgcheck=1
repo_gpgcheck=1
gpgkey=https://packages.cloud.google.com/yum/doc/yum-key.gpg https://packages.cloud.google.com/yum/doc/rpm-package-key.gpg
exclude=kubelet kubeadm kubectl
EOF

dnf install -y kubelet-1.25.10 kubeadm-1.25.10 kubectl-1.25.10 --disableexcludes=kubernetes

systemctl enable kubelet
systemctl start kubelet
""",
    7: """\
cat <<EOF | tee /etc/NetworkManager/conf.d/calico.conf
[keyfile]
unmanaged-devices=interface-name:cali*;interface-name:tunl*;interface-name:vxlan.calico;interface-name:vxlan-v6.calico;interface-name:wireguard.cali;interface-name:wg-v6.cali
EOF
""",
    8: """\
curl -s "https://raw.githubusercontent.com/kubernetes-sigs/kustomize/master/hack/install_kustomize.sh"  | bash

mv kustomize /usr/local/bin
""",
    9: """\
curl -fsSL -o get_helm.sh https://raw.githubusercontent.com/helm/helm/master/scripts/get-helm-3 \\
&& chmod 700 get_helm.sh \\\x20\x20
&& ./get_helm.sh
""",
    10: """\
curl -s -L https://nvidia.github.io/libnvidia-container/stable/rpm/nvidia-container-toolkit.repo | \\
tee /etc/yum.repos.d/nvidia-container-toolkit.repo

yum install -y nvidia-container-toolkit

nvidia-ctk runtime configure --runtime=crio

systemctl restart crio

# generate GPUs
nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml

# verify
podman run --rm --device nvidia.com/gpu=all ubuntu nvidia-smi -L
""",
    11: """\
helm upgrade -i nvdp nvdp/nvidia-device-plugin --namespace nvidia-device-plugin --create-namespace --version 0.14.0
""",
    12: """\
helm install --version 23.3.2 --values gpu_operator_values.yaml --create-namespace --namespace gpu-operator --devel nvidia/gpu-operator --set driver.enabled=False --set driver.repository='nvcr.io/nvidia',driver.imagePullSecrets[0]=registry-secret,driver.licensingConfig.configMapName=licensing-config,driver.version='545.23.08' --wait --generate-name
""",
    13: """\
1. Copy ~/.kube/config file to the worker node's $HOME/.kube directory
2. Retrieve kubernetes worker node join command

    kubeadm token create --print-join-command

3. Run the command provided by the previous step
4. Verify

    kubectl get nodes -o wide
""",
    14: """\
export KUBEFLOW_VERSION=v1.7.0

git clone https://github.com/kubeflow/manifests.git $HOME/kubeflow
cd $HOME/kubeflow && git checkout $KUBEFLOW_VERSION\x20\x20\x20\x20\x20\x20\x20\x20

while ! kustomize build example | awk '!/well-defined/' | kubectl apply -f -; do echo "Retrying to apply resources"; sleep 10; done

# Verify

    kubectl get pods -n kubeflow -o wide
""",
}
EXPECTED = {
    1: {"KF6011"},
    2: {"KF6022"},
    3: {"KF6031", "KF6032", "KF6033", "KF6035", "KF6036", "KF6037", "KF6038"},
    4: {"KF6041", "KF6042"},
    5: {"KF6051", "KF6052", "KF6053"},
    6: {"KF6061", "KF6062", "KF6063"},
    7: {"KF6071"},
    8: {"KF6081"},
    9: {"KF6091", "KF6092"},
    10: {"KF6053", "KF6101", "KF6102", "KF6103", "KF6104"},
    11: {"KF6111", "KF6112"},
    12: {"KF6111", "KF6121", "KF6122", "KF6123", "KF6125"},
    13: {"KF6131", "KF6132"},
    14: {"KF6141", "KF6142", "KF6143"},
}
BEYOND = {"KF6021", "KF6034", "KF6124"}
"""Not in one step of the guide: the two ways people repair it wrongly, and what steps 11 and 12 do together."""


def ids(text: str, path: str = "x.sh") -> set[str]:
    return {problem.id for problem in guide.check_text(text, path)}


@pytest.mark.parametrize("check", IDS)
def test_fixture(check: str) -> None:
    assert check in ids((FIXTURES / check / "fail.sh").read_text())
    assert not ids((FIXTURES / check / "pass.sh").read_text())


def test_every_folder_has_its_check() -> None:
    assert IDS == sorted(path.name for path in FIXTURES.glob("KF6*")) == sorted(guide.STEPS)


@pytest.mark.parametrize("step", GUIDE)
def test_the_guide_itself(step: int) -> None:
    """Prose between the commands of a step holds an apostrophe, so each block is read by itself."""
    blocks = GUIDE[step].split("\n\n") if step == 13 else [GUIDE[step]]
    assert set().union(*(ids(block) for block in blocks)) == EXPECTED[step]


def test_every_defect_is_in_the_guide_or_said_to_be_beyond_it() -> None:
    assert set(IDS) == set().union(*EXPECTED.values()) | BEYOND
    assert "KF6124" in ids(GUIDE[11] + GUIDE[12])


def test_a_finding_names_step_why_and_remedy() -> None:
    (problem,) = guide.check_text(GUIDE[1], "a.sh", first_line=10)
    assert problem.mark == ("a.sh", 12, 1)
    assert problem.message.startswith("guide step 1: sed / swap /")
    assert "tabs" in problem.message and "autopart --noswap" in problem.hint


def test_inside_a_kickstart() -> None:
    text = (
        "selinux --disabled\nfirewall --enabled --port=10251:tcp,9090:tcp\n"
        "repo --name=k --baseurl=https://packages.cloud.google.com/yum/repos/kubernetes-el7-x86_64\n"
        "%packages\ncri-o\ndon't\n%end\n%post --log=/root/post.log\n# yum install nvidia-container-toolkit\n"
        "yum install -y nvidia-container-toolkit\n%end\n"
    )
    marks = {(problem.id, problem.mark.line) for problem in guide.check_text(text, "node.ks")}
    assert marks == {
        ("KF6021", 1), ("KF6032", 2), ("KF6033", 2), ("KF6061", 3), ("KF6052", 5), ("KF6101", 10)}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "# kubeadm token create --print-join-command",
        "echo 'sed -i \"/ swap / s/^/#/\" /etc/fstab'",
        "die 'never run firewall-cmd --reload here'",
        "grep -q packages.cloud.google.com /etc/yum.repos.d/kubernetes.repo",
        "sed -i '/\\sswap\\s/s/^#*/#/' /etc/fstab",
        "sed -n '/ swap /p' /etc/fstab",
        'dnf install -y "nvidia-container-toolkit-$version"',
        "grep -q ^SELINUX=disabled /etc/selinux/config",
        "rsync -a /etc/cdi/ host:/etc/cdi/",
    ],
)
def test_what_only_looks_like_it(text: str) -> None:
    assert not ids(text)


def test_own_files_are_free_of_them() -> None:
    for path in sorted(p for folder in ("firstboot", "kickstart") for p in (ROOT / folder).rglob("*") if p.is_file()):
        problems = guide.check_text(path.read_text(errors="replace"), str(path.relative_to(ROOT)))
        assert not problems, "\n".join(map(str, problems))


@given(
    st.lists(
        st.one_of(st.text(max_size=20), st.sampled_from(["%post", "%end", "%packages", *GUIDE.values()])), max_size=8
    )
)
@settings(deadline=None, max_examples=60)
def test_nothing_raises_and_marks_point_into_the_text(parts: list[str]) -> None:
    text = "\n".join(parts)
    for problem in guide.check_text(text, "x"):
        assert 1 <= problem.mark.line <= text.count("\n") + 1
