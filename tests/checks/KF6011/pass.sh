#!/bin/bash
set -euo pipefail
sed -ri '/^[^#]\S*\s+\S+\s+swap\s/ s/^/#/' /etc/fstab
# never: sed -i '/ swap / s/^/#/' /etc/fstab
