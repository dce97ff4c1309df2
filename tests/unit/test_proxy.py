"""Which proxy an address is reached through, and that installer, node and proof all ask the same function."""

from __future__ import annotations

from typing import Optional

import kit
import pytest

from kfimage.model import Proxy
from kfimage.render import netboot
from kfimage.render.proxy import LOOPBACK, proxy_of

BOTH = Proxy(http="http://p:1", https="http://s:2")


@pytest.mark.parametrize(
    ("except_for", "url", "wanted"),
    [
        ((), "http://h/x", "http://p:1"), ((), "https://h/x", "http://s:2"), ((), "ftp://h/x", "http://p:1"), ((), "nfs:h:/x", ""), ((), "", ""),
        ((), "http://localhost:8080/x", ""), ((), "http://127.0.0.1/x", ""), ((), "http://[::1]:80/x", ""),
        ((".lab",), "http://a.lab/x", ""), ((".lab",), "http://lab/x", "http://p:1"), ((".lab",), "http://slab/x", "http://p:1"), ((".LAB",), "http://A.lab", ""),
        (("lab",), "http://lab/x", ""), (("lab",), "http://a.lab/x", ""), (("lab",), "http://slab/x", "http://p:1"),
        (("10.20.0.0/16",), "https://10.20.255.1/x", ""), (("10.20.0.0/16",), "https://10.21.0.1/x", "http://s:2"), (("10.20.0.0/16",), "https://h/x", "http://s:2"),
        (("fd00::/8",), "http://[fd00::5]:80/x", ""), (("fd00::/8",), "http://10.0.0.1/x", "http://p:1"), (("0.0.0.0/0",), "http://[fd00::5]/x", "http://p:1"),
        (("10.0.0.1",), "http://10.0.0.1:8080/x", ""), (("0.1",), "http://10.0.0.1/x", "http://p:1"), (("fd00::5",), "http://[fd00::5]/x", ""),
        (("m.lab:5000",), "http://m.lab:5000/x", ""), (("m.lab:5000",), "http://m.lab/x", "http://p:1"), (("m.lab:80",), "http://m.lab/x", ""),
        (("*",), "https://h/x", ""), (("not/a/network",), "http://h/x", "http://p:1"),
    ],
)
def test_the_proxy_of_an_address(except_for: tuple[str, ...], url: str, wanted: str) -> None:
    assert proxy_of(Proxy(http=BOTH.http, https=BOTH.https, except_for=except_for), url, LOOPBACK) == wanted


@pytest.mark.parametrize(
    ("proxy", "url", "wanted"),
    [(Proxy(http="http://p:1"), "https://h", "http://p:1"), (Proxy(https="http://s:2"), "http://h", ""), (Proxy(https="http://s:2"), "https://h", "http://s:2"), (Proxy(), "http://h", "")],
)
def test_https_falls_back_to_the_http_proxy_and_never_the_other_way(proxy: Proxy, url: str, wanted: str) -> None:
    assert proxy_of(proxy, url) == wanted


PROXY = "proxy: {http: 'http://p:3128', https: 'http://s:3129', except_for: [.lab, 10.20.0.0/16]}\n"


def lines(site: str) -> tuple[str, tuple[str, ...], dict[str, str]]:
    plan = kit.plan(kit.HEAD + PROXY + site + "nodes: {n: {role: control-plane, mac: 52:54:00:00:00:01}}\n", "n")
    (one,) = kit.rendered([plan])
    assert kit.errors(one.report) == [], "the proof asks the same function"
    return one.kickstart, netboot.inst_args(plan, "http://b"), kit.facts(one.kickstart)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [("http://vendor.example/r", "http://p:3128"), ("https://vendor.example/r", "http://s:3129"), ("http://10.20.0.5/r", None), ("https://mirror.lab/r", None), ("http://192.168.3.4/r", None)],
)
def test_the_install_source_and_the_kernel_line_use_the_proxy_that_applies(url: str, proxy: Optional[str]) -> None:
    kickstart, args, _ = lines(f"install: {{url: '{url}', repos: {{a: '{url}/a', b: {{url: '{url}/b', proxy: 'http://own:1'}}}}}}\n")
    said = {line.split()[0] + line.split()[1][-2:]: line for line in kickstart.splitlines() if line.startswith(("url ", "repo "))}
    for word in ("url/r", "repo=a"):
        assert (f"--proxy={proxy}" in said[word]) if proxy else ("--proxy" not in said[word])
    assert "--proxy=http://own:1" in said["repo=b"]
    assert [a for a in args if a.startswith("inst.proxy")] == ([f"inst.proxy={proxy}"] if proxy else [])


