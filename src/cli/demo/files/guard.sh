#!/bin/sh
# Cleans up after a program that was killed. It reads `watch PID` for each server that was started and `stop` when
# all of them were ended in good order. The end of its input without `stop` means that the program is gone: the
# servers are ended and the folder $1 is removed.
trap '' HUP INT TERM
pids=
while read -r word pid; do
    case $word in
    watch) pids="$pids $pid" ;;
    stop) exit 0 ;;
    esac
done
for pid in $pids; do
    kill "$pid" 2>/dev/null
done
# A session that is just starting may still write into the folder.
rm -rf -- "$1" 2>/dev/null || { sleep 1; rm -rf -- "$1"; }
