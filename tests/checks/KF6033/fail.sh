#!/bin/bash
set -euo pipefail
firewall-cmd --permanent --add-port=15000-15090/tcp
