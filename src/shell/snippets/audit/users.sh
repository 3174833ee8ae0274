# Local accounts of people and of root's number: ids, home, shell, whether a password is set, privileged groups; and
# what sudo allows. No hash leaves the host.
root=$1
begin

users() {
    has awk || refuse "there is no awk on this host"
    [ -r "$root/etc/passwd" ] || refuse "/etc/passwd cannot be read"
    least=
    if [ -r "$root/etc/login.defs" ]; then
        least=$(awk '$1 == "UID_MIN" { print $2; exit }' "$root/etc/login.defs")
    fi
    shadow=$root/etc/shadow
    readable=1
    if [ ! -r "$shadow" ]; then
        shadow=/dev/null
        readable=0
    fi
    groups=$root/etc/group
    [ -r "$groups" ] || groups=/dev/null
    text=$(awk -F : -v least="${least:-1000}" -v readable=$readable '
        part == "group" {
            if ($1 !~ /^(root|wheel|sudo|admin|adm|docker|lxd|libvirt|disk)$/) next
            primary[$3] = $1
            n = split($4, member, ",")
            for (i = 1; i <= n; i++) {
                if ($1 == "root") continue
                groups[member[i]] = groups[member[i]] " " $1
            }
            next
        }
        part == "shadow" {
            if ($2 == "") password[$1] = "no password at all"
            else if ($2 ~ /^[!*]/) password[$1] = "password locked"
            else password[$1] = "password set"
            next
        }
        /^[+-]/ { next }
        $3 == 0 || ($3 >= least + 0 && $3 < 60000) {
            state = readable ? password[$1] : "password not readable"
            if (state == "") state = "no line in shadow"
            if ($2 != "x" && $2 != "" && $2 !~ /^[!*]/) state = state ", a hash in passwd"
            if ($2 == "") state = "no password at all"
            member_of = groups[$1]
            if (($4 in primary) && $3 != 0) member_of = " " primary[$4] member_of
            print "user " $1 ": uid " $3 ", gid " $4 ", " $6 ", " ($7 == "" ? "/bin/sh" : $7) ", " state \
                (member_of == "" ? "" : ", in" member_of)
        }
    ' part=group "$groups" part=shadow "$shadow" part=passwd "$root/etc/passwd") || refuse "awk failed"
    printf '%s\n' "$text" | sort
    sudoers
}

sudoers() {
    if [ ! -e "$root/etc/sudoers" ]; then
        echo 'sudoers: there is no sudo'
        return
    fi
    if [ ! -r "$root/etc/sudoers" ]; then
        echo 'sudoers: not readable'
        return
    fi
    for file in "$root/etc/sudoers" "$root"/etc/sudoers.d/*; do
        case ${file##*/} in
        *.* | *~ | '*') continue ;;
        esac
        # A line may go on in the next one.
        [ -r "$file" ] && sed -e ':more' -e '/\\$/{N;s/\\\n//;b more' -e '}' "$file"
    done | sed -e '/^[[:space:]]*#/d' -e '/^[[:space:]]*@include/d' -e '/^[[:space:]]*$/d' -e 's/[[:space:]][[:space:]]*/ /g' \
        -e '/^Defaults/d' -e 's/^ //; s/ $//' -e 's/^/sudoers: /' | sort
}

answer users
