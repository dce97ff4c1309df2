#!/bin/bash
set -euo pipefail
firewall-cmd --permanent --zone=control-plane --add-port=2379-2380/tcp
