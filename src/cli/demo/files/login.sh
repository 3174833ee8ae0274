#!/bin/sh
# What sshd runs for every login of the fleet, with the host's name as $1: one machine plays many hosts, and each
# has a home folder and a PATH of its own.
root=${0%/etc/login}
HOME=$root/hosts/$1
PATH=$root/bin/$1:$PATH:/usr/sbin:/sbin
export HOME PATH
unset MAIL
umask 022
cd "$HOME" || exit 1
if [ -n "${SSH_ORIGINAL_COMMAND:-}" ]; then
    exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
fi
exec /bin/sh
