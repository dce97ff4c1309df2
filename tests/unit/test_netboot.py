"""Boot files: one set for each MAC, and a default that installs only when the site says so."""

from __future__ import annotations

import re

import kit
import pytest

from kfimage.render.kickstart import Shapes

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
        ("", f"BOOTIF={MAC}"), ("install: {kernel_line: 'nfs:10.20.0.5:/rhel'}\n", "inst.repo=nfs:10.20.0.5:/rhel"), ("install: {kernel_line: 'hd:LABEL=RHEL:/'}\n", "inst.repo=hd:LABEL=RHEL:/"),
        ("install: {kernel_line: yes, stage2: 'http://h/t'}\n", "inst.stage2=http://h/t"), ("", "ip=dhcp"),
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


def test_a_kernel_line_that_says_yes_has_no_source_and_one_that_says_no_is_none() -> None:
    assert "inst.repo" not in boot("boot: {url: http://b/k}\ninstall: {kernel_line: yes}\n")[f"pxelinux.cfg/{MAC}"]
    assert "inst.repo=cdrom" in boot("boot: {url: http://b/k}\ninstall: {kernel_line: no}\n")[f"pxelinux.cfg/{MAC}"]
    (error,) = kit.problems(kit.HEAD + "install: {kernel_line: nfs}\n")
    assert "inst.repo=" in error


@pytest.mark.parametrize("prefix", ["(tftp,10.0.0.1)/grub", "(http,10.0.0.1)/kf/netboot/grub", "(http,10.0.0.1:8080)/a/grub/", "/grub"])
def test_grub_finds_the_kernel_beside_its_own_folder_wherever_that_is_served(prefix: str) -> None:
    text = boot("boot: {url: http://b/k}\n")[f"grub/grub.cfg-{MAC}"]
    rule = re.search(r"^regexp --set=1:kf_root '(.*)' \"\$\{prefix\}\"$", text, re.M)
    assert rule and text.index("set kf_root=\n") < rule.start()
    found = re.match(rule[1], prefix)
    assert found and found[1] == prefix.rstrip("/")[: -len("/grub")]
    assert re.findall(r"^  (linuxefi|initrdefi) \$\{kf_root\}/rhel-8\.7/(?:vmlinuz|initrd\.img)", text, re.M) == ["linuxefi", "initrdefi"]


def test_the_local_disk_is_started_as_the_firmware_needs_it() -> None:
    plain, other = boot(""), boot("boot: {local: {bios: chain, uefi: chainload}}\n")
    for name in (MAC, "default"):
        assert "  LOCALBOOT -1\n" in plain[f"pxelinux.cfg/{name}"] and "chain.c32" not in plain[f"pxelinux.cfg/{name}"]
        assert "LABEL local\n  COM32 chain.c32\n  APPEND hd0\n" in other[f"pxelinux.cfg/{name}"] and "LOCALBOOT" not in other[f"pxelinux.cfg/{name}"]
    for name in (f"grub/grub.cfg-{MAC}", "grub/grub.cfg"):
        assert "--id local {\n  exit\n}" in plain[name]
        entry = other[name].partition("--id local {\n")[2].partition("\n}")[0]
        assert "redhat/shimx64.efi" in entry and "chainloader ($kf_disk)/EFI/$loader" in entry and entry.endswith("\n  exit")


