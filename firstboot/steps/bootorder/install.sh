#!/bin/bash
# What the firmware boots next time. Anaconda's efibootmgr -c has just put the disk first.
# needs: KF_BOOT_ORDER
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

if [[ $KF_BOOT_ORDER == keep ]]; then exit 0; fi
if [[ ! -d $ROOT/sys/firmware/efi ]]; then
    notice "no UEFI: the boot order is the firmware's own setting"
    exit 0
fi
case $KF_BOOT_ORDER in
net-first) first=net ;;
disk-first) first=disk ;;
*) die "the boot order '$KF_BOOT_ORDER' is unknown" "say net-first, disk-first or keep in the site" ;;
esac

# sorted KIND: the present order with the active entries of that kind in front; the rest keeps its order.
# Told by the device path, not by the name: vendors name entries as they like.
sorted() {
    efibootmgr -v | awk -v first="$1" '
        /^BootOrder:/ { n = split($2, order, ",") }
        /^Boot[0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f]\*/ {
            kind = ""
            if ($0 ~ /MAC\(|IPv4\(|IPv6\(|Uri\(/) kind = "net"
            else if ($0 ~ /HD\(/) kind = "disk"
            of[substr($1, 5, 4)] = kind
        }
        END {
            for (pass = 1; pass <= 2; pass++)
                for (i = 1; i <= n; i++)
                    if ((of[order[i]] == first) == (pass == 1)) out = out "," order[i]
            print substr(out, 2)
        }'
}

now=$(efibootmgr | sed -n 's/^BootOrder: //p')
want=$(sorted "$first")
if [[ -z $now ]]; then
    warn "the firmware names no boot order; it is left alone"
    exit 0
fi
if ! efibootmgr -v | grep -E 'MAC\(|IPv4\(|IPv6\(|Uri\(' >/dev/null && [[ $first == net ]]; then
    warn "the firmware has no network boot entry: $KF_BOOT_ORDER is not possible; enable PXE in its setup"
    exit 0
fi
if [[ $now != "$want" ]]; then
    efibootmgr -q -o "$want" || die "the firmware refuses the boot order $want" "efibootmgr -v; is setup locked by a password?"
    now=$(efibootmgr | sed -n 's/^BootOrder: //p')
    [[ $now == "$want" ]] || die "the boot order is $now, not $want" "efibootmgr -v; some firmware keeps its own order"
    notice "boot order: $want ($KF_BOOT_ORDER)"
fi
