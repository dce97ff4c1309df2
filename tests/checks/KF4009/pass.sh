#!/bin/bash
set -euo pipefail
echo one \
    two
