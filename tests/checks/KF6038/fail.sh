#!/bin/bash
set -euo pipefail
firewall-cmd --permanent --add-port=179/tcp
