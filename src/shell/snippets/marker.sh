# marker.sh ACT NAME DIGEST FACTS CHANGED DOUBT VERIFY JUDGE: done is done. ACT is run or look; NAME is a file name; FACTS
# are lines of the record; CHANGED is stop, rerun or keep; DOUBT is stop, rerun or done; JUDGE is host (rc 0 is done), any
# (every rc is), controller (somebody else says).
#
# The files NAME.N.i (intent) and NAME.N.d (its end) tell about attempt N. An attempt is claimed by a link to a name that
# must not be there yet, so of several commands one gets it; a later attempt has a higher number, and nothing is moved.
b_act=$1 b_name=$2 b_digest=$3 b_facts=$4 b_changed=$5 b_doubt=$6 b_verify=$7 b_judge=$8
shift 8
b_last=0

# b_scan: the last attempt's number in b_last.
b_scan() {
    b_last=0
    for b_found in "$b_store/markers/$b_name".*.[id]; do
        if [ -e "$b_found" ] || [ -L "$b_found" ]; then
            b_number=${b_found%.?}
            b_number=${b_number##*.}
            case $b_number in
            '' | 0* | *[!0-9]* | ?????????*) ;;
            *) [ "$b_number" -le "$b_last" ] || b_last=$b_number ;;
            esac
        fi
    done
}

# b_probe: returns when the task is to be run, as attempt b_last + 1; else it ends with the verdict.
b_probe() {
    b_scan
    [ "$b_last" -gt 0 ] || return 0
    b_file=$b_store/markers/$b_name.$b_last
    if [ -e "$b_file.d" ] || [ -L "$b_file.d" ]; then
        if ! b_load "$b_file.d"; then
            b_damaged "$b_why"
            return 0
        fi
        b_get end
        case $b_value in
        failed) return 0 ;;
        done) ;;
        judge)
            b_tell r "$b_text"
            b_in_doubt unsettled
            return 0
            ;;
        killed)
            b_tell r "$b_text"
            b_in_doubt killed
            return 0
            ;;
        *)
            b_tell r "$b_text"
            b_in_doubt lost
            return 0
            ;;
        esac
        b_get digest
        if [ "$b_value" = "$b_digest" ]; then
            b_tell r "$b_text"
            b_stop "done" "$b_last"
        fi
        [ "$b_changed" != rerun ] || return 0
        b_tell r "$b_text"
        [ "$b_changed" != keep ] || b_stop kept "$b_last"
        b_stop changed "$b_last"
    fi
    if ! b_load "$b_file.i"; then
        b_damaged "$b_why"
        return 0
    fi
    b_tell r "$b_text"
    ! b_lives || b_stop doubt running
    # It may have come to its end between the look at its record and the look at its processes.
    b_seen=$b_last
    b_scan
    if [ "$b_last" != "$b_seen" ] || [ -e "$b_file.d" ] || [ -L "$b_file.d" ]; then
        b_probe
        return 0
    fi
    b_in_doubt intent
}

# b_damaged WHY: nobody knows what the record said. Without a whole intent it is not known either whether the task still
# runs, so that `verify` could look too early.
b_damaged() {
    if b_load "$b_file.i"; then
        b_tell r "$b_text"
        ! b_lives || b_stop doubt running
    else
        b_verify=
    fi
    b_in_doubt damaged "$1"
}

# b_in_doubt WHY...: returns when the task is to be run all the same.
b_in_doubt() {
    if [ -n "$b_verify" ] && [ "$b_act" != look ]; then
        b_said=$( {
            /bin/sh -c "$b_verify" </dev/null 2>&1 3>&-
            printf '\n%s' "$?"
        } | tail -c 4096)
        b_code=${b_said##*"$b_nl"}
        case $b_code in
        0) b_verified verified ;;
        1) return 0 ;;
        esac
        b_tell v "${b_said%"$b_nl"*}"
        set -- verify "$b_code"
    fi
    case $b_doubt in
    rerun) ;;
    done) b_verified resolved ;;
    *) b_stop doubt "$@" ;;
    esac
}

# b_end END RC MORE: the end of attempt b_last; what went wrong is in b_words.
b_end() {
    b_now
    b_draft "kind done$b_nl$b_facts$b_about${3}end $1${b_nl}rc $2${b_nl}ended $b_now$b_nl" || return 1
    b_words=$(mv -f -- "$b_tmp" "$b_store/markers/$b_name.$b_last.d" 2>&1) || return 1
    b_settle "$b_store/markers/$b_name.$b_last.d"
}

