#!/bin/bash
set -euo pipefail
sed -i 's/^SELINUX=.*/SELINUX=disabled/' /etc/selinux/config
