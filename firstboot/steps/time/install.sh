#!/bin/bash
# chrony asks the site's servers.
# needs: KF_NTP
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

read -ra servers <<<"$KF_NTP"
if ((${#servers[@]})); then
    [[ -f $ROOT/etc/chrony.conf ]] || die "/etc/chrony.conf does not exist" "add chrony to the role's vendor packages"
    {
        # Servers of the distribution are not reachable in a rack, and one that lies outvotes ours.
        awk '!/^[ \t]*(server|pool|peer)[ \t]/ && !/^# kfimage:/' "$ROOT/etc/chrony.conf"
        printf '# kfimage: the servers of the site, and no others.\n'
        printf 'server %s iburst\n' "${servers[@]}"
    } | put /etc/chrony.conf 0644
fi
if ! systemctl is-enabled --quiet chronyd 2>/dev/null; then systemctl enable chronyd; fi
