#!/bin/bash
set -euo pipefail
firewall-cmd --permanent --add-port=10250/tcp # not 10251
