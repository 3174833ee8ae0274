# Locks between processes of this machine: a symbolic link whose text names its owner. `ln` makes it or does not, so no
# flock is needed, and nothing stays behind. An owner of an earlier boot, or whose process is gone, holds nothing.
held=

# since PID: when that process began, in the kernel's ticks, in $since; empty when it is gone.
since() {
    since=
    if line=$(cat "/proc/$1/stat" 2>/dev/null); then
        # What stands in the parentheses is a name and may hold anything.
        # shellcheck disable=SC2086
        set -- ${line##*) }
        case $1 in
        Z | X) ;;
        *) since=${20-} ;;
        esac
    fi
}

boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null) || boot=unknown
space=$(readlink /proc/self/ns/pid 2>/dev/null) || space=
space=${space#*[}
since $$
me=$boot,${space%]},$$,$since

# gone OWNER: whether that owner can hold nothing any more. Processes of another namespace cannot be seen from here.
gone() {
    saved=${IFS- }
    IFS=,
    # shellcheck disable=SC2086
    set -- $1
    IFS=$saved
    [ $# -eq 4 ] || return 1
    [ "$1" = "$boot" ] || return 0
    [ "$2" = "${space%]}" ] || return 1
    since "$3"
    [ "$since" != "$4" ]
}

# break_lock LOCK OWNER: takes away the lock of an owner that is gone. Only the one who makes LOCK.OWNER may do it, and
# owners never come back, so a lock that somebody took meanwhile is safe.
break_lock() {
    if ln -s -- "$me" "$1.$2" 2>/dev/null; then
        [ "$(readlink -- "$1")" != "$2" ] || rm -f -- "$1"
        rm -f -- "$1.$2"
    elif gone "$(readlink -- "$1.$2" 2>/dev/null)"; then
        break_lock "$1.$2" "$(readlink -- "$1.$2")"
    fi
}

# lock LOCK: takes it. Fails after a minute, or when it cannot be made at all; the reason is in $words.
lock() {
    tries=600
    misses=0
    while :; do
        if words=$(ln -s -- "$me" "$1" 2>&1) && [ "$(readlink -- "$1" 2>/dev/null)" = "$me" ]; then
            held=$1
            return 0
        fi
        owner=$(readlink -- "$1" 2>/dev/null) || owner=
        if [ -z "$owner" ]; then
            # Given back this moment; or the folder cannot be written to.
            misses=$((misses + 1))
            [ "$misses" -lt 5 ] || return 1
            continue
        fi
        misses=0
        if gone "$owner"; then
            break_lock "$1" "$owner"
            continue
        fi
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            line=${owner%,*}
            words="process ${line##*,} has been holding the lock $1 for a minute"
            return 1
        fi
        sleep 0.1 2>/dev/null || sleep 1
    done
}

# unlock: gives the lock back.
unlock() {
    [ -z "$held" ] || [ "$(readlink -- "$held" 2>/dev/null)" != "$me" ] || rm -f -- "$held"
    held=
}
