#!/bin/bash
# NVIDIA's kernel driver is loaded in the version that the site says; modules are built or looked for here, because
# DKMS in %post would build for the installer's kernel.
# needs: KF_NVIDIA_DRIVER KF_NVIDIA_DRIVER_VERSION KF_NVIDIA_FABRIC_MANAGER KF_NVIDIA_PERSISTENCE KF_SECURE_BOOT
# after: packages
# stamp: /proc/sys/kernel/random/boot_id
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

kernel=$(uname -r)
gpus=$(gpu_count)

# secure_boot: what the firmware does, from its own variable (4 bytes of attributes, then the value).
secure_boot() {
    local variable=$ROOT/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
    if [[ -r $variable && $(od -An -t u1 -j4 -N1 "$variable" | tr -d ' ') == 1 ]]; then printf yes; else printf no; fi
}

if ((!gpus)); then
    warn "no NVIDIA GPU on the PCI bus: no driver is loaded (if there should be one: lspci -nn -d 10de:, then power and seating)"
    exit 0
fi
if [[ $KF_NVIDIA_DRIVER == none ]]; then
    notice "$gpus NVIDIA GPUs; their driver is not ours to load (driver: none)"
    exit 0
fi

secure=$(secure_boot)
if [[ $secure != "$KF_SECURE_BOOT" ]]; then warn "Secure Boot is $([[ $secure == yes ]] && echo on || echo off); the site says secure_boot: $KF_SECURE_BOOT"; fi

if [[ $KF_NVIDIA_DRIVER == dkms ]] && ! modinfo -k "$kernel" nvidia >/dev/null 2>&1; then
    [[ $secure == no ]] || die "Secure Boot is on, and what DKMS builds is unsigned: the kernel would refuse it" \
        "turn Secure Boot off in the firmware, or use driver mode kmod with a signed module"
    [[ -e $ROOT/lib/modules/$kernel/build/Makefile ]] || die "kernel-devel for $kernel is not installed; DKMS cannot build" \
        "dnf --disableexcludes=all install kernel-devel-$kernel"
    info "building the driver for $kernel; this takes minutes"
    dkms autoinstall -k "$kernel" >&2 || die "DKMS could not build the driver for $kernel" \
        "dkms status; tail -n 40 /var/lib/dkms/nvidia/*/build/make.log"
fi

have=$(modinfo -k "$kernel" -F version nvidia 2>/dev/null | head -n1) || have=
case $KF_NVIDIA_DRIVER in
kmod) next="dnf --disableexcludes=all list 'kmod-nvidia*'; precompiled modules exist only for some pairs of driver and kernel" ;;
dkms) next="dkms status" ;;
*) next="install the driver into the image, or let the site say kmod or dkms" ;;
esac
[[ -n $have ]] || die "there is no nvidia module for kernel $kernel (driver mode $KF_NVIDIA_DRIVER)" "$next"
[[ -z $KF_NVIDIA_DRIVER_VERSION || $have == "$KF_NVIDIA_DRIVER_VERSION" ]] ||
    die "the nvidia module for $kernel is $have, the site wants $KF_NVIDIA_DRIVER_VERSION" "$next"
if [[ $secure == yes && -z $(modinfo -k "$kernel" -F signer nvidia 2>/dev/null) ]]; then
    die "Secure Boot is on and the nvidia module is not signed: the kernel refuses it" \
        "mokutil --sb-state; mokutil --list-enrolled; use a signed kmod whose key is enrolled"
fi

[[ ! -d $ROOT/sys/module/nouveau ]] || die "nouveau holds the GPU" \
    "reboot; if it comes back: grubby --update-kernel=ALL --args='modprobe.blacklist=nouveau rd.driver.blacklist=nouveau'"
for module in nvidia nvidia-uvm; do
    if [[ ! -d $ROOT/sys/module/${module//-/_} ]]; then modprobe "$module" || die "$module does not load" \
        "dmesg | grep -iE 'nvidia|NVRM|lockdown' | tail"; fi
done
# The version line of the open module has a word more than that of the closed one.
loaded=$(awk '/^NVRM version:/ { for (i = 3; i <= NF; i++) if ($i ~ /^[0-9]+\.[0-9.]+$/) { print $i; exit } }' "$ROOT/proc/driver/nvidia/version" 2>/dev/null) || loaded=
[[ $loaded == "$have" ]] || die "the loaded driver is ${loaded:-absent}, on disk is $have" \
    "reboot: the old module is still loaded"
seen=$(nvidia-smi -L | grep -c '^GPU ') || seen=0
((seen == gpus)) || die "nvidia-smi sees $seen of the $gpus GPUs on the PCI bus" \
    "nvidia-smi -L; dmesg | grep -i xid; lspci -nn -d 10de:"

if [[ $KF_NVIDIA_PERSISTENCE == yes ]] && ! systemctl is-active --quiet nvidia-persistenced; then
    systemctl enable --now nvidia-persistenced || die "nvidia-persistenced does not start" "journalctl -b -u nvidia-persistenced"
fi

switches=$(nvswitch_count)
if [[ $KF_NVIDIA_FABRIC_MANAGER == yes ]] || [[ $KF_NVIDIA_FABRIC_MANAGER == auto && $switches -gt 0 ]]; then
    # Without it CUDA fails with "system not yet initialized" on boards with NVSwitches.
    systemctl enable --now nvidia-fabricmanager ||
        die "nvidia-fabricmanager does not start ($switches NVSwitches)" \
            "journalctl -b -u nvidia-fabricmanager; rpm -q nvidia-fabric-manager: it must be exactly $have"
fi
notice "$gpus GPUs with driver $have"
