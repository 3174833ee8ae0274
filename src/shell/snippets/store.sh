# store.sh STORE: where records are kept on the host, and how they are read and written so that a crash at any moment
# leaves the old one, the new one, or one that is seen to be damaged.
b_store=$1
shift

# b_place: the folder, when none was named: the user's own; root's does not hang on a home. False: there is none, and why
# is in b_why.
b_place() {
    [ -z "$b_store" ] || return 0
    b_uid=
    while read -r b_key b_value b_more; do
        if [ "$b_key" = Uid: ]; then
            b_uid=${b_more%%[!0-9]*}
            break
        fi
    done </proc/self/status
    [ -n "$b_uid" ] || b_uid=$(id -u)
    if [ "$b_uid" = 0 ]; then
        b_store=/var/lib/batchssh
    elif [ -n "${HOME:-}" ]; then
        b_store=$HOME/.batchssh
    else
        b_why='the user has no home folder'
        return 1
    fi
}

# b_open run|look: makes and checks it. 1: there is none, and it was not to be made; 2: it cannot be used, and why is in b_why.
b_open() {
    b_place || return 2
    if [ -L "$b_store" ]; then
        b_why="$b_store is a symbolic link"
        return 2
    fi
    if [ ! -d "$b_store/markers" ]; then
        if [ "$1" = look ] && [ ! -e "$b_store" ]; then
            return 1
        fi
        if ! b_words=$( (umask 077 && mkdir -p -- "$b_store/markers") 2>&1); then
            b_why="$b_store cannot be made: $b_words"
            return 2
        fi
    fi
    if [ -L "$b_store/markers" ]; then
        b_why="$b_store/markers is a symbolic link"
        return 2
    fi
    for b_dir in "$b_store" "$b_store/markers"; do
        if [ ! -O "$b_dir" ]; then
            b_why="$b_dir belongs to another user"
            return 2
        fi
        b_words=$(LC_ALL=C ls -ldn -- "$b_dir" 2>&1)
        case $b_words in
        d????-??-*) ;;
        *)
            b_why="$b_dir can be written to by others: $b_words"
            return 2
            ;;
        esac
    done
}

# b_sum TEXT: its length and CRC.
b_sum() {
    b_crc=$(printf '%s' "$1" | cksum)
    b_size=${b_crc#* }
    b_crc="${b_crc%% *} ${b_size%%[!0-9]*}"
}

# b_load FILE: a record into b_text; false when it is not whole and ours, and why in b_why.
b_load() {
    b_text=
    if [ -L "$1" ] || [ ! -f "$1" ]; then
        b_why="$1 is no plain file"
        return 1
    elif [ ! -O "$1" ]; then
        b_why="$1 belongs to another user"
        return 1
    elif [ ! -r "$1" ]; then
        b_why="$1 cannot be read"
        return 1
    fi
    b_text=$(head -c 65536 -- "$1" && echo .)
    b_text=${b_text%.}
    b_body=${b_text%"${b_nl}sum "*}$b_nl
    b_sum "$b_body"
    if [ "$b_text" != "${b_body}sum $b_crc$b_nl" ]; then
        b_why="$1 is damaged"
        return 1
    fi
    case $b_text in
    "batchssh-record 1$b_nl"*) ;;
    *)
        b_why="$1 was written by another version"
        return 1
        ;;
    esac
}

# b_get KEY: the value of a line of b_text, in b_value.
b_get() {
    b_value=
    case $b_text in
    *"$b_nl$1 "*)
        b_value=${b_text#*"$b_nl$1 "}
        b_value=${b_value%%"$b_nl"*}
        ;;
    esac
}

# b_sync FILE, b_settle FILE: what was written, and the name it was given, outlast a power cut. An old `sync` takes no
# file; there the name is safe with the file's own fsync, as ext3, ext4, xfs and btrfs do it.
b_sync() {
    sync -d "$1" || dd if=/dev/null of="$1" conv=notrunc,fsync || sync
}
b_settle() {
    if sync -d "$1"; then
        sync "$b_store/markers"
    else
        dd if=/dev/null of="$1" conv=notrunc,fsync || sync
    fi
}

# b_draft TEXT: a whole record of these lines, safe on the disk under the name b_tmp; what went wrong is in b_words.
b_draft() {
    b_tmp=$b_store/markers/.new-$b_nonce
    b_text="batchssh-record 1$b_nl$1"
    b_sum "$b_text"
    b_text="${b_text}sum $b_crc$b_nl"
    b_words=$( (umask 077 && printf '%s' "$b_text" >"$b_tmp") 2>&1) && b_sync "$b_tmp" && return 0
    rm -f -- "$b_tmp"
    return 1
}

b_now() {
    b_now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
}

# b_group_lives GROUP LEADER: a process of the group is there; LEADER is when its first process began. The number of a group
# is free again only when all of the group are gone, and then its leader is another one. Tells which.
b_group_lives() {
    if b_process "$1" && [ "$b_start" != "$2" ]; then
        return 1
    fi
    b_any=1
    for b_dir in /proc/[0-9]*; do
        { read -r b_line <"$b_dir/stat"; } 2>/dev/null || continue
        b_line=${b_line##*) }
        case $b_line in
        [ZX]*) continue ;;
        esac
        b_line=${b_line#* }
        b_line=${b_line#* }
        if [ "${b_line%% *}" = "$1" ]; then
            b_any=0
            b_said=$(tr '\0' ' ' <"$b_dir/cmdline" | head -c 300)
            b_say alive "${b_dir#/proc/}" "${b_said%%"$b_nl"*}"
        fi
    done
    return "$b_any"
}

# b_lives: a process of the intent in b_text is there, or may be.
b_lives() {
    b_get boot
    b_was=$b_value
    b_get leader
    b_leads=$b_value
    b_get group
    b_boot=
    { read -r b_boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
    if [ -z "$b_was" ] || [ -z "$b_value" ] || [ -z "$b_boot" ]; then
        b_say alive 0 nobody can tell: there is no /proc
        return 0
    fi
    [ "$b_was" = "$b_boot" ] && b_group_lives "$b_value" "$b_leads"
}
