"""The kinds of value: what each takes, what it makes of it, and a secret that has no text form."""

from __future__ import annotations

import ast
import copy
import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import kit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfimage import kinds as k
from kfimage.kinds import Bad, Secret

TAKEN: list[tuple[k.Kind[Any], str, object]] = [
    (k.mac, "52-54-00-AB-CD-EF", "52:54:00:ab:cd:ef"), (k.hostname, "gpu-a01.lab", "gpu-a01.lab"), (k.cidr, "fd00::/8", "fd00::/8"),
    (k.endpoint, "[fd00::10]:6443", "[fd00::10]:6443"), (k.endpoint, "api.lab", "api.lab"), (k.endpoint, "10.0.0.1:06443", "10.0.0.1:6443"),
    (k.port, "80/tcp", "80/tcp"), (k.port, "80-80/tcp", "80/tcp"), (k.port, "30000-32767/udp", "30000-32767/udp"), (k.boolean, "Yes", True), (k.boolean, "off", False),
    (k.size, "70G", 70 << 30), (k.zone, "Europe/Berlin", "Europe/Berlin"), (k.taint, "a:NoSchedule", "a:NoSchedule"), (k.http, "http://h/", "http://h"),
    (k.http, "http://[fd00::1]:80/x", "http://[fd00::1]:80/x"), (k.fingerprint, "de15 b144 86cd 377b 9e87 6e1a 2346 54da 9a29 6436", "DE15B14486CD377B9E876E1A234654DA9A296436"),
    (k.ip, "fd00:0:0::1", "fd00::1"), (k.mode, "755", "755"), (k.integer(0, 9), "9", 9), (k.image, "registry.k8s.io/pause:3.8", "registry.k8s.io/pause:3.8"),
]
REFUSED: list[tuple[k.Kind[Any], str]] = [
    (k.mac, "52:54:00:12:34:5g"), (k.mac, "ff:ff:ff:ff:ff:ff"), (k.mac, "00:00:00:00:00:00"), (k.mac, "01:00:5e:00:00:01"), (k.mac, "525400123456"),
    (k.hostname, "Gpu"), (k.hostname, "-a"), (k.hostname, "a_b"), (k.hostname, "10.0.0.1"), (k.hostname, "a..b"), (k.hostname, "a" * 65), (k.hostname, "a\n"),
    (k.cidr, "10.0.0.1/8"), (k.cidr, "10.0.0.0/33"), (k.host_address, "10.0.0.0/24"), (k.host_address, "10.0.0.255/24"), (k.host_address, "10.0.0.1"),
    (k.host_address, "010.0.0.1/24"), (k.host_address, "10.0.0.1/٢٤"), (k.ip, "10.0.0.256"), (k.ip, "fe80::1%eth0"), (k.port, "0/tcp"), (k.port, "65536/tcp"),
    (k.port, "90-80/tcp"), (k.port, "80"), (k.port, "80/TCP"), (k.boolean, "maybe"), (k.integer(0, 9), "10"), (k.integer(0, 9), "09"), (k.integer(0, 9), "1.0"),
    (k.size, "0G"), (k.size, "70"), (k.size_range, "600G..400G"), (k.size_range, ">=1G..2G"), (k.zone, "Europe/Berlim"), (k.taint, "a=b:Sometimes"),
    (k.http, "ftp://h"), (k.http, "http://u:p@h/"), (k.http, "http://h/a b"), (k.http, "http://h/../x"), (k.http, "http://h/?q=1"), (k.http, "http:///x"), (k.http, "http://-x/"),
    (k.absolute, "etc/motd"), (k.absolute, "/etc/../motd"), (k.absolute, "/a b"), (k.absolute, "//x"), (k.node_file, "/etc/"), (k.node_file, "/"), (k.node_file, "/etc/."), (k.node_file, "/etc/kfimage/facts.env"), (k.node_file, "/etc/./x"), (k.node_file, "/dev/sda"),
    (k.relative, "/x"), (k.relative, "../x"), (k.relative, "-x"),
    (k.fingerprint, "9A296436"), (k.sha256, "AB" * 32), (k.ssh_key, "ssh-ed25519 AAAA"), (k.ssh_key, "ssh-rsa " + "A" * 100), (k.console, "ttyS0 115200"), (k.mode, "9644"),
    (k.language, "german"), (k.interface, "a" * 16), (k.interface, "a/b"), (k.glob, "a b"), (k.line, "a\nb"), (k.word, "a b"), (k.fact_text, 'a"b'), (k.fact_text, "a$b"),
]


@pytest.mark.parametrize(("kind", "text", "value"), TAKEN, ids=lambda v: str(v)[:30])
def test_a_right_value_becomes_its_one_form(kind: k.Kind[Any], text: str, value: object) -> None:
    assert kind(text) == value


