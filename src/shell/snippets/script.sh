# script.sh NONCE NAME SIZE CHDIR EXECUTABLE ARGUMENTS: stores the script that comes through standard input in a private
# folder and runs it; EXECUTABLE and ARGUMENTS are shell text.
nonce=$1
name=$2
size=$3
chdir=$4
executable=$5
arguments=$6
folder=

clean() {
    [ -z "$folder" ] || rm -rf -- "$folder"
}
trap clean EXIT
trap 'clean; exit 129' HUP
trap 'clean; exit 130' INT
trap 'clean; exit 143' TERM

say() {
    printf '%s %s\n' "$nonce" "$1" >&2
    exit "$2"
}

mask=$(umask)
umask 077
# The home comes first: /tmp is often mounted noexec.
for base in "${HOME:-/}" "${TMPDIR:-/tmp}" /var/tmp; do
    if mkdir -- "$base/.batchssh-$nonce" 2>/dev/null; then
        folder=$base/.batchssh-$nonce
        break
    fi
done
[ -n "$folder" ] || say "upload no place for a private folder in $HOME, /tmp or /var/tmp" 1
file=$folder/$name
words=$(cat 2>&1 >"$file") || say "upload $words" 1
arrived=$(wc -c <"$file")
[ "$arrived" -eq "$size" ] || say "upload $arrived of $size bytes arrived" 1
chmod 700 "$file"
umask "$mask"
if [ -n "$chdir" ]; then
    words=$(cd -- "$chdir" 2>&1) || say "chdir $words" 1
    cd -- "$chdir" || exit 1
fi
# ARGUMENTS are the user's shell text; the file's own path is never parsed.
eval "$executable"' "$file" '"$arguments" </dev/null
