#!/bin/bash
set -euo pipefail
kustomize build example | awk '!/well-defined/' >kubeflow.yaml
