#!/bin/bash
set -euo pipefail
firewall-cmd --permanent --add-port=2379-2380/tcp
