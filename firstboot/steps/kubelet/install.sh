#!/bin/bash
# kubelet is enabled, silent until the join, and what the join needs to know about this node lies ready, without a secret.
# needs: KF_NODE KF_NODE_IP KF_NODE_LABELS KF_NODE_TAINTS KF_KUBELET
# after: packages swap crio
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

read -ra labels <<<"$KF_NODE_LABELS"
read -ra taints <<<"$KF_NODE_TAINTS"
read -ra fields <<<"$KF_KUBELET"
for label in "${labels[@]}"; do
    if [[ $label == node-role.kubernetes.io/* ]]; then
        die "kubelet may not give itself the label ${label%%=*} and would not start" \
            "leave it out of the site's labels; finalize sets roles"
    fi
done

join_config() {
    local label taint key
    cat <<END
# Written by kfimage: what kubeadm join must know of this node. The join adds \`discovery:\` with its token to a copy
# (0600, removed afterwards) and runs: kubeadm join --config COPY
apiVersion: kubeadm.k8s.io/v1beta3
kind: JoinConfiguration
patches:
  directory: /etc/kfimage/join/patches
nodeRegistration:
  criSocket: $CRI_SOCKET
END
    if [[ -n $KF_NODE ]]; then printf '  name: "%s"\n' "$KF_NODE"; fi
    # No `taints:` and an empty list differ: with the empty one a control plane loses its own.
    if ((${#taints[@]})); then printf '  taints:\n'; fi
    for taint in "${taints[@]}"; do
        key=${taint%:*}
        printf '    - {key: "%s", value: "%s", effect: "%s"}\n' "${key%%=*}" "$(if [[ $key == *=* ]]; then printf '%s' "${key#*=}"; fi)" "${taint##*:}"
    done
    if [[ -n $KF_NODE_IP$KF_NODE_LABELS ]]; then printf '  kubeletExtraArgs:\n'; fi
    if [[ -n $KF_NODE_IP ]]; then printf '    node-ip: "%s"\n' "$KF_NODE_IP"; fi
    if ((${#labels[@]})); then
        label=${labels[*]}
        printf '    node-labels: "%s"\n' "${label// /,}"
    fi
}

kubelet_patch() {
    local field value
    printf '# Written by kfimage: kubeadm 1.25 applies it to /var/lib/kubelet/config.yaml at init, join and upgrade.\n'
    printf 'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n'
    for field in "${fields[@]}"; do
        [[ $field =~ ^[a-z][A-Za-z0-9]*=.*$ ]] || die "'$field' is not a field of KubeletConfiguration" \
            "write it as maxPods=110 in the site"
        value=${field#*=}
        if [[ ! $value =~ ^(-?[0-9]+|true|false)$ ]]; then value="\"$value\""; fi
        printf '%s: %s\n' "${field%%=*}" "$value"
    done
}

kubelet_patch | put /etc/kfimage/join/patches/kubeletconfiguration+merge.yaml 0644
join_config | put /etc/kfimage/join/join.yaml 0644
if ! systemctl is-enabled --quiet kubelet 2>/dev/null; then systemctl enable kubelet; fi
