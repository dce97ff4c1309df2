#!/bin/bash
set -euo pipefail
curl -fsSL -o manifests.tar.gz https://mirror.example.org/kubeflow-manifests-v1.7.0.tar.gz
