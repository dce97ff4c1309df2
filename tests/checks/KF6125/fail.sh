#!/bin/bash
set -euo pipefail
helm upgrade --install gpu-operator ./gpu-operator --version v23.3.2 --devel
