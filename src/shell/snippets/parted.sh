# parted.sh look DEVICE UNIT NUMBER: tells the partition table, exactly and in UNIT, and who uses the disk.
# parted.sh STATE DEVICE UNIT NUMBER SEEN ALIGN LABEL TYPE FS START END RESIZE QUOTED NAME FLAG...: makes partition NUMBER
# be there ("present") or not ("absent"), from what is there now. SEEN is what the look told: a table is only replaced, and
# a partition only removed, when it is still that one. QUOTED is the name as parted takes it; empty: no name is wanted.
what=$1
dev=$2
unit=$3
number=$4
begin

fail() {
    field fail
    field "$1"
    field "${2-}"
    field "${3-}"
    field end
    exit 1
}

command -v parted >/dev/null 2>&1 || fail 'Failed to find required executable "parted"'

# tool WORD...: parted, speaking English. Names of partitions may hold any characters; a plain C locale would stop there.
tool() {
    LANGUAGE='' LC_ALL=C.UTF-8 parted "$@" </dev/null
}

# exact: the table in sectors, in $now; its label in $label_now.
exact() {
    now=$(tool -s -m "$dev" -- unit s print 2>/dev/null) || :
    label_now=$(printf '%s\n' "$now" |
        sed -n 's/^.*:[0-9]*s:[^:]*:[0-9][0-9]*:[0-9][0-9]*:\([^:]*\):.*$/\1/p' | head -n 1)
}

# part: what the table says behind the number of the partition, in $part; fails when there is none.
part() {
    part=$(printf '%s\n' "$now" | sed -n "s/^$number:\([0-9]*s:.*\)\$/\1/p" | head -n 1)
    [ -n "$part" ]
}

# part_user: who uses the partition, in $why; fails when nobody does.
part_user() {
    why=
    for one in /sys/dev/block/"$own"/*/partition; do
        [ -e "$one" ] || continue
        if [ "$(cat "$one")" = "$number" ]; then
            used_by "$(cat "${one%/partition}/dev")"
            return
        fi
    done
    return 1
}

numbers "$dev"
own=$numbers

if [ "$what" = look ]; then
    exact
    out=$(tool -s -m "$dev" -- unit "$unit" print 2>/dev/null)
    rc=$?
    words=
    [ "$rc" = 0 ] || words=$(tool -s -m "$dev" -- unit "$unit" print 2>&1)
    field ok
    field "$rc"
    field "$out"
    field "$words"
    field "$now"
    # What the kernel knows about it: parted before 3.1 tells nothing without a label.
    queue=/sys/dev/block/$own
    [ -d "$queue/queue" ] || queue=$queue/..
    size=0
    [ -z "$own" ] || size=$(cat "/sys/dev/block/$own/size" 2>/dev/null) || size=0
    field "$size"
    field "$(cat "$queue/queue/logical_block_size" 2>/dev/null)"
    field "$(cat "$queue/queue/physical_block_size" 2>/dev/null)"
    field "$(cat "$queue/queue/optimal_io_size" 2>/dev/null)"
    field "$(cat "/sys/dev/block/$own/device/vendor" 2>/dev/null || echo Unknown) $(cat "/sys/dev/block/$own/device/model" 2>/dev/null || echo model)"
    # What lies on the whole disk where there are no partitions.
    blkid -c /dev/null "$dev" 2>/dev/null | sed -n 's/.* TYPE="\([^"]*\)".*/\1/p' | {
        read -r type || type=
        field "$type"
    }
    if in_use; then field "$why"; else field ''; fi
    if part_user; then field "$why"; else field ''; fi
    field end
    exit 0
fi

seen=$5
align=$6
label=$7
shift 7
type=$1
fs=$2
start=$3
end=$4
resize=$5
quoted=$6
name=$7
shift 7

fix=
case $(tool --help 2>&1) in
*--fix*) fix=-f ;;
esac
script=
changed=no

# run WORD...: a script of parted. Its words go to $script, one in a line.
run() {
    set -- unit "$unit" "$@"
    for one; do
        script=$script$one'
'
    done
    changed=yes
    if [ "$align" = undefined ]; then
        words=$(tool -s $fix -m "$dev" -- "$@" 2>&1)
    else
        words=$(tool -s $fix -m -a "$align" "$dev" -- "$@" 2>&1)
    fi
    rc=$?
    [ "$rc" = 0 ] || fail "Error while running parted script: parted -s -m $dev -- $*" "$words" "$rc"
    settle
}

changed_since() {
    fail "$dev was changed by somebody else since it was looked at: $1"
}

exact
case $what in
absent)
    if part; then
        # Begin and end: its file system may have been made meanwhile.
        line=${part#*:}
        line=${part%%:*}:${line%%:*}:
        case $seen in
        *"
$number:$line"*) ;;
        *) changed_since "partition $number is another one now" ;;
        esac
        ! part_user || fail "partition $number of $dev is in use, it was not removed: $why"
        # Ansible names no unit here.
        words=$(tool -s $fix -m "$dev" -- rm "$number" 2>&1)
        rc=$?
        [ "$rc" = 0 ] || fail "Error while running parted script: parted -s -m $dev -- rm $number" "$words" "$rc"
        script="rm
$number
"
        changed=yes
        settle
    fi
    ;;
present)
    if [ "$label_now" != "$label" ]; then
        [ "$now" = "$seen" ] || changed_since "its partition table is another one now"
        ! in_use || fail "$dev is in use, its partition table was not replaced: $why"
        # shellcheck disable=SC2086
        run mklabel "$label" mkpart "$type" $fs "$start" "$end"
    elif ! part; then
        # shellcheck disable=SC2086
        run mkpart "$type" $fs "$start" "$end"
    elif [ "$resize" = 1 ]; then
        run resizepart "$number" "$end"
    fi
    exact
    part || fail "parted made another partition than number $number; look at the disk before you try again"
    set -f
    # Number, begin, end, size and file system come before the name, the flags behind it.
    has=${part##*:}
    has=${has%;}
    line=${part#*:*:*:*:}
    line=$(printf '%s\n' "${line%:*}" | sed 's/\\\(.\)/\1/g')
    wanted=,
    for one; do
        wanted=$wanted$one,
    done
    set -- "$@" ''
    # The words of the script are gathered behind an empty one.
    if [ -n "$quoted" ] && [ "$line" != "$name" ]; then
        set -- "$@" name "$number" "$quoted"
    fi
    if [ "$wanted" != , ]; then
        saved=${IFS- }
        IFS=', '
        # shellcheck disable=SC2086
        on=$(printf '%s,' $has)
        for one in $wanted; do
            case ,$on in
            *",$one,"*) ;;
            *) [ -z "$one" ] || set -- "$@" set "$number" "$one" on ;;
            esac
        done
        for one in $has; do
            case $wanted in
            *",$one,"*) ;;
            *) set -- "$@" set "$number" "$one" off ;;
            esac
        done
        IFS=$saved
    fi
    set +f
    while [ -n "$1" ]; do
        shift
    done
    shift
    [ $# = 0 ] || run "$@"
    ;;
esac
out=$(tool -s -m "$dev" -- unit "$unit" print 2>&1) || :
field ok
field "$changed"
field "$script"
field "$out"
field end
