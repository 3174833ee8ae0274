# lease.sh ROOT HELD EXPIRY REQUIRED FACTS NAME GONE: whose host this is. ROOT names the chain of runs that may use it together; HELD
# is 1 when this run had it already; EXPIRY is in seconds; REQUIRED is 1 when nothing may run without; FACTS are lines of
# the record. NAME is what the run calls the host: of several names for one machine, the last one gives the lease back.
# GONE is the process of a controller that is known to be gone: its lease need not be old to be over.
#
# The lease is the file lease.N with the highest N. It is taken by a link to a name that must not be there yet, so one of
# several gets it. It stays when it is given back, by a line `gives` for every name that holds it: its number is never
# used again, or a line that comes late would be added to the next owner's lease. Each exchange of its owner adds a line `beat`, by the shell alone: seconds since the boot (a clock
# that nobody sets), and the process that the command becomes.
b_root=$1 b_held=$2 b_expiry=$3 b_required=$4 b_lease_facts="$5holds $6
" b_name_here=$6 b_gone=$7
shift 7

# b_last_lease: the number of the lease, in b_lease.
b_last_lease() {
    b_lease=0
    for b_file in "$b_store"/lease.*; do
        if [ -e "$b_file" ] || [ -L "$b_file" ]; then
            b_number=${b_file##*.}
            case $b_number in
            '' | 0* | *[!0-9]* | ?????????*) ;;
            *) [ "$b_number" -le "$b_lease" ] || b_lease=$b_number ;;
            esac
        fi
    done
    b_file=$b_store/lease.$b_lease
}

# b_give NAME: takes a name out of b_holds.
b_give() {
    case $b_holds in
    *" $1 "*) b_holds="${b_holds%%" $1 "*}${b_holds#*" $1 "}" ;;
    esac
}

# b_read_lease: its lines; false when it is none of ours.
b_read_lease() {
    b_its_root='' b_its_run='' b_its_who='' b_its_seat='' b_its_since='' b_its_boot='' b_its_expiry='' b_beat='' b_beats=0 b_works='' b_holds=''
    [ ! -L "$b_file" ] && [ -O "$b_file" ] && [ -r "$b_file" ] || return 1
    while read -r b_key b_value; do
        case $b_key in
        root) b_its_root=$b_value ;;
        run)
            # Names of a run that ended without a word are forgotten.
            [ "$b_value" = "$b_its_run" ] || b_holds=
            b_its_run=$b_value
            ;;
        who) b_its_who=$b_value ;;
        seat) b_its_seat=$b_value ;;
        since) b_its_since=$b_value ;;
        boot) b_its_boot=$b_value ;;
        expiry) b_its_expiry=$b_value ;;
        holds)
            b_give "$b_value"
            b_holds="$b_holds $b_value "
            ;;
        gives) b_give "$b_value" ;;
        beat)
            case $b_value in
            *[!0-9\ ]* | '') ;;
            *\ *\ *\ *\ *)
                b_beat=$b_value
                b_beats=$((b_beats + 1))
                b_works="$b_works ${b_value#* },"
                ;;
            esac
            ;;
        esac
    done <"$b_file"
    [ -n "$b_its_root" ] && [ -n "$b_beat" ]
}

# b_abandoned: nobody works under the lease that was read: it was given back, or another boot, or silence for longer than
# it lasts or a controller that is gone, and no process of it.
b_abandoned() {
    case $b_holds in
    *[!\ ]*) ;;
    *) return 0 ;;
    esac
    [ "$b_its_boot" = "$b_boot" ] || return 0
    # The beat may be younger than the clock was when this shell began.
    { read -r b_up b_line </proc/uptime; } 2>/dev/null || return 1
    b_up=${b_up%%.*}
    b_age=$((b_up - ${b_beat%% *}))
    case $b_its_expiry in
    '' | *[!0-9]*) b_its_expiry=$b_expiry ;;
    esac
    if [ "$b_age" -ge 0 ] && [ "$b_age" -lt "$b_its_expiry" ]; then
        [ -n "$b_gone" ] && [ "$b_its_seat" = "$b_gone" ] || return 1
    fi
    while [ -n "$b_works" ]; do
        b_work=${b_works%%,*}
        b_works=${b_works#*,}
        # shellcheck disable=SC2086
        set -- $b_work
        if b_process "$1" && [ "$b_start" = "$2" ]; then
            return 1
        fi
    done
    # shellcheck disable=SC2086
    set -- $b_beat
    ! b_group_lives "$4" "$5"
}

# b_none WHY: no lease can be kept here.
b_none() {
    [ "$b_required" != 1 ] || b_stop nolock "$@"
    b_say nolease "$@"
}

# b_taken_by: somebody else's.
b_taken_by() {
    b_say h run "$b_its_run"
    b_say h root "$b_its_root"
    b_say h who "$b_its_who"
    b_say h seat "$b_its_seat"
    b_say h since "$b_its_since"
    b_stop locked "$((b_up - ${b_beat%% *}))"
}

