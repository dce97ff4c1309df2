#!/bin/bash
set -euo pipefail
start=$EPOCHSECONDS
echo "$start"
