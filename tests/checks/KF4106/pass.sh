#!/bin/bash
set -euo pipefail
curl -f --cacert /etc/site-ca.pem -o /tmp/x https://example.org/x
