#!/bin/bash
set -euo pipefail
if command -v jq >/dev/null; then jq .a /etc/a.json; fi
