# find.sh TOKEN DEPTH FOLLOW PATH...: everything below directories, a line each that begins with TOKEN; lines that do not
# belong to the name before. DEPTH "" is any.
token=$1
depth=$2
follow=$3
shift 3
begin
for path; do
    if [ ! -d "$path" ]; then
        field skipped
        field "$path"
        continue
    fi
    field below
    field "$path"
    field "$(find ${follow:+-L} "$path" -mindepth 1 ${depth:+-maxdepth "$depth"} \
        -exec stat -c "$token%f %h %u %g %s %X %Y %Z %d %i %b %o %t %T|%U|%G|%x|%y|%z|%n" {} + 2>/dev/null)"
done
field end
