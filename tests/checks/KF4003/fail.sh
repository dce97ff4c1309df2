#!/bin/bash
set -euo pipefail
jq .a /etc/a.json
