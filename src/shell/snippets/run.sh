# run.sh NONCE CHDIR CREATES REMOVES PROBE PROGRAM ARGUMENT...: runs a command unless CREATES (a pattern) exists or REMOVES does
# not. What it says itself begins with NONCE on standard error. With PROBE "1" nothing is run.
nonce=$1
chdir=$2
creates=$3
removes=$4
probe=$5
shift 5
if [ -n "$chdir" ]; then
    words=$(cd -- "$chdir" 2>&1) || {
        printf '%s chdir %s\n' "$nonce" "$words" >&2
        exit 1
    }
    cd -- "$chdir" || exit 1
fi

# Whether any path matches a pattern; its blanks are no separators.
matches() {
    saved=${IFS-x}
    IFS=
    # shellcheck disable=SC2086
    set -- $1
    IFS=$saved
    for path; do
        if [ -e "$path" ] || [ -L "$path" ]; then
            return 0
        fi
    done
    return 1
}

if [ -n "$creates" ] && matches "$creates"; then
    printf '%s creates\n' "$nonce" >&2
    exit 0
fi
if [ -n "$removes" ] && ! matches "$removes"; then
    printf '%s removes\n' "$nonce" >&2
    exit 0
fi
if [ "$probe" = 1 ]; then
    printf '%s go\n' "$nonce" >&2
    exit 0
fi
if ! command -v -- "$1" >/dev/null 2>&1; then
    printf '%s missing\n' "$nonce" >&2
    exit 2
fi
exec "$@"
