#!/bin/bash
set -euo pipefail
curl -f --retry-all-errors -o /tmp/x https://example.org/x
