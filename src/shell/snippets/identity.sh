# identity.sh ROOT: tells which machine this is: where that was found, the id, and what tells two machines apart that have
# the same id because one is a copy of the other: the boot, and the namespace of a container. ROOT is empty.
begin
root=$1
source=
id=
for file in /etc/machine-id /var/lib/dbus/machine-id /sys/class/dmi/id/product_uuid; do
    read -r id 2>/dev/null <"$root$file" || [ -n "$id" ] || id=
    case $id in
    '' | uninitialized | *[!0-9A-Za-z-]*) id= ;;
    # What makers forget to fill in.
    00000000-0000-0000-0000-000000000000 | 03000200-0400-0500-0006-000700080009 | [Ff][Ff][Ff][Ff][Ff][Ff][Ff][Ff]-*) id= ;;
    esac
    if [ -n "$id" ]; then
        source=$file
        break
    fi
done
boot=$(cat "$root/proc/sys/kernel/random/boot_id" 2>/dev/null) || boot=
space=$(readlink "$root/proc/self/ns/uts" 2>/dev/null) || space=
if [ -z "$id" ] && [ -n "$boot" ]; then
    source=/proc/sys/kernel/random/boot_id
    id=$boot
fi
field "$source"
field "$id"
field "$boot $space"
field end
