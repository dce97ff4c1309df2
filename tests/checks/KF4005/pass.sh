#!/bin/bash
set -euo pipefail
printf 'a\ab'
