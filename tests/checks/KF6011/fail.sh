#!/bin/bash
set -euo pipefail
sed -i '/ swap / s/^\(.*\)$/#\1/g' /etc/fstab
