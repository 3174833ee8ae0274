# mount.sh WHAT NONCE STATE PATH SOURCE TYPE DUMP PASS TABLE BACKUP PLAIN: looks at ("look") or changes ("act") one mount
# and its entry in a table of file systems. The options come through standard input: they may be secret. With PLAIN "1"
# nobody gave any.
what=$1
nonce=$2
state=$3
path=$4
w_src=$5
w_type=$6
w_dump=$7
w_pass=$8
table=$9
shift 9
keep=$1
plain_opts=$2
w_opts=$(cat)
place "$path"
w_dir=$place
tmp=
created=
how='set'
case $state in
absent | absent_from_fstab) how=drop ;;
esac
follow "$table"

clean() {
    [ -z "$tmp" ] || rm -f -- "$tmp"
    unlock
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

fail() {
    field fail
    field "$1"
    field end
    exit 1
}

# mounted: whether something is mounted at $at; its source in $m_src, the topmost of several. The path itself is not
# touched as long as the kernel knows it as it is written: a dead server would hold us.
mounted() {
    at=$w_dir
    list=/proc/self/mounts
    [ -r "$list" ] || list=/etc/mtab
    on_list && return 0
    case $at in
    /*) ;;
    *) return 1 ;;
    esac
    at=$(cd -P -- "$w_dir" 2>/dev/null && pwd -P) && [ "$at" != "$w_dir" ] && on_list
}

on_list() {
    m_src=
    while read -r line_src line_dir line; do
        decode "$line_dir"
        if [ "$plain" = "$at" ]; then
            decode "$line_src"
            m_src=$plain
        fi
    done <"$list"
    [ -n "$m_src" ]
}

# number DEVICE: its numbers, in $number; empty for what is no block device.
number() {
    number=
    device=$1
    case $device in
    LABEL=* | UUID=* | PARTLABEL=* | PARTUUID=*)
        device=$(findfs "$(printf %s "$device" | tr -d \")" 2>/dev/null) || device=
        ;;
    esac
    case $device in
    /*) [ ! -b "$device" ] || number=$(stat -L -c %t:%T -- "$device" 2>/dev/null) ;;
    esac
}

# source_is: whether what is mounted comes from $w_src: "same", "other", or "unknown".
source_is() {
    source_is=unknown
    case ,$w_opts, in
    *,bind,* | *,rbind,*)
        one=$(stat -L -c %d:%i -- "$w_src" 2>/dev/null) || return
        two=$(stat -L -c %d:%i -- "$at" 2>/dev/null) || return
        ;;
    *)
        number "$w_src"
        one=$number
        number "$m_src"
        two=$number
        if [ -z "$one" ] || [ -z "$two" ]; then
            [ "$w_src" != "$m_src" ] || source_is=same
            return
        fi
        ;;
    esac
    source_is=other
    [ "$one" != "$two" ] || source_is=same
}

if [ "$what" = look ]; then
    begin
    field "$path"
    field "$w_src"
    case $state in
    ephemeral | unmounted | remounted)
        old=
        new=
        ;;
    *) load "$how" || fail "cannot use the table of file systems $table: $words" ;;
    esac
    field ok
    field "$old"
    field "$new"
    if mounted; then
        source_is
        field yes
        field "$m_src"
        field "$source_is"
    else
        field no
        if [ -e "$path" ]; then field yes; else field no; fi
    fi
    field end
    exit 0
fi

# make_dirs: makes $path and the folders above it; those that were made are in $created, the innermost first.
make_dirs() {
    part=$w_dir
    set --
    while [ -n "$part" ] && [ ! -e "$part" ]; do
        set -- "$part" "$@"
        case $part in
        */*) part=${part%/*} ;;
        *) part= ;;
        esac
    done
    for part; do
        words=$(mkdir -- "$part" 2>&1) || [ -d "$part" ] || fail "Error making dir $path: $words"
    done
    created=$#
}

# drop_dirs: removes what make_dirs made.
drop_dirs() {
    part=$w_dir
    while [ "$created" -gt 0 ]; do
        rmdir -- "$part" 2>/dev/null || return
        part=${part%/*}
        created=$((created - 1))
    done
}

# attach SOURCE TYPE OPTIONS: mounts it, or mounts it again with other options when they begin with "remount,".
attach() {
    words=$(mount -t "$2" -o "$3" "$1" "$w_dir" 2>&1 </dev/null)
}

# detach: unmounts what is there. Somebody else may just have done it.
detach() {
    words=$(umount "$at" 2>&1 </dev/null) || ! mounted
}

# attach_wanted: mounts what is wanted; what was made on the way is undone when that fails.
attach_wanted() {
    make_dirs
    attach "$w_src" "$w_type" "$w_opts" && return
    said=$words
    drop_dirs
    fail "Error mounting $path: $said"
}

# renew SOURCE TYPE OPTIONS: mounts again with these options; unmounts it first where that cannot be done.
renew() {
    attach "$1" "$2" "remount,$3" && return
    detach && attach "$1" "$2" "$3"
}

# hold: takes the lock. A new table that a killed run was about to put in place is taken away from under it, so that
# what is left of that run cannot put it over ours.
hold() {
    parent=${real%/*}
    if [ ! -d "$parent" ]; then
        words=$(mkdir -p -- "$parent" 2>&1) || fail "Failed to open $table due to $words"
    fi
    lock "$parent/.${real##*/}.batchssh-lock" || fail "cannot lock the table of file systems $table: $words"
    rm -f -- "$parent/.${real##*/}.batchssh-new-"*
}

