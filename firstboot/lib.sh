# shellcheck shell=bash
# What every kfimage script shares. Sourced by `step`, `report` and each step's script; reads no fact by itself.
# Every absolute path is given without, and used with, $ROOT: the tests run the same scripts in a temporary tree.
set -euo pipefail
# lastpipe: `... | put` must set CHANGED here. inherit_errexit: a fault inside $(...) is a fault.
shopt -s lastpipe inherit_errexit
export LC_ALL=C
umask 022

ROOT=${KFIMAGE_ROOT:-}
STATE=/var/lib/kfimage
FACTS_FILE=/etc/kfimage/facts.env
CRI_SOCKET=unix:///var/run/crio/crio.sock
CHANGED=no # yes once put or place has written something

# --- telling: on stderr, so that stdout stays data ---------------------------------------------------------------------
# _say LEVEL TEXT: <n> is the journal's level; a person at a terminal need not see it.
_say() {
    if [[ -t 2 ]]; then printf '%s: %s\n' "${KFIMAGE_STEP:-kfimage}" "$2" >&2; else printf '<%s>%s: %s\n' "$1" "${KFIMAGE_STEP:-kfimage}" "$2" >&2; fi
}
info() { _say 6 "$*"; }
notice() { _say 5 "$*"; }
warn() { _say 4 "$*"; }

# die WHAT NEXT: what is wrong, and the next command to type.
die() {
    _say 3 "$1"
    _say 3 "next: $2"
    exit 1
}

# retry TIMES DELAY COMMAND...: until it succeeds, bounded; the command's own words stay visible.
retry() {
    local times=$1 delay=$2 try
    shift 2
    for ((try = 1; try <= times; try++)); do
        if "$@"; then return 0; fi
        if ((try < times)); then
            info "try $try of $times failed: $1; again in ${delay}s"
            sleep "$delay"
        fi
    done
    return 1
}

# --- facts ------------------------------------------------------------------------------------------------------------
declare -A FACTS=()

