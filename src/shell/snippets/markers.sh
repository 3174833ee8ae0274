# markers.sh STORE (lease.sh's arguments) ACT WHO NAME...: what a host's store holds: "list" tells, "clear" forgets, "done" and
# "undone" decide about a task in doubt. NAMEs are file names of markers; without one all are meant.
b_nl='
'
act=$1
who=$2
shift 2

# Nothing is said beside the answer.
b_say() { :; }

# wanted NAME WANTED...
wanted() {
    one=$1
    shift
    [ "$#" -gt 0 ] || return 0
    for b_want; do
        [ "$b_want" != "$one" ] || return 0
    done
    return 1
}

# judge FILE: what is known about an attempt, in $state; its record in b_text.
judge() {
    if [ -e "$1.d" ] || [ -L "$1.d" ]; then
        if b_load "$1.d"; then
            b_get end
            state=$b_value
            case $state in
            'done' | failed) ;;
            *) state=doubt ;;
            esac
            return
        fi
        state=damaged
        return
    fi
    if b_load "$1.i"; then
        state=doubt
        b_get boot
        b_was=$b_value
        b_get leader
        b_leads=$b_value
        b_get group
        if [ "$b_was" = "$b_boot" ] && b_group_lives "$b_value" "$b_leads"; then
            state=running
        fi
        return
    fi
    state=damaged
}

# decide FILE END: the attempt ended like this, as somebody says who looked.
decide() {
    facts=
    rest=$b_text
    while [ -n "$rest" ]; do
        line=${rest%%"$b_nl"*}
        rest=${rest#*"$b_nl"}
        case $line in
        'batchssh-record '* | 'kind '* | 'end '* | 'rc '* | 'ended '* | 'resolved '* | 'sum '* | '') ;;
        *) facts=$facts$line$b_nl ;;
        esac
    done
    b_now
    rc=0
    [ "$2" = 'done' ] || rc=1
    b_nonce=$$-$b_up
    b_draft "kind done$b_nl${facts}resolved $who${b_nl}end $2${b_nl}rc $rc${b_nl}ended $b_now$b_nl" || return 1
    b_words=$(mv -f -- "$b_tmp" "$1.d" 2>&1) || return 1
    b_settle "$1.d"
}

begin
if ! { b_beat && read -r b_boot </proc/sys/kernel/random/boot_id; }; then
    field bad
    field "there is no /proc"
    field end
    exit 0
fi
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
b_last_lease
if [ "$b_lease" != 0 ]; then
    if b_read_lease; then
        field lease
        field "$b_its_run"
        field "$b_its_who"
        field "$b_its_since"
        if b_abandoned; then
            field 0
        else
            field 1
            if [ "$act" != list ]; then
                field end
                exit 0
            fi
        fi
    else
        field bad
        field "$b_file is damaged"
    fi
fi
last=
for path in "$b_store"/markers/*.[id]; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    base=${path%.?}
    base=${base%.*}
    [ "$base" != "$last" ] || continue
    last=$base
    name=${base##*/}
    wanted "$name" "$@" || continue
    attempt=0
    for file in "$base".*.[id]; do
        number=${file%.?}
        number=${number##*.}
        case $number in
        '' | 0* | *[!0-9]* | ?????????*) ;;
        *) [ "$number" -le "$attempt" ] || attempt=$number ;;
        esac
    done
    judge "$base.$attempt"
    text=$b_text
    did=-
    case $act:$state in
    clear:running) did=running ;;
    clear:*)
        did=cleared
        for file in "$base".*.[id]; do
            b_words=$(rm -f -- "$file" 2>&1) || did=$b_words
        done
        ;;
    'done:doubt' | undone:doubt)
        did=decided
        if [ "$act" = 'done' ]; then
            decide "$base.$attempt" 'done' || did=$b_words
        else
            decide "$base.$attempt" failed || did=$b_words
        fi
        ;;
    esac
    field marker
    field "$name"
    field "$state"
    field "$did"
    field "$text"
done
field end
