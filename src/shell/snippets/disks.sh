# disks.sh ROOT: which disks there are and what is on them, in lines that change only when a disk does: no free space,
# no times. /dev, /sys and /proc are looked up below ROOT. lsblk tells most of it where it is there, /sys the rest.
set -u
root=$1
LC_ALL=C
export LC_ALL
PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/sbin:/sbin:/usr/bin:/bin
export PATH

has() {
    command -v "$1" >/dev/null 2>&1
}

# value FILE: its first line in $value, without blanks around it.
value() {
    value=
    [ -r "$1" ] || return 0
    { read -r value <"$1"; } 2>/dev/null
    return 0
}

# plain NAME: a name of /sys as it is in /dev, in $plain: cciss!c0d0 is /dev/cciss/c0d0.
plain() {
    plain=$1
    case $1 in
    *!*) plain=$(printf %s "$1" | tr ! /) ;;
    esac
}

echo 'batchssh-disks 1'

# The oldest lsblk (RHEL 6) knows the last of these lists.
table=
if has lsblk; then
    for columns in \
        KNAME,PKNAME,TYPE,SIZE,RO,RM,ROTA,MOUNTPOINT,FSTYPE,LABEL,MODEL,SERIAL,WWN \
        KNAME,PKNAME,TYPE,SIZE,RO,RM,ROTA,MOUNTPOINT,FSTYPE,LABEL,MODEL \
        KNAME,TYPE,SIZE,RO,RM,ROTA,MOUNTPOINT,FSTYPE,LABEL,MODEL; do
        table=$(lsblk -P -b -o "$columns" 2>/dev/null) && [ -n "$table" ] && break
        table=
    done
fi
disks=
if [ -n "$table" ]; then
    echo "lsblk $columns"
    printf '%s\n' "$table" | sort | sed 's/^/row /'
    # NAME:SIZE of each disk
    disks=$(printf '%s\n' "$table" |
        sed -n 's/^KNAME="\([^"]*\)" .*TYPE="disk" SIZE="\([0-9]*\)".*/\1:\2/p' | sort)
else
    for folder in "$root"/sys/block/*; do
        [ -d "$folder" ] || continue
        case ${folder##*/} in
        loop* | ram* | zram* | dm-* | md* | sr* | fd*) continue ;;
        esac
        plain "${folder##*/}"
        disks="$disks $plain:-"
    done
fi

# What /sys knows.
probes=
for entry in $disks; do
    disk=${entry%:*}
    case $disk in
    */*) folder=$root/sys/block/$(printf %s "$disk" | tr / !) ;;
    *) folder=$root/sys/block/$disk ;;
    esac
    [ -d "$folder" ] || continue
    value "$folder/size"
    bytes=$((${value:-0} * 512))
    line="sys $disk $bytes"
    for key in removable ro queue/rotational; do
        value "$folder/$key"
        line="$line ${value:--}"
    done
    echo "$line"
    value "$folder/dev"
    echo "dev $disk ${value:--}"
    for key in device/vendor device/model device/serial serial device/wwid wwid; do
        value "$folder/$key"
        [ -z "$value" ] || printf 'word %s %s %s\n' "$disk" "${key#device/}" "$value"
    done
    parts=
    for part in "$folder/${folder##*/}"*; do
        [ -e "$part/partition" ] || continue
        parts=1
        value "$part/size"
        plain "${part##*/}"
        echo "part $disk $plain $((${value:-0} * 512))"
        value "$part/dev"
        echo "dev $plain ${value:--}"
    done
    # Where lsblk and /sys do not mean the same disk, its node is not read.
    if [ -z "$parts" ] && { [ "${entry##*:}" = - ] || [ "${entry##*:}" = "$bytes" ]; }; then
        probes="$probes $disk"
    fi
done

# What lies on what: LVM, md, multipath, LUKS.
for folder in "$root"/sys/block/*; do
    device=${folder##*/}
    above=
    for below in "$folder"/slaves/*; do
        if [ -e "$below" ] || [ -L "$below" ]; then
            above=1
            plain "${below##*/}"
            echo "slave $device $plain"
        fi
    done
    [ -n "$above" ] || continue
    value "$folder/dev"
    echo "dev $device ${value:--}"
    value "$folder/dm/name"
    [ -z "$value" ] || printf 'name %s %s\n' "$device" "$value"
done

# What is mounted: the places of the system by name, of all others only that they are.
mounts=$root/proc/self/mountinfo
[ -z "$root" ] || [ ! -r "$root/proc/1/mountinfo" ] || mounts=$root/proc/1/mountinfo
if [ -r "$mounts" ]; then
    while read -r _ _ number _ point rest; do
        rest=${rest#* - }
        rest=${rest#* }
        source=${rest%% *}
        case $number:$source in
        0:*:/dev/*) ;;
        0:*) continue ;;
        esac
        case $point in
        / | /boot | /boot/* | /usr | /var) printf 'mount %s %s %s\n' "$number" "$source" "$point" ;;
        *) printf 'used %s %s\n' "$number" "$source" ;;
        esac
    done <"$mounts" | sort -u
fi
if [ -r "$root/proc/swaps" ]; then
    while read -r source rest; do
        case $source in
        /dev/*) printf 'swap %s\n' "$source" ;;
        esac
    done <"$root/proc/swaps" | sort
fi

# Names that stay. Links that depend on what is on a disk are left out.
for kind in id path; do
    [ -d "$root/dev/disk/by-$kind" ] || continue
    # shellcheck disable=SC2012 # one process for all links; their names have no blanks
    ls -l "$root/dev/disk/by-$kind" 2>/dev/null |
        sed -n -e '/-part[0-9]* ->/d' -e '/ lvm-pv-/d' -e '/ dm-/d' -e '/ md-/d' \
            -e "s|^.* \\([^ ]*\\) -> \\(\\.\\./\\)*\\([^ ]*\\)\$|$kind \\3 \\1|p"
done

# What is on disks without partitions: any signature, also one that no file system driver knows.
for disk in $probes; do
    node=$root/dev/$disk
    if [ ! -e "$node" ]; then
        words=absent
    elif [ ! -r "$node" ]; then
        words=denied
    elif ! dd if="$node" of=/dev/null bs=512 count=1 2>/dev/null; then
        words=unreadable
    else
        words=weak
        if has blkid; then
            text=$(blkid -p "$node" 2>/dev/null)
            case $? in
            0) words="found ${text#*: }" ;;
            2) words=none ;;
            8) words='found several kinds of signatures' ;;
            esac
        fi
        if [ "$words" = weak ] && has wipefs && text=$(wipefs -n "$node" 2>/dev/null); then
            words=none
            [ -z "$text" ] || words="found $(printf '%s' "$text" | tr '\n' ' ')"
        fi
    fi
    printf 'probe %s %s\n' "$disk" "$words"
done
echo end
