# The last section: it is reached only when every section before it succeeded, so a node that failed is not marked done.
# Where Cobbler is, the kernel line tells: right behind a proxy or an alias too, and for Cobbler 2.8 (op/ks).
set -euo pipefail
trap 'echo "kfimage: Cobbler was not told that this node is done; it would be installed again" >/dev/console' ERR
line=$(cat "${KFIMAGE_ROOT:-}/proc/cmdline")
ks=" $line "
ks=${ks##* inst.ks=}
ks=${ks%% *}
case $ks in
    */cblr/svc/op/autoinstall/system/?* | */cblr/svc/op/ks/system/?*) ;;
    *)
        echo "kfimage: not booted by Cobbler: nothing is switched off there"
        exit 0
        ;;
esac
service=${ks%%/op/*}
node=${ks##*/system/}
ask() { curl --fail --silent --show-error --noproxy '*' --retry 5 --max-time 60 "$service/op/$1"; }
ask "trig/mode/post/system/$node" || echo "kfimage: Cobbler's post trigger did not answer"
answer=$(ask "nopxe/system/$node")
if [[ $answer != *True* ]]; then
    # Only with pxe_just_once does Cobbler switch it off; without, the boot order has to keep a node from its next install.
    echo "kfimage: Cobbler left netboot on (it said '$answer'; its setting pxe_just_once is off)"
fi
