#!/bin/sh
# Starts HAProxy with the configuration named by the first argument.
#
# A server that fails the very first check after the start is down, and needs `rise` good ones to come up:
# seconds that a bring-up would wait. So the first start of the container waits until the databases take
# clients (and not for ever). A later start does not wait: one of them may be what is broken.
set -eu

# PostgreSQL's first words (protocol 3.0, user app), as in HAProxy's pgsql-check. A server that takes clients
# asks for the password (R); one that is starting up says so (E).
takes_clients() {
    answer=$(printf '\000\000\000\022\000\003\000\000user\000app\000\000' |
        timeout 2 busybox nc -w 1 "$1" "$2" 2>/dev/null | head -c 1)
    [ "$answer" = R ]
}

if [ ! -e /run/haproxy/started ]; then
    deadline=$(($(date +%s) + 30))
    for peer in ${WAIT_FOR:-}; do
        until takes_clients "${peer%:*}" "${peer#*:}" || [ "$(date +%s)" -ge "$deadline" ]; do
            sleep 0.1
        done
    done
    touch /run/haproxy/started
fi
# In the foreground, as a container wants it: no daemon.
exec haproxy -db -f "$1"
