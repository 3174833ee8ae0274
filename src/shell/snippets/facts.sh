# facts.sh FOLDER GROUP...: what is known about the host, as fields NAME VALUE NAME VALUE...; groups are hardware, network,
# virtual, local (facts of FOLDER). The program that asked makes facts of the raw text.
begin
folder=$1
shift
groups=" $* "

wants() {
    case $groups in
    *" $1 "*) return 0 ;;
    *) return 1 ;;
    esac
}

# tell NAME COMMAND...: what a command prints; nothing when it fails.
tell() {
    name=$1
    shift
    text=$("$@" 2>/dev/null) || text=
    field "$name"
    field "$text"
}

# text NAME FILE
text() {
    if [ -r "$2" ]; then
        tell "$1" cat "$2"
    fi
}

# found NAME COMMAND...: the first of the commands that is there.
found() {
    field "$1"
    shift
    for program; do
        if command -v "$program" >/dev/null 2>&1; then
            field "$program"
            return
        fi
    done
    field ""
}

for flag in s n r v m; do
    tell "uname_$flag" uname "-$flag"
done
tell fqdn hostname -f
text os_release /etc/os-release
for file in redhat-release centos-release oracle-release system-release debian_version lsb-release alpine-release \
    SuSE-release arch-release gentoo-release; do
    text "$file" "/etc/$file"
done
text init /proc/1/comm
if [ -d /run/systemd/system ]; then
    field systemd
    field 1
fi
if [ -x /sbin/openrc-run ] || [ -x /sbin/openrc ]; then
    field openrc
    field 1
fi
if [ -x /sbin/initctl ]; then
    tell upstart /sbin/initctl --version
fi
found pkg_mgr dnf yum apt-get zypper apk pacman opkg
tell uid id -u
tell gid id -g
tell user id -un
tell real_uid id -ru
tell real_gid id -rg
user=$(id -un 2>/dev/null)
if command -v getent >/dev/null 2>&1; then
    tell passwd getent passwd "$user"
else
    tell passwd grep "^$user:" /etc/passwd
fi
tell date date '+%Y|%m|%d|%H|%M|%S|%Z|%z|%s|%A|%w|%U'
tell date_utc date -u '+%Y-%m-%dT%H:%M:%S'
# The environment as this shell got it; line ends in values become \001.
if [ -r "/proc/$$/environ" ]; then
    field environ
    field "$(tr '\000\n' '\n\001' <"/proc/$$/environ")"
else
    tell environ env
fi
text cmdline /proc/cmdline
text machine_id /etc/machine-id
text dbus_machine_id /var/lib/dbus/machine-id
text resolv /etc/resolv.conf
text fips /proc/sys/crypto/fips_enabled
text selinux_config /etc/selinux/config
if command -v getenforce >/dev/null 2>&1; then
    tell selinux getenforce
    text selinux_policy /sys/fs/selinux/policyvers
fi
if [ -d /sys/kernel/security/apparmor ]; then
    field apparmor
    field 1
fi
for file in /etc/ssh/ssh_host_*_key.pub; do
    text host_key "$file"
done
tell bits getconf LONG_BIT

