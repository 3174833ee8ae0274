# A table of file systems and one entry of it, by its fields: $w_src $w_dir $w_type $w_opts $w_dump $w_pass are wanted.
tab=$(printf '\t.')
blank=" ${tab%.}"
newline='
'

# decode FIELD: what it stands for, in $plain: "\040" is a blank.
decode() {
    plain=
    left=$1
    while :; do
        case $left in
        *\\[0-3][0-7][0-7]*) ;;
        *) break ;;
        esac
        head=${left%%\\[0-3][0-7][0-7]*}
        left=${left#"$head"?}
        code=${left%"${left#???}"}
        left=${left#???}
        char=$(printf %b. "\\0$code")
        plain=$plain$head${char%.}
    done
    plain=$plain$left
}

# encode TEXT: how it is written as a field, in $coded. "&" is written as Ansible does.
encode() {
    coded=
    left=$1
    case $left in
    '#'*)
        coded='\043'
        left=${left#?}
        ;;
    esac
    while [ -n "$left" ]; do
        case $left in
        *["$blank$newline&\\"]*) ;;
        *) break ;;
        esac
        head=${left%%["$blank$newline&\\"]*}
        left=${left#"$head"}
        rest=${left#?}
        case ${left%"$rest"} in
        ' ') code='\040' ;;
        '&') code='\046' ;;
        "$newline") code='\012' ;;
        \\) code='\134' ;;
        *) code='\011' ;;
        esac
        coded=$coded$head$code
        left=$rest
    done
    coded=$coded$left
}

# place PATH: the path without slashes at its end, in $place.
place() {
    place=$1
    while :; do
        case $place in
        ?*/) place=${place%/} ;;
        *) return ;;
        esac
    done
}

# word: takes blanks and the word behind them off $rest, into $gap and $word; a comment is no word.
word() {
    word=${rest#"${rest%%[!"$blank"]*}"}
    gap=${rest%"$word"}
    case $word in
    '#'*)
        word=
        return
        ;;
    esac
    word=${word%%["$blank"]*}
    rest=${rest#"$gap$word"}
}

# fields LINE: its words in $t1 ... $t6, what they stand for in $src $dir $type $opts $dump $pass, the blanks before them
# in $g1 ... $g6, all else in $rest. Options and numbers may be missing. Fails for lines that are no entry.
fields() {
    rest=$1
    word
    g1=$gap t1=$word
    word
    g2=$gap t2=$word
    word
    g3=$gap t3=$word
    [ -n "$t3" ] || return 1
    word
    g4=$gap t4=$word
    word
    g5=$gap t5=$word
    word
    g6=$gap t6=$word
    decode "$t1"
    src=$plain
    decode "$t2"
    dir=$plain
    decode "$t3"
    type=$plain
    decode "${t4:-defaults}"
    opts=$plain
    dump=${t5:-0}
    pass=${t6:-0}
}

# wanted: whether the entry that was read is about the same place. Swap has none: there the device counts.
wanted() {
    place "$dir"
    [ "$place" = "$w_dir" ] || return 1
    case $type,$dir in
    swap,none | swap,swap) [ -z "$w_src" ] || [ "$src" = "$w_src" ] ;;
    esac
}

# entry_text: the entry that was read, with those of its fields changed that are not as wanted.
entry_text() {
    if [ "$src$newline$type$newline$opts$newline$dump$newline$pass" = \
        "$w_src$newline$w_type$newline$w_opts$newline$w_dump$newline$w_pass" ]; then
        printf '%s\n' "$1"
        return
    fi
    text=$rest
    [ "$src" = "$w_src" ] || { encode "$w_src"; t1=$coded; }
    [ "$type" = "$w_type" ] || { encode "$w_type"; t3=$coded; }
    if [ -z "$t4" ] || [ "$opts" != "$w_opts" ]; then
        encode "$w_opts"
        t4=$coded
    fi
    printf '%s%s%s%s%s%s' "$g1" "$t1" "$g2" "$t2" "$g3" "$t3"
    [ -n "$t5" ] || g5=' '
    [ -n "$t6" ] || g6=' '
    printf '%s%s%s%s%s%s%s\n' "${g4:- }" "$t4" "$g5" "$w_dump" "$g6" "$w_pass" "$text"
}

