# The installed packages: NAME VERSION ARCHITECTURE, sorted.
root=$1
begin

packages() {
    if has dpkg-query && [ -s "$root/var/lib/dpkg/status" ]; then
        # shellcheck disable=SC2016 # the program's own variables
        text=$(dpkg-query -W -f='${Status}|${Package} ${Version} ${Architecture}\n') || refuse "dpkg-query failed"
        # "install ok installed", "hold ok installed"; a state in between is told.
        text=$(printf '%s\n' "$text" | sed -n '
            s/^[a-z]* ok installed|//p
            t
            /^[a-z]* [a-z]* not-installed|/d
            /^[a-z]* [a-z]* config-files|/d
            s/^[a-z]* \([a-z]*\) \([a-z-]*\)|\(.*\)$/\3 (\1, \2)/p')
    elif has apk; then
        text=$(apk info -v 2>/dev/null) || refuse "apk info failed"
        text=$(printf '%s\n' "$text" | sed 's/^\(.*\)-\([0-9][^-]*-r[0-9]*\)$/\1 \2/')
    elif has rpm; then
        text=$(rpm -qa --qf '%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE} %{ARCH}\n') || refuse "rpm -qa failed"
        [ -n "$text" ] || refuse "rpm knows no package on this host"
    else
        refuse "there is neither rpm nor dpkg-query nor apk on this host"
    fi
    printf '%s\n' "$text" | sort
}

answer packages
