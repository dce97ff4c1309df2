#!/bin/bash
set -euo pipefail
git clone https://github.com/kubeflow/manifests.git "$HOME/kubeflow"
