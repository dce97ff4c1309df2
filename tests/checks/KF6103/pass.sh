#!/bin/bash
set -euo pipefail
nvidia-ctk runtime configure --runtime=crio --config=/etc/crio/crio.conf.d/99-nvidia.conf --set-as-default
