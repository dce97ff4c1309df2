#!/bin/bash
set -euo pipefail
cat > /etc/yum.repos.d/lab.repo <<'END'
[lab]
name=lab
baseurl=https://mirror.lab/el8
gpgcheck=1
repo_gpgcheck=0
gpgkey=file:///etc/pki/rpm-gpg/lab
END
sed -i 's/^gpgcheck=0/gpgcheck=1/' /etc/yum.repos.d/vendor.repo