# load_facts: facts.env into FACTS. Never sourced: one line that is not KF_NAME="value" refuses the whole file.
load_facts() {
    local file=$ROOT$FACTS_FILE bad line name
    local next="look at $FACTS_FILE; it is written by the kickstart's %post, 'kfimage render' makes it"
    [[ -r $file ]] || die "$FACTS_FILE cannot be read" "ls -l $FACTS_FILE"
    # grep -a sees NUL and CR, which bash's own read would drop or keep silently.
    bad=$(grep -a -n -v -m1 -E '^KF_[A-Z0-9_]+="[][A-Za-z0-9 ._:/@,=+%~*-]*"$' "$file" | cut -d: -f1) || true
    [[ -z $bad ]] || die "$FACTS_FILE line $bad is not KF_NAME=\"value\" of the allowed characters; nothing was read" "$next"
    while IFS= read -r line || [[ -n $line ]]; do
        name=${line%%=*}
        [[ ! -v FACTS[$name] ]] || die "$FACTS_FILE says $name twice" "$next"
        line=${line#*=\"}
        FACTS[$name]=${line%\"}
    done <"$file"
}

# fact VARIABLE NAME: a fact whose name is put together (KF_REPO_<ID>_URL); an absent one is an error that names it.
# Into a variable, not on stdout: inside $(...) as an argument the error would end only that subshell.
fact() {
    [[ -v $2 ]] || die "fact $2 is missing" "grep ${2%_*} $FACTS_FILE"
    printf -v "$1" '%s' "${!2}"
}

# fact_part ID: how an id is spelled inside a fact's name.
fact_part() {
    local part=${1^^}
    printf '%s' "${part//[^A-Z0-9]/_}"
}

# --- files ------------------------------------------------------------------------------------------------------------
# label PATH: give it the SELinux context that the policy says; no SELinux tools, nothing to do.
label() {
    if command -v restorecon >/dev/null; then
        restorecon -F "$ROOT$1" || warn "restorecon could not label $1"
    fi
}

# _settle TMP PATH MODE: make the written TMP be PATH; synced first, because a power cut must not leave an empty file.
_settle() {
    chmod "$3" "$1"
    sync "$1"
    mv -fT "$1" "$ROOT$2"
    label "$2"
    CHANGED=yes
    info "wrote $2"
}

# put PATH MODE <text: write beside and rename, only when content or mode differ. Text only: a NUL would be lost.
put() {
    local path=$ROOT$1 mode=$2 text
    text=$(cat && printf .)
    text=${text%.}
    if [[ -f $path && ! -L $path ]] && cmp -s "$path" <(printf '%s' "$text") && [[ $(stat -c %a "$path") == "${mode#0}" ]]; then
        return 0
    fi
    mkdir -p "${path%/*}"
    # One fixed name, readable by root alone: a crash leaves at most one such file and the next run takes it over.
    (umask 077 && printf '%s' "$text" >"$path.kfimage-new")
    _settle "$path.kfimage-new" "$1" "$mode"
}

# place SOURCE PATH MODE: as put, for a file that is already somewhere; SOURCE is taken as it is, without $ROOT.
place() {
    local path=$ROOT$2
    if [[ -f $path && ! -L $path ]] && cmp -s "$1" "$path" && [[ $(stat -c %a "$path") == "${3#0}" ]]; then
        return 0
    fi
    mkdir -p "${path%/*}"
    cp "$1" "$path.kfimage-new"
    _settle "$path.kfimage-new" "$2" "$3"
}

# drop PATH...: remove files that must not be there; silent when they are not.
drop() {
    local path
    for path in "$@"; do
        if [[ -e $ROOT$path || -L $ROOT$path ]]; then
            rm -f "$ROOT$path"
            CHANGED=yes
            notice "removed $path"
        fi
    done
}

# set_key PATH KEY VALUE: exactly one uncommented KEY=VALUE line, whatever spelling of it was there before.
set_key() {
    local path=$1 key=$2 value=$3 mode=0644
    [[ -f $ROOT$path ]] || die "$path does not exist" "rpm -qf $path; its package belongs in the role's vendor packages"
    mode=0$(stat -c %a "$ROOT$path")
    awk -v key="$key" -v value="$value" '
        $0 ~ "^[ \t]*" key "[ \t]*=" { if (!done) print key "=" value; done = 1; next }
        { print }
        END { if (!done) print key "=" value }' "$ROOT$path" | put "$path" "$mode"
}

# sha_of FILE: bare sha256, FILE without $ROOT added.
sha_of() { sha256sum <"$1" | cut -d' ' -f1; }

# --- network ----------------------------------------------------------------------------------------------------------
# use_proxy HTTP HTTPS NO: for a program that fetches from more than one place. Lower case: curl ignores HTTP_PROXY on purpose.
use_proxy() {
    if [[ -n $1 ]]; then export http_proxy=$1; fi
    if [[ -n $2 ]]; then export https_proxy=$2; fi
    if [[ -n $3 ]]; then export no_proxy=${3// /,}; fi
}

# _get URL FILE [PROXY]: one download with curl 7.61's options; a stalled transfer ends after a minute. Which proxy is the
# render's to know: curl and bash cannot tell whether an address lies in a network that is reached directly.
_get() {
    curl --fail --silent --show-error --location --proto '=http,https' --proto-redir '=http,https' \
        --connect-timeout 15 --speed-limit 1024 --speed-time 60 --proxy "${3:-}" --output "$2" --url "$1"
}

# fetch URL SHA256 DEST [PROXY]: DEST holds exactly those bytes afterwards, or the script ends. DEST without $ROOT.
fetch() {
    local url=$1 sha=$2 dest=$ROOT$3 got
    [[ $sha =~ ^[0-9a-f]{64}$ ]] || die "$url has no sha256 pin" \
        "pin it in kfimage.lock and render again; nothing unpinned is installed"
    if [[ -f $dest && $(sha_of "$dest") == "$sha" ]]; then return 0; fi
    mkdir -p "${dest%/*}"
    retry 4 5 _get "$url" "$dest.part" "${4:-}" || die "cannot fetch $url" "curl -I ${4:+--proxy $4 }$url"
    got=$(sha_of "$dest.part")
    if [[ $got != "$sha" ]]; then
        rm -f "$dest.part"
        die "$url is not the file that was pinned: wanted sha256 $sha, got $got" \
            "compare with kfimage.lock; do not install it before you know why"
    fi
    mv -fT "$dest.part" "$dest"
    info "fetched $url"
}

# check_key FILE OWNER FINGERPRINTS EXPIRED_OK: every primary key in FILE is pinned, neither revoked nor expired.
# kubernetes/release#3818: the v1.25 repository's own key was published expired; rpm and dnf do not look.
check_key() {
    local file=$1 owner=$2 pinned=${3^^} expired_ok=$4 home listing type state until fpr found=0 next
    next="gpg --show-keys $file; correct the pin, or the key's URL, of $owner in the site"
    [[ -n $pinned ]] || die "the signing key of $owner has no pinned fingerprint" "$next"
    home=$(mktemp -d)
    listing=$(gpg --homedir "$home" --batch --no-tty --show-keys --with-colons "$file" 2>/dev/null) || listing=
    rm -rf "$home"
    while IFS=: read -r type state _ _ _ _ until _ _ fpr _; do
        case $type in
        pub) pub_state=$state pub_until=$until primary=yes ;;
        fpr)
            [[ ${primary:-} == yes ]] || continue # a subkey's
            primary=no found=1
            [[ " $pinned " == *" $fpr "* ]] || die "$file holds the key $fpr, which $owner does not pin (pinned: $pinned)" "$next"
            [[ $pub_state != r ]] || die "the key $fpr of $owner is revoked" "ask the vendor for the new key; $next"
            if [[ $pub_state == e || ($pub_until =~ ^[0-9]+$ && $pub_until -le $(date +%s)) ]]; then
                local when
                when=$(date -u -d "@${pub_until:-0}" +%F)
                [[ $expired_ok == yes ]] || die "the key $fpr of $owner expired on $when" \
                    "use the vendor's renewed copy of the same key, or accept the expired one for $owner by name in the site"
                warn "the key $fpr of $owner expired on $when; the site accepts that by name"
            fi
            ;;
        esac
    done <<<"$listing"
    ((found)) || die "$file holds no OpenPGP key" "$next"
}

# --- NVIDIA hardware --------------------------------------------------------------------------------------------------
# nvidia_pci CLASS...: PCI addresses of NVIDIA devices of these classes, from sysfs: lspci may not be installed.
nvidia_pci() {
    local dev class
    for dev in "$ROOT"/sys/bus/pci/devices/*; do
        if [[ -r $dev/vendor && $(<"$dev/vendor") == 0x10de ]]; then
            for class in "$@"; do
                if [[ $(<"$dev/class") == "$class"* ]]; then printf '%s\n' "${dev##*/}"; fi
            done
        fi
    done
}
gpu_count() { nvidia_pci 0x0300 0x0302 | grep -c . || true; } # VGA and 3D controllers
nvswitch_count() { nvidia_pci 0x0680 | grep -c . || true; }   # an NVSwitch says it is a bridge

