# Binds the encrypted volume to Tang, the TPM or both, proves that this opens it, and removes the passphrase that %pre
# made. Pasted as it is into a %post section (in the chroot), below the assignments. Needs clevis-luks, clevis-dracut,
# clevis-systemd and, for the TPM, tpm2-tools from the vendor's media. A `%post --nochroot` hands the passphrase over:
#   install -m 0600 /tmp/kfimage-luks "${ANA_INSTALL_PATH:-/mnt/sysroot}/root/kfimage-luks" && rm -f /tmp/kfimage-luks
#   KF_DISK_ENCRYPT            none | tang | tpm2 | both
#   KF_DISK_TANG               "URL=THUMBPRINT URL=THUMBPRINT"
#   KF_DISK_TPM2_PCRS          "7" or "0,7"; empty binds to the TPM alone
#   KF_DISK_CLEVIS_THRESHOLD   how many of all pins must answer; empty: 2 for both, else 1
#   KF_NODE, KF_REPORT_URL, KF_ON_FAILURE   hold | poweroff | reboot
set +o posix # Anaconda runs %post by /bin/sh unless told otherwise
set +x
set -Eeuo pipefail
export LC_ALL=C
umask 077

root=${KFIMAGE_ROOT:-}
key=$root/root/kfimage-luks
reason=
failed_at=
trap 'failed_at="line $LINENO: $BASH_COMMAND"' ERR
trap finish EXIT

stop() { # REASON
    reason=$1
    exit 1
}

