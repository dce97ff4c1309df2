#!/bin/bash
set -euo pipefail
kustomize build example >kubeflow.yaml
