# look.sh LIMIT CONTENT (ALGORITHM SIZE PATH)...: tells about paths; at the end the bytes of the file CONTENT, when it is
# a regular file not larger than LIMIT.
limit=$1
content=$2
shift 2
begin
field "$(umask)"
field "$(id -u)"
field "$(id -g)"
field "$(id -G)"
while [ $# -ge 3 ]; do
    sight "$3" "$1" "$2"
    shift 3
done
field end
if [ -n "$content" ] && [ -f "$content" ] && [ -r "$content" ]; then
    if [ "$(wc -c <"$content")" -le "$limit" ]; then
        printf 'content\n'
        cat <"$content"
        printf '\nend'
    else
        printf 'large\n'
    fi
fi
