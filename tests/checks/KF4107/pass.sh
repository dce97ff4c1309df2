#!/bin/bash
set -euo pipefail
# never --nogpgcheck
rpm --query --nosignature lab-agent
dnf --assumeyes install lab-agent-1.0-1.el8
