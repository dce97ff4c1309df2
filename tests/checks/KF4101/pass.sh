#!/bin/bash
set -e
mkdir -p /var/lib/demo
cp /etc/demo /var/lib/demo/
