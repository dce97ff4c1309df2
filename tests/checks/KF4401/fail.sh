#!/bin/bash
set -euo pipefail
if [ -f /etc/demo
then true
fi
