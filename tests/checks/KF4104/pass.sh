#!/bin/bash
set -euo pipefail
for _ in {1..60}; do
    if systemctl is-active crio; then break; fi
    sleep 5
done
tries=0
until systemctl is-active crio; do
    if ((++tries > 60)); then exit 1; fi
    sleep 5
done
