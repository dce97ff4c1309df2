#!/bin/bash
# CRI-O runs with our configuration, in the pinned version, and answers on its socket.
# needs: KF_CRIO_VERSION
# after: packages selinux firewalld kernel
# stamp: /proc/sys/kernel/random/boot_id
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

configure
for file in "$ROOT"/etc/crio/crio.conf.d/*; do
    case $file in
    *.conf | *.toml) ;;
    */\*) ;;
    *) warn "${file#"$ROOT"} is read by CRI-O too, whatever its name; remove it if it is a leftover" ;;
    esac
done

crio_apply || die "CRI-O does not answer on $CRI_SOCKET" "journalctl -b -u crio -n 50; crio config 2>&1 | head"
version=$(crio --version | awk '/^crio version/ { print $3 } /^Version:/ { print $2 }' | head -n1)
[[ ${version#v} == "$KF_CRIO_VERSION" ]] || die "CRI-O is ${version:-of unknown version}, not $KF_CRIO_VERSION" \
    "command -v crio; rpm -q cri-o; is another one before /usr/local/bin in PATH?"
