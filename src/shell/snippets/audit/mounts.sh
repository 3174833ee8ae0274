# What is mounted against what /etc/fstab wants, a line for each mount point. File systems that the kernel and
# containers make up are left out, unless fstab names them.
root=$1
begin

mounts() {
    has awk || refuse "there is no awk on this host: mounts and fstab cannot be compared"
    [ -r "$root/proc/mounts" ] || refuse "/proc/mounts cannot be read"
    table=$root/etc/fstab
    if [ ! -e "$table" ]; then
        note 'there is no /etc/fstab'
        table=/dev/null
    elif [ ! -r "$table" ]; then
        refuse "/etc/fstab cannot be read; try -b"
    fi
    swaps=0
    if [ -r "$root/proc/swaps" ]; then
        while read -r device _; do
            [ "$device" = Filename ] || swaps=$((swaps + 1))
        done <"$root/proc/swaps"
    fi
    text=$(awk -v swaps="$swaps" '
        function path(text) {
            if (text != "/") sub(/\/+$/, "", text)
            return text == "" ? "/" : text
        }
        # How fstab names the device: a UUID says nothing about how machines differ.
        function named(spec) {
            if (spec ~ /^(UUID|PARTUUID)=/) { sub(/=.*/, "", spec); return "by " spec }
            if (spec ~ /^\/dev\/disk\/by-(uuid|partuuid|id)\//) { sub(/\/[^\/]*$/, "", spec); return spec }
            return spec
        }
        # The flags of fstab that the mounted file system lacks.
        function lacking(wanted, found,    n, i, list, out) {
            n = split(wanted, list, ",")
            for (i = 1; i <= n; i++)
                if (list[i] ~ /^(ro|noatime|nodiratime|nodev|nosuid|noexec|sync|dirsync)$/ && !has(found, list[i]))
                    out = out " " list[i]
            return out
        }
        function has(list, word) { return index("," list ",", "," word ",") > 0 }
        fstab && (/^[ \t]*#/ || NF < 2) { next }
        fstab && ($3 == "swap" || $2 == "swap") { wanted_swaps++; next }
        fstab {
            place = path($2)
            lines[place]++
            places[place] = 1
            spec[place] = $1; kind[place] = $3; options[place] = $4
            next
        }
        {
            place = path($2)
            # A later mount lies over an earlier one.
            live[place] = $4; live_kind[place] = $3; live_spec[place] = $1
            if ($3 !~ /^(proc|sysfs|devtmpfs|devpts|tmpfs|ramfs|rootfs|cgroup2?|pstore|securityfs|debugfs|tracefs|configfs)$/ &&
                $3 !~ /^(fusectl|mqueue|hugetlbfs|binfmt_misc|autofs|rpc_pipefs|nfsd|bpf|selinuxfs|efivarfs|nsfs|squashfs)$/ &&
                $3 !~ /^(fuse\.(gvfsd-fuse|portal|lxcfs|snapfuse))$/ &&
                place !~ /^\/(var\/lib\/(docker|containers|kubelet|containerd)|run\/(user|netns|docker|containerd))\//)
                places[place] = 1
        }
        END {
            for (place in places) {
                if (!(place in spec))
                    say = "mounted, not in fstab: " live_kind[place] ", " named(live_spec[place]) ", " live[place]
                else if (!(place in live)) {
                    if (place == "none") continue
                    say = has(options[place], "noauto") ? "in fstab as noauto, not mounted" : "in fstab, not mounted"
                    say = say ": " kind[place] ", " named(spec[place])
                } else {
                    wrong = ""
                    if (kind[place] != live_kind[place] && kind[place] != "auto" && options[place] !~ /bind/ &&
                        live_kind[place] != "autofs" && !(kind[place] == "nfs" && live_kind[place] == "nfs4"))
                        wrong = wrong ", as " live_kind[place] " where fstab says " kind[place]
                    without = lacking(options[place], live[place])
                    if (without != "") wrong = wrong ", without" without
                    if (has(live[place], "ro") && !has(options[place], "ro"))
                        wrong = wrong ", read-only where fstab says writable"
                    say = wrong == "" ? "as in fstab" : "not as in fstab" wrong
                    say = say ": " live_kind[place] ", " named(spec[place]) ", " live[place]
                }
                print place ": " say
                if (lines[place] > 1) print place ": stands " lines[place] " times in fstab"
            }
            print "swap: " wanted_swaps + 0 " in fstab, " swaps " in use"
        }
    ' fstab=1 "$table" fstab=0 "$root/proc/mounts") || refuse "awk failed"
    printf '%s\n' "$text" | sort
}

answer mounts
