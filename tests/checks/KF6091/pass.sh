#!/bin/bash
set -euo pipefail
chmod 700 get_helm.sh \
    && ./get_helm.sh
