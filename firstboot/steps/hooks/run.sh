#!/bin/bash
# The site's own scripts of the first boot, in name order: /etc/kfimage/hooks/firstboot.d. Each runs once; a changed one
# again: after a failure only those that are not done yet, since nobody promised that they may run twice.
# needs: KF_SITE KF_NODE KF_ROLE
# after: register network swap selinux firewalld kernel time crio kubelet driver nvidia
# stamp: /etc/kfimage/hooks/firstboot.d
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

export KF_SITE KF_NODE KF_ROLE # what a hook may rely on
for hook in "$ROOT"/etc/kfimage/hooks/firstboot.d/*; do
    if [[ ! -f $hook ]]; then continue; fi
    stamp=$STATE/done-hooks/${hook##*/}
    sum=$(sha_of "$hook")
    if [[ $(cat "$ROOT$stamp" 2>/dev/null || true) == "$sum" ]]; then continue; fi
    info "runs ${hook#"$ROOT"}"
    [[ -x $hook ]] || die "${hook#"$ROOT"} is not executable" "chmod 0755 ${hook#"$ROOT"}"
    "$hook" </dev/null >&2 || die "${hook#"$ROOT"} ended with status $?" "bash -x ${hook#"$ROOT"}"
    put "$stamp" 0644 <<<"$sum"
done