@pytest.mark.parametrize(
    ("way", "node", "words"),
    [
        ("dhcp6", "mac: 52:54:00:00:00:01", "ip=dhcp6"), ("auto6", "mac: 52:54:00:00:00:01", "ip=auto6"),
        ("static", "interfaces: {eno1: {mac: 52:54:00:00:00:01, address: 10.20.1.11/24, gateway: 10.20.1.1, dns: [10.20.0.2, 'fd00::2']}}",
         "ip=10.20.1.11::10.20.1.1:255.255.255.0:n:eno1:none nameserver=10.20.0.2"),
        ("static", "interfaces: {a: {address: 10.9.0.2/24, gateway: 10.9.0.1}, eno1: {mac: 52:54:00:00:00:01, boot: yes, address: 10.20.1.11/24}}", "ip=10.20.1.11:::255.255.255.0:n:eno1:none"),
        ("static", "mac: 52:54:00:00:00:01, address: 10.20.1.11/24", "ip=dhcp"),
        ("static", "interfaces: {b: {mode: 802.3ad, address: 10.20.1.11/24}, eno1: {bond: b, mac: 52:54:00:00:00:01}}", "ip=dhcp"),
        ("static", "interfaces: {eno1: {mac: 52:54:00:00:00:01, address: ['fd00::5/64']}}", "ip=dhcp"),
    ],
)
def test_how_the_installer_gets_its_address(way: str, node: str, words: str) -> None:
    site = kit.HEAD + f"boot: {{url: http://b/k, network: {way}}}\nnodes: {{n: {{role: cpu-worker, {node}}}}}\n"
    found = kit.tree(site)[f"netboot/pxelinux.cfg/{MAC}"].content.decode()
    assert f" inst.ks.sendmac {words} inst." in found
    warned = kit.pipeline(site)
    warned.plans()
    assert any(p.id == "KF8028" for p in warned.report) == (way == "static" and words == "ip=dhcp")


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ("interfaces: {eno1: {mac: 52:54:00:00:00:01, address: 10.20.1.11/24, gateway: 10.20.1.1, dns: 10.20.0.2}}", "ip=10.20.1.11::10.20.1.1:255.255.255.0:n:eno1:none nameserver=10.20.0.2"),
        ("interfaces: {eno1: {mac: 52:54:00:00:00:01, address: 10.20.1.11/24}}, kernel: {args: ['ip=eno1:dhcp']}", ""),
        ("interfaces: {b: {mode: 802.3ad, address: 10.20.1.11/24}, eno1: {bond: b, mac: 52:54:00:00:00:01}}", ""),
        ("mac: 52:54:00:00:00:01, address: 10.20.1.11/24", ""),
    ],
)
def test_an_initramfs_that_asks_tang_is_told_the_nodes_static_address(node: str, words: str) -> None:
    tang = "disk: {encrypt: {tang: {url: 'http://10.20.0.9', thumbprint: WVIfHzDoT2pM2bwWrCXvH1gWPKkMvLDF9wyHmvHnRXQ}}}\n"
    site = kit.HEAD + tang + f"nodes: {{n: {{role: cpu-worker, {node}}}}}\n"
    (one,) = kit.rendered([kit.plan(site, "n")])
    assert kit.errors(one.report) == [] and f'\nKF_KERNEL_ARGS_NODE="{words}"\n' in one.kickstart
    said = kit.pipeline(site)
    said.plans()
    assert any(p.id == "KF8022" for p in said.report) == (not words)
    (plain,) = kit.rendered([kit.plan(site.replace(tang, ""), "n")])
    assert "KF_KERNEL_ARGS_NODE=" not in plain.kickstart


def test_a_dvd_is_put_out_before_the_reboot() -> None:
    for source, wanted in (("{cdrom: yes}", "reboot --eject"), ("{url: http://h/t}", "reboot")):
        (one,) = kit.rendered([kit.plan(kit.HEAD + f"install: {source}\nnodes: {{n: {{role: cpu-worker}}}}\n", "n")])
        assert kit.errors(one.report) == [] and [line for line in one.kickstart.splitlines() if line.startswith("reboot")] == [wanted]


def test_nodes_that_differ_in_their_address_alone_are_still_proven_once() -> None:
    tang = "disk: {encrypt: {tang: {url: 'http://10.20.0.9', thumbprint: WVIfHzDoT2pM2bwWrCXvH1gWPKkMvLDF9wyHmvHnRXQ}}}\n"
    nodes = "".join(
        f"  n{i}: {{role: cpu-worker, interfaces: {{eno1: {{mac: '52:54:00:00:00:0{i}', address: 10.20.1.1{i}/24, gateway: 10.20.1.1}}}}}}\n" for i in (1, 2)
    )
    found = kit.pipeline(kit.HEAD + tang + "nodes:\n" + nodes)
    plans = found.plans()
    shapes = Shapes()
    assert len({shapes.of(plan, found.renderer.pieces(plan)) for plan in plans}) == 1
