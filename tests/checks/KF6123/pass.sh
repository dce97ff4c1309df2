#!/bin/bash
set -euo pipefail
helm upgrade --install gpu-operator ./gpu-operator --set 'driver.imagePullSecrets[0]=registry-secret'
