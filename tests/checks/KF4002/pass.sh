#!/bin/bash
set -euo pipefail
curl -f --retry 5 -o /tmp/x https://example.org/x
echo "no --retry-all-errors in curl 7.61"
