#!/bin/bash
# The last step: everything else is done, kubelet is quiet; say how to join, and stop trying again.
# needs: KF_STEPS KF_NODE KF_API_ENDPOINT
# after: register network swap selinux firewalld kernel time crio kubelet driver nvidia hooks
# stamp: /proc/sys/kernel/random/boot_id
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

read -ra steps <<<"$KF_STEPS"
left=()
for step in "${steps[@]}"; do
    if [[ $step != ready && -f $KFIMAGE_LIB/steps/$step/run.sh ]] && ! "$KFIMAGE_LIB/step" check "$step"; then left+=("$step"); fi
done
((!${#left[@]})) || die "not done: ${left[*]}" "systemctl status kfimage-${left[0]}"

if [[ " $KF_STEPS " == *" kubelet "* ]]; then
    [[ $(systemctl is-enabled kubelet 2>/dev/null || true) == enabled ]] || die "kubelet is not enabled" \
        "systemctl enable kubelet"
    restarts=$(systemctl show -p NRestarts --value kubelet)
    sub=$(systemctl show -p SubState --value kubelet)
    if [[ $sub == auto-restart ]]; then
        die "kubelet crashes again and again ($restarts restarts)" "journalctl -b -u kubelet -n 50; systemctl cat kubelet"
    fi
fi

gpus=$(gpu_count)
state=ready
if joined; then
    message="joined"
else
    message="ready to join ${KF_API_ENDPOINT:-the cluster}: kfimage join ${KF_NODE:-$(uname -n)}, or add discovery with a fresh token to a copy of /etc/kfimage/join/join.yaml and run kubeadm join --config COPY"
fi
if [[ " $KF_STEPS " == *" nvidia "* ]]; then
    if ((gpus)); then
        message+=" ($gpus GPUs)"
    else
        state=no-gpu
        message="no NVIDIA GPU found, so not ready as a GPU node; everything else is done: $message"
    fi
fi
notice "$message"
KFIMAGE_STATE=$state KFIMAGE_MESSAGE=$message "$KFIMAGE_LIB/report" --ready
systemctl stop kfimage-retry.timer
