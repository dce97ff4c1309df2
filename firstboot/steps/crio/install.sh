#!/bin/bash
# CRI-O and its configuration. The bundle is laid out by us, checked by sha256; its own installer is not run: it labels
# by chcon (lost at a relabel), installs crun as the default and a bridge network that makes a node Ready before Calico.
# needs: KF_CRIO_SOURCE KF_CRIO_VERSION KF_CRIO_URL KF_CRIO_SHA256 KF_CRIO_RUNTIME KF_PAUSE_IMAGE KF_SELINUX
# needs: KF_REGISTRIES KF_MIRRORS KF_INSECURE_REGISTRIES KF_CRIO_PROXY KF_HTTP_PROXY KF_HTTPS_PROXY KF_NO_PROXY KF_NODE_NETWORKS
# after: packages selinux firewalld kernel
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

manifest=$STATE/crio.manifest # the bundle's sha256, then each file laid down with its own

# laid: the bundle that is pinned is there, and nobody changed its files.
laid() {
    [[ -f $ROOT$manifest && $(head -n1 "$ROOT$manifest") == "# $KF_CRIO_SHA256" ]] &&
        (cd "$ROOT/" && sha256sum --check --status <(tail -n +2 "$ROOT$manifest"))
}

lay_bundle() {
    local archive=/var/cache/kfimage/crio-$KF_CRIO_VERSION.tar.gz work file dest laid=()
    fetch "$KF_CRIO_URL" "$KF_CRIO_SHA256" "$archive" "$KF_CRIO_PROXY"
    work=$(mktemp -d)
    tar -xzf "$ROOT$archive" -C "$work" --no-same-owner
    [[ -x $work/cri-o/bin/crio && -f $work/cri-o/contrib/crio.service ]] ||
        die "$KF_CRIO_URL is not a CRI-O bundle: cri-o/bin/crio or cri-o/contrib/crio.service is not in it" "tar -tzf $archive"
    for file in "$work"/cri-o/bin/* "$work"/cri-o/cni-plugins/* "$work"/cri-o/man/*.[58]; do
        [[ -f $file ]] || continue
        case $file in
        */bin/*) dest=/usr/local/bin/${file##*/} ;;
        # kubernetes-cni's RPM owns the same names: its files stay as rpm knows them.
        */cni-plugins/*) dest=/opt/cni/bin/${file##*/} ;;
        *) dest=/usr/local/share/man/man${file##*.}/${file##*/} ;;
        esac
        if [[ $dest == /opt/* && -e $ROOT$dest && " ${owned:-} " != *" $dest "* ]]; then continue; fi
        case $dest in
        *.[58]) place "$file" "$dest" 0644 ;;
        *) place "$file" "$dest" 0755 ;;
        esac
        laid+=("${dest#/}")
    done
    # /etc, not the bundle's /usr/local/lib/systemd/system: there the policy gives the unit its label.
    place "$work/cri-o/contrib/crio.service" /etc/systemd/system/crio.service 0644
    place "$work/cri-o/etc/crio.conf" /etc/crio/crio.conf 0644
    place "$work/cri-o/etc/crio-umount.conf" /usr/local/share/oci-umount/oci-umount.d/crio-umount.conf 0644
    if [[ ! -e $ROOT/etc/containers/policy.json ]]; then place "$work/cri-o/contrib/policy.json" /etc/containers/policy.json 0644; fi
    laid+=(etc/systemd/system/crio.service)
    {
        printf '# %s\n' "$KF_CRIO_SHA256"
        (cd "$ROOT/" && sha256sum "${laid[@]}")
    } | put "$manifest" 0644
    rm -rf "$work" "$ROOT$archive"
}

# toml_list WORDS: ["a", "b"]
toml_list() {
    local word words out=
    read -ra words <<<"$1"
    for word in "${words[@]}"; do out+="${out:+, }\"$word\""; done
    printf '[%s]' "$out"
}

crio_conf() {
    local selinux=false
    if [[ $KF_SELINUX == enforcing ]]; then selinux=true; fi
    cat <<END
# Written by kfimage. A later file of this folder wins, and CRI-O reads every file here, whatever its name.
[crio.runtime]
cgroup_manager = "systemd"
conmon_cgroup = "pod"
selinux = $selinux
default_runtime = "$KF_CRIO_RUNTIME"
# CRI-O's capabilities have no NET_RAW: without this nobody can ping from a pod.
default_sysctls = ["net.ipv4.ping_group_range=0 2147483647"]

[crio.runtime.runtimes.$KF_CRIO_RUNTIME]
runtime_path = ""
runtime_type = "oci"

[crio.image]
# CRI-O 1.26's own default is 3.6; kubeadm 1.25 preloads 3.8.
pause_image = "$KF_PAUSE_IMAGE"
END
    if [[ -s $ROOT/etc/kfimage/secrets/pull-auth ]]; then printf 'global_auth_file = "/etc/kfimage/secrets/pull-auth"\n'; fi
    cat <<END

[crio.network]
# Calico's own name. Any other network that a package brings (podman's bridge) would make the node Ready before Calico.
cni_default_network = "k8s-pod-network"
plugin_dirs = ["/opt/cni/bin", "/usr/libexec/cni"]
END
}

registries_conf() {
    local registry pair pairs insecure registries
    read -ra pairs <<<"$KF_MIRRORS"
    read -ra insecure <<<"$KF_INSECURE_REGISTRIES"
    printf '# Written by kfimage.\nunqualified-search-registries = %s\n' "$(toml_list "$KF_REGISTRIES")"
    mapfile -t registries < <(printf '%s\n' "${pairs[@]%%=*}" "${insecure[@]}" | awk 'NF && !seen[$0]++')
    for registry in "${registries[@]}"; do
        printf '\n[[registry]]\nprefix = "%s"\nlocation = "%s"\ninsecure = %s\n' "$registry" "$registry" "$(is_insecure "$registry")"
        for pair in "${pairs[@]}"; do
            if [[ ${pair%%=*} == "$registry" ]]; then
                printf '\n[[registry.mirror]]\nlocation = "%s"\ninsecure = %s\n' "${pair#*=}" "$(is_insecure "${pair#*=}")"
            fi
        done
    done
}
# is_insecure LOCATION: itself or its host is in the list.
is_insecure() {
    if [[ " $KF_INSECURE_REGISTRIES " == *" $1 "* || " $KF_INSECURE_REGISTRIES " == *" ${1%%/*} "* ]]; then printf true; else printf false; fi
}

proxy_conf() {
    printf '# Written by kfimage: the proxy for pulling images.\n[Service]\n'
    # A percent sign begins a specifier in a unit.
    printf 'Environment="HTTP_PROXY=%s"\nEnvironment="HTTPS_PROXY=%s"\nEnvironment="NO_PROXY=%s"\n' \
        "${KF_HTTP_PROXY//%/%%}" "${KF_HTTPS_PROXY//%/%%}" "${no_proxy_list//%/%%}"
}

case $KF_CRIO_SOURCE in
bundle)
    # What an earlier bundle laid down is ours to replace.
    if [[ -f $ROOT$manifest ]]; then owned=$(sed -n 's|^[0-9a-f]* [ *]|/|p' "$ROOT$manifest" | tr '\n' ' '); fi
    laid || lay_bundle
    drop /etc/crio/crio.conf.d/10-crun.conf
    ;;
repo) rpm -q cri-o >/dev/null 2>&1 || die "cri-o is not installed" \
    "name its exact RPM in the site's packages, and the repository that has it" ;;
*) die "CRI-O's source '$KF_CRIO_SOURCE' is unknown" "say bundle or repo in the site" ;;
esac
case $KF_CRIO_RUNTIME in
runc | crun) ;;
*) die "the runtime '$KF_CRIO_RUNTIME' is unknown" "say runc or crun in the site" ;;
esac

if [[ -e $ROOT/etc/kfimage/secrets/pull-auth ]]; then chmod 0600 "$ROOT/etc/kfimage/secrets/pull-auth"; fi
crio_conf | put /etc/crio/crio.conf.d/10-kfimage.conf 0644
if [[ -n $KF_REGISTRIES$KF_MIRRORS$KF_INSECURE_REGISTRIES ]]; then
    registries_conf | put /etc/containers/registries.conf.d/10-kfimage.conf 0644
else
    drop /etc/containers/registries.conf.d/10-kfimage.conf
fi
read -ra direct <<<"${KF_NO_PROXY//,/ } $KF_NODE_NETWORKS"
no_proxy_list=$(IFS=, && printf '%s' "${direct[*]}")
if [[ -n $KF_HTTP_PROXY$KF_HTTPS_PROXY ]]; then
    proxy_conf | put /etc/systemd/system/crio.service.d/20-kfimage-proxy.conf 0644
else
    drop /etc/systemd/system/crio.service.d/20-kfimage-proxy.conf
fi
# With CRI-O's own bridge (10.85.0.0/16) the node is Ready before Calico and early pods get addresses nobody can reach.
for conf in "$ROOT"/etc/cni/net.d/*crio*; do drop "${conf#"$ROOT"}"; done
if ! systemctl is-enabled --quiet crio 2>/dev/null; then systemctl enable crio; fi
