#!/bin/bash
set -euo pipefail
dnf --assumeyes --nogpgcheck install lab-agent-1.0-1.el8
