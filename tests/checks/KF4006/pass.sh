#!/bin/bash
set -euo pipefail
echo "hello" # “hello”
echo "“hello”"
