#!/bin/bash
set -euo pipefail
firewall-offline-cmd --add-protocol=ipip
