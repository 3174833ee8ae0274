#!/bin/sh
# One machine of the story: `machine.sh FOLDER HOME SYSTEM DATA...` makes a root file system on the disk SYSTEM and gives
# the machine the empty disks DATA (four at most), all of them loop devices over files in FOLDER; then it waits for the
# end of its input.
#
# The machine is a mount namespace: `/`, `/etc`, `/dev`, `/sys` and `/var` are its own, the programs are those of the
# real one, and so is /usr. FOLDER/pid is there when it is ready; FOLDER/root is its root; FOLDER/DISK.loop names the loop device of a
# disk. Loop devices detach themselves when their last user is gone, so that a kill leaves nothing behind.
set -eu
if [ "${MACHINE_NAMESPACE:-}" != 1 ]; then
    MACHINE_NAMESPACE=1
    export MACHINE_NAMESPACE
    exec unshare --mount --propagation private "$0" "$@"
fi
folder=$1 home=$2 system=$3
shift 2
root=$folder/root
mkdir -p "$folder" "$root"

# A loop device over each disk, held open by this process. dash knows descriptors up to 9.
fd=5
for disk in "$@"; do
    [ "$disk" = "$system" ] && size=64M || size=${DATA_SIZE:-48M}
    truncate -s "$size" "$folder/$disk.img"
    loop=$(losetup -f --show "$folder/$disk.img")
    # What an earlier user of the device said of it stays.
    blockdev --setrw "$loop"
    eval "exec $fd<>$loop"
    echo "$loop" >"$folder/$disk.loop"
    fd=$((fd + 1))
done
mkfs.ext4 -q -F "$(cat "$folder/$system.loop")"
for disk in "$@"; do losetup -d "$(cat "$folder/$disk.loop")"; done

numbers() { # numbers DEVICE: MAJOR MINOR
    # shellcheck disable=SC2012 # stat has no portable way to tell them
    ls -l "$1" | {
        read -r _ _ _ _ major minor _
        echo "${major%,} $minor"
    }
}
for disk in "$@"; do numbers "$(cat "$folder/$disk.loop")" >"$folder/$disk.numbers"; done

# From here on /dev is the machine's.
mount -t tmpfs -o mode=755 none /dev
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
    name=${node%%:*} rest=${node#*:}
    mknod -m 666 "/dev/$name" c "${rest%:*}" "${rest#*:}"
done
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
mkdir -p /dev/disk/by-id
# World wide names tell the machine and the place of the disk, so that they are the same each time.
place=0
for disk in "$@"; do
    read -r major minor <"$folder/$disk.numbers"
    mknod "/dev/$disk" b "$major" "$minor"
    ln -s "../../$disk" "/dev/disk/by-id/wwn-0x5000c500a1b2$(printf %s "${folder##*/}" | tr -cd 0-9)0$place"
    place=$((place + 1))
done

mount "/dev/$system" "$root"
cd "$root"
mkdir -p dev proc sys run tmp root etc var/lib var/tmp home mnt usr data "./$home"
chmod 1777 tmp
for dir in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$dir" ]; then
        cp -P "/$dir" .
    elif [ -d "/$dir" ]; then
        mkdir -p $dir
        mount --rbind "/$dir" $dir
    fi
done
mount --rbind /usr usr
mount --rbind /proc proc
mount --rbind /dev dev
mount -t tmpfs -o mode=755 none run
mount -t tmpfs -o mode=755 none sys
for file in passwd group nsswitch.conf ld.so.cache ld.so.conf hosts os-release mke2fs.conf shells; do
    [ ! -e "/etc/$file" ] || cp -L "/etc/$file" etc/
done
# Where some systems keep the names of programs (awk).
[ ! -d /etc/alternatives ] || cp -a /etc/alternatives etc/
echo "/dev/$system / ext4 defaults 1 1" >etc/fstab
printf '%s' "$folder" | cksum | { read -r sum _; printf '%032d\n' "$sum"; } >etc/machine-id

# What lsblk and others read in /sys.
mkdir -p sys/block sys/class/block sys/dev/block
for disk in "$@"; do
    read -r major minor <"$folder/$disk.numbers"
    loop=$(cat "$folder/$disk.loop")
    real=/sys/block/${loop##*/} own=sys/devices/virtual/block/$disk
    mkdir -p "$own/queue" "$own/holders" "$own/slaves" "$own/device"
    echo "$major:$minor" >"$own/dev"
    printf 'MAJOR=%s\nMINOR=%s\nDEVNAME=%s\nDEVTYPE=disk\n' "$major" "$minor" "$disk" >"$own/uevent"
    for file in size removable ro range ext_range; do
        cat "$real/$file" >"$own/$file" 2>/dev/null || echo 0 >"$own/$file"
    done
    for file in logical_block_size physical_block_size minimum_io_size optimal_io_size hw_sector_size; do
        cat "$real/queue/$file" >"$own/queue/$file" 2>/dev/null || :
    done
    echo 1 >"$own/queue/rotational"
    echo ATA >"$own/device/vendor"
    [ "$disk" = "$system" ] && echo SYSTEM >"$own/device/model" || echo DATA >"$own/device/model"
    ln -s "../devices/virtual/block/$disk" "sys/block/$disk"
    ln -s "../../devices/virtual/block/$disk" "sys/class/block/$disk"
    ln -s "../../devices/virtual/block/$disk" "sys/dev/block/$major:$minor"
done

echo $$ >"$folder/pid.new"
mv "$folder/pid.new" "$folder/pid"
exec cat
