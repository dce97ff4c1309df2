#!/bin/bash
# The modules are there and the settings are in force.
# stamp: /proc/sys/kernel/random/boot_id
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

configure
file=/etc/sysctl.d/99-zz-kfimage.conf

# Istio 1.16's sidecars die without them on RHEL 8 (istio#44118). In a file of their own, and only those this kernel
# has: one unknown name makes systemd-modules-load fail.
optional=()
for module in iptable_nat iptable_mangle iptable_raw xt_REDIRECT xt_owner xt_conntrack xt_mark xt_connmark xt_tcpudp xt_multiport ip_set nf_conntrack; do
    if modprobe --dry-run --quiet "$module"; then optional+=("$module"); else info "this kernel has no module $module"; fi
done
{
    printf '# kfimage: what Istio and Kubeflow want; those that this kernel has.\n'
    printf '%s\n' "${optional[@]}"
} | put /etc/modules-load.d/kfimage-optional.conf 0644

mapfile -t required < <(grep -v '^#' "$ROOT/etc/modules-load.d/kfimage.conf")
for module in "${required[@]}"; do
    if [[ ! -d $ROOT/sys/module/${module//-/_} ]]; then
        modprobe "$module" || die "the kernel cannot load $module" \
            "modinfo $module; dmesg | tail; is the kernel-modules package of $(uname -r) installed?"
    fi
done
for module in "${optional[@]}"; do
    if [[ ! -d $ROOT/sys/module/$module ]]; then modprobe "$module" || warn "$module does not load; Istio's sidecars may fail"; fi
done

# wrong: the settings that differ from the file, as "key is VALUE, not VALUE". The last of two lines for one key counts.
wrong() {
    local key want have
    awk -F' = ' '/^[^#]/ { value[$1] = $2 } END { for (k in value) print k " = " value[k] }' "$ROOT$file" | sort |
        while IFS= read -r key; do
            want=${key#* = } key=${key%% = *}
            have=$(sysctl -n "$key" 2>/dev/null | tr -s '\t' ' ') || have="not there"
            if [[ $have != "$want" ]]; then printf '%s is %s, not %s\n' "$key" "$have" "$want"; fi
        done
}
if [[ -n $(wrong) ]]; then
    sysctl -q -p "$ROOT$file" || true # what counts is the second look
    left=$(wrong)
    [[ -z $left ]] || die "not in force: ${left//$'\n'/; }" \
        "grep -r '${left%% *}' /etc/sysctl.d /usr/lib/sysctl.d /etc/sysctl.conf; sysctl --system"
fi