write() {
    change_table "$how" "$keep" || fail "$1cannot change the table of file systems $table: $words"
    [ "$done" = same ] || changed=yes
}

begin
changed=no
backup=
case $state in
present | absent_from_fstab)
    hold
    write ""
    ;;
absent)
    hold
    load drop || fail "cannot use the table of file systems $table: $words"
    said=
    if [ "$new" != "$old" ] && [ "$w_dir" != none ] && [ "$w_dir" != swap ]; then
        # The entry goes last: who is interrupted finds it again.
        if mounted; then
            detach || fail "Error unmounting $path: $words"
        fi
        [ ! -e "$w_dir" ] || said=$(rmdir -- "$w_dir" 2>&1) || said="Error rmdir $path: $said"
    fi
    write ""
    [ -z "$said" ] || fail "$said"
    ;;
mounted)
    hold
    load set || fail "cannot use the table of file systems $table: $words"
    # Mounted first: the table never names what cannot be mounted, and who is interrupted comes here again.
    if ! mounted; then
        attach_wanted
        changed=yes
    elif [ "$new" != "$old" ]; then
        source_is
        if [ "$source_is" = other ]; then
            detach || fail "Error unmounting $path: $words"
            attach_wanted
        else
            renew "$w_src" "$w_type" "$w_opts" || fail "Error mounting $path: $words"
        fi
        changed=yes
    fi
    write "$path is mounted, but I "
    ;;
ephemeral)
    if mounted; then
        source_is
        [ "$source_is" = same ] || fail "other source"
        renew "$w_src" "$w_type" "$w_opts" || fail "Error mounting $path: $words"
    else
        attach_wanted
    fi
    changed=yes
    ;;
unmounted)
    if mounted; then
        detach || fail "Error unmounting $path: $words"
        changed=yes
    fi
    ;;
remounted)
    mounted || :
    if [ "$plain_opts" = 0 ]; then
        words=$(mount -o "remount,$w_opts" "$w_dir" 2>&1 </dev/null) || fail "options: $words"
    elif [ -r "$real" ] && find_entry <"$real"; then
        renew "$src" "$type" "$opts" || fail "Error remounting $path: $words"
    else
        words=$(mount -o remount "$w_dir" 2>&1 </dev/null) || fail "Error remounting $path: $words"
    fi
    changed=yes
    ;;
esac
unlock
field ok
field "$changed"
field "$backup"
field end
