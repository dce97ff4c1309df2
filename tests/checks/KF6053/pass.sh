#!/bin/bash
set -euo pipefail
tee /etc/yum.repos.d/nvidia-container-toolkit.repo <<'EOF'
[nvidia-container-toolkit]
baseurl=https://mirror.example.org/nvidia
gpgcheck=1
EOF
