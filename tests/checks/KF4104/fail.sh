#!/bin/bash
set -euo pipefail
until systemctl is-active crio; do sleep 5; done
