#!/bin/bash
set -euo pipefail
date
