#!/bin/bash
set -euo pipefail
for _ in {1..5}; do
    if kubectl apply --server-side -f kubeflow.yaml; then break; fi
    sleep 10
done
