#!/bin/bash
# Modules and kernel settings of the next boot; modprobe and sysctl here would act on the installer.
# needs: KF_MODULES KF_SYSCTLS KF_CALICO
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

read -ra modules <<<"$KF_MODULES"
read -ra settings <<<"$KF_SYSCTLS"
case $KF_CALICO in
ipip) modules+=(ipip) ;;
vxlan) modules+=(vxlan) ;;
none) ;;
*) die "Calico's encapsulation '$KF_CALICO' is unknown" "say ipip, vxlan or none in the site" ;;
esac

{
    printf '# kfimage: without these no pod network.\n'
    printf '%s\n' overlay br_netfilter "${modules[@]}" | awk '!seen[$0]++'
} | put /etc/modules-load.d/kfimage.conf 0644

{
    cat <<'END'
# kfimage: named to come last, because a later file wins: hardening profiles that set ip_forward=0 come earlier.
net.bridge.bridge-nf-call-iptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
net.ipv4.ip_forward = 1
# NodePorts are not for outgoing connections.
net.ipv4.ip_local_reserved_ports = 30000-32767
# The larger of image-builder's and Kubeflow's.
fs.inotify.max_user_instances = 8192
fs.inotify.max_user_watches = 1255360
# What kubelet sets itself, or demands with protectKernelDefaults.
vm.overcommit_memory = 1
vm.panic_on_oom = 0
kernel.panic = 10
kernel.panic_on_oops = 1
kernel.keys.root_maxkeys = 1000000
kernel.keys.root_maxbytes = 25000000
END
    if ((${#settings[@]})); then printf '# the site\n'; fi
    for setting in "${settings[@]}"; do
        [[ $setting =~ ^[A-Za-z0-9_./*-]+=.+$ ]] || die "'$setting' is not a kernel setting" \
            "write it as net.core.somaxconn=1024 in the site"
        printf '%s = %s\n' "${setting%%=*}" "${setting#*=}"
    done
} | put /etc/sysctl.d/99-zz-kfimage.conf 0644
