#!/bin/bash
# nouveau stays out of the initramfs too: Anaconda's holds what the installer had loaded. The kernel line says the same.
# after: packages
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

for image in "$ROOT"/boot/initramfs-*.img; do
    kernel=${image##*/initramfs-}
    kernel=${kernel%.img}
    # Rescue and kdump images have no modules folder of their name.
    if [[ -d $ROOT/lib/modules/$kernel ]] && lsinitrd "$image" 2>/dev/null | grep nouveau >/dev/null; then
        dracut --force --omit-drivers nouveau "$image" "$kernel"
        notice "made the initramfs of $kernel again, without nouveau"
    fi
done
