# filesystem.sh WHAT DEVICE TYPE SIZES FORCE UUID SEEN OPTION...: looks at a device ("look"), or does what the first word
# says to it: "wipe", "create", "grow", "uuid". SEEN is what the look told about it: nothing is done to anything else.
# SIZES "1": its size and that of its file system are wanted; the only OPTION of a look is the program that tells it.
what=$1
dev=$2
type=$3
sizes=$4
force=$5
uuid=$6
seen=$7
shift 7
# The connection has descriptors of its own that lvm would complain about.
LVM_SUPPRESS_FD_WARNINGS=1
export LVM_SUPPRESS_FD_WARNINGS
begin
words=

fail() {
    field fail
    field "$1"
    field "${2-}"
    field "${3-}"
    field end
    exit 1
}

# probe: what is on the device, in $fs, $id and $table: type and UUID of the file system, type of the partition table.
probe() {
    table=
    id=
    line=$(blkid -c /dev/null -o value -s TYPE "$dev" 2>/dev/null) || [ $? -eq 2 ] ||
        line=$(blkid "$dev" 2>/dev/null) || line=
    case $line in
    *' TYPE="'*)
        # BusyBox tells all it knows, whatever it was asked for.
        fs=${line##* TYPE=\"}
        fs=${fs%%\"*}
        id=${line##* UUID=\"}
        id=${id%%\"*}
        ;;
    *'="'*) fs= ;;
    '')
        # BusyBox does not know physical volumes.
        fs=$(dd if="$dev" bs=8 skip=67 count=1 2>/dev/null | tr -d '\000')
        if [ "$fs" = "LVM2 001" ]; then fs=LVM2_member; else fs=; fi
        ;;
    *)
        fs=$line
        id=$(blkid -c /dev/null -o value -s UUID "$dev" 2>/dev/null) || id=
        ;;
    esac
    if [ -z "$fs" ]; then
        table=$(blkid -p -o value -s PTTYPE "$dev" 2>/dev/null)
        # More than one answer: nobody can say what it is.
        [ $? -ne 8 ] || table=several
        if [ -z "$table" ] && [ -n "$own" ]; then
            for one in /sys/dev/block/"$own"/*/partition; do
                [ ! -e "$one" ] || table=unknown
            done
        fi
    elif [ "$fs" = xfs ]; then
        # mkfs.xfs was stopped before its end: it says so itself, and nothing can be mounted.
        byte=$(dd if="$dev" bs=1 skip=126 count=1 2>/dev/null | od -A n -t u1 2>/dev/null | tr -d ' ') || byte=
        [ "$byte" != 1 ] || fs=
    fi
    is="$fs $id $table"
}

# sizes PROGRAM: bytes of the device in $device_size, of the file system in $fs_size; $fs_size stays empty when the
# program cannot tell.
sizes() {
    if [ -n "$own" ]; then
        device_size=$(($(cat "/sys/dev/block/$own/size" 2>/dev/null || echo 0) * 512))
    else
        device_size=$(stat -L -c %s -- "$dev")
    fi
    fs_size=
    command -v "$1" >/dev/null 2>&1 || return 0
    case $type in
    ext*)
        text=$(tune2fs -l "$dev" 2>&1) || return 0
        count=$(printf '%s\n' "$text" | sed -n 's/^Block count: *//p')
        size=$(printf '%s\n' "$text" | sed -n 's/^Block size: *//p')
        fs_size=$((count * size))
        ;;
    xfs)
        if [ -n "$place" ]; then
            text=$(xfs_info "$place" 2>&1) || return 0
            size=$(printf '%s\n' "$text" | sed -n 's/^data .*bsize=\([0-9]*\) .*/\1/p')
            count=$(printf '%s\n' "$text" | sed -n 's/^data .*blocks=\([0-9]*\),.*/\1/p')
        else
            text=$(xfs_db -r -c 'sb 0' -c 'p blocksize' -c 'p dblocks' "$dev" 2>&1) || return 0
            size=$(printf '%s\n' "$text" | sed -n 's/^blocksize = //p')
            count=$(printf '%s\n' "$text" | sed -n 's/^dblocks = //p')
        fi
        # A new group needs at least so many blocks.
        fs_size=$((count * size + 64 * 4096 - 1))
        ;;
    btrfs)
        [ -n "$place" ] || return 0
        text=$(btrfs filesystem usage -b "$place" 2>&1) || return 0
        fs_size=$(printf '%s\n' "$text" | sed -n 's/^[[:space:]]*Device size:[[:space:]]*//p')
        ;;
    f2fs)
        text=$(dump.f2fs "$dev" 2>&1) || return 0
        size=$(printf '%s\n' "$text" | sed -n 's/^Info: sector size = //p')
        count=$(printf '%s\n' "$text" | sed -n 's/^Info: total FS sectors = \([0-9]*\).*/\1/p')
        # Newer versions do not say it any more; a segment of 2 MiB is the least that can be added.
        fs_size=$((count * ${size:-512} + 2097151))
        ;;
    vfat)
        text=$(fatresize --info "$dev" 2>&1) || return 0
        fs_size=$(printf '%s\n' "$text" | sed -n 's/^\(Cur size\|Size\): *//p')
        fs_size=${fs_size%%[!0-9]*}
        ;;
    lvm)
        text=$(pvs --noheadings --units b --nosuffix -o pv_size,pe_start,vg_extent_size "$dev" 2>/dev/null) || return 0
        # shellcheck disable=SC2086
        set -- $text
        # What is left must hold one more extent.
        fs_size=$(($1 + ${2:-0} + ${3:-0}))
        ;;
    esac
}

