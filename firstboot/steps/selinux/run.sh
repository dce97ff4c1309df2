#!/bin/bash
# SELinux runs in the mode that the site says, and the binaries outside RPM's paths carry the runtime's label.
# needs: KF_SELINUX
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

configure
mode=$(getenforce)
[[ $mode != Disabled ]] || die "SELinux is disabled in the running kernel" \
    "grubby --update-kernel=ALL --remove-args='selinux=0'; touch /.autorelabel; reboot"
if [[ ${mode,,} != "$KF_SELINUX" ]]; then
    flag=0
    if [[ $KF_SELINUX == enforcing ]]; then flag=1; fi
    setenforce "$flag"
    mode=$(getenforce)
    [[ ${mode,,} == "$KF_SELINUX" ]] || die "SELinux is ${mode,,}, not $KF_SELINUX" "sestatus; cat /proc/cmdline"
fi

if ! rpm -q container-selinux >/dev/null 2>&1; then
    next="add container-selinux to the role's vendor packages"
    [[ $KF_SELINUX != enforcing ]] || die "container-selinux is not installed: containers cannot start" "$next"
    warn "container-selinux is not installed; $next before you try enforcing"
    exit 0
fi

want=container_runtime_exec_t
for name in crio runc crun; do
    path=/usr/local/bin/$name
    [[ -e $ROOT$path ]] || continue
    # container-selinux knows these paths; where an older one does not, say it once, for relabels to come.
    if [[ $(matchpathcon -n "$path" 2>/dev/null || true) != *:$want:* ]] && command -v semanage >/dev/null; then
        semanage fcontext -a -t "$want" "$path" || semanage fcontext -m -t "$want" "$path"
        notice "the policy now labels $path $want"
    fi
done
# Anaconda's own last restorecon leaves out /usr/local and /opt (80-setfilecons.ks).
for path in /usr/local /opt/cni; do
    if [[ -d $ROOT$path ]]; then restorecon -RF "$ROOT$path"; fi
done
