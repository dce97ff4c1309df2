"""Boot files: which defaults exist in which dialect, and what must not be taken for a fault."""

from __future__ import annotations

import pytest

from kfimage.verify.netboot import check_boot_file, check_references


def found(text: str, path: str = "netboot/pxelinux.cfg/default") -> list[str]:
    return [f"{p.id}:{p.mark.line}:{p.mark.column}" for p in check_boot_file(text, path)]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("DEFAULT local\nLABEL local\n", []),
        ("DEFAULT locale\nLABEL local\n", ["KF7002:1:9"]),
        ("default menu.c32\nlabel local\n", []),
        ("default vesamenu.c32\nontimeout gone\nlabel local\n", ["KF7002:2:11"]),
        ("DEFAULT vmlinuz initrd=initrd.img\n", []),
        ("set default=local\nmenuentry 'Local disk' --id local {\n}\n", []),
        ("set default=\"Local disk\"\nmenuentry 'Local disk' {\n}\n", []),
        ("set default='Local disc'\nmenuentry 'Local disk' {\n}\n", ["KF7002:1:14"]),
        ("set default=1\nmenuentry 'a' {\n}\n", []),
        ("set default=$saved\n", []),
        ("  set default=install\nmenuentry 'a' --id local {\n}\n", ["KF7002:1:15"]),
        ("#!ipxe\nitem local Local disk\nchoose --default local --timeout 5 target\n", []),
        ("#!ipxe\nitem --key l local Local disk\nchoose --timeout 5 --default install target\n", ["KF7002:3:30"]),
        ("LABEL a\n  APPEND initrd=i ks=http://x/y\n", ["KF7001:2:19"]),
        ("LABEL a\n  APPEND initrd=i inst.ks=http://x/y inst.repo=http://x/?ks=1\n", []),
        ("# linux ks=http://x\n", []),
        ("LABEL a\r\n", ["KF7005:1:8"]),
    ],
)
def test_texts(text: str, want: list[str]) -> None:
    assert found(text) == want


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("01-52-54-00-12-34-56", True), ("01-52-54-00-AB-34-56", False), ("52-54-00-12-34-56", False), ("01:52:54:00:12:34:56", False),
        ("grub.cfg-01-52-54-00-12-34-56", True), ("grub.cfg-01-52-54-00-12-34-5A", False), ("01-52-54-00-12-34-56.ipxe", True), ("default", True),
    ],
)  # fmt: skip
def test_names(path: str, good: bool) -> None:
    assert ([] if good else ["KF7003:0:0"]) == found("", f"netboot/x/{path}")


def test_kickstarts_of_other_servers_are_nobodys_business() -> None:
    text = "kernel x inst.ks=http://a/kickstart/gone.ks\nkernel x inst.ks=http://a/ks.cfg inst.ks=nfs:b:/kickstart/here.ks\n"
    assert [p.message for p in check_references(text, "x", {"kickstart/here.ks"})] == ["kickstart/gone.ks is not in this tree"]
