#!/bin/bash
set -euo pipefail
helm upgrade --install nvdp ./nvidia-device-plugin-0.14.0.tgz --values plugin.yaml
helm upgrade --install gpu-operator ./gpu-operator --set devicePlugin.enabled=false
