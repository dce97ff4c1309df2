#!/bin/bash
# The clock is right before anything with a certificate happens: a join with a wrong clock fails as "x509 not yet valid".
# needs: KF_NTP
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

configure
if [[ $CHANGED == yes ]] || ! systemctl is-active --quiet chronyd; then systemctl restart chronyd; fi
# 30 looks, 2 seconds apart, until less than half a second is left to correct.
if ! chronyc -n waitsync 30 0.5 0 2 >/dev/null; then
    if [[ -z $KF_NTP ]]; then
        warn "the clock is not synchronized and the site names no ntp server"
        exit 0
    fi
    die "the clock is not synchronized after a minute with: $KF_NTP" "chronyc -n sources -v; is 123/udp open to these servers?"
fi
