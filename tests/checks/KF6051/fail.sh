#!/bin/bash
set -euo pipefail
curl -fL -o cri-o.repo https://download.opensuse.org/repositories/devel:/kubic:/libcontainers:/stable/CentOS_8/devel:kubic:libcontainers:stable.repo
