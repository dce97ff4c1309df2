#!/bin/bash
# Registration with Red Hat, when the site has an organization, and the release lock that keeps dnf on this minor release.
# needs: KF_RHSM_ORGANIZATION KF_RHSM_SERVER KF_OS_VERSION KF_RHSM_PROXY
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

key=$ROOT/etc/kfimage/secrets/rhsm-activation-key
if [[ -z $KF_RHSM_ORGANIZATION ]]; then
    info "no organization in the site: this node is not registered"
    exit 0
fi
command -v subscription-manager >/dev/null || die "subscription-manager is not installed" \
    "add subscription-manager to the role's vendor packages"

if [[ -n $KF_RHSM_PROXY ]]; then
    proxy=${KF_RHSM_PROXY#*://}
    proxy=${proxy%%/*}
    host=${proxy%:*}
    host=${host#[}
    subscription-manager config --server.proxy_hostname="${host%]}" --server.proxy_port="${proxy##*:}"
fi

if ! subscription-manager identity >/dev/null 2>&1; then
    [[ -s $key ]] || die "not registered, and there is no activation key" \
        "install -m 0600 KEYFILE /etc/kfimage/secrets/rhsm-activation-key; then systemctl start kfimage-register"
    # The tool takes the key only as an argument; its output is kept back because it may repeat it.
    server=()
    if [[ -n $KF_RHSM_SERVER ]]; then server=(--serverurl "$KF_RHSM_SERVER"); fi
    subscription-manager register --org "$KF_RHSM_ORGANIZATION" --activationkey "$(<"$key")" "${server[@]}" >/dev/null 2>&1 ||
        die "registration with organization $KF_RHSM_ORGANIZATION was refused (status $?)" \
            "tail /var/log/rhsm/rhsm.log; is the activation key valid for that organization?"
    subscription-manager identity >/dev/null 2>&1 || die "registered, but the node has no identity" \
        "subscription-manager identity"
    notice "registered with organization $KF_RHSM_ORGANIZATION"
fi
if [[ -e $key ]]; then
    shred -u "$key"
    notice "the activation key is shredded"
fi

# Without it the first 'dnf update' makes 8.10 with another kernel of an 8.7 node.
if [[ $(subscription-manager release --show) != *" $KF_OS_VERSION"* ]]; then
    subscription-manager release --set="$KF_OS_VERSION" >/dev/null
    [[ $(subscription-manager release --show) == *" $KF_OS_VERSION"* ]] || die "the release is not locked to $KF_OS_VERSION" \
        "subscription-manager release --list"
    notice "release locked to $KF_OS_VERSION"
fi
