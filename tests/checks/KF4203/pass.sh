#!/bin/bash
set -euo pipefail
# kfimage: place=post
/usr/local/bin/daemon --once && true
