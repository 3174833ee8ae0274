# keep.sh FILE ROOT: the lease that this run has is refreshed, by the shell alone; see lease.sh.
b_lease=$1 b_root=$2
shift 2

# b_newest: the lease with the highest number, in b_file.
b_newest() {
    b_file=$b_lease
    for b_other in "${b_lease%.*}".*; do
        case ${b_other##*.} in
        '' | 0* | *[!0-9]* | ?????????*) ;;
        *) [ "${b_other##*.}" -le "${b_file##*.}" ] || b_file=$b_other ;;
        esac
    done
}

b_keep() {
    b_newest
    while :; do
        b_lease=$b_file b_owner=
        if [ -O "$b_lease" ] && [ ! -L "$b_lease" ]; then
            while read -r b_key b_owner; do
                [ "$b_key" != root ] || break
            done <"$b_lease"
        fi
        [ "$b_owner" = "$b_root" ] || b_stop lost
        # Without room on the disk it is ours all the same, until it is too old.
        b_beat && printf 'beat %s\n' "$b_now_beat" >>"$b_lease"
        # Looked for after that: whoever takes it over looks at the beats once more.
        b_newest
        [ "$b_file" != "$b_lease" ] || break
    done
    b_say lease kept "$b_lease"
}
