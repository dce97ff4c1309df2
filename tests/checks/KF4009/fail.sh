#!/bin/bash
set -euo pipefail
echo one \  
true two
