#!/bin/bash
set -euo pipefail
echo "ab"
