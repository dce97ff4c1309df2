#!/bin/bash
# A journal on disk, and a copy of everything to the site's log host.
# needs: KF_SYSLOG
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

# journald writes to disk as soon as this folder is there.
mkdir -p "$ROOT/var/log/journal"
label /var/log/journal

conf=/etc/rsyslog.d/10-kfimage.conf
if [[ -z $KF_SYSLOG ]]; then
    drop "$conf"
    exit 0
fi
[[ $KF_SYSLOG =~ ^(.+):([0-9]+)$ ]] || die "report.syslog '$KF_SYSLOG' is not HOST:PORT" "write it as 10.20.0.1:514 in the site"
# rsyslog takes an IPv6 address without brackets.
host=${BASH_REMATCH[1]#[}
put "$conf" 0644 <<END
# Written by kfimage. The queue is on disk and bounded: a log host that is away neither blocks nor fills the node.
*.* action(type="omfwd" target="${host%]}" port="${BASH_REMATCH[2]}" protocol="tcp"
           queue.type="LinkedList" queue.filename="kfimage" queue.maxDiskSpace="100m" queue.saveOnShutdown="on"
           action.resumeRetryCount="-1" action.resumeInterval="30")
END
