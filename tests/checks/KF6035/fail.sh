#!/bin/bash
set -euo pipefail
firewall-cmd --reload
