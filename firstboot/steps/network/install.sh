#!/bin/bash
# What RHEL 8's kickstart cannot say of the network: static routes and search domains; besides, the node's name, and no
# cloud agent that rewrites routes. NetworkManager's list for Calico is a static file.
# needs: KF_NODE KF_ROUTES KF_DNS_SEARCH
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

for unit in nm-cloud-setup.service nm-cloud-setup.timer; do
    # It removes the routes of pod interfaces (rancher/docs#4063).
    if systemctl is-enabled --quiet "$unit" 2>/dev/null; then
        systemctl disable "$unit"
        notice "disabled $unit"
    fi
done

have=$(cat "$ROOT/etc/hostname" 2>/dev/null || true)
# A full name whose first label is the node's is the site's choice and right.
if [[ -n $KF_NODE && $have != "$KF_NODE" && $have != "$KF_NODE".* ]]; then
    put /etc/hostname 0644 <<<"$KF_NODE"
fi

# Anaconda writes one ifcfg file per connection; NetworkManager reads route-NAME and route6-NAME beside ifcfg-NAME.
scripts=/etc/sysconfig/network-scripts
read -ra routes <<<"$KF_ROUTES"
declare -A lines=()
for route in "${routes[@]}"; do
    IFS=, read -r device to via metric <<<"$route"
    [[ -n $device && -n $to && -n $via ]] || die "'$route' is not a route" "write it as to: 10.9.0.0/16, via: 10.20.1.254 in the site"
    [[ -f $ROOT$scripts/ifcfg-$device ]] || warn "there is no ifcfg-$device; its route to $to may not come up"
    name=route-$device
    if [[ $via == *:* ]]; then name=route6-$device; fi
    lines[$name]+="$to via $via dev $device${metric:+ metric $metric}"$'\n'
done
for name in "${!lines[@]}"; do put "$scripts/$name" 0644 <<<"${lines[$name]%$'\n'}"; done

if [[ -n $KF_DNS_SEARCH ]]; then
    for file in "$ROOT$scripts"/ifcfg-*; do
        # The ports of a bond or bridge have no addresses, hence no resolver.
        if [[ -f $file && $file != */ifcfg-lo ]] && ! grep -qE '^(MASTER|BRIDGE|MASTER_UUID|BRIDGE_UUID|TEAM_MASTER)=' "$file"; then
            set_key "${file#"$ROOT"}" DOMAIN "\"$KF_DNS_SEARCH\""
        fi
    done
fi
