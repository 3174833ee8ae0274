#!/bin/sh
# `uname` of one host of the fleet: a RHEL 7 kernel, and the host's own name.
here=${0%/*}
name=${here##*/}
release=3.10.0-1160.119.1.el7.x86_64
version='#1 SMP Tue Apr 30 09:45:32 EDT 2024'
line=
[ $# -gt 0 ] || set -- -s
for word in "$@"; do
    rest=${word#-}
    case $rest in -*) rest=a ;; esac
    while [ -n "$rest" ]; do
        tail=${rest#?}
        case ${rest%"$tail"} in
        s) part=Linux ;;
        n) part=$name ;;
        r) part=$release ;;
        v) part=$version ;;
        m | p | i) part=x86_64 ;;
        o) part=GNU/Linux ;;
        a) part="Linux $name $release $version x86_64 x86_64 x86_64 GNU/Linux" ;;
        *) echo "uname: invalid option -- '${rest%"$tail"}'" >&2; exit 1 ;;
        esac
        line="$line${line:+ }$part"
        rest=$tail
    done
done
echo "$line"
