#!/bin/bash
# No swap now, and none at any later boot.
# stamp: /proc/sys/kernel/random/boot_id
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

configure
# Listed before swapoff: a unit of the GPT generator is gone from the list afterwards.
systemctl list-units --type=swap --all --plain --no-legend | while read -r unit _; do
    if [[ $(systemctl is-enabled "$unit" 2>/dev/null || true) != masked ]]; then
        systemctl mask "$unit"
        notice "masked $unit"
    fi
done
for unit in zram.service zram-swap.service zramswap.service; do
    if systemctl is-enabled --quiet "$unit" 2>/dev/null; then systemctl disable --now "$unit"; fi
done
if [[ -n $(swapon --show=NAME --noheadings) ]]; then swapoff -a; fi

left=$(swapon --show=NAME --noheadings)
[[ -z $left ]] || die "swap is still on: ${left//$'\n'/ }" "swapoff -v ${left%%$'\n'*}; free memory if it refuses"
if grep -qE '(^| )resume=' "$ROOT/proc/cmdline"; then
    warn "the kernel line has resume=; without its swap the boot may stall: grubby --update-kernel=ALL --remove-args=resume"
fi
