//! Machines: what there is below `/`, and programs beside those that every machine has.

/// A machine.
pub struct Machine {
    pub name: &'static str,
    /// Path below `/` and content; `-> TARGET`: a link.
    pub files: &'static [(&'static str, &'static str)],
    /// Name and shell text.
    pub programs: &'static [(&'static str, &'static str)],
}

/// A physical machine of 2014, older than many options of its tools.
pub const RHEL6: Machine = Machine {
    name: "RHEL 6",
    files: &[
        (
            "etc/redhat-release",
            "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n",
        ),
        (
            "etc/selinux/config",
            "# This file\nSELINUX=permissive\nSELINUXTYPE=targeted\n",
        ),
        ("selinux/enforce", "0"),
        ("sys/class/dmi/id/product_name", "PowerEdge R720\n"),
        ("proc/cpuinfo", "processor\t: 0\nmodel name\t: x\nprocessor\t: 1\n"),
        ("proc/meminfo", "MemTotal:       131914048 kB\nMemFree:        1 kB\n"),
        ("proc/uptime", "63072000.11 1.00\n"),
        ("proc/1/stat", "1 (init) S 0 1"),
        ("proc/1234/stat", "1234 (ntpd) S 1 1234"),
        ("run/udev/data/x", ""),
        ("etc/localtime", "TZif2"),
        ("etc/sysconfig/clock", "ZONE=\"Europe/Berlin\"\n"),
        ("etc/adjtime", "0.0 0 0.0\n0\nUTC\n"),
        (
            "etc/ntp.conf",
            "driftfile /x\nserver ntp2.example.org iburst\nserver ntp1.example.org\n# server no.example.org\n",
        ),
        ("etc/login.defs", "#UID_MIN 1\nUID_MIN\t\t\t  500\n"),
        (
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nbin:x:1:1:bin:/bin:/sbin/nologin\nyoung:x:500:500::/home/young:/bin/bash\n\
             toor::0:0::/root:\nnfsnobody:x:65534:65534::/:/sbin/nologin\n+@netgroup\n",
        ),
        ("etc/group", "root:x:0:root\nwheel:x:10:\nyoung:x:500:\n"),
        (
            "etc/shadow",
            "root:$6$secret:17000:0:99999:7:::\nyoung:!!:17000::::::\ntoor::17000::::::\n",
        ),
        (
            "etc/sudoers",
            "Defaults requiretty\n# comment\n%wheel  ALL=(ALL)   NOPASSWD: ALL\n\nalice ALL=(root) /bin/true, \\\n  /bin/false\n\
             #includedir /etc/sudoers.d\n",
        ),
        ("etc/sudoers.d/deploy", "deploy\tALL=(ALL) ALL\n"),
        ("etc/sudoers.d/deploy.rpmsave", "old ALL=(ALL) ALL\n"),
    ],
    programs: &[
        (
            "lsblk",
            "case $* in *FSTYPE*) exit 1 ;; esac\n\
             echo 'NAME=\"sda\" TYPE=\"disk\" SIZE=\"1000\" ROTA=\"1\" MOUNTPOINT=\"\"'\n\
             echo 'NAME=\"sda1\" TYPE=\"part\" SIZE=\"900\" ROTA=\"1\" MOUNTPOINT=\"/\"'\n",
        ),
        (
            "uname",
            "case $1 in -r) echo 2.6.32-754.el6.x86_64 ;; *) echo x86_64 ;; esac\n",
        ),
        ("date", "case $1 in +%z) echo +0100 ;; *) echo 1700000000.5 ;; esac\n"),
        ("ntpstat", "echo synchronised\n"),
        ("rpm", "echo 'error: cannot open Packages database' >&2\nexit 1\n"),
        ("ip", "exit 1\n"),
        (
            "ifconfig",
            "cat <<'END'\n\
             eth0      Link encap:Ethernet  HWaddr 52:54:00:00:00:01\n\
             \x20         inet addr:10.1.2.3  Bcast:10.1.2.255  Mask:255.255.255.0\n\
             \x20         UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n\
             \n\
             ens3: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500\n\
             \x20       inet 10.1.2.4  netmask 255.255.0.0  broadcast 10.1.255.255\n\
             \n\
             lo: flags=73<UP,LOOPBACK,RUNNING>  mtu 65536\n\
             \x20       inet 127.0.0.1  netmask 255.0.0.0\n\
             END\n",
        ),
    ],
};

