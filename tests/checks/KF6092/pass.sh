#!/bin/bash
set -euo pipefail
curl -fsSL -o helm.tar.gz https://get.helm.sh/helm-v3.11.3-linux-amd64.tar.gz