numbers "$dev"
own=$numbers
place=
if [ -n "$own" ] && mount_of "$own"; then
    place=$mount_of
    # The kernel writes blanks as \040.
    case $place in
    *\\*) place=$(printf %b "$(printf %s "$place" | sed 's/\\\([0-7][0-7][0-7]\)/\\0\1/g')") ;;
    esac
fi

if [ "$what" = look ]; then
    field "$dev"
    if [ -b "$dev" ]; then
        field block
    elif [ -f "$dev" ]; then
        field file
    elif [ -e "$dev" ]; then
        field other
        field end
        exit 0
    else
        field absent
        field end
        exit 0
    fi
    if ! command -v blkid >/dev/null 2>&1; then
        field 'Failed to find required executable "blkid"'
        field end
        exit 0
    fi
    field ''
    probe
    field "$fs"
    field "$id"
    field "$table"
    field "$is"
    if in_use; then field "$why"; else field ''; fi
    field "$place"
    if [ "$sizes" = 1 ]; then
        sizes "$1"
        field "$device_size"
        field "$fs_size"
        if command -v "$1" >/dev/null 2>&1; then field yes; else field no; fi
    else
        field ''
        field ''
        field ''
    fi
    field end
    exit 0
fi

# run COMMAND...: its words are in $words; it fails with the command, its exit code and its words.
run() {
    command -v "$1" >/dev/null 2>&1 || fail "Failed to find required executable \"$1\""
    words=$("$@" 2>&1 </dev/null) && return 0
    rc=$?
    words=$(printf '%s\n' "$words" | tail -c 4000)
    fail "$words" "$*" "$rc"
}

# has WORD COMMAND...: whether the command's help mentions the word.
has() {
    word=$1
    shift
    case $("$@" 2>&1 </dev/null) in
    *"$word"*) return 0 ;;
    *) return 1 ;;
    esac
}

# given OPTION WORD...: whether the option is among the words.
given() {
    option=$1
    shift
    for one; do
        [ "$one" != "$option" ] || return 0
    done
    return 1
}

# make OPTION...: makes the file system.
make() {
    case $type in
    ext2 | ext3 | ext4 | ext4dev)
        [ -z "$uuid" ] || given -U "$@" || set -- "$@" -U "$uuid"
        run "mkfs.${type%dev}" -F "$@" "$dev"
        ;;
    xfs)
        run mkfs.xfs -f "$@" "$dev"
        [ -z "$uuid" ] || run xfs_admin -U "$uuid" "$dev"
        ;;
    btrfs)
        ! has --force mkfs.btrfs --help || set -- -f "$@"
        run mkfs.btrfs "$@" "$dev"
        ;;
    f2fs)
        ! has ' -f ' mkfs.f2fs || set -- -f "$@"
        run mkfs.f2fs "$@" "$dev"
        ;;
    ocfs2) run mkfs.ocfs2 -Fx "$@" "$dev" ;;
    reiserfs) run mkfs.reiserfs -q "$@" "$dev" ;;
    vfat) run mkfs.vfat "$@" "$dev" ;;
    swap)
        has BusyBox mkswap --help || set -- -f "$@"
        run mkswap "$@" "$dev"
        ;;
    lvm)
        [ -z "$uuid" ] || given -u "$@" || given --uuid "$@" || set -- "$@" -u "$uuid" --norestorefile
        # Without an answer it would ask about what it finds.
        [ "$force" != 1 ] || set -- -y "$@"
        run pvcreate -f "$@" "$dev"
        ;;
    *) fail "module does not support this filesystem ($type) yet." ;;
    esac
}

probe
wanted=$type
[ "$type" != lvm ] || wanted=LVM2_member
[ "$type" != ext4dev ] || wanted=ext4
is_wanted=no
case $fs in
"$wanted") is_wanted=yes ;;
ext4dev) [ "$wanted" != ext4 ] || is_wanted=yes ;;
esac
changed=yes
if [ "$is" != "$seen" ] && [ "$what" != grow ]; then
    # Done already: by this very step, which is taken a second time, or by somebody else.
    if [ "$what" = wipe ] && [ -z "$fs" ]; then
        changed=no
    elif [ "$what" != wipe ] && [ "$is_wanted" = yes ]; then
        changed=no
    else
        fail "$dev was changed by somebody else since it was looked at: it has \"$is\", it had \"$seen\""
    fi
fi
if [ "$changed" = yes ]; then
    case $what in
    wipe)
        ! in_use || fail "$dev is in use, nothing was wiped: $why"
        run wipefs -a "$dev"
        ;;
    create)
        ! in_use || fail "$dev is in use, no file system was made: $why"
        make "$@"
        ;;
    uuid)
        case $type in
        ext*) run tune2fs -U "$uuid" "$dev" ;;
        xfs) run xfs_admin -U "$uuid" "$dev" ;;
        *) run pvchange -u "$dev" ;;
        esac
        ;;
    grow)
        [ "$is_wanted" = yes ] || fail "$dev was changed by somebody else since it was looked at: it has \"$is\""
        case $type in
        ext*) run resize2fs "$dev" ;;
        xfs) run xfs_growfs "$place" ;;
        btrfs) run btrfs filesystem resize max "$place" ;;
        f2fs) run resize.f2fs "$dev" ;;
        vfat) run fatresize -s max "$dev" ;;
        *) run pvresize "$dev" ;;
        esac
        ;;
    esac
fi
field ok
field "$changed"
field "$(printf '%s\n' "$words" | tail -c 4000)"
field end
