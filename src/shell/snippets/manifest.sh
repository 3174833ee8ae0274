# Tells what files are: batchssh-manifest MODE [ROOT DEPTH]
#   stat   of the paths on standard input, each ended by NUL
#   sum    checksums of the regular files among the paths on standard input
#   tree   of everything below ROOT, at most DEPTH levels
# Writes records ended by NUL, so that every name arrives:
#   "batchssh-manifest 1 SUMTOOL"         first
#   "S TYPE MODE SIZE MTIME UID GID PATH" and, as a record of its own, ">LINK TARGET" (GNU find)
#   "s HEXMODE SIZE MTIME UID GID PATH"   (any other stat)
#   "L PATH" and ">LINK TARGET"
#   "H SUM  PATH"                         as the checksum tool writes it
#   "R PATH"                              the root, when it was a link
#   "end"                                 last: without it the answer is not whole
LC_ALL=C
export LC_ALL
umask 077
nl='
'
mode=$1
sum=none
if [ "$mode" = sum ]; then
    for tool in sha256sum sha1sum md5sum; do
        if [ -n "$(printf x | "$tool" 2>/dev/null)" ]; then
            sum=$tool
            break
        fi
    done
fi
export nl sum
printf 'batchssh-manifest 1 %s\0' "$sum"

# Names with a newline go one by one: only they could be taken for two.
if find / -maxdepth 0 -printf '' >/dev/null 2>&1; then
    # shellcheck disable=SC2016,SC2089
    look='find "$@" -printf "S %y %m %s %T@ %U %G %p\0>%l\0"'
else
    # shellcheck disable=SC2016,SC2089
    look='
        find "$@" ! -path "*$nl*" -exec stat -c "s %f %s %Y %u %g %n" {} + | tr "\n" "\000"
        find "$@" -path "*$nl*" -exec sh -c '\''
            for file do
                printf "s %s %s\0" "$(stat -c "%f %s %Y %u %g" "$file")" "$file"
            done'\'' batchssh {} +
        find "$@" -type l -exec sh -c '\''
            for file do
                printf "L %s\0>" "$file"
                readlink -n "$file"
                printf "\0"
            done'\'' batchssh {} +'
fi
# shellcheck disable=SC2016
sums='
    find "$@" -maxdepth 0 -type f ! -path "*$nl*" -exec "$sum" {} + | sed "s/^/H /" | tr "\n" "\000"
    find "$@" -maxdepth 0 -type f -path "*$nl*" -exec sh -c '\''
        for file do
            found=$("$sum" <"$file") && printf "H %s  %s\0" "${found%% *}" "$file"
        done'\'' batchssh {} +'

case $mode in
stat)
    # shellcheck disable=SC2090
    export look
    # shellcheck disable=SC2016
    xargs -0 sh -c 'set -- "$@" -maxdepth 0; eval "$look"' batchssh
    ;;
sum)
    [ "$sum" = none ] || xargs -0 sh -c "$sums" batchssh
    ;;
tree)
    root=$2
    if [ -L "$root" ] && [ -e "$root" ]; then
        root=$(
            readlink -f "$root"
            echo x
        )
        root=${root%??}
        printf 'R %s\0' "$root"
    fi
    if [ ! -e "$root" ] && [ ! -L "$root" ]; then
        # Says why: no such file, permission denied.
        ls -d "$root" >/dev/null || exit 2
    fi
    set -- "$root" -maxdepth "$3"
    eval "$look"
    ;;
*)
    exit 64
    ;;
esac
printf 'end\0'
exit 0
