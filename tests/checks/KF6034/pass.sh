#!/bin/bash
set -euo pipefail
firewall-offline-cmd --add-protocol=4
