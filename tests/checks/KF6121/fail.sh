#!/bin/bash
set -euo pipefail
helm install --generate-name ./gpu-operator
