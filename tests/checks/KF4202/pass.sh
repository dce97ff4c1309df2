#!/bin/bash
set -euo pipefail
# kfimage: place=post
sed 's/^| //' >/root/demo.ks <<'EOF'
| text
| %packages
EOF
