"""What a container has not: kernel modules, kernel-wide sysctls, SELinux, a clock of its own, a GPU. Stand-ins for booted roots.

Everything else in a booted root is real: systemd, NetworkManager, firewalld with its iptables backend, dnf's and rpm's databases.
"""

from __future__ import annotations

from .machine import Node
from .world import DRIVER

_MODPROBE = """#!/bin/bash
[[ $1 == --dry-run ]] && exit 0
for module in "$@"; do mkdir -p "/sys/module/${module//-/_}"; done
"""
_MODINFO = f"""#!/bin/bash
[[ $* == *signer* ]] && exit 0
rpm -q kmod-nvidia >/dev/null && echo {DRIVER}
"""
# /proc/sys is the host's but for net: kept in files, and what the host would refuse is not asked.
_SYSCTL = """#!/bin/bash
mkdir -p /run/sysctl
case $1 in
-n) cat "/run/sysctl/$2" ;;
-q) sed -n 's/^\\([a-z][^ ]*\\) = /\\1 /p' "$3" | while read -r key value; do echo "$value" >"/run/sysctl/$key"; done ;;
esac
"""
_HARDWARE = """#!/bin/bash
set -e
mount -t tmpfs tmpfs /sys/module
mount -t tmpfs tmpfs /proc/driver
mkdir /proc/driver/nvidia
echo 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  DRIVER  Mon Nov  6' >/proc/driver/nvidia/version
mount --bind /opt/kf-test/pci /sys/bus/pci/devices
"""
# Runs beside the boot; ends it when what the test waits for is true, or after a minute and a half.
_END = """#!/bin/bash
for _ in $(seq 900); do
    bash /opt/kf-test/until >/dev/null 2>&1 && break
    sleep 0.1
done
sleep 0.5
listed() { firewall-cmd "$@" | grep -v -e '^public' -e icmp-block -e interfaces | sort; }
{
    echo "state: $(sed -n 's/.*"state": "\\([a-z-]*\\)".*/\\1/p' /var/lib/kfimage/status.json)"
    for unit in kfimage.target kfimage-retry.timer crio kubelet firewalld; do echo "$unit: $(systemctl is-active $unit)"; done
    echo "failed: $(systemctl --failed --no-legend --plain | awk '{print $1}' | tr '\\n' ' ')"
    echo "runtime: $(cat /run/crio/runtime)"
    echo "differs: $(diff <(listed --list-all) <(listed --permanent --list-all) | tr '\\n' ';')"
    echo "rules: $(iptables-save | grep -c -e 'dport 10250')"
} >/var/lib/kf-test-report 2>&1
systemctl poweroff --no-block
"""
_UNITS = {
    "kf-test-hardware.service": "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target systemd-modules-load.service\n"
    "[Service]\nType=oneshot\nExecStart=/opt/kf-test/hardware\n[Install]\nWantedBy=sysinit.target\n",
    "kf-test-end.service": "[Unit]\nAfter=basic.target\n[Service]\nExecStart=/opt/kf-test/end\n[Install]\nWantedBy=multi-user.target\n",
    "chronyd.service": "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
    # Three minutes and two are too long for a test; what the timer does is the same. One empty line clears all of them.
    "kfimage-retry.timer.d/test.conf": "[Timer]\nOnBootSec=\nOnBootSec=4s\nOnUnitInactiveSec=2s\nAccuracySec=100ms\n",
}


def give(node: Node, *, gpus: int = 1) -> None:
    """Lay the stand-ins down in an installed root."""
    texts = {f"/usr/local/sbin/{name}": text for name, text in {
        "modprobe": _MODPROBE, "modinfo": _MODINFO, "sysctl": _SYSCTL, "getenforce": "#!/bin/sh\necho Permissive\n", "restorecon": "#!/bin/sh\n",
        "chronyc": "#!/bin/sh\n",
    }.items()}
    texts["/opt/kf-test/hardware"] = _HARDWARE.replace("DRIVER", DRIVER)
    texts["/opt/kf-test/end"] = _END
    texts.update({f"/etc/systemd/system/{name}": text for name, text in _UNITS.items()})
    node.file("/opt/kf-test/pci").mkdir(parents=True)
    for number in range(gpus):
        for name, value in (("vendor", "0x10de"), ("class", "0x030200")):
            texts[f"/opt/kf-test/pci/0000:0{number}:00.0/{name}"] = f"{value}\n"
    for path, text in texts.items():
        file = node.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if text.startswith("#!") else 0o644)
    until(node, "systemctl is-active --quiet kfimage.target")
    node.sh("systemctl enable kf-test-hardware kf-test-end; systemctl mask NetworkManager-wait-online systemd-networkd-wait-online getty@tty1 console-getty")


def until(node: Node, command: str) -> None:
    """Boots end once this command succeeds."""
    node.file("/opt/kf-test/until").write_text(command)


def report(node: Node) -> dict[str, str]:
    """What the booted node said of itself at the end."""
    return dict(line.split(": ", 1) for line in node.text("/var/lib/kf-test-report").splitlines() if ": " in line)