/// A virtual machine of the same house, with some mistakes in its mounts.
pub const RHEL7: Machine = Machine {
    name: "RHEL 7",
    files: &[
        ("etc/redhat-release", "CentOS Linux release 7.9.2009 (Core)\n"),
        ("etc/os-release", "PRETTY_NAME=\"CentOS Linux 7 (Core)\"\n"),
        ("etc/selinux/config", "SELINUX=disabled\n"),
        ("sys/class/dmi/id/product_name", "KVM\n"),
        ("proc/cpuinfo", "processor\t: 0\n"),
        ("proc/meminfo", "MemTotal:        1015508 kB\n"),
        ("proc/uptime", "172800.11 1.00\n"),
        (
            "etc/fstab",
            "# /etc/fstab\n\n/dev/mapper/rhel-root / xfs defaults 0 0\n\
             UUID=0a1b2c3d-0000-1111-2222-0123456789ab /boot/ xfs defaults 0 0\n\
             UUID=1111 /data1 xfs noatime,nodev 0 0\nUUID=1111 /data1 xfs noatime,nodev 0 0\n\
             UUID=2222 /data2 xfs defaults,nofail 0 0\n/dev/sdd1 /data3 xfs defaults 0 0\nLABEL=backup /backup ext4 noauto 0 0\n\
             tmpfs /tmp tmpfs nosuid,nodev 0 0\n/dev/mapper/rhel-swap swap swap defaults 0 0\n",
        ),
        (
            "proc/mounts",
            "rootfs / rootfs rw 0 0\nsysfs /sys sysfs rw,nosuid 0 0\nproc /proc proc rw 0 0\n\
             /dev/mapper/rhel-root / xfs rw,relatime,attr2 0 0\n/dev/sda1 /boot xfs rw,relatime 0 0\n\
             /dev/sdb1 /data1 ext4 rw,relatime 0 0\n/dev/sdd1 /data3 xfs ro,relatime 0 0\n\
             /dev/sdz1 /mnt/my\\040disk vfat rw 0 0\ntmpfs /tmp tmpfs rw,nosuid,nodev 0 0\ntmpfs /run tmpfs rw 0 0\n\
             overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw 0 0\n\
             tmpfs /run/user/0 tmpfs rw 0 0\n",
        ),
        (
            "proc/swaps",
            "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n/dev/dm-1 partition 16777212 0 -2\n",
        ),
        ("etc/localtime", "-> ../usr/share/zoneinfo/America/New_York"),
        ("proc/77/stat", "77 (chronyd) S 1 77"),
        (
            "etc/chrony.conf",
            "server b.example.org iburst\n! pool no.example.org\n",
        ),
        ("etc/chrony.d/more.conf", "pool a.example.org\n"),
        ("sys/class/net/lo/operstate", "unknown\n"),
        ("sys/class/net/bond0/operstate", "up\n"),
        ("sys/class/net/bond0/mtu", "9000\n"),
        ("sys/class/net/bond0/speed", "10000\n"),
        ("sys/class/net/bond0/address", "52:54:00:00:00:01\n"),
        ("sys/class/net/bond0/bonding/slaves", "eth0 eth1\n"),
        ("sys/class/net/bond0/bonding/mode", "802.3ad 4\n"),
        ("sys/class/net/eth2/operstate", "down\n"),
        ("sys/class/net/eth2/mtu", "1500\n"),
        ("sys/class/net/eth2/speed", "-1\n"),
        ("sys/class/net/veth1a2b/operstate", "up\n"),
        (
            "etc/resolv.conf",
            "; generated\nsearch example.org\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n",
        ),
    ],
    programs: &[
        (
            "lsblk",
            "echo 'NAME=\"sda\" TYPE=\"disk\" FSTYPE=\"xfs\" MODEL=\"M\" SERIAL=\"S\"'\n",
        ),
        (
            "uname",
            "case $1 in -r) echo 3.10.0-1160.el7.x86_64 ;; *) echo x86_64 ;; esac\n",
        ),
        ("date", "case $1 in +%z) echo +0100 ;; *) echo 1700000000.5 ;; esac\n"),
        (
            "chronyc",
            "echo 'Reference ID    : 7F7F0101 ()'\necho 'Leap status     : Not synchronised'\n",
        ),
        (
            "rpm",
            "echo 'kernel 3.10.0-1.el7 x86_64'\necho 'bash 4.2.46-35.el7_9 x86_64'\necho 'bind-libs 32:9.11.4-26.el7 x86_64'\n",
        ),
        (
            "ip",
            "case $* in\n\
             '-o addr show') cat <<'END'\n\
             1: lo    inet 127.0.0.1/8 scope host lo\n\
             3: bond0    inet 10.0.0.7/24 brd 10.0.0.255 scope global bond0\\       valid_lft forever preferred_lft forever\n\
             3: bond0    inet6 2001:db8::7/64 scope global \\       valid_lft forever preferred_lft forever\n\
             3: bond0    inet6 2001:db8::a1/64 scope global temporary dynamic \\       valid_lft 9 preferred_lft 9\n\
             3: bond0    inet6 fe80::5054:ff:fe00:1/64 scope link \\       valid_lft forever preferred_lft forever\n\
             END\n\
             ;;\n\
             'route show') cat <<'END'\n\
             default via 10.0.0.1 dev bond0 proto static metric 100\n\
             10.0.0.0/24 dev bond0 proto kernel scope link src 10.0.0.7\n\
             10.9.0.0/16 via 10.0.0.2 dev bond0\n\
             END\n\
             ;;\n\
             esac\n",
        ),
    ],
};

