#!/bin/bash
# kubelet and kubeadm are the pinned version, kubelet is enabled and waits quietly for its configuration.
# needs: KF_KUBERNETES_VERSION
# after: packages swap crio
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

configure
version=$(kubelet --version)
[[ $version == "Kubernetes v$KF_KUBERNETES_VERSION" ]] || die "kubelet is '$version', not v$KF_KUBERNETES_VERSION" \
    "rpm -q kubelet; dnf --disableexcludes=all --showduplicates list kubelet"
version=$(kubeadm version -o short)
[[ $version == "v$KF_KUBERNETES_VERSION" ]] || die "kubeadm is '$version', not v$KF_KUBERNETES_VERSION" \
    "rpm -q kubeadm; dnf --disableexcludes=all --showduplicates list kubeadm"

if ! joined; then
    # A failed kubelet.service from before the drop-in was there would stay in the list of failed units.
    if [[ $(systemctl show -p NeedDaemonReload --value kubelet) == yes ]]; then systemctl daemon-reload; fi
    if systemctl is-failed --quiet kubelet; then systemctl reset-failed kubelet; fi
fi
