#!/bin/bash
set -euo pipefail
systemctl enable firewalld && systemctl start firewalld || true
