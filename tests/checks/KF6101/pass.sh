#!/bin/bash
set -euo pipefail
yum install -y nvidia-container-toolkit-1.17.8 nvidia-container-toolkit-base-1.17.8
