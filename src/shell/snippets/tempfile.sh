# tempfile.sh KIND FOLDER NAME: makes a private file or directory of that name, and tells its path.
begin
kind=$1
folder=${2:-${TMPDIR:-/tmp}}
path=${folder%/}/$3
umask 077
if [ "$kind" = directory ]; then
    words=$(mkdir -- "$path" 2>&1)
else
    words=$( (set -C && : >"$path") 2>&1)
fi && words=
field "$words"
field "$path"
field end
