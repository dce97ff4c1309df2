# Pasted at the head of %post. A %post that returns failure makes Anaconda open a dialog that waits for a key, and later
# sections never run: so a failure says why, tells the callback, and holds here (or turns the machine off) for good.
set +x
set -Eeuo pipefail
export LC_ALL=C
umask 022
failed_at=
trap 'failed_at="line $LINENO: $BASH_COMMAND"' ERR
trap finish EXIT

announce() {
    local line
    for line in "kfimage: the installation has stopped: $failed_at" \
        "kfimage: this node is not ready and must not be used; the log is var/log/kfimage/post.log of the new system"; do
        printf '%s\n' "$line" >&2
        { printf '\r%s\r\n' "$line" >/dev/console; } 2>/dev/null || :
        { printf '<2>%s\n' "$line" >/dev/kmsg; } 2>/dev/null || :
    done
}

fact() { sed -n "s/^$1=\"\(.*\)\"\$/\1/p" /etc/kfimage/facts.env 2>/dev/null || :; }

tell() {
    local url text
    url=$(fact KF_REPORT_URL)
    [[ -n $url ]] || return 0
    text=$(printf '%s' "$failed_at" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')
    printf '{"node":"%s","step":"install","state":"failed","message":"%s"}\n' "$(fact KF_NODE)" "$text" |
        curl --silent --show-error --fail --max-time 20 --header 'Content-Type: application/json' \
            --output /dev/null --data-binary @- "$url" || printf 'kfimage: the report could not be sent\n' >&2
}

finish() {
    local status=$?
    trap - EXIT ERR
    set +e
    [[ $status -eq 0 ]] && return
    failed_at="${failed_at:-the install script} (status $status)"
    announce
    tell
    case $(fact KF_ON_FAILURE) in
        poweroff)
            sleep 60
            # The chroot has no systemd to ask; o and b are the kernel's own off and reboot, after a sync.
            printf s >/proc/sysrq-trigger
            printf o >/proc/sysrq-trigger
            ;;
        reboot)
            sleep 60
            printf s >/proc/sysrq-trigger
            printf b >/proc/sysrq-trigger
            ;;
    esac
    while sleep 60; do announce 2>/dev/null; done
}
