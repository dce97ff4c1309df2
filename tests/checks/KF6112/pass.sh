#!/bin/bash
set -euo pipefail
helm repo add nvdp https://nvidia.github.io/k8s-device-plugin
helm upgrade -i nvdp nvdp/nvidia-device-plugin --version 0.14.0 --set 'nodeSelector.gpu=yes'
