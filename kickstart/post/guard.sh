# Pasted at the head of %post. A %post that returns failure makes Anaconda open a dialog that waits for a key, and later
# sections never run: so a failure says why, tells the callback, and holds here (or turns the machine off) for good.
set +x
set -Eeuo pipefail
export LC_ALL=C
umask 022
log=/var/log/kfimage/post.log
failed_at=
trap 'failed "$LINENO" "$BASH_COMMAND"' ERR
trap finish EXIT
install -d -m 0755 "${log%/*}"
# Anaconda writes --log when a script has ended, and one that holds never ends; when it does it writes the same over this.
exec > >(tee -a "$log") 2>&1

# The first line only: the rest of a here-document may be a secret, or the payload.
failed() { failed_at="line $1: ${2%%$'\n'*}"; }

# stop WHAT NEXT: for a line of this script whose own words would not help.
stop() {
    failed_at=$1
    printf '<3>next: %s\n' "$2" >&2
    exit 1
}

# fetch URL FILE: curl 7.61 does not try again when a connection breaks in the middle. Never through the site's proxy.
fetch() {
    local pause
    for pause in 1 2 4 8 0; do
        if curl --fail --silent --show-error --location --noproxy '*' --connect-timeout 15 --speed-limit 1024 --speed-time 60 \
            --output "$2" --url "$1"; then return; fi
        sleep "$pause"
    done
    stop "cannot fetch $1" "curl -I $1; is the boot server up, and does it hold the tree of this very rendering?"
}

# reasons: what the steps said of the failure, and the next command to type.
reasons() { tail -n 40 "$log" | sed -n 's/^<3>//p' | tail -n 4; }

announce() {
    local line
    {
        printf 'kfimage: the installation has stopped: %s\n' "$failed_at"
        reasons
        printf 'kfimage: this node is not ready and must not be used; the log is %s of the new system\n' "$log"
    } | while IFS= read -r line; do
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
    text=$({ printf '%s\n' "$failed_at" && reasons; } | tr -d '\000-\011\013-\037' | sed ':a;$!{N;ba};s/\n/; /g;s/[\\"]/\\&/g')
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
    sleep 1 # until tee has written what the step said last
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