/// A machine of today.
pub const DEBIAN: Machine = Machine {
    name: "Debian",
    files: &[
        (
            "etc/os-release",
            "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
        ),
        ("etc/debian_version", "12.5\n"),
        ("sys/firmware/efi/runtime", ""),
        ("proc/cpuinfo", "processor\t: 0\n"),
        ("proc/meminfo", "MemTotal:        8131940 kB\n"),
        ("proc/uptime", "3600.11 1.00\n"),
        ("run/reboot-required", ""),
        ("var/lib/dpkg/status", "Package: bash\n"),
        ("etc/timezone", "Etc/UTC\n"),
        ("proc/9/stat", "9 (systemd-timesyn) S 1"),
        ("etc/systemd/timesyncd.conf", "[Time]\nNTP=10.0.0.2 10.0.0.1\n#NTP=no\n"),
        ("run/systemd/timesync/synchronized", ""),
    ],
    programs: &[
        (
            "uname",
            "case $1 in -r) echo 6.1.0-18-amd64 ;; *) echo x86_64 ;; esac\n",
        ),
        ("date", "case $1 in +%z) echo +0100 ;; *) echo 1700000000.5 ;; esac\n"),
        (
            "dpkg-query",
            "echo 'hold ok installed|linux-image 6.1 amd64'\necho 'install ok installed|bash 5.2.15-2+b2 amd64'\n\
             echo 'deinstall ok config-files|gone 1 all'\necho 'install ok half-configured|broken 1.0 all'\n\
             echo 'unknown ok not-installed|never  all'\n",
        ),
        ("rpm", "echo 'only a tool here'\n"),
    ],
};

