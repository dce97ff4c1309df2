#!/bin/bash
set -euo pipefail
cat <<EOF
hello
 EOF
