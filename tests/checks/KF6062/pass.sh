#!/bin/bash
set -euo pipefail
cat >/etc/yum.repos.d/k.repo <<'EOF'
[kubernetes]
baseurl=https://pkgs.k8s.io/core:/stable:/v1.25/rpm/
exclude=kubelet kubeadm kubectl cri-tools kubernetes-cni
EOF
