#!/bin/bash
set -euo pipefail
echo "hello from $KF_NODE"
