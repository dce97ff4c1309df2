"""access, log: exact files."""

from __future__ import annotations

import pytest

from .conftest import Node

SSHD = "Port 22\nPermitRootLogin yes\nPasswordAuthentication yes\nMatch User x\n  X11Forwarding no\n"


def test_access(node: Node) -> None:
    node.facts["KF_SUDO"] = "nopasswd"
    node.write("/etc/ssh/sshd_config", SSHD)
    node.fake("visudo", "exit 0")
    assert node.install("access") == 0, node.err
    assert node.read("/etc/sudoers.d/kfimage") == "# Written by kfimage.\n%wheel ALL=(ALL) NOPASSWD: ALL\n"
    lines = node.read("/etc/ssh/sshd_config").splitlines()
    assert lines[1:4] == ["PasswordAuthentication no", "ChallengeResponseAuthentication no", "PermitRootLogin no"]
    assert lines[5:] == SSHD.splitlines()
    before = node.bytes()
    assert node.install("access") == 0
    assert node.bytes() == before


def test_access_with_a_password_for_sudo(node: Node) -> None:
    node.facts["KF_SUDO"] = "password"
    node.write("/etc/ssh/sshd_config", SSHD)
    node.write("/etc/sudoers.d/kfimage", "%wheel ALL=(ALL) NOPASSWD: ALL\n")
    assert node.install("access") == 0, node.err
    assert not (node.root / "etc/sudoers.d/kfimage").exists()


@pytest.mark.parametrize(("sudo", "sshd", "visudo", "says"), [
    ("maybe", SSHD, "exit 0", "access.sudo 'maybe' is unknown"),
    ("nopasswd", None, "exit 0", "/etc/ssh/sshd_config is missing"),
    ("nopasswd", SSHD, "exit 1", "sudo does not accept /etc/sudoers.d/kfimage"),
])
def test_access_failures(node: Node, sudo: str, sshd: str, visudo: str, says: str) -> None:
    node.facts["KF_SUDO"] = sudo
    if sshd:
        node.write("/etc/ssh/sshd_config", sshd)
    node.fake("visudo", visudo)
    assert node.install("access") != 0
    assert says in node.err


def test_log(node: Node) -> None:
    assert node.install("log") == 0, node.err
    assert (node.root / "var/log/journal").is_dir()
    assert not (node.root / "etc/rsyslog.d/10-kfimage.conf").exists()


def test_log_to_a_host(node: Node) -> None:
    node.facts["KF_SYSLOG"] = "[fd00::1]:514"
    assert node.install("log") == 0, node.err
    assert 'target="fd00::1" port="514" protocol="tcp"' in node.read("/etc/rsyslog.d/10-kfimage.conf")
    node.facts["KF_SYSLOG"] = ""
    assert node.install("log") == 0
    assert not (node.root / "etc/rsyslog.d/10-kfimage.conf").exists()


def test_log_to_nowhere(node: Node) -> None:
    node.facts["KF_SYSLOG"] = "loghost"
    assert node.install("log") != 0
    assert "report.syslog 'loghost' is not HOST:PORT" in node.err
