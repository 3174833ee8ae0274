# wait.sh KIND TRIES SLEEP HOST PORT SECONDS PATH: tries until KIND (open, closed, present, absent) is so; answers yes or no.
kind=$1
tries=$2
pause=$3
host=$4
port=$5
seconds=$6
path=$7
begin

# Whether the port answers: by bash, by nc, or by the kernel's own list for this machine.
answers() {
    if command -v bash >/dev/null 2>&1; then
        if command -v timeout >/dev/null 2>&1; then
            # shellcheck disable=SC2016
            timeout "$seconds" bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "$host" "$port" 2>/dev/null
        else
            # shellcheck disable=SC2016
            bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "$host" "$port" 2>/dev/null
        fi
    elif command -v nc >/dev/null 2>&1; then
        nc -z -w "$seconds" "$host" "$port" </dev/null >/dev/null 2>&1
    else
        grep -qi ":$(printf %04X "$port") [0-9A-F:]* 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null
    fi
}

while :; do
    case $kind in
    open) answers && break ;;
    closed) answers || break ;;
    present) { [ -e "$path" ] || [ -L "$path" ]; } && break ;;
    *) [ -e "$path" ] || [ -L "$path" ] || break ;;
    esac
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
        field no
        field end
        exit 0
    fi
    sleep "$pause"
done
field yes
field end
