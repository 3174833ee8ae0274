# apply.sh TOKEN SPOOL (OPERATION ARGUMENT...)...: changes files, one operation after the other, and stops at the first
# that fails. New contents come through standard input, one after the other; with SPOOL "1" there are several.
token=$1
spool=
tmp=
offset=0
begin
if [ "$2" = 1 ]; then
    for base in "${HOME:-/}" "${TMPDIR:-/tmp}" /var/tmp; do
        spool=$base/.batchssh-$token.spool
        (umask 077 && set -C && : >"$spool") 2>/dev/null && break
        spool=
    done
fi
shift 2

# Nothing is left behind, whatever ends this.
clean() {
    [ -z "$tmp" ] || rm -f -- "$tmp"
    [ -z "$spool" ] || rm -f -- "$spool"
}
trap clean EXIT
trap 'clean; exit 129' HUP
trap 'clean; exit 130' INT
trap 'clean; exit 141' PIPE
trap 'clean; exit 143' TERM

# fail PATH WORDS [RC OUTPUT]
fail() {
    field fail
    field "$1"
    field "$2"
    field "${3-}"
    field "${4-}"
    field end
    exit 1
}

# try PATH COMMAND...: the command's own words become the reason.
try() {
    path=$1
    shift
    words=$("$@" 2>&1) || fail "$path" "$words"
}

parent() {
    case $1 in
    */*)
        parent=${1%/*}
        parent=${parent:-/}
        ;;
    *)
        parent=.
        ;;
    esac
}

# take SIZE: the next SIZE bytes of the contents.
take() {
    if [ -n "$spool" ]; then
        tail -c "+$((offset + 1))" "$spool" | head -c "$1"
        offset=$((offset + $1))
    else
        cat
    fi
}

# store PATH TMP SIZE ALGORITHM SUM MODE KEEP OWNER BACKUP VALIDATE SOURCE UNSAFE
store() {
    if [ -d "$1" ] && [ ! -L "$1" ]; then
        fail "$1" "it is a directory"
    fi
    parent "$1"
    [ -d "$parent" ] || fail "$1" "Destination directory $parent does not exist"
    words=$( (umask 077 && set -C && : >"$2") 2>&1) || fail "$1" "Destination $parent not writable: $words"
    tmp=$2
    if [ -n "${11}" ]; then
        words=$(cat <"${11}" 2>&1 >"$tmp") || fail "$1" "$words"
    else
        words=$( (take "$3") 2>&1 >"$tmp") || fail "$1" "cannot write: $words"
        [ -z "$spool" ] || offset=$((offset + $3))
    fi
    size=$(wc -c <"$tmp")
    [ "$3" = - ] || [ "$size" -eq "$3" ] || fail "$1" "$size of $3 bytes arrived, the file is as it was"
    if [ -n "$5" ]; then
        digest "$4" "$tmp"
        [ -z "$digest" ] || [ "$digest" = "$5" ] || fail "$1" "Copied file does not match the expected checksum. Transfer failed."
    fi
    [ -z "$7" ] || chown -- "$7" "$tmp" 2>/dev/null || chgrp -- "${7#*:}" "$tmp" 2>/dev/null || :
    [ -z "$8" ] || try "$1" chown -- "$8" "$tmp"
    [ -z "$6" ] || try "$1" chmod -- "$6" "$tmp"
    if [ -n "${10}" ]; then
        words=$(eval "${10}" </dev/null 2>&1) || fail "$1" "failed to validate" "$?" "$words"
    fi
    if [ "$9" = 1 ] && [ -e "$1" ]; then
        backup=$1.$$.$(date '+%Y-%m-%d@%H:%M:%S')~
        try "$1" cp -p -- "$1" "$backup"
        field backup
        field "$backup"
    fi
    # On SELinux hosts the new file gets the old one's context, or its place's.
    if [ -d /sys/fs/selinux ] || [ -d /selinux ]; then
        if [ -e "$1" ]; then
            chcon "--reference=$1" "$tmp" 2>/dev/null || :
        else
            place=$(matchpathcon -n "$1" 2>/dev/null) || place=
            [ -z "$place" ] || chcon "$place" "$tmp" 2>/dev/null || :
        fi
    fi
    if ! words=$(mv -f -- "$tmp" "$1" 2>&1); then
        [ "${12}" = 1 ] || fail "$1" "$words"
        words=$(cat <"$tmp" 2>&1 >"$1") || fail "$1" "$words"
        rm -f -- "$tmp"
    fi
    tmp=
}

# replace PATH TMP: the finished link TMP takes the place of PATH.
replace() {
    if [ -d "$1" ] && [ ! -L "$1" ]; then
        try "$1" rmdir -- "$1"
    fi
    # A plain mv would move into the directory that an old link points at.
    mv -fT -- "$2" "$1" 2>/dev/null || {
        try "$1" rm -f -- "$1"
        try "$1" mv -f -- "$2" "$1"
    }
    # Two names of one file: rename leaves both.
    rm -f -- "$2"
    tmp=
}

# stamp PATH WHICH TIME LINK: sets one of the two times.
stamp() {
    link=
    [ "$4" != h ] || link=-h
    case $3 in
    -) ;;
    now) try "$1" touch -c $link "$2" -- "$1" ;;
    *) try "$1" touch -c $link "$2" -t "$3" -- "$1" ;;
    esac
}

if [ -n "$spool" ]; then
    words=$(cat 2>&1 >"$spool") || fail "$spool" "cannot write: $words"
fi
number=0
while [ $# -gt 0 ]; do
    number=$((number + 1))
    case $1 in
    dir)
        [ -d "$2" ] || try "$2" mkdir -- "$2"
        shift 2
        ;;
    empty)
        [ -e "$2" ] || words=$( (set -C && : >"$2") 2>&1) || fail "$2" "$words"
        shift 2
        ;;
    mode)
        try "$2" chmod -- "$3" "$2"
        shift 3
        ;;
    own)
        if [ "$4" = h ]; then
            try "$2" chown -h -- "$3" "$2"
        else
            try "$2" chown -- "$3" "$2"
        fi
        shift 4
        ;;
    file)
        shift
        store "$@"
        shift 12
        ;;
    link | hard)
        tmp=$3
        if [ "$1" = link ]; then
            try "$2" ln -s -- "$4" "$tmp"
        else
            try "$2" ln -- "$4" "$tmp"
        fi
        replace "$2" "$3"
        shift 4
        ;;
    remove)
        try "$2" rm -rf -- "$2"
        if [ -e "$2" ] || [ -L "$2" ]; then
            fail "$2" "it is still there"
        fi
        shift 2
        ;;
    touch)
        stamp "$2" -a "$3" "$5"
        stamp "$2" -m "$4" "$5"
        shift 5
        ;;
    tree)
        [ -z "$4" ] || try "$2" chown -R -h -- "$4" "$2"
        [ -z "$3" ] || try "$2" find "$2" ! -type l -exec chmod -- "$3" {} +
        shift 4
        ;;
    tell)
        field tell
        sight "$2" "$3" -
        shift 3
        ;;
    *)
        fail "$1" "unknown operation"
        ;;
    esac
    field ok
    field "$number"
done
field end
