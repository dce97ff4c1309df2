#!/bin/bash
mkdir -p /var/lib/demo
cp /etc/demo /var/lib/demo/
