#!/bin/bash
set -euo pipefail
# kfimage: place=post
echo br_netfilter >/etc/modules-load.d/demo.conf # modprobe would act on the installer
systemctl enable crio
