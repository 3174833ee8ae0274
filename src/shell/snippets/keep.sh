# keep.sh FILE ROOT: the lease that this run has is refreshed, by the shell alone; see lease.sh.
b_lease=$1 b_root=$2
shift 2

b_keep() {
    for b_file in "${b_lease%.*}".*; do
        b_number=${b_file##*.}
        case $b_number in
        '' | 0* | *[!0-9]* | ?????????*) ;;
        *) [ "$b_number" -le "${b_lease##*.}" ] || b_stop lost ;;
        esac
    done
    b_owner=
    if [ -O "$b_lease" ] && [ ! -L "$b_lease" ]; then
        while read -r b_key b_owner; do
            [ "$b_key" != root ] || break
        done <"$b_lease"
    fi
    [ "$b_owner" = "$b_root" ] || b_stop lost
    # Without room on the disk it is ours all the same, until it is too old.
    b_beat && printf 'beat %s\n' "$b_now_beat" >>"$b_lease"
    b_say lease kept "$b_lease"
}
