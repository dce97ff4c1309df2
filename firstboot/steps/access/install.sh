#!/bin/bash
# Keys only for ssh, never root; wheel's sudo as the site says. The users themselves are the kickstart's.
# needs: KF_SUDO
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

rule=/etc/sudoers.d/kfimage
case $KF_SUDO in
nopasswd)
    # The administrator has no password to type unless the site waived one.
    printf '# Written by kfimage.\n%%wheel ALL=(ALL) NOPASSWD: ALL\n' | put "$rule" 0440
    visudo -c -q -f "$ROOT$rule" || die "sudo does not accept $rule" "visudo -c -f $rule"
    ;;
password) drop "$rule" ;;
*) die "access.sudo '$KF_SUDO' is unknown" "say nopasswd or password in the site" ;;
esac

# OpenSSH 8.0 reads no drop-in folder, and the first value of a keyword counts: so ours stand at the top of the file.
config=/etc/ssh/sshd_config
[[ -f $ROOT$config ]] || die "$config is missing" "rpm -q openssh-server; it belongs in the release's vendor packages"
{
    printf '# kfimage: begin\nPasswordAuthentication no\nChallengeResponseAuthentication no\nPermitRootLogin no\n# kfimage: end\n'
    sed '/^# kfimage: begin$/,/^# kfimage: end$/d' "$ROOT$config"
} | put "$config" 0600