# rewrite HOW: reads a table and prints it with ("set") or without ("drop") the entry. Comments and order stay. A second
# entry for the same place is taken out.
rewrite() {
    met=
    while IFS= read -r line || [ -n "$line" ]; do
        if fields "$line" && wanted; then
            [ "$1" = set ] && [ -z "$met" ] && entry_text "$line"
            met=1
        else
            printf '%s\n' "$line"
        fi
    done
    if [ "$1" = set ] && [ -z "$met" ]; then
        encode "$w_src"
        printf '%s ' "$coded"
        encode "$w_dir"
        printf '%s ' "$coded"
        encode "$w_type"
        printf '%s ' "$coded"
        encode "$w_opts"
        printf '%s %s %s\n' "$coded" "$w_dump" "$w_pass"
    fi
}

# find_entry: reads a table and leaves the entry's fields in $src $type $opts; fails when it has none.
find_entry() {
    while IFS= read -r line || [ -n "$line" ]; do
        if fields "$line" && wanted; then
            return 0
        fi
    done
    return 1
}

# follow PATH: the file that links at PATH lead to, in $real.
follow() {
    real=$1
    case $real in
    */*) ;;
    *) real=./$real ;;
    esac
    hops=40
    while [ -L "$real" ] && [ "$hops" -gt 0 ]; do
        hops=$((hops - 1))
        text=$(readlink -- "$real" && echo .)
        text=${text%??}
        case $text in
        /*) real=$text ;;
        *) real=${real%/*}/$text ;;
        esac
    done
}

# load HOW: the table at $real in $old, and as it is wanted in $new; fails with $words.
load() {
    old=
    if [ -e "$real" ]; then
        [ -f "$real" ] || { words="it is no regular file"; return 1; }
        size=$(wc -c <"$real") || { words="it cannot be read"; return 1; }
        [ "$size" -le 1048576 ] || { words="it is larger than 1 MiB"; return 1; }
        old=$(cat -- "$real" 2>/dev/null && echo .) || { words="it cannot be read"; return 1; }
        old=${old%.}
    fi
    new=$(printf %s "$old" | rewrite "$1" && echo .)
    new=${new%.}
    # An end of line that is missing at the end of the file is no reason to write it.
    [ "$new" != "$old$newline" ] || new=$old
}

# save: writes $new to $real, whole or not at all; fails with $words.
save() {
    tmp=${real%/*}/.${real##*/}.batchssh-new-$nonce
    if [ -e "$real" ]; then
        # Owner, mode, context and the rest of it are kept.
        words=$(cp -a -- "$real" "$tmp" 2>&1) || return 1
    else
        words=$( (set -C && : >"$tmp") 2>&1) || return 1
    fi
    words=$( (printf %s "$new" >"$tmp") 2>&1) || return 1
    size=$(wc -c <"$tmp")
    [ "$size" -eq ${#new} ] || { words="only $size of ${#new} bytes could be written"; return 1; }
    words=$(dd if=/dev/null of="$tmp" conv=notrunc,fsync 2>&1) || return 1
    words=$(mv -f -- "$tmp" "$real" 2>&1) || return 1
    tmp=
}

# change_table HOW BACKUP: makes the table what it is to be. $done says "changed" or "same", $backup names the copy.
change_table() {
    done=same
    backup=
    tries=10
    while load "$1"; do
        [ "$new" != "$old" ] || return 0
        # Who edits the table without asking for the lock is noticed as well as can be.
        now=
        [ ! -e "$real" ] || now=$(cat -- "$real" && echo .)
        if [ "${now%.}" = "$old" ]; then
            if [ "$2" = 1 ] && [ -e "$real" ] && [ -z "$backup" ]; then
                backup=$table.$$.$(date '+%Y-%m-%d@%H:%M:%S')~
                words=$(cp -p -- "$real" "$backup" 2>&1) || return 1
            fi
            save || return 1
            done=changed
            return 0
        fi
        tries=$((tries - 1))
        words="somebody else keeps changing it"
        [ "$tries" -gt 0 ] || return 1
    done
    return 1
}
