# markers.sh STORE ACT BY STATES (PATTERN FILE)...: what a host's store of records holds. ACT is list (tell), clear (forget), done
# or failed (so ended what is in doubt: BY looked and says so). STATES are words with blanks around them, none: all. A
# marker is meant by the PATTERN of its name as records have it, or by its FILE; without a pair all are meant.
b_nl='
'
act=$1 by=$2 states=$3
shift 3
begin

# Processes that are told about, one a line.
b_say() {
    alive=$alive$*$b_nl
}

# wanted NAME FILE (PATTERN FILE)...
wanted() {
    name=$1
    file=$2
    shift 2
    [ "$#" -gt 1 ] || return 0
    while [ "$#" -gt 1 ]; do
        # shellcheck disable=SC2254
        case $name in
        $1) return 0 ;;
        esac
        [ "$2" != "$file" ] || return 0
        shift 2
    done
    return 1
}

# is_number TEXT: of an attempt.
is_number() {
    case $1 in
    '' | 0* | *[!0-9]* | ?????????*) return 1 ;;
    esac
}

# judge ATTEMPT: what is known about it: $state, $why, the record in $text, processes in $alive.
judge() {
    state=damaged why='' text='' alive=''
    if [ -e "$1.d" ] || [ -L "$1.d" ]; then
        if b_load "$1.d"; then
            text=$b_text
            b_get end
            case $b_value in
            'done' | failed) state=$b_value ;;
            judge) state=doubt why=unsettled ;;
            killed) state=doubt why=killed ;;
            *) state=doubt why=lost ;;
            esac
            return
        fi
        why=$b_why
        if b_load "$1.i"; then
            text=$b_text
            ! b_lives || state=running
        fi
        return
    fi
    if ! b_load "$1.i"; then
        why=$b_why
        return
    fi
    text=$b_text state=doubt why=intent
    if b_lives; then
        state=running
    elif [ -e "$1.d" ] || [ -L "$1.d" ]; then
        # It came to its end between the look at its record and the look at its processes.
        judge "$1"
    fi
}

# decide ATTEMPT END: it ended like this; what went wrong is in b_words.
decide() {
    facts=
    rest=$text
    while [ -n "$rest" ]; do
        line=${rest%%"$b_nl"*}
        rest=${rest#*"$b_nl"}
        case $line in
        'batchssh-record '* | 'kind '* | 'end '* | 'rc '* | 'ended '* | 'how '* | 'by '* | 'sum '* | '') ;;
        *) facts=$facts$line$b_nl ;;
        esac
    done
    b_now
    rc=1
    [ "$2" != 'done' ] || rc=0
    b_nonce=decide-$$
    b_draft "kind done$b_nl${facts}how resolved${b_nl}by $by${b_nl}end $2${b_nl}rc $rc${b_nl}ended $b_now$b_nl" || return 1
    b_words=$(mv -f -- "$b_tmp" "$1.d" 2>&1) || return 1
    b_settle "$1.d" >/dev/null 2>&1
}

b_open look
case $? in
1)
    field end
    exit 0
    ;;
2)
    field bad
    field "$b_why"
    field end
    exit 0
    ;;
esac
field store
field "$b_store"
last=
told=0
for path in "$b_store"/markers/*.[id]; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    file=${path##*/}
    file=${file%.?}
    number=${file##*.}
    if [ "$number" = "$file" ] || ! is_number "$number"; then
        continue
    fi
    file=${file%.*}
    # Nothing of ours is called otherwise.
    case $file in
    '' | "$last" | *[!a-zA-Z0-9_%-]*) continue ;;
    esac
    last=$file
    attempt=$number
    for other in "$b_store/markers/$file".*.[id]; do
        number=${other%.?}
        number=${number##*.}
        if is_number "$number" && [ "$number" -gt "$attempt" ]; then
            attempt=$number
        fi
    done
    judge "$b_store/markers/$file.$attempt"
    b_text=$text
    b_get name
    wanted "$b_value" "$last" "$@" || continue
    case $states in
    '' | *" $state "*) ;;
    *) continue ;;
    esac
    b_get boot
    booted=
    { read -r booted </proc/sys/kernel/random/boot_id; } 2>/dev/null
    if [ -n "$b_value" ] && [ "$b_value" != "$booted" ]; then
        booted=1
    else
        booted=0
    fi
    told=$((told + 1))
    if [ "$told" -gt 2000 ]; then
        field more
        break
    fi
    did=
    b_words=
    case $act:$state in
    clear:running) did=left ;;
    clear:*)
        did=cleared
        # Without its intent, what is left of a half forgotten one still says how it ended.
        for other in "$b_store/markers/$last".*.i "$b_store/markers/$last".*.d; do
            if [ -e "$other" ] || [ -L "$other" ]; then
                b_words=$(rm -f -- "$other" 2>&1) || did=failed
                [ "$did" = cleared ] || break
            fi
        done
        ;;
    'done:doubt' | failed:doubt)
        did=decided
        decide "$b_store/markers/$last.$attempt" "$act" || did=failed
        ;;
    'done:'* | failed:*) did=left ;;
    esac
    field marker
    field "$last"
    field "$attempt"
    field "$state"
    field "$why"
    field "$booted"
    field "$alive"
    field "$did"
    field "$b_words"
    field "$text"
done
field end
