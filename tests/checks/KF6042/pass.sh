#!/bin/bash
set -euo pipefail
cat <<EOF | tee /etc/sysctl.d/99-zz-kubernetes.conf
net.bridge.bridge-nf-call-iptables  = 1
net.ipv4.ip_forward                 = 1
fs.inotify.max_user_instances = 8192
fs.inotify.max_user_watches = 1255360
EOF
