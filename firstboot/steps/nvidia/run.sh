#!/bin/bash
# CRI-O runs containers through NVIDIA's runtime on nodes that have a GPU, and only there: with the runtime as default
# and its binary missing CRI-O refuses to start and the node is lost.
# needs: KF_NVIDIA_TOOLKIT KF_NVIDIA_CDI KF_CRIO_RUNTIME
# after: crio driver
# stamp: /proc/sys/kernel/random/boot_id
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

dropin=/etc/crio/crio.conf.d/99-nvidia.conf
gpus=$(gpu_count)

if ((!gpus)); then
    warn "no NVIDIA GPU on the PCI bus: CRI-O keeps its plain runtime, and this node will not be ready as a GPU node"
    drop "$dropin" /etc/cdi/nvidia.yaml
    crio_apply || die "CRI-O does not answer on $CRI_SOCKET" "journalctl -b -u crio -n 50"
    exit 0
fi

[[ -x $ROOT/usr/bin/nvidia-container-runtime ]] ||
    die "$gpus GPUs, but /usr/bin/nvidia-container-runtime is not installed; CRI-O is left as it is" \
        "dnf --disableexcludes=all install nvidia-container-toolkit${KF_NVIDIA_TOOLKIT:+-$KF_NVIDIA_TOOLKIT}"
version=$(nvidia-ctk --version | awk 'NR == 1 { print $NF }')
[[ -z $KF_NVIDIA_TOOLKIT || $version == "$KF_NVIDIA_TOOLKIT" ]] ||
    die "the NVIDIA container toolkit is $version, the site wants $KF_NVIDIA_TOOLKIT" "rpm -qa '*nvidia-container*'"
for stray in /etc/crio/conf.d/99-nvidia.toml /etc/crio/crio.conf.d/99-nvidia.toml; do
    # nvidia-ctk 1.18.0 to 1.19.0 wrote the first, which CRI-O never reads; the second one would override ours.
    if [[ -e $ROOT$stray ]]; then warn "$stray was written by nvidia-ctk; remove it: $dropin is the one that counts"; fi
done

if [[ $KF_CRIO_RUNTIME == crun ]] && ! grep -qE '^[[:space:]]*runtimes[[:space:]]*=[[:space:]]*\["crun"' "$ROOT/etc/nvidia-container-runtime/config.toml"; then
    # Left alone it takes the first of docker-runc and runc in PATH.
    nvidia-ctk config --set nvidia-container-runtime.runtimes=crun --in-place
fi

# Links first: what follows may reload systemd. The udev rule makes them at every later boot.
nvidia-ctk system create-dev-char-symlinks --create-all >/dev/null 2>&1 ||
    die "the /dev/char links of the GPUs cannot be made" "nvidia-ctk system create-dev-char-symlinks --create-all"

if [[ $KF_NVIDIA_CDI == yes ]]; then
    if systemctl cat nvidia-cdi-refresh.path >/dev/null 2>&1; then
        # Toolkit 1.18 and later keep /var/run/cdi/nvidia.yaml themselves; a second spec would go stale.
        if systemctl is-enabled --quiet kfimage-cdi.path 2>/dev/null; then systemctl disable --now kfimage-cdi.path; fi
        drop /etc/cdi/nvidia.yaml
        systemctl enable --now nvidia-cdi-refresh.path
        systemctl start nvidia-cdi-refresh.service || die "nvidia-cdi-refresh could not write the CDI spec" \
            "journalctl -b -u nvidia-cdi-refresh"
    else
        bash "$ROOT/usr/libexec/kfimage/cdi"
        if ! systemctl is-enabled --quiet kfimage-cdi.path 2>/dev/null; then systemctl enable kfimage-cdi.path; fi
        systemctl start kfimage-cdi.path
    fi
else
    if systemctl is-enabled --quiet kfimage-cdi.path 2>/dev/null; then systemctl disable --now kfimage-cdi.path; fi
    drop /etc/cdi/nvidia.yaml
fi

put "$dropin" 0644 <<'END'
# Written by kfimage on a node that has a GPU and the runtime's binary; `nvidia-ctk runtime configure` is not used: up to
# 1.17 it edits crio.conf, which every drop-in overrides, and later ones write elsewhere.
[crio.runtime]
default_runtime = "nvidia"

[crio.runtime.runtimes.nvidia]
runtime_path = "/usr/bin/nvidia-container-runtime"
runtime_type = "oci"
END
if ! crio_apply; then
    drop "$dropin"
    crio_apply || warn "CRI-O does not start without it either"
    die "CRI-O does not start with the NVIDIA runtime; it is taken back" \
        "journalctl -b -u crio -n 50; nvidia-container-runtime --version"
fi
if command -v crio-status >/dev/null; then
    crio-status config 2>/dev/null | grep -E '^[[:space:]]*default_runtime = "nvidia"' >/dev/null ||
        die "CRI-O runs, but its default runtime is not nvidia" "crio-status config | grep -n runtime; ls /etc/crio/crio.conf.d"
fi
notice "$gpus GPUs for containers, toolkit $version"
