#!/bin/bash
# The SELinux mode of the next boot; the kickstart says it too.
# needs: KF_SELINUX
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

case $KF_SELINUX in
permissive | enforcing) set_key /etc/selinux/config SELINUX "$KF_SELINUX" ;;
# Coming back from disabled needs a full relabel, and NVIDIA asks for permissive or enforcing (cloud-native-docs#169).
*) die "selinux is '$KF_SELINUX'" "say permissive or enforcing in the site; disabled is not offered" ;;
esac
