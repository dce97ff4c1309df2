#!/bin/bash
set -euo pipefail
nvidia-ctk cdi list
