#!/bin/bash
set -euo pipefail
start=$(printf '%(%s)T' -1) # not EPOCHSECONDS
echo "$start"
