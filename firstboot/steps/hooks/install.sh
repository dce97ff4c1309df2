#!/bin/bash
# The site's own scripts of the installation, in name order: /etc/kfimage/hooks/post.d
# needs: KF_SITE KF_NODE KF_ROLE
# after: register network swap selinux firewalld kernel time crio kubelet driver nvidia
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

export KF_SITE KF_NODE KF_ROLE # what a hook may rely on
for hook in "$ROOT"/etc/kfimage/hooks/post.d/*; do
    if [[ ! -f $hook ]]; then continue; fi
    info "runs ${hook#"$ROOT"}"
    [[ -x $hook ]] || die "${hook#"$ROOT"} is not executable" "chmod 0755 ${hook#"$ROOT"}"
    "$hook" </dev/null >&2 || die "${hook#"$ROOT"} ended with status $?" "bash -x ${hook#"$ROOT"}"
done
