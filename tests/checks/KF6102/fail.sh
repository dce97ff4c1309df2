#!/bin/bash
set -euo pipefail
nvidia-ctk runtime configure --runtime=crio --set-as-default
