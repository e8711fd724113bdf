#!/bin/sh
# Starts HAProxy with the configuration named by the first argument.
#
# A server that fails the very first check after the start is down, and needs `rise` good ones to come up:
# six seconds with inter 3s rise 2. So the first start of the container waits until the databases accept
# connections (and not for ever). A later start does not wait: one of them may be what is broken.
set -eu
if [ ! -e /run/haproxy/started ]; then
    tries=150
    for peer in ${WAIT_FOR:-}; do
        until busybox nc -z -w 1 "${peer%:*}" "${peer#*:}" 2>/dev/null || [ "$tries" -le 0 ]; do
            tries=$((tries - 1))
            sleep 0.1
        done
    done
    touch /run/haproxy/started
fi
# In the foreground, as a container wants it: no daemon.
exec haproxy -db -f "$1"
