#!/bin/bash
set -euo pipefail
rpm --import https://mirror.lab/RPM-GPG-KEY-lab
dnf --assumeyes install lab-agent-1.0-1.el8
