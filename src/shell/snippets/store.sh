# store.sh STORE: where records are kept on the host, and how they are read and written so that a crash at any moment
# leaves the old one, the new one, or one that is seen to be damaged.
b_store=$1
shift

# b_place: the folder, when none was named: the user's own; root's does not hang on a home.
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
        b_stop store the user has no home folder to keep it in
    fi
}

# b_open: makes and checks it; with "look" it is not made, and false means that there is none.
b_open() {
    b_place
    [ ! -L "$b_store" ] || b_stop store "$b_store is a symbolic link"
    if [ ! -d "$b_store/markers" ]; then
        if [ "$1" = look ] && [ ! -e "$b_store" ]; then
            return 1
        fi
        b_words=$( (umask 077 && mkdir -p -- "$b_store/markers") 2>&1) || b_stop store "$b_store cannot be made: $b_words"
    fi
    [ ! -L "$b_store/markers" ] || b_stop store "$b_store/markers is a symbolic link"
    for b_dir in "$b_store" "$b_store/markers"; do
        [ -O "$b_dir" ] || b_stop store "$b_dir belongs to another user"
        b_words=$(LC_ALL=C ls -ldn -- "$b_dir" 2>&1)
        case $b_words in
        d????-??-*) ;;
        *) b_stop store "$b_dir can be written to by others: $b_words" ;;
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

# b_process PID: group and start of a process in b_group and b_start; empty when there is none.
b_process() {
    b_group=
    b_start=
    { read -r b_line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # shellcheck disable=SC2086
    set -- ${b_line##*) }
    b_group=$3
    shift 19
    b_start=$1
}

b_now() {
    b_now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
}
