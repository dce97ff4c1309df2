#!/bin/bash
# Third-party RPMs: one dnf transaction of pinned packages with signatures on, from repositories whose keys are pinned.
# needs: KF_REPOS KF_REPO_* KF_PACKAGES KF_PACKAGES_LOCK KF_KERNEL_LOCK KF_HTTP_PROXY KF_HTTPS_PROXY KF_NO_PROXY
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

read -ra repos <<<"$KF_REPOS"
read -ra pins <<<"$KF_PACKAGES"
read -ra lock <<<"$KF_PACKAGES_LOCK"
if [[ $KF_KERNEL_LOCK == yes ]]; then lock+=('kernel*'); fi
use_proxy "$KF_HTTP_PROXY" "$KF_HTTPS_PROXY" "$KF_NO_PROXY" # for dnf: the vendor's repositories say no proxy of their own
work=$(mktemp -d)

# give_key ID: the repository's key, fetched or copied, checked, in rpm's database and on disk for dnf.
give_key() {
    local part source proxy keyfile fprs expired_ok short fpr
    part=$(fact_part "$1")
    fact source "KF_REPO_${part}_KEY"
    fact proxy "KF_REPO_${part}_KEYPROXY"
    fact fprs "KF_REPO_${part}_FINGERPRINT"
    fact expired_ok "KF_REPO_${part}_EXPIRED_OK"
    keyfile=/etc/pki/rpm-gpg/RPM-GPG-KEY-kfimage-$1
    [[ -n $source ]] || die "repository $1 has no signing key" "name its key and fingerprint in the site; nothing is installed unsigned"
    if [[ $source == /* ]]; then
        [[ -r $ROOT$source ]] || die "the key of repository $1, $source, is not on the node" \
            "ls -l $source; the site's files put it there"
        cp "$ROOT$source" "$work/$1.key"
    else
        retry 4 5 _get "$source" "$work/$1.key" "$proxy" || die "cannot fetch the key of repository $1 from $source" \
            "curl -I ${proxy:+--proxy $proxy }$source"
    fi
    check_key "$work/$1.key" "repository $1" "$fprs" "$expired_ok"
    place "$work/$1.key" "$keyfile" 0644
    for fpr in $fprs; do
        short=${fpr: -8}
        # Importing a key that is there adds a second copy.
        if ! rpm -q "gpg-pubkey-${short,,}" >/dev/null 2>&1; then rpm --import "$ROOT$keyfile"; fi
    done
}

# give_repo ID: our .repo file; repo_gpgcheck stays off because mirrors seldom keep the signature, gpgcheck is what counts.
give_repo() {
    local part url proxy
    part=$(fact_part "$1")
    fact url "KF_REPO_${part}_URL"
    fact proxy "KF_REPO_${part}_PROXY"
    put "/etc/yum.repos.d/kfimage-$1.repo" 0644 <<END
# Written by kfimage. Pinned packages are excluded in /etc/dnf/dnf.conf, so that 'dnf update' keeps the pins.
[$1]
name=$1
baseurl=$url
enabled=1
gpgcheck=1
repo_gpgcheck=0
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-kfimage-$1
${proxy:+proxy=$proxy
}skip_if_unavailable=0
END
}

# hold: [main] of dnf.conf excludes what is pinned. What an administrator excluded stays; our own earlier words go.
hold() {
    [[ -f $ROOT/etc/dnf/dnf.conf ]] || printf '[main]\n' | put /etc/dnf/dnf.conf 0644
    awk -v ours="${lock[*]}" '
        function flush(    i, n, all, seen, out) {
            if (!main) return
            main = 0
            n = split(theirs " " ours, all, /[ ,\t]+/)
            for (i = 1; i <= n; i++) if (all[i] != "" && !(all[i] in mine && !(all[i] in wanted)) && !seen[all[i]]++) out = out " " all[i]
            if (ours != "") print "# kfimage holds: " ours
            if (out != "") print "excludepkgs=" substr(out, 2)
        }
        BEGIN { n = split(ours, w, " "); for (i = 1; i <= n; i++) wanted[w[i]] = 1 }
        /^# kfimage holds: / { n = split(substr($0, 18), m, " "); for (i = 1; i <= n; i++) mine[m[i]] = 1; next }
        /^\[/ { flush(); main = ($0 ~ /^\[main\]/) }
        main && /^(exclude|excludepkgs)[ \t]*=/ { sub(/^[a-z]+[ \t]*=/, ""); theirs = theirs " " $0; next }
        { print }
        END { flush() }' "$ROOT/etc/dnf/dnf.conf" | put /etc/dnf/dnf.conf 0644
}

# missing: pins that are not installed, one per line; a module (@name:stream) has no RPM of that name and is dnf's to know.
missing() {
    local pin
    for pin in "${pins[@]}"; do
        if [[ $pin != @* ]] && ! rpm -q "$pin" >/dev/null 2>&1; then printf '%s\n' "$pin"; fi
    done
}

for repo in "${repos[@]}"; do
    give_key "$repo"
    give_repo "$repo"
done
rm -rf "$work"

log=$ROOT/var/log/kfimage-dnf.log
# why: dnf's own words: the first line that names a cause, then its last word.
why() {
    {
        grep -m1 -E 'is not signed$|^Public key for .* is not installed|^  - (Status code|Curl error)|^\[FAILED\]|^ *Problem|already running' "$log" || true
        grep '^Error: ' "$log" | tail -n1 || true
    } | sed 's/^[ -]*//' | paste -sd ';' | sed 's/;/; /'
}

if ((${#pins[@]})) && [[ -n $(missing) ]]; then
    mkdir -p "${log%/*}"
    # A vendor repository that the rack cannot reach is not asked for anything but dependencies; ours must answer.
    reach=("--setopt=*.skip_if_unavailable=1")
    for repo in "${repos[@]}"; do reach+=("--setopt=$repo.skip_if_unavailable=0"); done
    dnf -y --setopt=install_weak_deps=False --setopt=retries=5 --setopt=timeout=60 "${reach[@]}" --disableexcludes=all install "${pins[@]}" \
        </dev/null 2>&1 | tee "$log" >&2 ||
        die "dnf could not install the pinned packages ${pins[*]}: $(why)" \
            "read /var/log/kfimage-dnf.log; 'Unable to find a match' means the repository does not have that version"
fi
# dnf ends with 0 when a package's script failed: the files are there, what the script does is not. Nor does it become right
# by running this a second time, when nothing is missing any more.
failure='scriptlet (failed|failure)|error in [a-z]+ scriptlet'
if [[ -f $log ]] && grep -qiE "$failure" "$log"; then
    die "a package's script failed: $(grep -m1 -iE "$failure" "$log")" \
        "read /var/log/kfimage-dnf.log; dnf reinstall that package; when its script ends well, rm /var/log/kfimage-dnf.log"
fi
left=$(missing | tr '\n' ' ')
[[ -z $left ]] || die "not installed after dnf said yes: $left" "rpm -qa | sort; is another version there?"
hold