# b_hold: takes the lease or refreshes it, or ends with whose it is.
b_hold() {
    if ! { b_beat && read -r b_boot </proc/sys/kernel/random/boot_id; }; then
        b_none "there is no /proc"
        return
    fi
    b_place || {
        b_none "$b_why"
        return
    }
    b_tries=0
    while [ "$b_tries" -lt 9 ]; do
        b_tries=$((b_tries + 1))
        b_last_lease
        if [ "$b_lease" = 0 ]; then
            [ "$b_held" != 1 ] || b_stop lost
        elif ! b_read_lease; then
            # Just being replaced, or damaged.
            if [ "$b_tries" -gt 2 ]; then
                b_stop locked damaged "$b_file"
            fi
            sleep 1
            continue
        elif [ "$b_its_root" = "$b_root" ]; then
            b_ours=$b_lease
            # A run that goes on with another one's work puts its name below.
            [ "$b_held" != 1 ] || b_lease_facts=
            if ! printf '%sbeat %s\n' "$b_lease_facts" "$b_now_beat" >>"$b_file"; then
                b_none "$b_file cannot be written to"
                return
            fi
            b_last_lease
            if [ "$b_lease" = "$b_ours" ]; then
                [ "$b_beats" -lt 40 ] || b_shorten
                b_say lease kept "$b_file"
                return
            fi
            continue
        elif ! b_abandoned; then
            b_taken_by
        elif [ "$b_held" = 1 ]; then
            b_stop lost
        fi
        b_take
        case $? in
        0)
            b_say lease taken "$b_store/lease.$b_ours"
            return
            ;;
        2)
            b_none "$b_why"
            return
            ;;
        esac
    done
    b_stop locked raced
}

# b_next TEXT: the lease after b_lease, with this text, in b_new; 1: somebody was faster; 2: it cannot be, and why is in
# b_why.
b_next() {
    b_tmp=$b_store/.lease-$b_nonce
    b_ours=$((b_lease + 1))
    b_new=$b_store/lease.$b_ours
    if ! b_words=$( (umask 077 && printf '%s' "$1" >"$b_tmp") 2>&1); then
        rm -f -- "$b_tmp"
        b_why="$b_store cannot be written to: $b_words"
        return 2
    fi
    ln -- "$b_tmp" "$b_new"
    b_got=$?
    if [ "$b_got" != 0 ] && [ ! -e "$b_new" ] && [ ! -L "$b_new" ]; then
        (umask 077 && set -C && printf '%s' "$1" >"$b_new") && b_got=0
    fi
    rm -f -- "$b_tmp"
    [ "$b_got" = 0 ] || return 1
}

# b_sweep: leases before b_ours are history, also what a line that came late made of one.
b_sweep() {
    for b_file in "$b_store"/lease.*; do
        b_number=${b_file##*.}
        case $b_number in
        '' | 0* | *[!0-9]* | ?????????*) ;;
        *) [ "$b_number" -ge "$b_ours" ] || rm -f -- "$b_file" ;;
        esac
    done
}

# b_take: the lease after b_lease is ours; 1: somebody was faster; 2: it cannot be, and why is in b_why.
b_take() {
    b_open run || return 2
    b_old=$b_file
    b_was=$b_beat
    b_now
    b_lease_text "$b_lease_facts" "$b_now"
    b_next "$b_text" || return
    if [ "$b_lease" != 0 ]; then
        # The owner may have come back to life while we took it away.
        b_file=$b_old
        if ! b_read_lease || [ "$b_beat" != "$b_was" ]; then
            rm -f -- "$b_new"
            return 1
        fi
    fi
    b_sweep
    b_last_lease
    if [ "$b_lease" != "$b_ours" ]; then
        rm -f -- "$b_new"
        return 1
    fi
}

# b_lease_text FACTS SINCE: a record.
b_lease_text() {
    b_text="batchssh-lease 1$b_nl${1}root $b_root${b_nl}expiry $b_expiry${b_nl}boot $b_boot${b_nl}since $2${b_nl}beat $b_now_beat$b_nl"
}

# b_shorten: the lease without its old beats, under the next number. What another name of this run adds to the old one at
# this moment is looked for; what it adds later it adds again, for it sees that there is a new one.
b_shorten() {
    b_had=" $b_holds $b_name_here " b_old=$b_file b_words=
    for b_value in $b_holds $b_name_here; do
        case $b_words in
        *"holds $b_value$b_nl"*) ;;
        *) b_words="${b_words}holds $b_value$b_nl" ;;
        esac
    done
    b_lease_text "run $b_its_run${b_nl}who $b_its_who${b_nl}seat $b_its_seat$b_nl$b_words" "$b_its_since"
    b_next "$b_text" || return 0
    b_file=$b_old
    b_words=
    if b_read_lease; then
        for b_value in $b_holds; do
            case $b_had in
            *" $b_value "*) ;;
            *) b_words="${b_words}holds $b_value$b_nl" ;;
            esac
        done
        for b_value in $b_had; do
            case " $b_holds $b_name_here " in
            *" $b_value "*) ;;
            *) b_words="${b_words}gives $b_value$b_nl" ;;
            esac
        done
    fi
    [ -z "$b_words" ] || printf '%s' "$b_words" >>"$b_new"
    b_sweep
    b_file=$b_new
}

# b_release PREFIX: gives the lease back, and forgets the markers of the run that are called PREFIX..., and those of runs
# that nobody went on with for a month.
b_release() {
    b_place || b_stop released
    b_last_lease
    while [ "$b_lease" != 0 ] && b_read_lease && [ "$b_its_root" = "$b_root" ]; do
        b_ours=$b_lease
        if ! printf 'gives %s\n' "$b_name_here" >>"$b_file"; then
            # The disk is full. Nobody else has it: then it need not be there.
            b_give "$b_name_here"
            case $b_holds in
            *[!\ ]*) ;;
            *) rm -f -- "$b_file" ;;
            esac
        fi
        b_last_lease
        [ "$b_lease" != "$b_ours" ] || break
    done
    if [ -n "$1" ]; then
        for b_file in "$b_store/markers/$1"*; do
            [ ! -e "$b_file" ] || rm -f -- "$b_file"
        done
    fi
    for b_file in "$b_store/markers/run%2F"*; do
        if [ -e "$b_file" ]; then
            find "$b_store/markers" -name 'run%2F*' -mtime +30 -exec rm -f -- '{}' ';'
            break
        fi
    done
    b_stop released
}
