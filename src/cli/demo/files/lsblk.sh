#!/bin/sh
# `lsblk` of one host of the fleet: shows lsblk.table, which lies beside it, with the options of util-linux 2.23.
# The table has one tab-separated line a device, parents before children; `columns` below names its fields.
set -eu
table=${0%/*}/lsblk.table
columns=NAME,MAJ:MIN,RM,SIZE,RO,TYPE,MOUNTPOINT
form=tree bytes=0 heading=1 nodeps=0 paths=0

# long options become short ones
first=1
for word in "$@"; do
    [ $first = 0 ] || { first=0; set --; }
    case $word in
    --output=*) set -- "$@" -o "${word#*=}" ;;
    --output) set -- "$@" -o ;;
    --pairs) set -- "$@" -P ;;
    --bytes) set -- "$@" -b ;;
    --noheadings) set -- "$@" -n ;;
    --nodeps) set -- "$@" -d ;;
    --raw) set -- "$@" -r ;;
    --list) set -- "$@" -l ;;
    --all) set -- "$@" -a ;;
    --ascii) set -- "$@" -i ;;
    --paths) set -- "$@" -p ;;
    --fs) set -- "$@" -f ;;
    --version) echo "lsblk from util-linux 2.23.2"; exit 0 ;;
    --*) echo "lsblk: unrecognized option '$word'" >&2; exit 1 ;;
    *) set -- "$@" "$word" ;;
    esac
done

while getopts :abdfilnPpro: option; do
    case $option in
    a | i) ;;
    b) bytes=1 ;;
    d) nodeps=1 ;;
    f) columns=NAME,FSTYPE,LABEL,UUID,MOUNTPOINT ;;
    l) form=list ;;
    n) heading=0 ;;
    o) columns=$OPTARG ;;
    P) form=pairs ;;
    p) paths=1 ;;
    r) form=raw ;;
    *) echo "lsblk: invalid option -- '$OPTARG'" >&2; exit 1 ;;
    esac
done
shift $((OPTIND - 1))

exec awk -F '\t' -v columns="$columns" -v form=$form -v bytes=$bytes -v heading=$heading -v nodeps=$nodeps \
    -v paths=$paths -v wanted="$*" '
function human(n,    units, i) {
    units = "BKMGTP"
    for (i = 1; n >= 1024 && i < 6; i++) n /= 1024
    n = sprintf("%.1f", n)
    sub(/\.0$/, "", n)
    return n substr(units, i, 1)
}
function cell(row, key,    value) {
    value = field[row, key]
    if (key == "SIZE" && !bytes) return human(value)
    if (paths && (key == "NAME" || key == "KNAME") && value != "")
        return (field[row, "TYPE"] == "lvm" && key == "NAME" ? "/dev/mapper/" : "/dev/") value
    return value
}
BEGIN {
    known = "NAME KNAME PKNAME MAJ:MIN RM SIZE RO TYPE ROTA MOUNTPOINT FSTYPE LABEL UUID MODEL SERIAL WWN TRAN VENDOR"
    n_known = split(known, names, " ")
    for (i = 1; i <= n_known; i++) is_known[names[i]] = 1
    n = split(toupper(columns), show, ",")
    for (i = 1; i <= n; i++) if (!(show[i] in is_known)) {
        print "lsblk: unknown column: " columns > "/dev/stderr"
        failed = 1
        exit 1
    }
    n_wanted = split(wanted, w, " ")
    for (i = 1; i <= n_wanted; i++) { sub(/^\/dev\/(mapper\/)?/, "", w[i]); want[w[i]] = 1 }
}
{
    for (i = 1; i <= n_known; i++) row[names[i]] = ""
    split("NAME KNAME PKNAME MAJ:MIN SIZE TYPE ROTA MOUNTPOINT FSTYPE UUID MODEL SERIAL", order, " ")
    for (i = 1; i <= 12; i++) row[order[i]] = $i
    row["RM"] = row["RO"] = 0
    if (row["TYPE"] == "disk") { row["VENDOR"] = "ATA"; row["TRAN"] = "sas" }
    depth_of[row["KNAME"]] = row["PKNAME"] == "" ? 0 : depth_of[row["PKNAME"]] + 1
    depth = depth_of[row["KNAME"]]
    inside = row["PKNAME"] in chosen
    if (n_wanted) { if (!(row["NAME"] in want) && !inside) next }
    found[row["NAME"]] = 1
    chosen[row["KNAME"]] = 1
    if (nodeps && depth > 0 && !(row["NAME"] in want)) next
    rows++
    for (key in row) field[rows, key] = row[key]
    level[rows] = nodeps ? 0 : depth
}
END {
    if (failed) exit 1
    for (name in want) if (!(name in found)) { print "lsblk: " name ": not a block device" > "/dev/stderr"; bad = 1 }
    # the branch of the tree that each device hangs on
    for (r = 1; r <= rows; r++) {
        prefix[r] = ""
        if (form != "tree" || level[r] == 0) continue
        last = 1
        for (s = r + 1; s <= rows && level[s] >= level[r]; s++) if (level[s] == level[r]) { last = 0; break }
        for (l = 1; l < level[r]; l++) prefix[r] = prefix[r] "  "
        prefix[r] = prefix[r] (last ? "`-" : "|-")
    }
    for (i = 1; i <= n; i++) {
        width[i] = length(show[i])
        for (r = 1; r <= rows; r++) {
            text[r, i] = (show[i] == "NAME" ? prefix[r] : "") cell(r, show[i])
            if (length(text[r, i]) > width[i]) width[i] = length(text[r, i])
        }
    }
    for (r = heading && form != "pairs" ? 0 : 1; r <= rows; r++) {
        line = ""
        for (i = 1; i <= n; i++) {
            value = r ? text[r, i] : show[i]
            if (form == "pairs") value = show[i] "=\"" value "\""
            else if (form != "raw") {
                right = show[i] == "SIZE" || show[i] == "RM" || show[i] == "RO" || show[i] == "ROTA"
                value = sprintf(right ? "%" width[i] "s" : "%-" width[i] "s", value)
            }
            line = line (i > 1 ? " " : "") value
        }
        sub(/ +$/, "", line)
        print line
    }
    exit bad
}' "$table"