@pytest.mark.parametrize(("kind", "text"), REFUSED, ids=lambda v: ascii(str(v))[:30])
def test_a_wrong_value_says_why(kind: k.Kind[Any], text: str) -> None:
    with pytest.raises(Bad) as caught:
        kind(text)
    assert str(caught.value).isprintable()
    assert "\n" not in caught.value.hint


KINDS = sorted({id(v): v for v in vars(k).values() if isinstance(v, k.Kind)}.values(), key=lambda v: v.name)


@given(st.sampled_from(KINDS), st.text(max_size=100))
def test_a_kind_gives_a_value_or_says_why(kind: k.Kind[Any], text: str) -> None:
    try:
        value = kind(text)
    except Bad as bad:
        assert str(bad).isprintable()
        return
    if isinstance(value, str) and kind is not k.content:
        assert value.isprintable(), ascii(value)
        assert kind(value) == value, "the one form is a form it takes"


@given(st.sampled_from(KINDS))
def test_no_kind_reads_a_text_without_end(kind: k.Kind[Any]) -> None:
    with pytest.raises(Bad, match="the limit is"):
        kind("a" * 5000)


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_addresses_agree_with_the_standard_library(number: int, prefix: int) -> None:
    import ipaddress

    text = f"{ipaddress.IPv4Address(number)}/{prefix}"
    wanted = ipaddress.IPv4Interface(text)
    edge = prefix < 31 and wanted.ip in (wanted.network.network_address, wanted.network.broadcast_address)
    try:
        found = k.host_address(text)
    except Bad:
        assert edge
        return
    assert not edge
    assert (found.ip, found.prefix, found.netmask, found.network) == (str(wanted.ip), prefix, str(wanted.netmask), str(wanted.network))


def test_a_secret_has_no_text_form() -> None:
    secret = Secret(b"hunter2-hunter2")
    assert repr(secret) == "Secret(***)"
    assert repr([secret]) == "[Secret(***)]"
    formats = (lambda s: f"{s}", lambda s: f"{s!s}", lambda s: f"{s:>9}", lambda s: "%s".__mod__(s), lambda s: "{}".format(*[s]))
    for spell in (str, *formats, json.dumps, pickle.dumps, "".join, bytes, len, list):
        with pytest.raises((TypeError, ValueError)):
            spell(secret)
    assert copy.deepcopy(secret) is secret
    with pytest.raises(TypeError):
        copy.copy(secret)
    with pytest.raises((AttributeError, TypeError)):
        vars(secret)

    @dataclasses.dataclass(frozen=True)
    class Holder:
        secret: Secret

    assert "hunter2" not in repr(Holder(secret)) and "hunter2" not in repr(dataclasses.asdict(Holder(secret)))
    with pytest.raises(TypeError):
        json.dumps(dataclasses.asdict(Holder(secret)))


def test_a_template_cannot_print_a_secret() -> None:
    from kfimage.render.templates import one_line

    for value in (Secret(b"x"), None, True, 1.5, ["a"], b"x", "a\nb", "a\rb", "a\u2028b", "a\x85b", "a\0b", "a\tb"):
        with pytest.raises((TypeError, ValueError)):
            one_line(value)


PACKAGE = kit.ROOT / "kfimage"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAY_REVEAL = ("sinks/", "serve/", "join/", "finalize/cluster.py")
EDGE = ("cli/", "sinks/", "serve/", "join/", "rehearse/", "push/", "importers/", "finalize/", "bundle/", "verify/")
"""Left of `render`: the parts that may look at the clock, the machine and other programs."""
FORBIDDEN = ("subprocess", "requests", "socket", "time", "random", "datetime", "logging", "secrets", "uuid", "tempfile", "getpass", "platform", "locale")


def _tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text(), str(path))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_only_the_sinks_reveal_a_secret(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix().startswith(MAY_REVEAL):
        return
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("reveal", "_value") or path.name == "kinds.py", f"{path}:{node.lineno}"
        if isinstance(node, ast.Constant):
            assert node.value != "reveal", f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_the_pure_core_sees_no_clock_chance_or_environment(path: Path) -> None:
    name = path.relative_to(PACKAGE).as_posix()
    if name.startswith(EDGE) or name in ("__init__.py", "__main__.py"):
        return
    for node in ast.walk(_tree(path)):
        imported = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for module in imported:
            assert module.split(".")[0] not in FORBIDDEN, f"{name}:{getattr(node, 'lineno', 0)} imports {module}"
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            assert not {a.name for a in node.names} & {"environ", "environb", "getenv", "getpid", "urandom"}, name
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr not in ("environ", "environb", "getenv", "getenvb", "getpid", "urandom", "getcwd", "uname", "umask"), f"{name}:{node.lineno}"


def test_the_syntax_tests_would_find_a_break() -> None:
    for bad in ("s.reveal()", "x = s._value"):
        assert any(isinstance(n, ast.Attribute) and n.attr in ("reveal", "_value") for n in ast.walk(ast.parse(bad)))
