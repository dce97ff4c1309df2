#!/bin/bash
set -euo pipefail
curl -fsS "https://raw.githubusercontent.com/kubernetes-sigs/kustomize/master/hack/install_kustomize.sh" | bash
