#!/bin/bash
set -euo pipefail
cat <<EOF | tee /etc/NetworkManager/conf.d/calico.conf
[keyfile]
unmanaged-devices=interface-name:cali*
EOF
