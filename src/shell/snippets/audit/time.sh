# The clock and who keeps it. The host's present comes first: the program measures it against its own.
root=$1
line=
now=$(date +%s.%N)
case ${now#*.} in
'' | *[!0-9]*) now=$(date +%s) ;;
esac
begin
field now
field "$now"

# runs NAME: is there a process of this name? /proc/PID/comm came after RHEL 6.
runs() {
    for process in "$root"/proc/[0-9]*/stat; do
        first "$process" || continue
        case $line in
        *"($1)"*) return 0 ;;
        esac
    done
    return 1
}

clock() {
    zone=
    if [ -L "$root/etc/localtime" ]; then
        zone=$(readlink "$root/etc/localtime")
        zone=${zone##*zoneinfo/}
    elif first "$root/etc/timezone"; then
        zone=$line
    elif [ -r "$root/etc/sysconfig/clock" ]; then
        zone=$(sed -n 's/^ZONE=//p' "$root/etc/sysconfig/clock" | tr -d "\"'")
    fi
    echo "timezone: ${zone:-without a name}, $(date +%z)"
    if [ -r "$root/etc/adjtime" ]; then
        echo "hardware clock: $(sed -n 3p "$root/etc/adjtime")"
    fi
    daemon=none
    for name in chronyd ntpd systemd-timesyn ptp4l; do
        if runs "$name"; then
            daemon=$name
            break
        fi
    done
    case $daemon in
    chronyd)
        configured 's/^[[:space:]]*\(server\|pool\|peer\)[[:space:]][[:space:]]*\([^[:space:]]*\).*/\2/p' \
            etc/chrony.conf etc/chrony/chrony.conf etc/chrony.d/*.conf etc/chrony/conf.d/*.conf etc/chrony/sources.d/*.sources
        chrony
        ;;
    ntpd)
        configured 's/^[[:space:]]*\(server\|pool\|peer\)[[:space:]][[:space:]]*\([^[:space:]]*\).*/\2/p' \
            etc/ntp.conf etc/ntpsec/ntp.conf
        ntp
        ;;
    systemd-timesyn)
        daemon=systemd-timesyncd
        configured 's/^NTP=//p' etc/systemd/timesyncd.conf etc/systemd/timesyncd.conf.d/*.conf
        timesyncd
        ;;
    *) synchronised='no daemon' ;;
    esac
    echo "daemon: $daemon"
    echo "synchronised: $synchronised"
}

# configured SED FILE...: the servers that the daemon is told to ask.
configured() {
    program=$1
    shift
    servers=$(for file; do
        case $file in
        *'*'*)
            # The names below $root, which a pattern of the caller could not know.
            for found in "$root"/$file; do [ -r "$found" ] && sed -n "$program" "$found"; done
            ;;
        *) [ -r "$root/$file" ] && sed -n "$program" "$root/$file" ;;
        esac
    done | tr ' ' '\n' | sort -u | tr '\n' ' ')
    servers=${servers# }
    echo "servers: ${servers% }"
}

chrony() {
    if ! has chronyc; then
        synchronised='not told (there is no chronyc)'
    elif ! text=$(chronyc -n tracking 2>&1); then
        synchronised="not told by chronyc"
    else
        case $text in
        *'Leap status'*'Not synchronised'*) synchronised=no ;;
        *'Leap status'*) synchronised=yes ;;
        *) synchronised="not told by chronyc" ;;
        esac
    fi
}

ntp() {
    if has ntpstat; then
        ntpstat >/dev/null 2>&1
        case $? in
        0) synchronised=yes ;;
        1) synchronised=no ;;
        *) synchronised='not told by ntpstat' ;;
        esac
    elif has ntpq; then
        if ntpq -pn 2>/dev/null | grep -q '^\*'; then
            synchronised=yes
        else
            synchronised=no
        fi
    else
        synchronised='not told (there is neither ntpstat nor ntpq)'
    fi
}

timesyncd() {
    if [ -e "$root/run/systemd/timesync/synchronized" ]; then
        synchronised=yes
    elif has timedatectl; then
        case $(timedatectl status 2>/dev/null) in
        *'ynchronized: yes'*) synchronised=yes ;;
        *'ynchronized: no'*) synchronised=no ;;
        *) synchronised='not told by timedatectl' ;;
        esac
    else
        synchronised='not told (there is no timedatectl)'
    fi
}

answer clock
