# What kind of machine it is: release, kernel, processors, memory, how long it is up.
root=$1
begin

os() {
    release=
    for file in redhat-release oracle-release system-release SuSE-release; do
        first "$root/etc/$file" && release=$line && break
    done
    if [ -z "$release" ] && [ -r "$root/etc/os-release" ]; then
        release=$(sed -n 's/^PRETTY_NAME=//p' "$root/etc/os-release" | head -n 1 | tr -d "\"'")
        for file in debian_version alpine-release; do
            if first "$root/etc/$file"; then
                # Only what the name does not say already.
                case $release in
                *"$line"*) ;;
                *) release="$release, $line" ;;
                esac
            fi
        done
    fi
    echo "release: ${release:-not told}"
    echo "kernel: $(uname -r)"
    echo "arch: $(uname -m)"
    if first "$root/sys/class/dmi/id/product_name"; then
        echo "machine: $line"
    fi
    if [ -d "$root/sys/firmware/efi" ]; then
        echo 'firmware: uefi'
    else
        echo 'firmware: bios or other'
    fi
    if [ -r "$root/proc/cpuinfo" ]; then
        echo "processors: $(grep -c '^processor' "$root/proc/cpuinfo")"
    fi
    memory
    uptime
    selinux
    if [ -e "$root/var/run/reboot-required" ] || [ -e "$root/run/reboot-required" ]; then
        echo 'reboot: wanted by the package manager'
    fi
}

# Kernels keep a little back: rounded, so that equal machines are equal.
memory() {
    kilobytes=
    if [ -r "$root/proc/meminfo" ]; then
        while read -r key value _; do
            [ "$key" = MemTotal: ] && kilobytes=$value && break
        done <"$root/proc/meminfo"
    fi
    case $kilobytes in
    '' | *[!0-9]*)
        echo 'memory: not told'
        return
        ;;
    esac
    if [ "$kilobytes" -ge 4000000 ]; then
        echo "memory: $(((kilobytes + 524288) / 1048576)) GiB"
    else
        echo "memory: $(((kilobytes / 1024 + 64) / 128 * 128)) MiB"
    fi
}

uptime() {
    first "$root/proc/uptime" || line=
    seconds=${line%%[. ]*}
    case $seconds in
    '' | *[!0-9]*)
        echo 'up: not told'
        return
        ;;
    esac
    days=$((seconds / 86400))
    if [ $days -lt 1 ]; then
        echo 'up: less than a day'
    elif [ $days -lt 7 ]; then
        echo 'up: some days'
    elif [ $days -lt 31 ]; then
        echo 'up: some weeks'
    elif [ $days -lt 366 ]; then
        echo 'up: some months'
    else
        echo 'up: more than a year'
    fi
}

selinux() {
    boot=
    if [ -r "$root/etc/selinux/config" ]; then
        boot=$(sed -n 's/^SELINUX=\([a-z]*\).*/\1/p' "$root/etc/selinux/config" | tail -n 1)
    fi
    now=
    for file in "$root/sys/fs/selinux/enforce" "$root/selinux/enforce"; do
        if first "$file"; then
            case $line in
            1) now=enforcing ;;
            0) now=permissive ;;
            esac
        fi
    done
    if [ -z "$now$boot" ]; then
        echo 'selinux: not there'
    else
        echo "selinux: ${now:-disabled}, ${boot:-nothing} at boot"
    fi
}

answer os
