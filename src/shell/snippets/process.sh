# process.sh: who is at work, by what the shell alone can read.

# b_process PID: group and start of a process in b_group and b_start; empty when there is none. One that was killed and
# that nobody asked about yet does nothing any more.
b_process() {
    b_group=
    b_start=
    { read -r b_line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # shellcheck disable=SC2086
    set -- ${b_line##*) }
    case $1 in
    Z | X) return 1 ;;
    esac
    b_group=$3
    shift 19
    b_start=$1
}

# b_beat: a sign of life in b_now_beat: seconds since the boot (a clock that nobody sets), this process, which becomes the
# command, and its group. False where there is no /proc.
b_beat() {
    { read -r b_up b_line </proc/uptime; } 2>/dev/null && b_process $$ || return 1
    b_up=${b_up%%.*}
    b_self=$b_start
    b_mine=$b_group
    b_process "$b_mine"
    # shellcheck disable=SC2034
    b_now_beat="$b_up $$ $b_self $b_mine ${b_start:-0}"
}
