# Functions for changing, receiving and sending files. Every answer is a record ended by NUL:
#   "NUMBER ok" or "NUMBER failed REASON"
# Paths start with "/" or "./", so that none can be taken for an option.
LC_ALL=C
export LC_ALL
umask 077
# A temporary file is never one that exists.
set -C
temporary=
trap '[ -z "$temporary" ] || rm -f "$temporary"; exit 1' HUP INT TERM

# try NUMBER COMMAND…
try() {
    number=$1
    shift
    if reason=$("$@" 2>&1 </dev/null); then
        printf '%s ok\0' "$number"
    else
        printf '%s failed %s\0' "$number" "$reason"
    fi
}

# absent PATH
absent() {
    if [ -e "$1" ] || [ -L "$1" ]; then
        echo "it exists"
        return 1
    fi
}

# symlink TARGET PATH
symlink() {
    absent "$2" && ln -s -- "$1" "$2"
}

# hardlink FROM TO
hardlink() {
    absent "$2" && ln -- "$1" "$2"
}

# stamp MTIME PATH
stamp() {
    touch -c -m -d "@$1" "$2"
}

# attributes MODE MTIME follow|link PATH
attributes() {
    if [ "$3" = link ]; then
        touch -h -c -m -d "@$2" "$4"
        return
    fi
    if [ "$1" != - ]; then
        chmod "$1" "$4" || return 1
    fi
    [ "$2" = - ] || stamp "$2" "$4"
}

# replace FROM TO: a directory is never replaced, and nothing is moved into one.
replace() {
    if [ -L "$2" ] && [ -d "$2" ]; then
        why=$(mv -f -T "$1" "$2" 2>&1) && return 0
        case $why in
        *'is a directory'* | *nvalid\ option* | *nrecognized\ option*)
            # The mv of busybox cannot do it in one step.
            rm -f "$2" && mv -f "$1" "$2"
            ;;
        *)
            echo "$why"
            return 1
            ;;
        esac
    elif [ -d "$2" ]; then
        echo "it is a directory"
        return 1
    else
        mv -f "$1" "$2"
    fi
}

# check SIZE MODE MTIME OWNER SYNC TARGET: the temporary file takes the target's place.
check() {
    have=$(wc -c <"$temporary") || return 1
    if [ "$((have))" -ne "$1" ]; then
        echo "$((have)) of $1 bytes arrived"
        return 1
    fi
    # Before the mode, which may forbid to open it.
    if [ "$5" != - ]; then
        synced=$(dd if=/dev/null of="$temporary" conv=notrunc,fsync 2>&1) || {
            echo "$synced"
            return 1
        }
    fi
    # Only root may give files away; anybody else keeps them.
    [ "$4" = - ] || chown "$4" "$temporary" 2>/dev/null || :
    chmod "$2" "$temporary" || return 1
    [ "$3" = - ] || stamp "$3" "$temporary" || return 1
    replace "$temporary" "$6"
}

# settle NUMBER CODE SIZE MODE MTIME OWNER SYNC TARGET: CODE and $reason are those of what wrote the content.
settle() {
    number=$1
    code=$2
    shift 2
    if [ "$code" -ne 0 ]; then
        rm -f "$temporary"
        printf '%s failed write: %s\0' "$number" "${reason:-error $code}"
    elif reason=$(check "$@" 2>&1 </dev/null); then
        printf '%s ok\0' "$number"
    else
        rm -f "$temporary"
        printf '%s failed %s\0' "$number" "$reason"
    fi
    temporary=
}

# receive TEMPORARY SIZE MODE MTIME OWNER SYNC TARGET: the content is on standard input.
receive() {
    temporary=$1
    shift
    reason=$({ cat >"$temporary"; } 2>&1)
    settle 0 $? "$@"
}

# send NUMBER PATH MARK: "NUMBER data", the content, then NUL MARK and how it ended.
send() {
    printf '%s data\0' "$1"
    code=0
    {
        if [ -f "$2" ]; then
            reason=$(cat "$2" 2>&1 >&3) || code=1
        elif [ -e "$2" ]; then
            reason='it is not a file'
            code=1
        else
            reason=$(ls -d "$2" 2>&1 >/dev/null)
            code=1
        fi
    } 3>&1 </dev/null
    if [ "$code" -eq 0 ]; then
        printf '\0%sok\0' "$3"
    else
        printf '\0%sfailed %s\0' "$3" "$reason"
    fi
}