# b_verified HOW: the task in doubt was done after all: `verify` says so (verified), or somebody who looked (resolved).
b_verified() {
    [ "$b_act" != look ] || b_stop "$1" "$b_last"
    b_about="attempt $b_last$b_nl"
    if b_end "done" 0 "how $1$b_nl"; then
        b_tell r "$b_text"
        b_stop "$1" "$b_last"
    fi
    b_stop store "$b_store: $b_words"
}

# b_claim: attempt b_last + 1 is ours, or belongs to another command and is judged like any other.
b_claim() {
    b_tries=0
    while :; do
        b_try && break
        b_tries=$((b_tries + 1))
        [ "$b_tries" -lt 9 ] || b_stop store "$b_store: $b_words"
        b_probe
    done
    # Nobody is there any more to hear of it: better not begun than in doubt.
    if ! b_say claimed "$b_last"; then
        rm -f -- "$b_store/markers/$b_name.$b_last.i"
        exit 1
    fi
    # Attempts before this one are history.
    for b_file in "$b_store/markers/$b_name".*.[id]; do
        b_number=${b_file%.?}
        b_number=${b_number##*.}
        case $b_number in
        '' | *[!0-9]* | ?????????*) ;;
        *) [ "$b_number" -ge "$b_last" ] || rm -f -- "$b_file" ;;
        esac
    done
}

b_try() {
    b_next=$((b_last + 1))
    b_now
    read -r b_boot </proc/sys/kernel/random/boot_id
    b_process $$
    b_self=$b_start
    b_mine=$b_group
    b_process "$b_mine"
    b_about="attempt $b_next${b_nl}pid $$${b_nl}start $b_self${b_nl}group $b_mine${b_nl}leader $b_start${b_nl}boot $b_boot${b_nl}began $b_now$b_nl"
    b_draft "kind intent$b_nl$b_facts$b_about" || b_stop store "$b_store cannot be written to: $b_words"
    b_file=$b_store/markers/$b_name.$b_next.i
    b_words=$(ln -- "$b_tmp" "$b_file" 2>&1)
    b_got=$?
    # A file system without links: a file that must not be there yet is as good, but for a crash in the middle.
    if [ "$b_got" != 0 ] && [ ! -e "$b_file" ] && [ ! -L "$b_file" ]; then
        (umask 077 && set -C && printf '%s' "$b_text" >"$b_file") && b_got=0
    fi
    rm -f -- "$b_tmp"
    [ "$b_got" = 0 ] || return 1
    b_settle "$b_file"
    # Somebody who knew more may be ahead.
    b_scan
    if [ "$b_last" != "$b_next" ]; then
        rm -f -- "$b_store/markers/$b_name.$b_next.i"
        return 1
    fi
}

# b_finish: writes down how the command ended. What was killed may have done its work before that: where `verify` can tell, it
# is asked before the command runs again. Whoever cannot hear that it failed was not there: the connection was lost
# while it ran, may be the reason, and the failure proves nothing.
b_finish() {
    b_how=$b_judge
    case $b_judge in
    any) b_how="done" ;;
    controller) b_how=judge ;;
    *)
        b_how="done"
        if [ "$b_rc" != 0 ]; then
            b_how=failed
            [ "$b_rc" -le 128 ] || [ -z "$b_verify" ] || b_how=killed
            # Killed for writing into a closed pipe: the other one is closed in a moment.
            [ "$b_rc" != 141 ] || sleep 1
            b_say ended "$b_rc" || b_how=lost
        fi
        ;;
    esac
    if b_end "$b_how" "$b_rc" ""; then
        b_say did "$b_last" "$b_rc" "$b_how"
    else
        b_say unwritten "$b_words"
    fi
}

# b_decide NONCE END RC: the controller's verdict on the attempt that was claimed by NONCE.
b_decide() {
    b_scan
    b_file=$b_store/markers/$b_name.$b_last
    if ! b_load "$b_file.d" && ! b_load "$b_file.i"; then
        b_stop store "$b_why"
    fi
    b_get nonce
    [ "$b_value" = "$1" ] || b_stop store "the attempt is not there any more"
    b_about=
    for b_key in attempt pid start group leader boot began; do
        b_get "$b_key"
        b_about="$b_about$b_key $b_value$b_nl"
    done
    b_end "$2" "$3" "" || b_stop store "$b_store cannot be written to: $b_words"
    b_stop settled "$b_last"
}
