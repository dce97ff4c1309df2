#!/bin/bash
# NetworkManager leaves Calico's interfaces alone, whatever other files say, and the site's routes are there.
# needs: KF_ROUTES
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

configure
conf=/etc/NetworkManager/conf.d/99-zz-kfimage-calico.conf
for dir in /etc/NetworkManager/conf.d /run/NetworkManager/conf.d /usr/lib/NetworkManager/conf.d; do
    for file in "$ROOT$dir"/*.conf; do
        # A later file's unmanaged-devices= replaces an earlier one's: ours is last in name order.
        if [[ -f $file && $file != "$ROOT$conf" ]] && grep -qE '^[[:space:]]*unmanaged-devices[[:space:]]*=' "$file"; then
            warn "${file#"$ROOT"} also says unmanaged-devices=; $conf replaces it"
        fi
    done
done

if [[ $CHANGED == yes || $KFIMAGE_CHANGED == yes ]] && systemctl is-active --quiet NetworkManager; then
    systemctl reload NetworkManager
fi
NetworkManager --print-config | grep -F 'interface-name:cali*' >/dev/null ||
    die "NetworkManager does not know that cali* is Calico's" \
        "NetworkManager --print-config | grep unmanaged-devices; which file replaces $conf?"

read -ra routes <<<"$KF_ROUTES"
for route in "${routes[@]}"; do
    IFS=, read -r device to via _ <<<"$route"
    family=-4
    if [[ $via == *:* ]]; then family=-6; fi
    [[ $(ip "$family" route show "$to") == *"via $via"* ]] ||
        die "there is no route to $to via $via" "nmcli connection show; cat /etc/sysconfig/network-scripts/route*-$device"
done
