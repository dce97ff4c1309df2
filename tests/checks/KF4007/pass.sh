#!/bin/bash
set -euo pipefail
cat <<EOF
hello
EOF
cat <<-EOF
	hello
	EOF
