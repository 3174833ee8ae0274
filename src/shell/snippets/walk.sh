# walk.sh PATH...: the different "MODE UID GID" there are in trees, links left out.
begin
words=$(find "$@" ! -type l -exec stat -c '%f %u %g' {} + 2>&1 | sort -u)
field "$words"
field end
