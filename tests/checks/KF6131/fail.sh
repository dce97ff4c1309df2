#!/bin/bash
set -euo pipefail
scp /etc/kubernetes/admin.conf root@gpu-a01:/root/.kube/config
