#!/bin/bash
set -euo pipefail
rpm -Uvh https://mirror.lab/lab-agent-1.0-1.el8.x86_64.rpm
