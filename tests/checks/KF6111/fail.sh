#!/bin/bash
set -euo pipefail
helm upgrade -i nvdp nvdp/nvidia-device-plugin --version 0.14.0 --values gpu.yaml
