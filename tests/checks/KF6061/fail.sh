#!/bin/bash
set -euo pipefail
cat >/etc/yum.repos.d/k.repo <<'EOF'
baseurl=https://packages.cloud.google.com/yum/repos/kubernetes-el7-x86_64
EOF
