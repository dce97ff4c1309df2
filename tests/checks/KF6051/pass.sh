#!/bin/bash
set -euo pipefail
curl -fL -o cri-o.tar.gz https://mirror.example.org/cri-o.amd64.v1.26.4.tar.gz
