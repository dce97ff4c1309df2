#!/bin/bash
# No swap at the next boot. `swapoff` here would act on the installer.
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

# fstab, the GPT generator and zram all pull their units in through this target.
if [[ $(systemctl is-enabled swap.target 2>/dev/null || true) != masked ]]; then systemctl mask swap.target; fi

if [[ -f $ROOT/etc/fstab ]]; then
    # The third field, whatever blanks are between, of lines that are not comments: a second run finds none.
    awk '!/^[ \t]*#/ && $3 == "swap" { print "#" $0; next } { print }' "$ROOT/etc/fstab" |
        put /etc/fstab "0$(stat -c %a "$ROOT/etc/fstab")"
fi

if [[ -e $ROOT/usr/lib/systemd/system-generators/zram-generator || -e $ROOT/usr/lib/systemd/zram-generator.conf ]]; then
    # An empty file in /etc hides the package's own.
    put /etc/systemd/zram-generator.conf 0644 </dev/null
fi
