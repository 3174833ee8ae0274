# The disks as pairs KEY="VALUE", one device a line, children after the device they are on: what `lsblk -P` prints, and
# the same from /sys where there is no lsblk.
root=$1
begin

disks() {
    if has lsblk; then
        # From the many columns of a new lsblk to the few of an old one.
        for columns in NAME,TYPE,SIZE,ROTA,FSTYPE,MOUNTPOINT,MODEL,SERIAL NAME,TYPE,SIZE,ROTA,FSTYPE,MOUNTPOINT \
            NAME,TYPE,SIZE,ROTA,MOUNTPOINT; do
            if text=$(lsblk -P -b -o "$columns" 2>/dev/null); then
                [ -z "$text" ] || printf '%s\n' "$text"
                case $text in
                *'FSTYPE="'[A-Za-z]*) ;;
                *) [ "$(id -u)" = 0 ] || [ -d "$root/run/udev/data" ] || unseen ;;
                esac
                return
            fi
        done
        note "lsblk fails: $(lsblk 2>&1 >/dev/null | head -n 1); /sys/block was read instead"
    else
        note 'there is no lsblk: /sys/block was read instead'
    fi
    [ -d "$root/sys/block" ] || refuse "neither lsblk nor /sys/block tells the disks"
    if ! has blkid || [ "$(id -u)" != 0 ]; then unseen; fi
    for folder in "$root"/sys/block/*; do
        disk=${folder##*/}
        case $disk in
        '*' | ram* | loop* | zram* | fd* | dm-* | md* | nbd*) continue ;;
        sr*) kind=rom ;;
        *) kind=disk ;;
        esac
        first "$folder/size" || continue
        [ "$line" != 0 ] || continue
        first "$folder/queue/rotational" || line=0
        turning=$line
        first "$folder/device/model" || true
        model=$line
        first "$folder/device/serial" || true
        device "$disk" "$kind" "$folder" "$model" "$line"
        holders "$folder"
        for part in "$folder/$disk"*; do
            [ -e "$part/size" ] || continue
            device "${part##*/}" part "$part" "" ""
            holders "$part"
        done
    done
}

# What is on a disk that is not mounted cannot be seen without being root.
unseen() {
    echo 'SIGNATURES="unseen"'
}

# holders FOLDER: the volumes on a device.
holders() {
    for holder in "$1"/holders/*; do
        volume=${holder##*/}
        [ "$volume" != '*' ] || continue
        kind=raid
        first "$root/sys/block/$volume/dm/uuid" || true
        case $line in
        LVM-*) kind=lvm ;;
        CRYPT-*) kind=crypt ;;
        mpath-*) kind=mpath ;;
        esac
        first "$root/sys/block/$volume/dm/name" || line=$volume
        device "$line" "$kind" "$root/sys/block/$volume" "" ""
    done
}

# device NAME KIND FOLDER MODEL SERIAL
device() {
    size=0
    first "$3/size" && size=$line
    first "$3/dev" || true
    mounted "$line" "$1"
    if [ -z "$system" ] && has blkid; then
        line=$(blkid "/dev/$1" 2>/dev/null) || line=
        case $line in
        *' TYPE="'*)
            system=${line##* TYPE=\"}
            system=${system%%\"*}
            ;;
        esac
    fi
    printf 'NAME="%s" TYPE="%s" SIZE="%s" ROTA="%s" FSTYPE="%s" MOUNTPOINT="%s" MODEL="%s" SERIAL="%s"\n' \
        "$1" "$2" "$((size * 512))" "$turning" "$system" "$place" "$(plain "$4")" "$(plain "$5")"
}

# plain TEXT: without quotes, and without blanks at its ends.
plain() {
    # shellcheck disable=SC1003 # a backslash, not the end of the quotes
    printf '%s\n' "$1" | tr -d '"\\' | sed 's/^ *//; s/ *$//'
}

# mounted MAJOR:MINOR NAME: $place and $system, where a device is mounted or used as swap.
mounted() {
    place=
    system=
    [ -r "$root/proc/self/mountinfo" ] || return 0
    while read -r _ _ number inside where rest; do
        source=${rest#* - }
        kind_of=${source%% *}
        source=${source#* }
        source=${source%% *}
        case $source in
        "/dev/$2" | "/dev/mapper/$2") ;;
        *) [ "$number" = "$1" ] || continue ;;
        esac
        # A part of a file system mounted somewhere (bind) counts only when the whole is nowhere.
        if [ -z "$place" ] || [ "$inside" = / ]; then
            place=$where
            system=$kind_of
            [ "$inside" != / ] || break
        fi
    done <"$root/proc/self/mountinfo"
    if [ -z "$place" ] && [ -r "$root/proc/swaps" ]; then
        while read -r source _; do
            case $source in
            "/dev/$2" | "/dev/mapper/$2")
                place='[SWAP]'
                system=swap
                ;;
            esac
        done <"$root/proc/swaps"
    fi
}

answer disks
