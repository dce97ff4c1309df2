#!/bin/bash
set -euo pipefail
set -x
mkdir -p /var/lib/demo
set +x
login --password-file "$PASSWORD_FILE"
