# A section of kfimage's that fails holds the machine for a person and never returns, so somebody else has to tell Foreman.
set -euo pipefail
trap 'echo "kfimage: nobody is there to tell Foreman of a failure" >/dev/console' ERR
cat > "${KFIMAGE_ROOT:-}/tmp/kfimage-foreman-watch" <<'KF_END'
set -euo pipefail
trap 'echo "kfimage: Foreman was not told of the failure" >/dev/console' ERR
root=${KFIMAGE_ROOT:-}
until [[ -e $root/tmp/kfimage-foreman-built ]]; do
    if grep -qs '^kfimage: the installation has stopped' "$root"/var/log/kfimage/*.log; then
        tail -q -n 400 "$root"/var/log/kfimage/*.log | tail -c 60000 |
            curl --fail --silent --noproxy '*' --retry 5 --max-time 60 --output /dev/null --header 'Content-Type: text/plain' \
                --data-binary @- 'http://foreman.invalid/unattended/failed'
        break
    fi
    sleep "${KFIMAGE_PAUSE:-5}"
done
KF_END
# The installer waits for whoever holds this section's output, so the watcher has none.
setsid --fork bash "${KFIMAGE_ROOT:-}/tmp/kfimage-foreman-watch" </dev/null >/dev/null 2>&1