# --- systemd and CRI-O ------------------------------------------------------------------------------------------------
joined() { [[ -e $ROOT/etc/kubernetes/kubelet.conf ]]; }

# configure: a step's install.sh again, at boot: facts that changed reach the files; files that are right stay untouched.
configure() {
    local before
    before=$(mktemp)
    KFIMAGE_CHANGED_FILE=$before bash "$KFIMAGE_STEP_DIR/install.sh" || { rm -f "$before"; exit 1; }
    if [[ -s $before ]]; then CHANGED=yes; fi
    rm -f "$before"
}
# An install.sh run by configure says through this file that it wrote something.
_tell_changed() { if [[ $CHANGED == yes && -n ${KFIMAGE_CHANGED_FILE:-} ]]; then echo yes >"$KFIMAGE_CHANGED_FILE"; fi; }
trap _tell_changed EXIT

_crio_config() {
    local path
    for path in /etc/crio /etc/containers/registries.conf /etc/containers/registries.conf.d /etc/systemd/system/crio.service.d; do
        if [[ -e $ROOT$path ]]; then find "$ROOT$path" -type f -print0 | sort -z | xargs -0r sha256sum; fi
    done | sed "s| $ROOT/| /|" | sha256sum | cut -d' ' -f1
}

# crio_answers: CRI-O speaks on its socket within a minute.
crio_answers() { retry "${KFIMAGE_TRIES:-20}" 3 crictl --runtime-endpoint "$CRI_SOCKET" info >/dev/null; }

# crio_apply: CRI-O runs with the configuration that is on disk and answers; a restart keeps containers (conmon holds them).
# Returns 1 when it does not: the caller knows what to take back.
crio_apply() {
    local now
    now=$(_crio_config)
    if systemctl is-active --quiet crio && [[ -f $ROOT$STATE/crio.config && $(<"$ROOT$STATE/crio.config") == "$now" ]]; then
        crio_answers
        return
    fi
    # Only when needed: a reload takes GPUs away from running containers that have no /dev/char links (toolkit#48).
    if [[ $(systemctl show -p NeedDaemonReload --value crio) == yes ]]; then systemctl daemon-reload; fi
    systemctl restart crio || return 1
    crio_answers || return 1
    put "$STATE/crio.config" 0644 <<<"$now"
}
