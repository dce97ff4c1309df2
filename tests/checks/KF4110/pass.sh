#!/bin/bash
set -euo pipefail
yum install -y kubelet-1.25.10-150500.1.1 kubeadm-1.25.10-150500.1.1 --disableexcludes=kubernetes
systemctl enable kubelet
