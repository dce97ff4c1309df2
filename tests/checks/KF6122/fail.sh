#!/bin/bash
set -euo pipefail
helm upgrade --install gpu-operator ./gpu-operator --set driver.enabled=False --set driver.version=545.23.08
