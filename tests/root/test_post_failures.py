"""What goes wrong at three in the morning, provoked: each fault ends in a clear state with its reason, never in success.

The kickstart is the same one that installs well in test_post.py; only the mirror has changed.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest

from .conftest import SOAK, Lab
from .machine import Node, Result
from .world import KUBE

pytestmark = pytest.mark.slow
soak = pytest.mark.skipif(not SOAK, reason="minutes: KFIMAGE_SOAK=1 runs it")


class Fault(NamedTuple):
    """`step` must not call itself installed, `said` stands on the console, `next` is the command it names."""

    rules: tuple[dict[str, Any], ...]
    step: str
    said: str
    next: str


def instead(there: str, here: str) -> dict[str, Any]:
    return {"prefix": there, "alias": here}


_DNF = rf"packages: dnf could not install the pinned packages .*kubelet-{KUBE}\S*: "
_DNF_LOG = "read /var/log/kfimage-dnf.log"
FAULTS = {
    "another key at the key's address": Fault(
        (instead("/keys/kubernetes.asc", "/keys/other.asc"),), "packages",
        r"packages: \S+ holds the key OTHER, which repository kubernetes does not pin \(pinned: KUBERNETES\)", "gpg --show-keys",
    ),
    "the expired copy of the pinned key": Fault(
        (instead("/keys/kubernetes.asc", "/keys/kubernetes-expired.asc"),), "packages",
        r"packages: the key KUBERNETES of repository kubernetes expired on 2021-12-31", "use the vendor's renewed copy of the same key",
    ),
    "a page that is no key": Fault(
        (instead("/keys/kubernetes.asc", "/kfimage/index.json"),), "packages", r"packages: \S+ holds no OpenPGP key", "gpg --show-keys",
    ),
    "the key is gone": Fault(
        ({"prefix": "/keys/kubernetes.asc", "status": 404},), "packages",
        r"packages: cannot fetch the key of repository kubernetes from http://\S+/keys/kubernetes.asc", "curl -I http://",
    ),
    "packages signed by another key": Fault((instead("/kubernetes/", "/kubernetes-other/"),), "packages", _DNF + r"Public key for \S+ is not installed.*Error: GPG check FAILED", _DNF_LOG),
    "packages not signed": Fault((instead("/kubernetes/", "/kubernetes-unsigned/"),), "packages", _DNF + r"Package \S+ is not signed; Error: GPG check FAILED", _DNF_LOG),
    "the pinned version is gone": Fault((instead("/kubernetes/", "/kubernetes-newer/"),), "packages", _DNF + "Error: Unable to find a match", "'Unable to find a match' means"),
    "the repository is gone": Fault(({"prefix": "/kubernetes/", "status": 404},), "packages", _DNF + "Status code: 404 for http://", _DNF_LOG),
    "an RPM with other bytes": Fault(
        (instead(f"/kubernetes/kubelet-{KUBE}", f"/kubernetes/kubectl-{KUBE}"),), "packages", _DNF + r"\[FAILED\] kubelet", _DNF_LOG,
    ),
    "a package's script fails": Fault(
        (instead("/kubernetes/", "/kubernetes-scriptlet/"),), "packages", r"packages: a package's script failed: .*kubelet", "dnf reinstall",
    ),
    "a bundle with other bytes": Fault(
        (instead("/files/cri-o.tar.gz", "/files/helm.tar.gz"),), "crio",
        r"crio: http://\S+/files/cri-o.tar.gz is not the file that was pinned: wanted sha256 CRIO, got [0-9a-f]{64}", "compare with kfimage.lock",
    ),
    "the bundle is gone": Fault(
        ({"prefix": "/files/cri-o.tar.gz", "status": 404},), "crio", r"crio: cannot fetch http://\S+/files/cri-o.tar.gz", "curl -I http://",
    ),
    "a payload with other bytes": Fault(
        (instead("/kfimage/firstboot/payload", "/files/helm.tar.gz?"),), "",
        r"has stopped: the first-boot payload is not the one of this kickstart", "next: render again, and copy kickstart/ and firstboot/ together",
    ),
    "the payload is gone": Fault(({"prefix": "/kfimage/firstboot/", "status": 404},), "", r"has stopped: cannot fetch http://\S+/payload-", "next: curl -I http://"),
}  # fmt: skip


def pinned(lab: Lab, pattern: str) -> str:
    world = lab.rack.world
    return pattern.replace("KUBERNETES", world.kubernetes).replace("OTHER", world.other).replace("CRIO", world.crio)


def announcement(result: Result) -> str:
    """The lines that a person in front of the machine sees."""
    match = re.search(r"^kfimage: the installation has stopped: .*?^kfimage: this node is not ready", result.output, re.M | re.S)
    assert match, result.output
    return match.group(0)


def never_ready(node: Node, step: str) -> None:
    """Nothing of it would start as a node: no unit of ours is enabled, and the step has no stamp."""
    assert not node.file("/etc/systemd/system/multi-user.target.wants/kfimage.target").is_symlink()
    assert not node.file("/etc/systemd/system/kfimage.target.requires").exists()
    assert not (step and node.file(f"/var/lib/kfimage/installed/{step}").exists())
    assert not node.file("/var/lib/kfimage/installed/ready").exists()


_SLOW = ("the key is gone", "the bundle is gone")
"""A quarter of a minute of trying again each; the payload's own loop is seen in any case."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=soak) if name in _SLOW else name for name in FAULTS])
def test_a_fault_stops_the_installation_and_says_why(lab: Lab, name: str) -> None:
    fault = FAULTS[name]
    lab.rack.faults(*fault.rules)
    node, result = lab.install("cp-01")
    assert result.held, result.output
    shown = announcement(result)
    assert re.search(pinned(lab, fault.said), shown), result.output
    assert fault.next in shown
    never_ready(node, fault.step)
    # On disk as well, while it holds; and told once.
    assert shown in node.text("/var/log/kfimage/post.log")
    (told,) = lab.rack.posted()
    assert (told["node"], told["step"], told["state"]) == ("cp-01", "install", "failed")
    assert re.search(pinned(lab, fault.said).replace("has stopped: ", ""), told["message"]), told