if wants hardware; then
    text meminfo /proc/meminfo
    text cpuinfo /proc/cpuinfo
    text loadavg /proc/loadavg
    text uptime /proc/uptime
    tell nproc nproc
    text mounts /proc/mounts
    # Sizes of local file systems only: a network mount whose server is gone would never answer.
    field filesystems
    field "$(while read -r device mount kind rest; do
        case $device in
        /*) ;;
        *) continue ;;
        esac
        case $kind in
        nfs* | cifs | smb* | fuse* | autofs | ceph | gluster* | lustre | 9p) continue ;;
        esac
        [ -d "$(printf %b "$mount")" ] || continue
        stat -f -c "$mount %S %b %f %a %c %d" -- "$(printf %b "$mount")" 2>/dev/null
    done </proc/mounts)"
    field uuids
    field "$(for link in /dev/disk/by-uuid/*; do
        [ -L "$link" ] && echo "${link##*/} $(readlink -f "$link")"
    done)"
    field labels
    field "$(for link in /dev/disk/by-label/*; do
        [ -L "$link" ] && echo "${link##*/} $(readlink -f "$link")"
    done)"
    field blocks
    field "$(for disk in /sys/block/*; do
        [ -d "$disk" ] || continue
        echo "disk ${disk##*/}"
        for key in size removable ro queue/rotational queue/logical_block_size device/vendor device/model; do
            [ -r "$disk/$key" ] && read -r value <"$disk/$key" 2>/dev/null && echo "$key $value"
        done
        for holder in "$disk"/holders/*; do
            [ -e "$holder" ] && echo "holder ${holder##*/}"
        done
        for part in "$disk/${disk##*/}"*; do
            [ -d "$part" ] || continue
            echo "part ${part##*/}"
            for key in size start; do
                [ -r "$part/$key" ] && read -r value <"$part/$key" 2>/dev/null && echo "$key $value"
            done
            for holder in "$part"/holders/*; do
                [ -e "$holder" ] && echo "holder ${holder##*/}"
            done
        done
    done)"
    for key in product_name product_version product_serial product_uuid bios_date bios_vendor bios_version sys_vendor \
        board_name board_vendor board_version board_serial board_asset_tag chassis_vendor chassis_version \
        chassis_serial chassis_asset_tag chassis_type; do
        text "dmi_$key" "/sys/class/dmi/id/$key"
    done
    if [ "$(id -u)" = 0 ] && command -v vgs >/dev/null 2>&1; then
        tell vgs vgs --noheadings --nosuffix --units g --separator '|' -o vg_name,lv_count,pv_count,vg_size,vg_free
        tell lvs lvs --noheadings --nosuffix --units g --separator '|' -o lv_name,vg_name,lv_size
        tell pvs pvs --noheadings --nosuffix --units g --separator '|' -o pv_name,vg_name,pv_size,pv_free
    fi
fi

if wants network; then
    tell ip_link ip -o link show
    tell ip_addr ip -o addr show
    tell route4 ip -4 route get 8.8.8.8
    tell route6 ip -6 route get 2404:6800:400a:800::1012
    field net_types
    field "$(for device in /sys/class/net/*; do
        [ -d "$device" ] || continue
        read -r value <"$device/type" 2>/dev/null || value=
        speed=-1
        [ -r "$device/speed" ] && { read -r speed <"$device/speed"; } 2>/dev/null
        bridge=
        [ -d "$device/bridge" ] && bridge=bridge
        [ -d "$device/bonding" ] && bridge=bonding
        echo "${device##*/} $value ${speed:--1} $bridge"
    done)"
fi

if wants virtual; then
    if command -v systemd-detect-virt >/dev/null 2>&1; then
        # It answers "none" with an exit code that says no.
        field virt_vm
        field "$(systemd-detect-virt --vm 2>/dev/null)"
        field virt_container
        field "$(systemd-detect-virt --container 2>/dev/null)"
    fi
    text cgroup /proc/1/cgroup
    for file in /.dockerenv /.dockerinit /run/.containerenv /proc/xen /proc/vz /proc/bc /dev/kvm /dev/vboxdrv; do
        if [ -e "$file" ]; then
            field exists
            field "$file"
        fi
    done
    text product_name /sys/class/dmi/id/product_name
    text sys_vendor /sys/class/dmi/id/sys_vendor
    text hypervisor /sys/hypervisor/type
    tell cpu_flags grep -m 1 '^flags' /proc/cpuinfo
fi

if wants local; then
    for file in "$folder"/*.fact; do
        [ -r "$file" ] || continue
        field local
        field "$file"
        if [ -x "$file" ]; then
            tell local_text "$file"
        else
            tell local_text cat "$file"
        fi
    done
fi
field end
field ""
