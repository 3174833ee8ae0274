# contains.sh PATTERN PATH...: numbers of the files that have a line that fits the extended regular expression.
pattern=$1
shift
begin
number=0
for path; do
    if grep -Eq -e "$pattern" <"$path" 2>/dev/null; then
        field "$number"
    fi
    number=$((number + 1))
done
field end
