#!/bin/bash
set -euo pipefail
dnf install -y cri-o-1.26.4
