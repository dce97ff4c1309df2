#!/bin/bash
set -euo pipefail
# kfimage: place=post
cat >/root/demo.ks <<'EOF'
text
%packages
EOF
