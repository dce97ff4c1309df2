#!/bin/bash
set -euo pipefail
set -x
login --password-file "$PASSWORD_FILE"
