"""facts.env, the firewall behind it, boot files, the payload: what a node is told and carries."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile

import kit
import pytest

from kfimage.render import facts
from kfimage.render.payload import Payload, destination


def made(site: str, node: str = "") -> dict[str, str]:
    plan = kit.plan(kit.HEAD + site + f"nodes: {{n: {{role: gpu-worker, {node}}}}}\n", "n")
    (one,) = kit.rendered([plan])
    assert kit.errors(one.report) == []
    return kit.facts(one.kickstart)


@pytest.mark.parametrize(
    ("site", "wanted"),
    [
        ("kernel: {sysctl: {vm.swappiness: 0, net.ipv4.ip_forward: 1}}\n", {"KF_SYSCTLS": "net.ipv4.ip_forward=1 vm.swappiness=0"}),
        ("crio: {mirrors: {quay.io: m:5000/q, docker.io: m:5000/d}, insecure: [m:5000]}\n", {"KF_MIRRORS": "docker.io=m:5000/d quay.io=m:5000/q", "KF_INSECURE_REGISTRIES": "m:5000"}),
        ("proxy: {http: 'http://p:3128', except_for: [.lab]}\nkubernetes: {api: '10.0.0.9:6443'}\n",
         {"KF_HTTPS_PROXY": "http://p:3128", "KF_NO_PROXY": "localhost,127.0.0.1,::1,.cluster.local,.svc,192.168.0.0/16,10.96.0.0/12,10.0.0.9,.lab"}),
        ("", {"KF_NO_PROXY": "", "KF_HTTP_PROXY": "", "KF_STEPS_": ""}),
        ("selinux: enforcing\nboot: {secure: yes}\n", {"KF_SELINUX": "enforcing", "KF_SECURE_BOOT": "yes"}),
        ("firewall: {preset: guide}\n", {"KF_FIREWALL_CLUSTER_PORTS": " ".join(["179/tcp", "443/tcp", "2379-2380/tcp", "6443/tcp", "8008/tcp", "8012/tcp", "8013/tcp", "9090/tcp", "10250/tcp",
                                                                              "10251/tcp", "10252/tcp", "15000-15090/tcp", "30000-32767/tcp"])}),
        ("calico: {encapsulation: vxlan, typha: yes, wireguard: yes}\nfirewall: {ports: []}\n", {"KF_FIREWALL_PROTOCOLS": "", "KF_CALICO": "vxlan"}),
        ("calico: {encapsulation: ipip}\n", {"KF_FIREWALL_PROTOCOLS": "4"}),
        ("kubernetes: {taints: ['a=b:NoSchedule', 'c:NoExecute'], labels: {z: '1', a: ''}}\n", {"KF_NODE_TAINTS": "a=b:NoSchedule c:NoExecute", "KF_NODE_LABELS": "a= z=1"}),
    ],
)
def test_the_facts_of_a_site(site: str, wanted: dict[str, str]) -> None:
    found = made(site)
    assert {name: found.get(name, "") for name in wanted} == wanted


def test_bash_reads_every_fact_back_as_it_is() -> None:
    found = made("kernel: {args: ['a=b,c*~+%'], sysctl: {kernel.core_pattern: '/x/%e.*~[a]=+@'}}\nproxy: {http: 'http://[fd00::1]:3128'}\n")
    text = facts.text(found)
    script = text + "".join(f'printf "%s\\0" "${name}"\n' for name in found)
    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, check=True, env={"HOME": "/root"})
    assert done.stdout.decode().split("\0")[:-1] == list(found.values())


@pytest.mark.parametrize("value", ['a"b', "a$b", "a`b", "a\\b", "a\nb", "a!b", "a'b", "a;b", "a&b", "ä", "a{b}", "a|b", "a#b", "\t"])
def test_a_fact_outside_the_alphabet_is_never_written(value: str) -> None:
    with pytest.raises(ValueError, match="cannot be a fact"):
        facts.text({"KF_X": value})


def test_every_fact_a_step_needs_is_written() -> None:
    catalog = kit.catalog()
    for role in catalog.roles():
        found = kit.pipeline(kit.HEAD)
        (plan,) = found.plans([role])
        (one,) = kit.rendered([plan])
        known = kit.facts(one.kickstart)
        for step in plan.steps:
            for need in catalog.step(step).needs:
                assert any(f.startswith(need[:-1]) if need.endswith("*") else f == need for f in known), (role, step, need)


def test_two_repositories_never_share_their_facts() -> None:
    key = "{url: http://h/k, fingerprint: DE15B14486CD377B9E876E1A234654DA9A296436}"
    site = kit.HEAD + f"repositories: {{a-b: {{url: http://h/1, key: {key}}}, a.b: {{url: http://h/2, key: {key}}}}}\nnodes: {{n: {{role: cpu-worker}}}}\n"
    (error,) = kit.problems(site)
    assert error.startswith("site.yaml:3:") and "a-b" in error and "a.b" in error


def test_the_payload_is_a_tar_that_says_nothing_of_who_made_it() -> None:
    payload = Payload(kit.catalog())
    assert payload.tar == Payload(kit.catalog()).tar
    with tarfile.open(fileobj=io.BytesIO(payload.tar)) as tar:
        members = tar.getmembers()
        assert [m.name for m in members] == sorted(payload.files)
        for member in members:
            data, mode = payload.files[member.name]
            extracted = tar.extractfile(member)
            assert extracted is not None and extracted.read() == data
            assert (member.mode, member.mtime, member.uid, member.gid, member.uname, member.gname) == (mode, 0, 0, 0, "root", "root")
            assert member.isfile() and mode in (0o644, 0o755) and not member.name.startswith("/") and ".." not in member.name


def test_the_embedded_payload_is_that_tar() -> None:
    tree = kit.tree(kit.HEAD + "nodes: {n: {role: cpu-worker}}\n")
    tar = next(a.content for a in tree.values() if a.kind == "payload")
    kickstart = tree["kickstart/n.ks"].content.decode()
    assert kit.heredocs(kickstart)["/var/lib/kfimage/payload.tar"] == tar
    by_url = kit.tree(kit.HEAD + "boot: {url: http://b/k}\nnodes: {n: {role: cpu-worker}}\n")
    text = by_url["kickstart/n.ks"].content.decode()
    path = next(a.path for a in by_url.values() if a.kind == "payload")
    assert "/var/lib/kfimage/payload.tar" not in kit.heredocs(text) and f"http://b/k/{path}" in text
    for one in (kickstart, text):
        assert re.search(r"^printf '%s  %s\\n' [0-9a-f]{64} /var/lib/kfimage/payload\.tar \| sha256sum --check", one, re.M)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("step", "usr/libexec/kfimage/step"), ("lib.sh", "usr/libexec/kfimage/lib.sh"), ("units/kfimage.target", "etc/systemd/system/kfimage.target"),
     ("steps/a/run.sh", "usr/libexec/kfimage/steps/a/run.sh"), ("steps/a/kfimage-a.service", "etc/systemd/system/kfimage-a.service"), ("steps/a/step.yaml", None),
     ("steps/a/files/etc/x.service", "usr/libexec/kfimage/steps/a/files/etc/x.service")],
)
def test_where_a_file_of_firstboot_lies_on_the_node(path: str, wanted: str) -> None:
    assert destination(path) == wanted
