"""Boot files: one set for each MAC, and a default that installs only when the site says so."""

from __future__ import annotations

import kit
import pytest

MAC = "01-52-54-00-00-00-01"


def boot(site: str, node: str = "mac: 52:54:00:00:00:01") -> dict[str, str]:
    tree = kit.tree(kit.HEAD + site + f"nodes: {{n: {{role: gpu-worker, {node}}}}}\n")
    return {a.path.partition("/")[2]: a.content.decode("ascii") for a in tree.values() if a.kind == "netboot"}


def test_a_known_mac_installs_and_an_unknown_one_boots_its_disk() -> None:
    found = boot("boot: {url: http://b/k}\n")
    assert set(found) >= {f"pxelinux.cfg/{MAC}", f"grub/grub.cfg-{MAC}", f"ipxe/{MAC}.ipxe", "pxelinux.cfg/default", "grub/grub.cfg", "ipxe/boot.ipxe"}
    assert "DEFAULT install" in found[f"pxelinux.cfg/{MAC}"] and "set default=install" in found[f"grub/grub.cfg-{MAC}"] and "--default install" in found[f"ipxe/{MAC}.ipxe"]
    for name in ("pxelinux.cfg/default", "grub/grub.cfg", "ipxe/boot.ipxe"):
        assert "inst.ks" not in found[name], "a machine nobody knows is never installed"


def test_nodes_local_and_others_are_followed() -> None:
    found = boot("boot: {url: http://b/k, nodes: local, others: gpu-worker}\n")
    assert "DEFAULT local" in found[f"pxelinux.cfg/{MAC}"]
    assert "DEFAULT install" in found["pxelinux.cfg/default"] and "inst.ks=http://b/k/kickstart/gpu-worker.ks" in found["pxelinux.cfg/default"]


@pytest.mark.parametrize(
    ("site", "words"),
    [
        ("install: {url: http://h/t}\n", "inst.repo=http://h/t"), ("install: {nfs: {server: h, path: /t, options: 'ro'}}\n", "inst.repo=nfs:ro:h:/t"),
        ("install: {harddrive: {partition: sdb1, path: /t}}\n", "inst.repo=hd:sdb1:/t"), ("install: {cdrom: yes}\n", "inst.repo=cdrom"),
        ("report: {syslog: 'h:514'}\n", "inst.syslog=h:514"), ("kernel: {console: ['ttyS1,115200n8']}\n", "console=ttyS1,115200n8"), ("", "modprobe.blacklist=nouveau"), ("", "inst.ks.sendmac"),
        ("", f"BOOTIF={MAC}"),
    ],
)
def test_the_installer_gets_its_arguments_on_every_boot_loader(site: str, words: str) -> None:
    found = boot("boot: {url: http://b/k}\n" + site)
    for name in (f"grub/grub.cfg-{MAC}", f"ipxe/{MAC}.ipxe", *([] if words.startswith("BOOTIF") else [f"pxelinux.cfg/{MAC}"])):
        assert words in found[name].split(), name
        for word in found[name].split():
            assert not word.startswith(("ks=", "repo=", "syslog=", "stage2=")), "RHEL 8.7 knows them with inst. only"


def test_without_a_boot_url_pxelinux_has_no_install_entry_and_the_others_ask_their_server() -> None:
    found = boot("")
    assert "KERNEL" not in found[f"pxelinux.cfg/{MAC}"] and "DEFAULT local" in found[f"pxelinux.cfg/{MAC}"]
    assert "inst.ks=http://${net_default_server}/" in found[f"grub/grub.cfg-{MAC}"] and "http://${next-server}/" in found[f"ipxe/{MAC}.ipxe"]


def test_a_node_without_a_mac_has_no_boot_files_of_its_own() -> None:
    assert sorted(boot("", "address: 10.0.0.5/24")) == ["grub/grub.cfg", "ipxe/boot.ipxe", "pxelinux.cfg/default"]
