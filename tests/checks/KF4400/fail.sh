#!/bin/bash
set -euo pipefail
echo "the program that reads this may be absent"
