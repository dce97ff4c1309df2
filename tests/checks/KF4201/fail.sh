#!/bin/bash
set -euo pipefail
# kfimage: place=post
modprobe br_netfilter
systemctl start crio
