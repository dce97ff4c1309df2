#!/bin/bash
set -euo pipefail
curl -fsS -o k.tar.gz https://mirror.example.org/kustomize_v5.0.0_linux_amd64.tar.gz
