# Chooses the disk or the mirrored pair, refuses what is not ours to wipe, writes /tmp/kfimage-storage.ks for the
# kickstart to include. Pasted as it is into the %pre section, below the assignments; a fact left out counts as empty.
#   KF_DISK_ID, _WWN, _SERIAL, _PATH   space separated lists, one entry must fit; blanks of a serial are written _
#   KF_DISK_MODEL                      the whole model, _ and blank are the same; * is a wildcard here, in ID and in SERIAL
#   KF_DISK_SIZE_MIN, _SIZE_MAX        bytes, inclusive
#   KF_DISK_PICK                       smallest | largest: of the disks that fit
#   KF_DISK_RAID                       none | mirror: one disk or two
#   KF_DISK_WIPE                       guard | all
#   KF_DISK_VG                         volume group and prefix of all labels, at most 7 of [a-z0-9]; kfimage
#   KF_DISK_LAYOUT                     lvm | plain
#   KF_DISK_VOLUMES                    "/boot=1G /=30G /var=30G:ext4 /var/lib/containers=rest": MOUNT=SIZE[:xfs|ext4],
#                                      SIZE is N with M, G or T (binary), or rest; /=rest
#   KF_DISK_ENCRYPT                    none | tang | tpm2 | both (the pins themselves: kickstart/post/clevis.sh)
#   KF_KERNEL_ARGS, _ARGS_NODE, KF_BOOTLOADER_OPTIONS   the bootloader line belongs to this script; _NODE is this node's alone
#   KF_NODE, KF_REPORT_URL, KF_ON_FAILURE   hold | poweroff | reboot
set +o posix # Anaconda runs %pre by /bin/sh unless told otherwise
set +x
set -Eeuo pipefail
export LC_ALL=C
umask 077

root=${KFIMAGE_ROOT:-}
out=$root/tmp/kfimage-storage.ks
key=$root/tmp/kfimage-luks
reason=
details=()
failed_at=
touched= # a signature has been cleared
trap 'failed_at="line $LINENO: $BASH_COMMAND"' ERR
trap finish EXIT

stop() { # REASON [LINE...]
    reason=$1
    shift
    details=("$@")
    exit 1
}

