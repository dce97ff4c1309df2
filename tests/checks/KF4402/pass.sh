#!/bin/bash
set -euo pipefail
for f in /etc/*; do rm -f "$f/x"; done
