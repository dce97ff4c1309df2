#!/bin/bash
set -euo pipefail
echo `date`
