# Common ground of all snippets. Answers are fields "LENGTH:BYTES," after a first line that noise of login scripts
# cannot be mistaken for; the last field is "end", so a cut answer is noticed.
set -u
LC_ALL=C
export LC_ALL
PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/sbin:/sbin:/usr/bin:/bin
export PATH

field() {
    printf '%s:%s,' "${#1}" "$1"
}

begin() {
    printf '\nbatchssh-answer-1\n'
}

# digest ALGORITHM FILE: its digest in $digest, empty when there is no tool or the file cannot be read.
digest() {
    digest=
    if command -v "$1sum" >/dev/null 2>&1; then
        digest=$("$1sum" <"$2" 2>/dev/null) || digest=
        digest=${digest%% *}
    elif command -v openssl >/dev/null 2>&1; then
        digest=$(openssl dgst "-$1" <"$2" 2>/dev/null) || digest=
        digest=${digest##* }
    fi
}

# sight PATH ALGORITHM SIZE: tells what PATH is; its digest unless ALGORITHM is "-" or the size is another than SIZE.
sight() {
    field "$1"
    line=$(stat -c '%f %h %u %g %s %X %Y %Z %d %i %b %o %t %T|%U|%G|%x|%y|%z' -- "$1" 2>&1) || {
        if [ -e "$1" ] || [ -L "$1" ]; then
            field denied
            field "$line"
            return
        fi
        case $line in
        *ermission\ denied*)
            field denied
            field "$line"
            ;;
        *)
            field absent
            ;;
        esac
        return
    }
    if [ -L "$1" ]; then
        field link
        field "$line"
        # The last newline is readlink's own, all others belong to the name.
        text=$(readlink -- "$1" && echo .)
        field "${text%??}"
        text=$(readlink -f -- "$1" && echo .)
        text=${text%??}
        if [ -n "$text" ] && [ ! -L "$text" ]; then
            sight "$text" "$2" "$3"
        else
            field "$1"
            field absent
        fi
        return
    fi
    field found
    field "$line"
    text=
    [ -r "$1" ] && text=r
    [ -w "$1" ] && text=${text}w
    [ -x "$1" ] && text=${text}x
    field "$text"
    digest=
    if [ "$2" != - ] && [ -f "$1" ] && [ -r "$1" ]; then
        if [ "$3" != - ]; then
            size=$(wc -c <"$1")
        else
            size=-
        fi
        if [ "$3" = - ] || [ "$3" -eq "$size" ]; then
            digest "$2" "$1"
        fi
    fi
    field "$digest"
}
