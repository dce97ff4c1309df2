#!/bin/bash
set -euo pipefail
cat <<EOF | tee /etc/modules-load.d/k8s.conf
overlay
br_netfilter
EOF
