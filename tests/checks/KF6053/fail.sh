#!/bin/bash
set -euo pipefail
curl -fsSL https://nvidia.github.io/libnvidia-container/stable/rpm/nvidia-container-toolkit.repo |
    tee /etc/yum.repos.d/nvidia-container-toolkit.repo
