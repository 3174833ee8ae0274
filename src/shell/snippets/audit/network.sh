# Interfaces, addresses, routes, name servers. Interfaces of containers and virtual machines come and go: left out.
root=$1
begin

network() {
    for folder in "$root"/sys/class/net/*; do
        name=${folder##*/}
        case $name in
        '*' | lo | veth* | cali* | vnet* | tap* | bonding_masters) continue ;;
        esac
        interface
    done
    addresses
    routes
    resolver
}

interface() {
    first "$folder/operstate" || line=unknown
    say=$line
    first "$folder/mtu" && say="$say, mtu $line"
    # Without a link, and on virtual cards, there is no speed.
    if first "$folder/speed" && [ "${line#-}" = "$line" ] && [ -n "$line" ] && [ "$say" != "${say#up}" ]; then
        say="$say, $line Mb/s"
    fi
    if [ -d "$folder/bonding" ]; then
        first "$folder/bonding/slaves" || line='nothing'
        say="$say, bond of $line"
        first "$folder/bonding/mode" && say="$say, ${line%% *}"
    fi
    if [ -d "$folder/brif" ]; then
        say="$say, bridge"
    fi
    echo "$name: $say"
    first "$folder/address" && [ "$line" != 00:00:00:00:00:00 ] && [ -n "$line" ] && echo "$name mac: $line"
}

addresses() {
    if has ip && text=$(ip -o addr show 2>/dev/null); then
        printf '%s\n' "$text" | while read -r _ name family address rest; do
            case $name in
            lo | veth* | cali* | vnet* | tap*) continue ;;
            esac
            # Addresses that IPv6 makes up anew every day.
            case $rest in
            *temporary*) continue ;;
            esac
            case $family-$address in
            inet-* | inet6-[!f]* | inet6-f[!e]*) echo "$name address: $address" ;;
            esac
        done | sort
    elif has ifconfig && text=$(ifconfig 2>/dev/null); then
        note 'there is no ip that lists addresses: ifconfig was asked'
        printf '%s\n' "$text" | sed -n \
            -e 's/^\([^ :][^ :]*\)[: ].*/\1/;t name' \
            -e 's/^.*inet addr:\([0-9.]*\).*Mask:\([0-9.]*\).*/\1 mask \2/p;t' \
            -e 's/^.*inet \([0-9.]*\) *netmask \([0-9.]*\).*/\1 mask \2/p' -e b -e ': name' -e 's/^/@/p' |
            while read -r address rest; do
                case $address in
                @*) name=${address#@} ;;
                *) [ "$name" = lo ] || echo "$name address: $address $rest" ;;
                esac
            done | sort
    else
        echo 'addresses: not told (there is neither ip nor ifconfig)'
    fi
}

# Routes that follow from the addresses are left out.
routes() {
    if has ip && text=$(ip route show 2>/dev/null); then
        printf '%s\n' "$text" | while read -r to rest; do
            case " $rest " in
            *' via '*) ;;
            *) [ "$to" = default ] || [ "$to" = blackhole ] || continue ;;
            esac
            via=
            previous=
            for word in $rest; do
                case $previous in
                via) via="$via via $word" ;;
                dev) via="$via on $word" ;;
                metric) via="$via metric $word" ;;
                esac
                previous=$word
            done
            echo "route $to:$via"
        done | sort
    elif [ -r "$root/proc/net/route" ]; then
        while read -r name to gateway flags _ _ _ mask _; do
            # Flag 2: by a gateway. Numbers are hexadecimal, the last byte first.
            case $flags in
            *[2367AaBbEeFf]) ;;
            *) continue ;;
            esac
            if [ "$to" = 00000000 ]; then
                echo "route default: via $(quad "$gateway") on $name"
            else
                echo "route $(quad "$to") mask $(quad "$mask"): via $(quad "$gateway") on $name"
            fi
        done <"$root/proc/net/route" | sort
    else
        echo 'routes: not told (there is no ip)'
    fi
}

quad() {
    rest=$1
    number=
    for _ in 1 2 3 4; do
        tail=${rest#??}
        number="$((0x${rest%"$tail"}))${number:+.}$number"
        rest=$tail
    done
    printf %s "$number"
}

resolver() {
    if [ ! -r "$root/etc/resolv.conf" ]; then
        echo 'dns: there is no resolv.conf'
        return
    fi
    servers=
    search=
    while read -r key value; do
        case $key in
        nameserver) servers="$servers ${value%% *}" ;;
        search | domain) search=" $value" ;;
        esac
    done <"$root/etc/resolv.conf"
    echo "dns:${servers:- none}"
    if [ -n "$search" ]; then
        echo "search:$search"
    fi
}

answer network
