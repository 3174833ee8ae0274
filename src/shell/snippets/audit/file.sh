# ROOT PATH: a file's permissions and owner, then its text; its size and digest when it is no text or a long one.
root=$1
begin
wanted=$2
path=$root$wanted

# What is compared line by line is of this size at most.
most=1048576

file() {
    if [ ! -e "$path" ]; then
        if [ -L "$path" ]; then
            echo "link to $(readlink -- "$path"), where there is nothing"
            return
        fi
        if text=$(LC_ALL=C ls -d -- "$path" 2>&1); then
            refuse "$wanted cannot be seen; try -b"
        fi
        case $text in
        *ermission\ denied*) refuse "$wanted cannot be seen: permission denied; try -b" ;;
        esac
        echo 'there is no such file'
        return
    fi
    [ ! -d "$path" ] || refuse "$wanted is a directory; for its names: audit -- ls -l $wanted"
    [ -f "$path" ] || refuse "$wanted is no regular file"
    [ -r "$path" ] || refuse "$wanted cannot be read: permission denied; try -b"
    if [ -L "$path" ]; then
        echo "link to $(readlink -- "$path")"
    fi
    stat -L -c '%A %U:%G' -- "$path" 2>/dev/null || note 'there is no stat: permissions are not compared'
    # Files of /proc have no size until they are read.
    size=$(head -c $((most + 1)) -- "$path" | wc -c)
    if [ "$size" -gt $most ]; then
        size=$(wc -c <"$path")
        kind=bytes
    elif [ "$size" -ne "$(tr -d '\000' <"$path" | wc -c)" ]; then
        kind='bytes that are no text'
    else
        cat -- "$path"
        return
    fi
    digest sha256 "$path"
    echo "$((size)) $kind, sha256 ${digest:-not told (there is no sha256sum)}"
}

answer file