/// BusyBox and musl, on another processor.
pub const ALPINE: Machine = Machine {
    name: "Alpine",
    files: &[
        (
            "etc/os-release",
            "NAME=\"Alpine Linux\"\nPRETTY_NAME=\"Alpine Linux v3.18\"\n",
        ),
        ("etc/alpine-release", "3.18.4\n"),
        ("proc/cpuinfo", "CPU implementer\t: 0x41\n"),
        ("proc/9/stat", "9 (ntpd) S 1"),
        (
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/ash\nalice:x:1000:10:Alice:/home/alice:/bin/ash\nnobody:x:65534:65534::/:/sbin/nologin\n",
        ),
        ("etc/group", "root:x:0:root\nwheel:x:10:root\ndocker:x:101:alice\n"),
        ("sys/block/sda/size", "937703088\n"),
        ("sys/block/sda/dev", "8:0\n"),
        ("sys/block/sda/queue/rotational", "0\n"),
        ("sys/block/sda/device/model", "INTEL SSD       \n"),
        ("sys/block/sda/device/serial", "PHYF1\n"),
        ("sys/block/sda/sda1/size", "2097152\n"),
        ("sys/block/sda/sda1/dev", "8:1\n"),
        ("sys/block/sda/sda2/size", "1000\n"),
        ("sys/block/sda/sda2/dev", "8:2\n"),
        ("sys/block/sda/sda2/holders/dm-0/x", ""),
        ("sys/block/dm-0/size", "500\n"),
        ("sys/block/dm-0/dev", "253:0\n"),
        ("sys/block/dm-0/dm/name", "vg-root\n"),
        ("sys/block/dm-0/dm/uuid", "LVM-abc\n"),
        ("sys/block/sdb/size", "7814037168\n"),
        ("sys/block/sdb/dev", "8:16\n"),
        ("sys/block/sdb/queue/rotational", "1\n"),
        ("sys/block/sdb/device/model", "HGST\n"),
        ("sys/block/sdc/size", "1000\n"),
        ("sys/block/sdc/dev", "8:32\n"),
        ("sys/block/sdc/queue/rotational", "1\n"),
        ("sys/block/loop0/size", "8\n"),
        ("sys/block/sdd/size", "0\n"),
        (
            "proc/self/mountinfo",
            "20 1 253:0 / / rw,relatime - ext4 /dev/mapper/vg-root rw\n21 20 8:1 / /boot rw shared:1 - ext4 /dev/sda1 rw\n\
             22 20 0:5 / /proc rw - proc proc rw\n23 20 253:0 /srv /bind rw - ext4 /dev/mapper/vg-root rw\n",
        ),
        (
            "proc/swaps",
            "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n/dev/sdc partition 1 0 -2\n",
        ),
    ],
    programs: &[
        ("uname", "case $1 in -r) echo 6.1.0-virt ;; *) echo aarch64 ;; esac\n"),
        (
            "date",
            "case $1 in +%z) echo +0100 ;; +%s.%N) echo 1700000000.%N ;; *) echo 1700000000 ;; esac\n",
        ),
        (
            "blkid",
            "[ \"$1\" != /dev/sdb ] || echo '/dev/sdb: UUID=\"x\" TYPE=\"ext4\"'\n",
        ),
        (
            "apk",
            "echo 'WARNING: opening /x' >&2\necho py3-foo-bar-1.2.3_rc1-r0\necho busybox-1.36.1-r2\n",
        ),
    ],
};

/// A container image with next to nothing in it.
pub const SLIM: Machine = Machine {
    name: "slim",
    files: &[
        ("sys/class/net/eth0/operstate", "up\n"),
        ("sys/class/net/eth0/mtu", "1500\n"),
        ("sys/class/net/eth0/speed", "\n"),
        (
            "proc/net/route",
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
             eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
             eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
             eth0\t0000010A\t090011AC\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0\n",
        ),
        ("etc/resolv.conf", "# empty\n"),
    ],
    programs: &[],
};
