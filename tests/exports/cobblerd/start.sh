#!/bin/bash
# start.sh ROOT VENV: a real cobblerd on 127.0.0.1:25151 and its web front on port 80, in a mount and network namespace of
# their own; becomes cobblerd. Nothing outside the namespace changes but empty mount points.
set -euo pipefail
root=$1 venv=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packages=$(echo "$venv"/lib/python3*/site-packages)
mkdir -p "$root"/{etc,lib,log,cache/buildiso,www/cobbler,tftpboot}
cp -r "$packages/etc/cobbler" "$root/etc/"
cp -r "$packages/var/lib/cobbler/." "$root/lib/"
mkdir -p "$root"/lib/collections/{distros,profiles,systems,repos,images,mgmtclasses,packages,files,menus} "$root"/lib/{loaders,jinja2,backup}
mkdir -p "$root"/log/{anamon,kicklog,syslog,tasks} "$root"/lib/triggers/{sync,install}/{pre,post} "$root"/lib/triggers/{change,install/firstboot}
mkdir -p "$root"/lib/triggers/{add,delete}/{distro,profile,system,repo,mgmtclass,package,file,menu}/{pre,post}
mkdir -p "$root"/www/cobbler/{images,distro_mirror,repo_mirror,links,misc,pub,rendered,repo_profile,repo_system,localmirror,svc,web,.link_cache}
hash=$("$venv/bin/python" -c 'import hashlib; print(hashlib.sha3_512(b"testing").hexdigest())')
echo "testing:Cobbler:$hash" >"$root/etc/cobbler/users.digest"
sed -i 's#^webdir:.*#webdir: "/srv/www/cobbler"#; s#^restart_dhcp:.*#restart_dhcp: false#; s#^restart_dns:.*#restart_dns: false#
    s#^tftpboot_location:.*#tftpboot_location: "/srv/tftpboot"#' "$root/etc/cobbler/settings.yaml"
head -c 4096 /dev/urandom >"$root/lib/vmlinuz"
head -c 8192 /dev/urandom >"$root/lib/initrd.img"
# shellcheck disable=SC2016 # the inner shell expands its own arguments
exec unshare --mount --net --propagation private bash -euo pipefail -c '
    root=$1 venv=$2 here=$3 packages=$4
    ip link set lo up
    for pair in etc/cobbler:/etc/cobbler lib:/var/lib/cobbler log:/var/log/cobbler cache:/var/cache/cobbler www:/srv/www tftpboot:/srv/tftpboot; do
        mkdir -p "${pair#*:}"
        mount --bind "$root/${pair%%:*}" "${pair#*:}"
    done
    "$venv/bin/python" "$here/front.py" "$packages/var/www/cobbler/svc" >"$root/front.log" 2>&1 &
    exec "$venv/bin/python" "$venv/bin/cobblerd" -F
' start "$root" "$venv" "$here" "$packages" >"$root/cobblerd.log" 2>&1
