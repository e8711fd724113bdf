#!/bin/sh
# Writes the upstream block from UPSTREAMS ("app1:3025 app2:3026 …") and starts nginx.
#
# nginx 1.22 resolves a name in an upstream block once, at its start, refuses to start where one is
# unknown, and goes on talking to the old address whoever has it by then: it has answered 200 from a
# foreign container. The ways round that in this version cost something (a variable in proxy_pass loses
# keep-alive, round robin and the memory of failures). So the block holds addresses, resolved here:
#
# - in this topology the instances have fixed addresses outside the range that Docker gives out, so theirs
#   never changes and nobody else can get it;
# - all the same the names are watched, and nginx is reloaded when one means another address. A name that
#   is gone changes nothing: the instance is down, and the failure counters deal with that.
set -eu
: "${UPSTREAMS:?name:port name:port …}"
FILE=/run/nginx/upstream.conf
mkdir -p /run/nginx
# Nothing is known at a start: addresses of the last one may be somebody else's.
: >/run/nginx/known

address() { getent ahostsv4 "$1" | awk '{ print $1; exit }'; }
known() { awk -v name="$1" '$1 == name { print $2 }' /run/nginx/known; }

resolve() {
    for peer in $UPSTREAMS; do
        name=${peer%:*}
        now=$(address "$name" || true)
        printf '%s %s\n' "$name" "${now:-$(known "$name")}"
    done >/run/nginx/resolved
    ! cmp -s /run/nginx/resolved /run/nginx/known
}

render() {
    mv /run/nginx/resolved /run/nginx/known
    {
        echo 'upstream app {'
        # Failures are counted by all workers together.
        echo '    zone app 64k;'
        for peer in $UPSTREAMS; do
            at=$(known "${peer%:*}")
            # Two failures within three seconds and an instance is left alone for three seconds: short,
            # so that one that came back soon has its share again; a dead one costs a second's wait for
            # one or two requests each time it is tried.
            [ -z "$at" ] || echo "    server $at:${peer#*:} max_fails=2 fail_timeout=3s;"
        done
        # Never an empty block: nginx would not start before the first instance.
        [ -n "$(awk '$2' /run/nginx/known)" ] || echo '    server 127.0.0.1:1 down;'
        echo '    keepalive 32;'
        echo '}'
    } >$FILE.new
    mv $FILE.new $FILE
}

resolve || true
render
(
    while sleep 1; do
        if resolve; then
            render
            nginx -s reload
        fi
    done
) &
exec nginx -g 'daemon off;'