@pytest.mark.parametrize(("server", "proxy"), [("", " --proxy=http://s:3129"), (", server: sat.lab", ""), (", server: sat.example", " --proxy=http://s:3129")])
def test_rhsm_is_given_its_proxy(server: str, proxy: str) -> None:
    rhsm = f"install: {{rhsm: {{organization: a, activation_key: {{env: K}}{server}}}, stage2: 'https://vendor.example/r'}}\nwaive: [install.rhsm.activation_key]\n"
    kickstart, args, facts = lines(rhsm)
    (line,) = [line for line in kickstart.splitlines() if line.startswith("rhsm ")]
    assert line.endswith("plain:install.rhsm.activation_key@" + (f" --server-hostname={server[10:]}" if server else "") + proxy)
    assert facts["KF_RHSM_PROXY"] == proxy.partition("=")[2]
    assert "inst.stage2=https://vendor.example/r" in args and "inst.proxy=http://s:3129" in args


def test_the_node_is_told_the_proxy_of_each_address() -> None:
    key = "fingerprint: DE15B14486CD377B9E876E1A234654DA9A296436"
    _, _, facts = lines(
        f"repositories: {{kubernetes: {{url: 'http://10.20.0.5/k8s', key: {{url: 'https://pkgs.example/key', {key}}}}}, a: {{url: 'https://pkgs.example/a', key: {{url: 'http://m.lab/key', {key}}}}}}}\n"
        f"crio: {{url: 'https://mirror.lab/crio.tar.gz', sha256: {'0' * 64}}}\ntools: {{helm: {{version: 3.0.0, url: 'https://get.example/helm', sha256: {'0' * 64}}}}}\n"
    )
    wanted = {
        "KF_REPO_KUBERNETES_PROXY": "", "KF_REPO_KUBERNETES_KEYPROXY": "http://s:3129", "KF_REPO_A_PROXY": "http://s:3129", "KF_REPO_A_KEYPROXY": "",
        "KF_CRIO_PROXY": "", "KF_TOOL_HELM_PROXY": "http://s:3129",
    }
    assert {name: facts[name] for name in wanted} == wanted
    assert "10.20.0.5" in facts["KF_NO_PROXY"].split(","), "dnf and curl know no networks: what is reached directly is named by host"


def test_image_pulls_go_around_the_proxy_for_the_racks_own_servers() -> None:
    _, _, facts = lines(
        "boot: {url: 'http://boot.rack:8080/k'}\ninstall: {url: 'http://[fd00::7]/r'}\nreport: {url: 'http://report.rack/x'}\nfirewall: {cluster: [10.30.0.0/16]}\n"
        "disk: {encrypt: {tang: {url: 'http://tang.rack', thumbprint: WVIfHzDoT2pM2bwWrCXvH1gWPKkMvLDF9wyHmvHnRXQ}}}\n"
        "crio: {mirrors: {docker.io: 'mirror.rack:5000/docker'}, insecure: ['plain.rack:5001']}\nkubernetes: {api: 'api.rack:6443'}\n"
    )
    direct = set(facts["KF_NO_PROXY"].split(","))
    assert {"boot.rack", "fd00::7", "report.rack", "tang.rack", "mirror.rack", "plain.rack", "api.rack", "10.30.0.0/16", ".lab", "10.20.0.0/16", ".svc", "127.0.0.1"} <= direct


def test_the_networks_of_the_nodes_own_addresses_are_told() -> None:
    site = kit.HEAD + PROXY + "nodes: {n: {role: cpu-worker, mac: 52:54:00:00:00:01, address: [10.7.1.9/24, 'fd00::9/64']}}\n"
    (one,) = kit.rendered([kit.plan(site, "n")])
    assert kit.facts(one.kickstart)["KF_NODE_NETWORKS"] == "10.7.1.0/24 fd00::/64"


@pytest.mark.parametrize("text", ["http://10.20.0.9", "http://proxy.lab/", "http://[fd00::1]", "http://proxy.lab:3128/path"])
def test_a_proxy_has_its_port(text: str) -> None:
    (error,) = kit.problems(kit.HEAD + f"proxy: {{http: '{text}'}}\n")
    assert "proxy.http" in error and "port" in error