announce() { # [again]
    local device consoles line
    line="kfimage: the installation has stopped: $reason; boot the machine again to install it anew"
    line=${line//[^ -~]/?}
    read -ra consoles <<<"console $(cat "$root/sys/class/tty/console/active" 2>/dev/null)"
    printf '%s\n' "$line" >&2
    for device in "${consoles[@]}"; do
        [[ ! -e $root/dev/$device ]] || { printf '\r%s\r\n' "$line" >>"$root/dev/$device"; } 2>/dev/null || :
    done
    [[ -n ${1:-} ]] || { printf '<2>%s\n' "$line" >>"$root/dev/kmsg"; } 2>/dev/null || :
}

post_report() {
    [[ -n ${KF_REPORT_URL:-} ]] || return 0
    local text
    text=$(printf '%s' "$reason" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')
    printf '{"node":"%s","step":"clevis","state":"failed","message":"%s"}\n' "${KF_NODE:-}" "$text" |
        curl --silent --show-error --fail --max-time 20 --header 'Content-Type: application/json' \
            --output /dev/null --data-binary @- "$KF_REPORT_URL"
}

# As in the disk script: a failure never returns, because Anaconda would open a dialog that waits for a key.
finish() {
    local status=$?
    trap - EXIT ERR
    set +e
    # Its place is inside the encrypted volume, and it opens nothing any more (or nothing that will be kept).
    [[ ! -e $key ]] || shred --force --remove "$key" || rm -f "$key"
    [[ $status -eq 0 ]] && return
    reason=${reason:-"the clevis script itself failed ($failed_at, status $status)"}
    announce
    post_report || printf 'kfimage: the report could not be sent\n' >&2
    case ${KF_ON_FAILURE:-hold} in
        poweroff | reboot)
            sleep 60
            # systemctl refuses to work in a chroot; these are the kernel's own sync, off (o) and reboot (b).
            printf s >"$root/proc/sysrq-trigger"
            if [[ $KF_ON_FAILURE == reboot ]]; then printf b; else printf o; fi >"$root/proc/sysrq-trigger"
            ;;
    esac
    while sleep 60; do announce again 2>/dev/null; done
    exit 1
}

# Clevis' policy, in its own JSON. A thumbprint is a must: trust on first use needs somebody who looks.
write_policy() { # -> policy
    local word words tang='' pins='' thumbprint url base64url='^[A-Za-z0-9_-]{27,86}$'
    local pcrs='' plain='^https?://[A-Za-z0-9._:/@%~+-]+$' list='^[0-9]{1,2}(,[0-9]{1,2})*$' threshold=1
    if [[ $KF_DISK_ENCRYPT == tang || $KF_DISK_ENCRYPT == both ]]; then
        read -ra words <<<"${KF_DISK_TANG:-}"
        [[ ${#words[@]} -gt 0 ]] || stop "disk.encrypt asks for Tang, and no server is named"
        for word in "${words[@]}"; do
            url=${word%=*} thumbprint=${word##*=}
            [[ $word == *=* && $url =~ $plain && $thumbprint =~ $base64url ]] || stop "'$word' is not URL=THUMBPRINT of a Tang server"
            tang+="${tang:+,}{\"url\":\"$url\",\"thp\":\"$thumbprint\"}"
        done
        pins="\"tang\":[$tang]"
    fi
    if [[ $KF_DISK_ENCRYPT == tpm2 || $KF_DISK_ENCRYPT == both ]]; then
        if [[ -n ${KF_DISK_TPM2_PCRS:-} ]]; then
            [[ $KF_DISK_TPM2_PCRS =~ $list ]] || stop "'$KF_DISK_TPM2_PCRS' is not a list of PCRs"
            pcrs="\"pcr_bank\":\"sha256\",\"pcr_ids\":\"$KF_DISK_TPM2_PCRS\""
        fi
        pins+="${pins:+,}\"tpm2\":{$pcrs}"
    fi
    [[ $KF_DISK_ENCRYPT != both ]] || threshold=2
    threshold=${KF_DISK_CLEVIS_THRESHOLD:-$threshold}
    [[ $threshold =~ ^[1-9]$ ]] || stop "KF_DISK_CLEVIS_THRESHOLD is '$threshold', not 1 to 9"
    policy="{\"t\":$threshold,\"pins\":{$pins}}"
}

# /etc/crypttab names what this installation made. A search by signature would find the site's data disks too.
read_volumes() { # -> volumes
    local name device
    volumes=()
    [[ -r $root/etc/crypttab ]] || stop "/etc/crypttab does not exist: Anaconda made no encrypted volume"
    while read -r name device _; do
        [[ -n $name && $name != '#'* ]] || continue
        [[ $device != UUID=* ]] || device=/dev/disk/by-uuid/${device#UUID=}
        volumes+=("$device")
    done <"$root/etc/crypttab"
    [[ ${#volumes[@]} -gt 0 ]] || stop "/etc/crypttab is empty: Anaconda made no encrypted volume"
}

opens() { # DEVICE: does the temporary passphrase open it
    cryptsetup open --test-passphrase --key-file "$key" "$1" </dev/null
}

bind() { # DEVICE
    local device=$1 bound slot status=0
    opens "$device" || stop "the passphrase made before the installation does not open $device"
    clevis luks bind -d "$device" -k "$key" sss "$policy" </dev/null ||
        stop "clevis cannot bind $device; is the Tang server reachable and its thumbprint right, is the TPM free?"
    bound=$(clevis luks list -d "$device") || stop "clevis does not list its binding of $device"
    slot=${bound%%:*}
    [[ $slot =~ ^[0-9]+$ ]] || stop "clevis lists no binding of $device"
    # Through a pipe, so that the key is in no argument, no file and no log.
    clevis luks pass -d "$device" -s "$slot" | tr -d '\n' |
        cryptsetup open --test-passphrase --key-slot "$slot" --key-file - "$device" ||
        stop "the binding of $device does not open it; the temporary passphrase was not removed"
    cryptsetup luksRemoveKey --batch-mode "$device" "$key" || stop "the temporary passphrase of $device cannot be removed"
    opens "$device" 2>/dev/null || status=$?
    # 2 is cryptsetup's "no key fits"; anything else proves nothing.
    [[ $status -eq 2 ]] || stop "the temporary passphrase of $device still opens it (cryptsetup returned $status)"
}

# Anaconda made the initramfs before the volume was bound.
rebuild_initramfs() {
    local kernel image content
    for kernel in "$root"/lib/modules/*; do
        [[ -e $kernel/modules.dep ]] || continue
        kernel=${kernel##*/}
        image=$root/boot/initramfs-$kernel.img
        dracut --force "$image" "$kernel" || stop "dracut failed for kernel $kernel"
        content=$(lsinitrd "$image") || stop "$image cannot be read"
        [[ $content == *clevis-decrypt* ]] || stop "the initramfs of kernel $kernel holds no clevis: is clevis-dracut installed?"
        [[ $KF_DISK_ENCRYPT == tpm2 || $content == *clevis-decrypt-tang* ]] || stop "the initramfs of kernel $kernel cannot ask Tang"
        [[ $KF_DISK_ENCRYPT == tang || $content == *clevis-decrypt-tpm2* ]] || stop "the initramfs of kernel $kernel cannot ask the TPM"
        rebuilt=yes
    done
    [[ -n $rebuilt ]] || stop "no kernel is installed under /lib/modules"
}

main() {
    local volume volumes policy rebuilt=
    case ${KF_DISK_ENCRYPT:-none} in
        none) return 0 ;;
        tang | tpm2 | both) ;;
        *) stop "KF_DISK_ENCRYPT is '$KF_DISK_ENCRYPT', not one of: none tang tpm2 both" ;;
    esac
    [[ -s $key ]] || stop "the passphrase was not handed over (/root/kfimage-luks)"
    [[ $KF_DISK_ENCRYPT == tang || -e $root/dev/tpmrm0 ]] || stop "this machine shows no TPM 2.0 (/dev/tpmrm0)"
    write_policy
    read_volumes
    for volume in "${volumes[@]}"; do bind "$volume"; done
    rebuild_initramfs
    printf 'kfimage: bound and proven: %s\n' "${volumes[*]}"
}

main
