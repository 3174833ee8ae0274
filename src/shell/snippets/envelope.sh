# envelope.sh NONCE COMMAND ...: what goes around a command. Pieces follow (store.sh, marker.sh, ...), each takes its own
# arguments; the last lines, made for the exchange, call what is wanted. It speaks on standard error only, in lines that
# begin with NONCE. Its variables begin with b_ and are not exported, so that the command sees nothing of them.
b_nonce=$1 b_command=$2
shift 2
b_nl='
'
b_rc=0
# What the shell itself says about a killed command is not the command's: it goes nowhere.
exec 3>&2 2>/dev/null
# A listener that went away is noticed where we speak, not by being killed.
trap : PIPE

# b_say WORDS: false when nobody can hear it any more.
b_say() {
    printf '%s %s\n' "$b_nonce" "$*" >&3
}

# b_tell KIND TEXT: a text of many lines, each with KIND in front.
b_tell() {
    b_left=$2
    while [ -n "$b_left" ]; do
        b_say "$1 ${b_left%%"$b_nl"*}"
        case $b_left in
        *"$b_nl"*) b_left=${b_left#*"$b_nl"} ;;
        *) b_left= ;;
        esac
    done
}

# b_stop WORDS: the command is not run, and this is why.
b_stop() {
    b_say "$@"
    exit 0
}

# b_exec: the command instead of this shell, when nothing comes after it.
b_exec() {
    exec /bin/sh -c "$b_command" 2>&3 3>&-
}

# b_run: the command, as it would run without all this. A lost connection must not keep its end from being written down:
# the signals of that are caught here, and are as always for the command.
b_run() {
    trap : HUP INT TERM
    # Some shells redirect themselves while they wait, and tell of a signal there: a shell of its own stands between.
    (exec /bin/sh -c "$b_command" 2>&3 3>&-)
    b_rc=$?
}
