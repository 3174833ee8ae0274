# Block devices: their numbers, and who uses them.

# numbers PATH: "MAJOR:MINOR" in $numbers; empty for what is no block device.
numbers() {
    numbers=
    [ -b "$1" ] || return 0
    line=$(stat -L -c '%t %T' -- "$1" 2>/dev/null) || return 0
    numbers=$((0x${line% *})):$((0x${line#* }))
}

# mount_of NUMBERS: where it is mounted, in $mount_of; the first place of several. Btrfs shows no device of its own there.
mount_of() {
    mount_of=
    while read -r line; do
        # Its number, its parent's, the device, what of it is mounted, and where.
        # shellcheck disable=SC2086
        set -f -- "$1" $line
        set +f
        if [ "$4" = "$1" ]; then
            mount_of=$6
            return 0
        fi
    done </proc/self/mountinfo
    while read -r line_source line_place line_type line; do
        [ "$line_type" = btrfs ] || continue
        numbers "$line_source"
        if [ "$numbers" = "$1" ]; then
            mount_of=$line_place
            return 0
        fi
    done </proc/self/mounts
    return 1
}

# used_by NUMBERS: who uses the device or a partition of it, in $why; fails when nobody does.
used_by() {
    why=
    [ -n "$1" ] || return 1
    if mount_of "$1"; then
        why="it is mounted on $mount_of"
        return 0
    fi
    while read -r line_source line; do
        numbers "$line_source"
        if [ "$numbers" = "$1" ]; then
            why="it is used as swap"
            return 0
        fi
    done </proc/swaps
    node=$(cd -P "/sys/dev/block/$1" 2>/dev/null && pwd -P) || return 1
    for one in "$node"/holders/*; do
        [ -e "$one" ] || continue
        why="it is a part of ${one##*/}"
        if name=$(cat "$one/dm/name" 2>/dev/null); then
            why="$why ($name)"
        fi
        return 0
    done
    for one in /sys/fs/btrfs/*/devices/"${node##*/}"; do
        [ -e "$one" ] || continue
        why="it is a part of a mounted btrfs"
        return 0
    done
    for one in "$node"/*/partition; do
        [ -e "$one" ] || continue
        one=${one%/partition}
        # A partition has none itself, so the inner look leaves this name alone.
        part=${one##*/}
        if used_by "$(cat "$one/dev")"; then
            why="of its partition $part: $why"
            return 0
        fi
    done
    return 1
}

# file_used PATH: the same for a regular file that is attached to a loop device.
file_used() {
    real=$(readlink -f -- "$1") || return 1
    for one in /sys/block/loop*/loop/backing_file; do
        [ -r "$one" ] || continue
        if [ "$(cat "$one")" = "$real" ]; then
            one=${one%/loop/backing_file}
            why="it is attached to /dev/${one##*/}"
            return 0
        fi
    done
    return 1
}

# in_use: who uses $dev, whose numbers are $own, in $why; fails when nobody does.
in_use() {
    if [ -n "$own" ]; then
        used_by "$own"
    else
        file_used "$dev"
    fi
}

# settle: waits until the device nodes of new partitions are there.
settle() {
    if command -v udevadm >/dev/null 2>&1; then
        udevadm settle --timeout=10 >/dev/null 2>&1 </dev/null || :
    fi
}
