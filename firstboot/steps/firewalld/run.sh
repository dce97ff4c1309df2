#!/bin/bash
# The firewall that runs is the one that was written. Never a reload on a joined node: firewalld flushes the rules of
# kube-proxy and Calico with either backend (firewalld#1340, rke2#10469), and hostPorts do not come back.
# needs: KF_FIREWALL
# stamp: /proc/sys/kernel/random/boot_id
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

configure
if [[ $KF_FIREWALL == disabled ]]; then
    if systemctl is-active --quiet firewalld; then systemctl stop firewalld; fi
    exit 0
fi

# rules [--permanent]: what is open, in an order that does not depend on who asks.
rules() {
    local zone what
    for zone in public trusted; do
        for what in services ports protocols sources rich-rules; do
            printf '%s %s: %s\n' "$zone" "$what" "$(firewall-cmd "$@" --zone="$zone" --list-$what | tr ' ' '\n' | sort | tr '\n' ' ')"
        done
    done
}
in_force() {
    systemctl is-active --quiet firewalld && [[ $(rules) == "$(rules --permanent)" ]] && [[ $(firewall-cmd --get-default-zone) == public ]]
}

if [[ $CHANGED == yes ]] || ! in_force; then
    if joined; then
        die "firewalld does not run as configured, and this node has joined: a restart now would cut its pods off" \
            "diff <(firewall-cmd --list-all) <(firewall-cmd --permanent --list-all); then drain the node and reboot it"
    fi
    systemctl restart firewalld
    in_force || die "firewalld does not run as configured" \
        "firewall-cmd --state; firewall-cmd --check-config; journalctl -b -u firewalld"
fi
