#!/bin/bash
set -euo pipefail
cp /etc/kubernetes/admin.conf "$HOME/.kube/config"
