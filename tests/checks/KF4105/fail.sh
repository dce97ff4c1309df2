#!/bin/bash
set -euo pipefail
curl -sSL -o /tmp/x https://example.org/x
