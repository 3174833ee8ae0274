# guard.sh DANGEROUS COUNT (COMMAND DIGEST)...: what was approved is measured in the exchange that relies on it. The pairs stay
# the arguments of the whole text; an unknown digest is "-". DANGEROUS is 1 when the command must not run unless all is as
# approved.
b_dangerous=$1
shift 2

# b_measure COMMAND: SHA-256 of what it prints, in b_is; empty when no tool can tell.
b_measure() {
    b_is=$(/bin/sh -c "$1" </dev/null 3>&- | {
        sha256sum || busybox sha256sum || openssl dgst -sha256 || shasum -a 256
    })
    case $b_is in
    *'= '*) b_is=${b_is##*= } ;;
    *) b_is=${b_is%% *} ;;
    esac
    case $b_is in
    *[!0-9a-f]*) b_is= ;;
    esac
    [ "${#b_is}" = 64 ] || b_is=
}

# b_guard (COMMAND DIGEST)...
b_guard() {
    b_index=0
    while [ "$#" -gt 1 ]; do
        b_measure "$1"
        b_say before "$b_index" "${b_is:--}"
        if [ "$b_dangerous" = 1 ] && [ "${b_is:-none}" != "$2" ]; then
            b_tell g "$(/bin/sh -c "$1" </dev/null 3>&- | head -c 4096)"
            b_stop guard "$b_index" "${b_is:--}"
        fi
        b_index=$((b_index + 1))
        shift 2
    done
}

# b_after (COMMAND DIGEST)...: what our own change made of it.
b_after() {
    b_index=0
    while [ "$#" -gt 1 ]; do
        b_measure "$1"
        b_say after "$b_index" "${b_is:--}"
        b_index=$((b_index + 1))
        shift 2
    done
}
