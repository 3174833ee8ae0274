#!/bin/sh
# What sshd runs for every login of the fleet, with the host's name as $1: one machine plays many hosts, and each
# has a home folder and a PATH of its own. One that has a command `enter-host` is entered by it (a namespace of its own,
# say): it gets the words to run.
root=${0%/etc/login}
HOME=$root/hosts/$1
PATH=$root/bin/$1:$PATH:/usr/sbin:/sbin
export HOME PATH
unset MAIL
umask 022
cd "$HOME" || exit 1
set -- "$root/bin/$1/enter-host"
[ -x "$1" ] || shift
if [ -n "${SSH_ORIGINAL_COMMAND:-}" ]; then
    exec "$@" /bin/sh -c "$SSH_ORIGINAL_COMMAND"
fi
exec "$@" /bin/sh
