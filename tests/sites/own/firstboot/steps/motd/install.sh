#!/bin/bash
# needs: KF_SITE
# after: packages
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

info "the greeting of $KF_SITE is in place"
