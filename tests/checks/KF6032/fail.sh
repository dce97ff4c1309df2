#!/bin/bash
set -euo pipefail
firewall-cmd --permanent --add-port=10251/tcp
