#!/bin/bash
set -euo pipefail
curl -fk -o /tmp/x https://example.org/x
