#!/bin/bash
set -euo pipefail
yum install -y nvidia-container-toolkit
