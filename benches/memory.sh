#!/bin/sh
# Peak memory and size of the results by the length of a run. Of memory: what is resident in all (VmHWM), most of it pages of the
# executable, and what lbtest made of it (anonymous, looked at every 20 ms). 30 seconds and five minutes at 20 000 requests a
# second against an nginx of its own, and a minute of which the server hangs for the middle third (SIGSTOP: requests
# pile up to max_in_flight). Prints them with what they grew by, and keeps them, dated, in benches/results/.
#
#   RATE=20000 SHORT=30 LONG=300 HANG=60 LBTEST=target/release/lbtest benches/memory.sh
set -eu
cd "$(dirname "$0")/.."
rate=${RATE:-20000} short=${SHORT:-30} long=${LONG:-300} hang=${HANG:-60}
lbtest=${LBTEST:-target/release/lbtest}
command -v nginx >/dev/null || {
    echo "bench: nginx is not installed: there is no server that is fast enough" >&2
    exit 3
}
work=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill -CONT "$server" "$worker" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# A port that nobody has: nginx ends at once where one is taken.
port=$((20000 + $$ % 10000))
for _ in 1 2 3 4 5; do
    cat >"$work/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid $work/nginx.pid;
error_log $work/error.log;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3;
    uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
    server { listen 127.0.0.1:$port backlog=4096; location / { return 200 "lbtest\n"; } }
}
CONF
    nginx -p "$work" -c "$work/nginx.conf" 2>"$work/nginx.log" &
    server=$!
    sleep 1
    if kill -0 "$server" 2>/dev/null; then break; fi
    server=
    port=$((port + 101))
done
[ -n "$server" ] || {
    cat "$work/nginx.log" >&2
    exit 3
}
worker=$(cat "/proc/$server/task/$server/children")

# One run of $1 seconds; "hang": its middle third without an answer. Leaves peak (KiB), json and history (bytes).
one() {
    cat >"$work/s.toml" <<TOML
name = "memory-$1"
[run]
duration = "$1s"
warmup = "2s"
observe = true
[[load]]
name = "web"
rate = $rate
max_in_flight = 1000
http = { url = "http://127.0.0.1:$port/", timeout = "1s" }
TOML
    rm -rf "$work/out"
    "$lbtest" run --quiet --out "$work/out" "$work/s.toml" >"$work/report.txt" 2>&1 &
    run=$!
    if [ "${2:-}" = hang ]; then
        (
            sleep $(($1 / 3))
            # shellcheck disable=SC2086 # a list
            kill -STOP $worker
            sleep $(($1 / 3))
            # shellcheck disable=SC2086
            kill -CONT $worker
        ) &
    fi
    peak=0 own=0
    # The kernel keeps the peak of all, of which the last look counts; of anonymous memory it keeps none.
    while seen=$(awk '/^VmHWM:/ { all = $2 } /^RssAnon:/ { print all, $2 }' "/proc/$run/status" 2>/dev/null) && [ -n "$seen" ]; do
        peak=${seen% *}
        [ "${seen#* }" -le "$own" ] || own=${seen#* }
        sleep 0.02
    done
    # A machine with other work on it makes a run inconclusive; its memory is what it is.
    verdict=
    wait "$run" || verdict=", exit code $?"
    [ -f "$work/out/run.json" ] || {
        cat "$work/report.txt" >&2
        exit 1
    }
    json=$(wc -c <"$work/out/run.json")
    history=$(wc -c <"$work/out/history.ndjson")
    made=$(sed -n 's/^ *"requests": \([0-9]*\),$/\1/p' "$work/out/run.json" | head -n 1)
    dropped=$(sed -n 's/^ *"dropped": \([0-9]*\),$/\1/p' "$work/out/run.json" | head -n 1)
    lost=$(sed -n 's/^ *"lost": \([0-9]*\),$/\1/p' "$work/out/run.json" | head -n 1)
    say "$1 s${2:+, the middle third hanging}: peak $peak KiB, anonymous $own KiB, run.json $json bytes, history.ndjson $history bytes;" \
        "$made requests after the warm-up, $dropped of them dropped, $lost lost$verdict"
}

out=benches/results/$(date +%Y-%m-%d)-memory.txt
: >"$out"
say() { echo "$@" | tee -a "$out"; }

say "peak memory by length, $rate/s; $(nproc) cores, kernel $(uname -r), $(nginx -v 2>&1 | sed 's/.*: //')"
say "lbtest: $($lbtest --version)"
one "$short"
a=$peak oa=$own ja=$json ha=$history
one "$long"
say "$(awk -v a="$a" -v b="$peak" -v oa="$oa" -v ob="$own" -v ja="$ja" -v jb="$json" -v ha="$ha" -v hb="$history" -v s=$((long - short)) 'BEGIN {
    printf "%.1f %% more memory; a second of run: %.0f bytes of anonymous memory, %.0f of run.json, %.0f of history.ndjson",
        (b / a - 1) * 100, (ob - oa) * 1024 / s, (jb - ja) / s, (hb - ha) / s
}')"
[ "$hang" = 0 ] || one "$hang" hang
