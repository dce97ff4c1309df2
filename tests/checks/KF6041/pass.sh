#!/bin/bash
set -euo pipefail
cat <<EOF | tee /etc/modules-load.d/k8s.conf
overlay
br_netfilter
iptable_nat
xt_REDIRECT
EOF
