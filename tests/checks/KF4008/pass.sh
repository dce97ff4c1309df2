#!/bin/bash
set -euo pipefail
echo "hello"
# it's fine in a comment
