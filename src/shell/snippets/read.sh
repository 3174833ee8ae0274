# read.sh PATH: tells what PATH is, then the bytes of the file, then its end.
begin
sight "$1" - -
if [ -f "$1" ] && [ -r "$1" ]; then
    field content
    exec 3<"$1"
    cat <&3
    rc=$?
    printf '\nend %s' "$rc"
else
    field end
fi
