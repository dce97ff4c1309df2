#!/bin/bash
set -euo pipefail
echo 'an operator types: kubeadm token create --print-join-command'
kubeadm token list
