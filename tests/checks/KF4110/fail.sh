#!/bin/bash
set -euo pipefail
yum install -y kubelet kubeadm kubectl --disableexcludes=kubernetes