# Anaconda shows the log of a %pre only when it has ended, so everything a person must read goes to every console.
announce() { # [again]
    local line device consoles
    read -ra consoles <<<"console $(cat "$root/sys/class/tty/console/active" 2>/dev/null)"
    for line in "kfimage: the installation has stopped: $reason" "${details[@]}" \
        "kfimage: ${touched:-nothing was written to any disk}; correct the site or the machine, then boot it again"; do
        line=${line//[^ -~]/?}
        printf '%s\n' "$line" >&2
        for device in "${consoles[@]}"; do
            [[ ! -e $root/dev/$device ]] || { printf '\r%s\r\n' "$line" >>"$root/dev/$device"; } 2>/dev/null || :
        done
        [[ -n ${1:-} ]] || { printf '<2>%s\n' "$line" >>"$root/dev/kmsg"; } 2>/dev/null || :
    done
}

post_report() {
    [[ -n ${KF_REPORT_URL:-} ]] || return 0
    local text
    text=$(printf '%s' "$reason" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')
    printf '{"node":"%s","step":"storage","state":"failed","message":"%s"}\n' "${KF_NODE:-}" "$text" |
        curl --silent --show-error --fail --max-time 20 --header 'Content-Type: application/json' \
            --output /dev/null --data-binary @- "$KF_REPORT_URL"
}

# A %pre that returns failure makes Anaconda open a dialog that waits for a key. So a failure never returns: it holds
# with the reason on the console (repeated, because Anaconda redraws), or turns the machine off after a minute.
finish() {
    local status=$?
    trap - EXIT ERR
    set +e
    [[ $status -eq 0 ]] && return
    reason=${reason:-"the disk script itself failed ($failed_at, status $status)"}
    rm -f "$out" "$out.new" "$key"
    announce
    { printf '%s\n' "$reason" "${details[@]}" >"$root/tmp/kfimage-failure"; } 2>/dev/null
    post_report || printf 'kfimage: the report could not be sent\n' >&2
    case ${KF_ON_FAILURE:-hold} in
        poweroff | reboot)
            sleep 60
            systemctl --no-block "$KF_ON_FAILURE"
            ;;
    esac
    while sleep 60; do announce again 2>/dev/null; done
    exit 1
}

# --- settings ---------------------------------------------------------------------------------------------------

one_of() { # NAME VALUE CHOICE...
    local name=$1 value=$2 choice
    shift 2
    for choice; do [[ $value == "$choice" ]] && return 0; done
    stop "$name is '$value', not one of: $*"
}

read_settings() {
    local alphabet='^[][A-Za-z0-9 ._:/@,=+%~*-]*$' name
    for name in "${!KF_DISK_@}" KF_KERNEL_ARGS KF_KERNEL_ARGS_NODE KF_BOOTLOADER_OPTIONS; do
        [[ ${!name:-} =~ $alphabet ]] || stop "$name holds a character that no fact may hold"
    done
    pick=${KF_DISK_PICK:-} raid=${KF_DISK_RAID:-none} wipe=${KF_DISK_WIPE:-guard}
    layout=${KF_DISK_LAYOUT:-lvm} encrypt=${KF_DISK_ENCRYPT:-none} vg=${KF_DISK_VG:-kfimage}
    [[ -z $pick ]] || one_of KF_DISK_PICK "$pick" smallest largest
    one_of KF_DISK_RAID "$raid" none mirror
    one_of KF_DISK_WIPE "$wipe" guard all
    one_of KF_DISK_LAYOUT "$layout" lvm plain
    one_of KF_DISK_ENCRYPT "$encrypt" none tang tpm2 both
    # xfs takes labels of 12 characters, FAT of 11: VG_boot and VG_EFI must fit.
    [[ $vg =~ ^[a-z][a-z0-9]{0,6}$ ]] || stop "KF_DISK_VG is '$vg': a letter and up to six letters or digits are needed"
    for name in KF_DISK_SIZE_MIN KF_DISK_SIZE_MAX; do
        [[ ${!name:-0} =~ ^[0-9]{1,18}$ ]] || stop "$name is '${!name}', not a number of bytes"
    done
    want=1
    [[ $raid == none ]] || want=2
    # Several LUKS volumes would be asked for outside the initramfs too; one below the volume group is unlocked once.
    [[ $encrypt == none || $layout == lvm ]] || stop "disk.encrypt needs disk.layout lvm"
    # Before anything is wiped: a node without a TPM could never unlock what is about to be made.
    if [[ $encrypt == tpm2 || $encrypt == both ]] && [[ ! -e $root/dev/tpmrm0 ]]; then
        stop "disk.encrypt asks for a TPM 2.0, and this machine shows none (/dev/tpmrm0); switch it on in the firmware"
    fi
    is_named
    ruled=$named${KF_DISK_ID:-}${KF_DISK_SERIAL:-}${KF_DISK_MODEL:-}${KF_DISK_SIZE_MIN:-}${KF_DISK_SIZE_MAX:-}$pick
}

# Named, as opposed to described: an exact id, WWN, serial or path.
is_named() {
    local list
    named=
    for list in "${KF_DISK_ID:-}" "${KF_DISK_WWN:-}" "${KF_DISK_SERIAL:-}" "${KF_DISK_PATH:-}"; do
        [[ -z $list || $list == *'*'* ]] || named=yes
    done
}

# --- disks ------------------------------------------------------------------------------------------------------

declare -A field size transport vendor model serial wwn read_only removable by_id in_use same_wwn
disks=()

# lsblk writes quotes, backslashes, $, backticks and control characters of a value as \xNN; they stay so, unread.
parse_pairs() { # LINE
    local rest=$1
    field=()
    while [[ $rest =~ ^\ *([A-Z-]+)=\"([^\"]*)\"(.*)$ ]]; do
        field[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
        rest=${BASH_REMATCH[3]}
    done
    [[ -z ${rest// /} ]] || stop "lsblk wrote a line that cannot be read: $1"
}

read_disks() {
    local listing line disk
    udevadm settle --timeout=60 || :
    listing=$(lsblk --nodeps --bytes --noheadings --pairs \
        --output NAME,TYPE,SIZE,RO,RM,HOTPLUG,TRAN,VENDOR,MODEL,SERIAL,WWN) || stop "lsblk failed"
    while IFS= read -r line; do
        [[ -n $line ]] || continue
        parse_pairs "$line"
        disk=${field[NAME]:-}
        [[ ${field[TYPE]:-} == disk && $disk =~ ^[a-z][a-z0-9]*$ ]] || continue
        [[ ! $disk =~ ^(z?ram|loop|fd|sr|nbd)[0-9] ]] || continue
        disks+=("$disk")
        size[$disk]=${field[SIZE]:-0}
        [[ ${size[$disk]} =~ ^[0-9]{1,18}$ ]] || size[$disk]=0
        read_only[$disk]=${field[RO]:-1}
        removable[$disk]=${field[RM]:-1}${field[HOTPLUG]:-1}
        transport[$disk]=${field[TRAN]:-}
        tidy "${field[VENDOR]:-}" && vendor[$disk]=$tidied
        tidy "${field[MODEL]:-}" && model[$disk]=$tidied
        tidy "${field[SERIAL]:-}" && serial[$disk]=${tidied// /_}
        bare_wwn "${field[WWN]:-}" && wwn[$disk]=$bare
        same_wwn[w$bare]=$((${same_wwn[w$bare]:-0} + 1))
    done <<<"$listing"
}

# udev writes blanks as underscores, the kernel pads with blanks: neither may matter.
tidy() { # TEXT -> tidied
    local words
    read -ra words <<<"${1//_/ }"
    tidied="${words[*]}"
}

bare_wwn() { # TEXT -> bare
    bare=${1,,}
    bare=${bare#wwn-}
    bare=${bare#0x}
    bare=${bare#naa.}
    bare=${bare#eui.}
}

read_ids() {
    local link target
    for link in "$root"/dev/disk/by-id/*; do
        [[ -L $link ]] || continue
        target=$(readlink "$link")
        target=${target##*/}
        [[ ! $target =~ ^[a-z][a-z0-9]*$ ]] || by_id[$target]+="${link##*/} "
    done
}

# The disks below a device in use: its own, its partition's, or those of its device-mapper and md members.
blame() { # DEVICE REASON
    local node=$root/sys/class/block/$1 below slave
    [[ $1 =~ ^[A-Za-z0-9._-]+$ && -e $node ]] || return 0
    below=$(readlink -f "$node")
    [[ ! -e $node/partition ]] || below=${below%/*}
    in_use[${below##*/}]=$2
    for slave in "$node"/slaves/*; do
        [[ ! -e $slave ]] || blame "${slave##*/}" "$2"
    done
}

blame_path() { # PATH REASON
    local path
    path=$(readlink -f "$root$1") || return 0
    blame "${path##*/}" "$2"
}

# The installer's own medium: what is mounted, what the kernel line reads from, and a kickstart volume (OEMDRV).
read_media() {
    local source target word words
    [[ -r $root/proc/mounts && -r $root/proc/cmdline ]] || stop "/proc/mounts or /proc/cmdline cannot be read"
    while read -r source target _; do
        [[ $source != /dev/* ]] || blame_path "$source" "in use, mounted on $target"
    done <"$root/proc/mounts"
    read -ra words <"$root/proc/cmdline" || :
    for word in "${words[@]}"; do
        case $word in
            *=hd:*) word=${word#*=hd:} ;;
            root=live:*) word=${word#root=live:} ;;
            *) continue ;;
        esac
        word=${word%%:*}
        case $word in
            LABEL=* | CDLABEL=*) word=/dev/disk/by-label/${word#*=} ;;
            UUID=*) word=/dev/disk/by-uuid/${word#*=} ;;
            /*) ;;
            *) word=/dev/$word ;;
        esac
        blame_path "$word" "the installer's own medium, named on the kernel line"
    done
    blame_path /dev/disk/by-label/OEMDRV "the installer's own medium, labelled OEMDRV"
}

# BMCs present virtual media as USB; the names catch the firmware that hides it. Hyper-V's and VMware's real disks
# are called "Virtual Disk" and "Virtual disk", so that name is not in the list.
is_virtual_medium() { # DISK
    local text=" ${vendor[$1]} ${model[$1]} "
    local media='virtual ?(media|cd|dvd|floppy|hdisk|hard|usb|flash|remote)' gadget='file-?stor gadget| lun [0-9]+ media'
    local makers=' (openbmc|idrac|ilo|lcdrive|secupd|ipmi|xcc|imm) '
    text=${text,,}
    [[ $text =~ $media || $text =~ $gadget || $text =~ $makers ]]
}

# never: the disk cannot be chosen; unasked: only when the rule names it. Both empty: eligible.
judge() { # DISK
    local disk=$1 node=$root/sys/block/$1 mapper kind=
    never='' unasked=''
    if [[ -n ${in_use[$disk]:-} ]]; then
        never=${in_use[$disk]}
    elif [[ ${transport[$disk]} == usb || $(readlink -f "$node") == */usb[0-9]* ]]; then
        never="USB"
    elif is_virtual_medium "$disk"; then
        never="virtual media of the BMC"
    elif [[ ${size[$disk]} -eq 0 ]]; then
        never="no medium, size 0"
    elif [[ ${read_only[$disk]} != 0 ]]; then
        never="read-only"
    elif [[ -e $node/hidden && $(<"$node/hidden") != 0 ]]; then
        never="a hidden path of an NVMe namespace"
    fi
    [[ -z $never ]] || return 0
    [[ ! -e $root/sys/class/nvme/${disk%n*}/transport ]] || kind=$(<"$root/sys/class/nvme/${disk%n*}/transport")
    for mapper in "$node"/holders/*/dm/uuid; do
        [[ ! -e $mapper || $(<"$mapper") != mpath-* ]] || unasked="a multipath member"
    done
    if [[ -n ${wwn[$disk]} && ${same_wwn[w${wwn[$disk]}]} -gt 1 ]]; then
        unasked="one of ${same_wwn[w${wwn[$disk]}]} paths to the same disk"
    elif [[ ${transport[$disk]} =~ ^(iscsi|fc|fcoe|sbp)$ ]]; then
        unasked="not local: ${transport[$disk]}"
    elif [[ -n $kind && $kind != pcie ]]; then
        unasked="not local: nvme over $kind"
    elif [[ ${removable[$disk]} != 00 ]]; then
        # Some hot-swap SATA ports say so too, which is why a name overrules it.
        unasked="removable"
    fi
}

# --- the rule ---------------------------------------------------------------------------------------------------

like() { # VALUE PATTERN: * is the only wildcard
    local pattern=${2//\[/\\[}
    # shellcheck disable=SC2053
    [[ $1 == $pattern ]]
}

listed() { # VALUE LIST
    local word words
    read -ra words <<<"$2"
    for word in "${words[@]}"; do
        like "$1" "$word" && return 0
    done
    return 1
}

# Every comparison that fails says so in misfit; empty means that the whole rule fits.
compare() { # DISK
    local disk=$1 word words
    misfit=
    if [[ -n ${KF_DISK_ID:-} ]]; then
        misfit=id
        read -ra words <<<"${by_id[$disk]:-}"
        for word in "${words[@]}"; do ! listed "$word" "$KF_DISK_ID" || misfit=; done
        [[ -z $misfit ]] || return 0
    fi
    if [[ -n ${KF_DISK_WWN:-} ]]; then
        misfit=wwn
        read -ra words <<<"$KF_DISK_WWN"
        for word in "${words[@]}"; do
            bare_wwn "$word"
            [[ -z ${wwn[$disk]} || $bare != "${wwn[$disk]}" ]] || misfit=
        done
        [[ -z $misfit ]] || return 0
    fi
    if [[ -n ${KF_DISK_PATH:-} ]]; then
        misfit=path
        read -ra words <<<"$KF_DISK_PATH"
        for word in "${words[@]}"; do
            word=$(readlink -f "$root$word") || continue
            [[ ${word##*/} != "$disk" ]] || misfit=
        done
        [[ -z $misfit ]] || return 0
    fi
    [[ -z ${KF_DISK_SERIAL:-} ]] || listed "${serial[$disk]}" "${KF_DISK_SERIAL}" || misfit=serial
    tidy "${KF_DISK_MODEL:-}"
    [[ -z $tidied ]] || like "${model[$disk]}" "$tidied" || misfit=model
    [[ -z ${KF_DISK_SIZE_MIN:-} ]] || ((10#$KF_DISK_SIZE_MIN <= size[$disk])) || misfit="size, too small"
    [[ -z ${KF_DISK_SIZE_MAX:-} ]] || ((10#$KF_DISK_SIZE_MAX >= size[$disk])) || misfit="size, too large"
}

describe() { # DISK NOTE
    local id=${by_id[$1]:--}
    printf '  /dev/%s: %d GB, %s, model %s, serial %s, id %s: %s' "$1" $((size[$1] / 1000000000)) \
        "${transport[$1]:-no transport}" "${model[$1]:--}" "${serial[$1]:--}" "${id%% *}" "$2"
}

choose() {
    local disk note fitting=() table=()
    chosen=()
    for disk in "${disks[@]}"; do
        judge "$disk"
        compare "$disk"
        if [[ -n $never ]]; then
            note="never taken: $never"
        elif [[ -n $misfit ]]; then
            note="does not fit: $misfit"
        elif [[ -n $unasked && -z $named ]]; then
            note="left out: $unasked; naming its id, wwn, serial or path would take it"
        else
            note="fits"
            fitting+=("$disk")
        fi
        table+=("$(describe "$disk" "$note")")
    done
    [[ ${#disks[@]} -gt 0 ]] || stop "this machine shows no disk at all"
    chosen=("${fitting[@]}")
    if [[ -n $pick && ${#fitting[@]} -gt $want ]]; then
        pick_by_size "${fitting[@]}"
    fi
    if [[ ${#chosen[@]} -ne $want ]]; then
        note="$want needed, ${#chosen[@]} found (${chosen[*]:-none})"
        [[ -n $ruled ]] || stop "no disk rule is given, so all eligible disks count: $note; say which under disk.root" "${table[@]}"
        stop "the disk rule does not fit exactly: $note" "${table[@]}"
    fi
    [[ $want -eq 1 ]] || check_pair
    printf '%s\n' "${table[@]}"
}

pick_by_size() { # DISK...
    local disk order=-n sorted names=()
    [[ $pick == smallest ]] || order=-rn
    sorted=$(for disk; do printf '%s %s\n' "${size[$disk]}" "$disk"; done | sort "$order" -k1,1)
    while read -r _ disk; do names+=("$disk"); done <<<"$sorted"
    if [[ ${size[${names[want - 1]}]} -eq ${size[${names[want]}]} ]]; then
        stop "the $pick disk is not one: /dev/${names[want - 1]} and /dev/${names[want]} both have ${size[${names[want]}]} bytes"
    fi
    chosen=("${names[@]:0:want}")
}

# Two names of one disk would make a mirror of it with itself.
check_pair() {
    local a=${chosen[0]} b=${chosen[1]}
    if [[ -n ${wwn[$a]} && ${wwn[$a]} == "${wwn[$b]}" ]] ||
        [[ -n ${serial[$a]} && ${model[$a]} == "${model[$b]}" && ${serial[$a]} == "${serial[$b]}" && ${size[$a]} == "${size[$b]}" ]]; then
        stop "/dev/$a and /dev/$b are the same disk seen twice; a mirror needs two"
    fi
}

# --- the guard --------------------------------------------------------------------------------------------------

# What is on a disk that an earlier kfimage did not put there. Ours are: a GPT, the volume group, filesystems and arrays
# with our prefix; a LUKS or blank partition only beside one of those, because neither carries a name.
inspect() { # DISK -> foreign, leftovers
    local disk=$1 part scheme='' mine='' nameless=() dev
    foreign=()
    leftovers=()
    for dev in "$disk" "$root/sys/class/block/$disk/$disk"*/partition; do
        if [[ $dev == "$disk" ]]; then
            inspect_disk "$disk"
            continue
        fi
        [[ -e $dev ]] || continue
        part=${dev%/partition}
        inspect_partition "${part##*/}"
    done
    if [[ -z $mine && ${#foreign[@]} -eq 0 ]]; then
        [[ ${#nameless[@]} -eq 0 ]] || foreign+=("${nameless[@]}")
        [[ -z $scheme || ${#nameless[@]} -gt 0 ]] || foreign+=("/dev/$disk: a $scheme partition table without partitions")
    fi
}

signatures_of() { # DEVICE -> signatures, lines of TYPE LABEL
    local magic
    signatures=$(wipefs --noheadings --output TYPE,LABEL "$root/dev/$1") ||
        stop "the signatures of /dev/$1 cannot be read, so it is not known to be free"
    # util-linux 2.32 does not know a raw BlueStore device.
    magic=$(head -c 22 "$root/dev/$1" | tr -dc ' -~') || stop "/dev/$1 cannot be read, so it is not known to be free"
    [[ $magic != "bluestore block device" ]] || signatures="ceph_bluestore${signatures:+$'\n'$signatures}"
}

inspect_disk() { # DISK; fills inspect's variables
    local type label
    signatures_of "$1"
    while read -r type label; do
        case $type in
            '') ;;
            gpt | PMBR) scheme=gpt ;;
            dos) foreign+=("/dev/$1: a dos partition table") ;;
            *)
                describe_signature "$1" "$type" "$label"
                foreign+=("$described")
                leftovers+=("$type")
                ;;
        esac
    done <<<"$signatures"
}

inspect_partition() { # PARTITION; fills inspect's variables
    local type label blank=yes
    signatures_of "$1"
    while read -r type label; do
        [[ -n $type ]] || continue
        blank=
        describe_signature "$1" "$type" "$label"
        case $type:$label in
            LVM2_member:*) [[ $group != "$vg" ]] || described= ;;
            linux_raid_member:*) [[ ${label##*:} != "${vg}_"* ]] || described= ;;
            xfs:"$vg"_* | ext4:"$vg"_* | vfat:"${vg^^}_EFI") described= ;;
            crypto_LUKS:*)
                nameless+=("$described")
                continue
                ;;
        esac
        if [[ -n $described ]]; then foreign+=("$described"); else mine=yes; fi
    done <<<"$signatures"
    [[ -z $blank ]] || nameless+=("/dev/$1: a partition with no known content")
}

describe_signature() { # DEVICE TYPE LABEL -> described, group
    described="/dev/$1: $2${3:+, label $3}"
    group=
    if [[ $2 == LVM2_member ]]; then
        group=$(pvs --noheadings --options vg_name "$root/dev/$1" 2>/dev/null) || group='unknown'
        group=${group//[[:space:]]/}
        described="/dev/$1: LVM, volume group ${group:-none}"
    fi
}

guard() {
    local disk
    declare -gA clear=()
    for disk in "${chosen[@]}"; do
        inspect "$disk"
        clear[$disk]="${leftovers[*]}"
        [[ ${#foreign[@]} -gt 0 ]] || continue
        if [[ $wipe == guard ]]; then
            stop "no earlier kfimage install put this there: ${foreign[0]}; wipe the disk by hand, or set disk.wipe to all" \
                "${foreign[@]/#/  }"
        fi
        printf 'kfimage: disk.wipe is all, this is lost: %s\n' "${foreign[@]}"
    done
}

# clearpart removes what it knows (partitions, LVM, md). ZFS and its like keep copies of their labels outside the new
# partitions, and a disk with two signatures is ambivalent to udev at the next boot.
clear_leftovers() {
    local disk type types
    for disk in "${chosen[@]}"; do
        read -ra types <<<"${clear[$disk]}"
        for type in "${types[@]}"; do
            case $type in LVM2_member | crypto_LUKS | *_raid_member | ceph_bluestore) continue ;; esac
            touched="signatures of /dev/$disk were cleared"
            wipefs --quiet --all --types "$type" "$root/dev/$disk" || stop "the $type signature of /dev/$disk cannot be cleared"
        done
    done
}

# --- the layout -------------------------------------------------------------------------------------------------

mounts=()
declare -A mib filesystem grow

add_volume() { # WORD
    local mount=${1%%=*} rest=${1#*=} amount kind=xfs
    local part='[A-Za-z0-9][A-Za-z0-9._-]*'
    [[ $1 == *=* && $mount =~ ^/($part(/$part)*)?$ ]] || stop "KF_DISK_VOLUMES: '$1' is not MOUNT=SIZE[:FILESYSTEM]"
    [[ -z ${mib[$mount]:-} ]] || stop "KF_DISK_VOLUMES names $mount twice"
    amount=${rest%%:*}
    [[ $rest != *:* ]] || kind=${rest#*:}
    [[ $kind == xfs || $kind == ext4 ]] || stop "KF_DISK_VOLUMES: filesystem '$kind' of $mount is neither xfs nor ext4"
    case $amount in
        rest)
            [[ $mount != /boot* ]] || stop "KF_DISK_VOLUMES: $mount cannot take the rest"
            [[ -z ${grow[*]:-} ]] || stop "KF_DISK_VOLUMES: only one volume can take the rest"
            grow[$mount]=" --grow"
            mib[$mount]=1024
            ;;
        *)
            [[ $amount =~ ^([1-9][0-9]{0,8})([MGT])$ ]] ||
                stop "KF_DISK_VOLUMES: size '$amount' of $mount is neither a number with M, G or T nor rest"
            mib[$mount]=${BASH_REMATCH[1]}
            case ${BASH_REMATCH[2]} in
                G) mib[$mount]=$((mib[$mount] * 1024)) ;;
                T) mib[$mount]=$((mib[$mount] * 1024 * 1024)) ;;
            esac
            ;;
    esac
    filesystem[$mount]=$kind
    mounts+=("$mount")
}

read_volumes() {
    local word words mount disk total=0
    read -ra words <<<"${KF_DISK_VOLUMES:-/=rest}"
    for word in "${words[@]}"; do add_volume "$word"; done
    [[ -n ${mib[/]:-} ]] || stop "KF_DISK_VOLUMES names no / volume"
    [[ -n ${mib[/boot]:-} ]] || add_volume /boot=1G
    [[ -n ${mib[/boot/efi]:-} ]] || add_volume /boot/efi=600M
    for mount in "${mounts[@]}"; do total=$((total + mib[$mount])); done
    total=$((total + slack + 2))
    for disk in "${chosen[@]}"; do
        if [[ $((size[$disk] / 1048576)) -lt $total ]]; then
            stop "/dev/$disk has $((size[$disk] / 1048576)) MiB, the volumes need $total MiB"
        fi
    done
}

ks=()
slack=256 # MiB for the headers of LUKS, md and LVM
member=0

# One filesystem or physical volume: a partition, or on a mirror a partition on each disk and the array on top.
place() { # WHAT ARRAY "MIB [--grow]" OPTIONS
    local what=$1 array=$2 options=$4 disk number=0 members=()
    local amount="--size=$3"
    if [[ $raid == none ]]; then
        ks+=("part $what --ondisk=${chosen[0]} $amount${options:+ $options}")
        return
    fi
    member=$((member + 1))
    for disk in "${chosen[@]}"; do
        number=$((number + 1))
        members+=("raid.$member$number")
        ks+=("part raid.$member$number --ondisk=$disk $amount")
    done
    # No --metadata: the command has none. blivet takes 1.0 for /boot/efi, so that the firmware sees a plain FAT.
    ks+=("raid $what --device=${vg}_$array --level=RAID1${options:+ $options} ${members[*]}")
}

write_boot() {
    local list word words args="${KF_KERNEL_ARGS:-}${KF_KERNEL_ARGS_NODE:+ $KF_KERNEL_ARGS_NODE}" options=()
    list=$(IFS=, && printf '%s' "${chosen[*]}")
    read -ra words <<<"${KF_BOOTLOADER_OPTIONS:-}"
    for word in "${words[@]}"; do
        [[ $word =~ ^--(leavebootorder|timeout=[0-9]+)$ ]] ||
            stop "KF_BOOTLOADER_OPTIONS: '$word' is neither --leavebootorder nor --timeout=N"
        options+=("$word")
    done
    args=${args# }
    # Tang is asked from the initramfs, which brings up the network only when told to.
    [[ $encrypt != tang && $encrypt != both ]] || [[ " $args " == *" rd.neednet=1 "* ]] || args+="${args:+ }rd.neednet=1"
    ks+=("zerombr" "ignoredisk --only-use=$list")
    # GPT on BIOS as well: one layout, disks over 2 TiB, and no need of inst.gpt on the kernel line.
    ks+=("clearpart --all --initlabel --disklabel=gpt --drives=$list")
    ks+=("bootloader --location=mbr --boot-drive=${chosen[0]}${options[*]:+ ${options[*]}}${args:+ --append=\"$args\"}")
    if [[ -d $root/sys/firmware/efi ]]; then
        place /boot/efi efi "${mib[/boot/efi]}" "--fstype=efi --label=${vg^^}_EFI --fsoptions=\"umask=0077,shortname=winnt\""
    else
        ks+=("part biosboot --fstype=biosboot --size=1 --ondisk=${chosen[0]}")
        # A second `part biosboot` is a warning, which inst.ksstrict makes fatal; None is Anaconda's word for no mount
        # point, and the type says the rest.
        [[ $raid == none ]] || ks+=("part None --fstype=biosboot --size=1 --ondisk=${chosen[1]}")
    fi
    place /boot boot "${mib[/boot]}" "--fstype=${filesystem[/boot]} --label=${vg}_boot"
}

write_lvm() {
    local mount name total=$slack taken=' ' locked=
    for mount in "${mounts[@]}"; do
        [[ $mount == /boot || $mount == /boot/efi ]] || total=$((total + mib[$mount]))
    done
    if [[ $encrypt != none ]]; then
        make_passphrase
        locked="--encrypted --luks-version=luks2 --passphrase=$passphrase"
    fi
    place pv.01 pv "$total --grow" "$locked"
    ks+=("volgroup $vg pv.01")
    for mount in "${mounts[@]}"; do
        [[ $mount != /boot && $mount != /boot/efi ]] || continue
        name=${mount#/}
        name=${name//\//_}
        name=${name:-root}
        [[ $taken != *" $name "* ]] || stop "KF_DISK_VOLUMES: $mount would be the second logical volume named $name"
        taken+="$name "
        ks+=("logvol $mount --vgname=$vg --name=$name --fstype=${filesystem[$mount]} --size=${mib[$mount]}${grow[$mount]:-}")
    done
}

write_plain() {
    local mount name number=0
    for mount in "${mounts[@]}"; do
        [[ $mount != /boot && $mount != /boot/efi ]] || continue
        number=$((number + 1))
        name=v$number
        [[ $mount != / ]] || name=root
        place "$mount" "$name" "${mib[$mount]}${grow[$mount]:-}" "--fstype=${filesystem[$mount]} --label=${vg}_$name"
    done
}

# Lives until kickstart/post/clevis.sh has bound the volume and removed it; then the copies Anaconda keeps are worthless.
make_passphrase() {
    passphrase=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
    [[ $passphrase =~ ^[0-9a-f]{64}$ ]] || stop "no random passphrase could be made"
}

main() {
    rm -f "$out" "$key"
    one_of KF_ON_FAILURE "${KF_ON_FAILURE:-hold}" hold poweroff reboot
    read_settings
    read_disks
    read_ids
    read_media
    choose
    guard
    read_volumes
    write_boot
    "write_$layout"
    clear_leftovers
    if [[ $encrypt != none ]]; then
        printf '%s' "$passphrase" >"$key"
    fi
    printf '%s\n' "${ks[@]}" >"$out.new"
    mv -f "$out.new" "$out"
    printf 'kfimage: the system goes to %s\n' "${chosen[*]/#//dev/}"
}

main