def test_the_expired_key_installs_when_the_site_accepts_it_by_name(lab: Lab) -> None:
    lab.rack.faults(instead("/keys/kubernetes.asc", "/keys/kubernetes-expired.asc"))
    node = lab.rack.node()
    script = lab.post("cp-01").replace('KF_REPO_KUBERNETES_EXPIRED_OK="no"', 'KF_REPO_KUBERNETES_EXPIRED_OK="yes"')
    result = node.execute(script)
    assert result.status == 0, result.output
    assert re.search(r"^<4>packages: the key \w+ of repository kubernetes expired on 2021-12-31; the site accepts that by name$", result.output, re.M)


_EVERYTHING = ("/kfimage/firstboot/", "/keys/kubernetes.asc", "/kubernetes/repodata/repomd.xml", f"/kubernetes/kubelet-{KUBE}", "/files/cri-o.tar.gz", "/files/helm")


@pytest.mark.parametrize("what", [{"status": 503}, {"drop": True}, {"delay": 2}], ids=["503", "dropped connection", "two seconds of silence"])
def test_what_happens_once_to_every_download_does_not_stop_the_installation(lab: Lab, what: dict[str, Any]) -> None:
    lab.rack.faults(*({"prefix": prefix, "times": 1, **what} for prefix in _EVERYTHING))
    node, result = lab.install("cp-01")
    assert result.status == 0, result.output
    asked = "\n".join(lab.rack.asked())
    for prefix in _EVERYTHING:
        again = len(re.findall(re.escape(f"GET {prefix}"), asked))
        assert again >= (1 if "delay" in what else 2), f"{prefix}\n{asked}"
    assert node.sh("rpm -q kubelet; helm version --short").startswith(f"kubelet-{KUBE}")


def test_the_boot_server_is_absent(lab: Lab) -> None:
    """Nothing can be fetched and nobody told: it holds all the same, and the report's failure is no second fault."""
    lab.rack.inside("ip", "address", "delete", "10.20.0.5/32", "dev", "lo")
    try:
        node, result = lab.install("gpu-01")
    finally:
        lab.rack.inside("ip", "address", "add", "10.20.0.5/32", "dev", "lo")
    assert result.held, result.output
    assert re.search(r"has stopped: cannot fetch http://\S+/payload-[0-9a-f]{16}.tar", announcement(result))
    never_ready(node, "packages")


def test_a_failed_script_of_a_package_is_not_forgotten_by_trying_again(lab: Lab) -> None:
    lab.rack.faults(instead("/kubernetes/", "/kubernetes-scriptlet/"))
    node, first = lab.install("cp-01")
    assert first.held
    lab.rack.faults()
    again = node.execute(lab.post("cp-01"))
    assert again.held, again.output
    assert "a package's script failed" in announcement(again)
    node.sh("dnf -y -q --refresh --disableexcludes=all reinstall kubelet && rm /var/log/kfimage-dnf.log")
    assert node.execute(lab.post("cp-01")).status == 0


def test_a_hook_that_fails_stops_the_installation(lab: Lab) -> None:
    node = lab.rack.node()
    node.file("/etc/asset-tag").mkdir()
    result = node.execute(lab.post("gpu-01"))
    assert result.held
    assert "hooks: /etc/kfimage/hooks/post.d/01-asset-tag.sh ended with status 1" in announcement(result)
    never_ready(node, "hooks")


def test_a_full_disk_stops_the_installation(lab: Lab) -> None:
    """/opt cannot be written: rpm says so, and nothing later takes the node for installed."""
    node = lab.rack.node()
    node.file("/opt").rmdir()
    node.file("/opt").write_text("not a folder\n")
    result = node.execute(lab.post("cp-01"))
    assert result.held, result.output
    never_ready(node, "packages")


def test_a_secret_in_a_failing_line_is_not_announced(lab: Lab) -> None:
    from .rendering import SECRET

    node = lab.rack.node()
    file = node.file("/etc/kfimage/secrets/pull-auth")
    file.mkdir(parents=True)
    result = node.execute(lab.post("cp-01"))
    assert result.held
    assert "/etc/kfimage/secrets/pull-auth" in announcement(result)
    heredoc = re.search(r"secrets/pull-auth <<'KF_END'\n(\S+)\n", lab.kickstarts["cp-01"])
    assert heredoc
    for text in (result.output, node.text("/var/log/kfimage/post.log"), str(lab.rack.posted())):
        assert heredoc.group(1)[:40] not in text
        assert SECRET not in text


@soak
@pytest.mark.parametrize("prefix, said", [
    ("/kfimage/firstboot/", "cannot fetch"), ("/keys/kubernetes.asc", "cannot fetch the key"), ("/kubernetes/", "dnf could not install"),
    ("/files/cri-o.tar.gz", "cannot fetch"),
])  # fmt: skip
def test_a_mirror_that_never_answers_ends_in_bounded_time(lab: Lab, prefix: str, said: str) -> None:
    lab.rack.faults({"prefix": prefix, "hang": True})
    _, result = lab.install("cp-01", timeout=1500)
    assert result.held
    assert said in announcement(result)
    assert result.seconds < 900
