#!/bin/bash
set -euo pipefail
podman run --rm --device nvidia.com/gpu=all ubuntu nvidia-smi -L
