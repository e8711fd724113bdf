#!/bin/sh
# Bringing system A up until everything is healthy: `lbtest up` beside `docker compose up --wait`, on the same files
# and built images, alternating, in one run. Prints each round, the medians and their ratio, and keeps them, dated, in
# benches/results/. Where only docker-compose 1.x is there, which has no --wait, its `up -d` is followed by a look at
# the containers' health every 50 ms, and the result says so.
set -eu
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-5}
lbtest=${LBTEST:-target/release/lbtest}
files=compose/postgres/compose.yaml
project=lbtest-bench-up
export COMPOSE_PROJECT_NAME=$project

if ! docker info >/dev/null 2>&1; then
    DOCKER_API_VERSION=$(curl -fsS --unix-socket /var/run/docker.sock http://engine/version | sed -n 's/.*"ApiVersion":"\([0-9.]*\)".*/\1/p')
    export DOCKER_API_VERSION
fi
if docker compose version >/dev/null 2>&1; then
    peer="docker compose $(docker compose version --short), up --wait"
    peer_up() { docker compose -f $files up -d --wait --quiet-pull >/dev/null 2>&1; }
    peer_down() { docker compose -f $files down -v -t 0 >/dev/null 2>&1; }
elif command -v docker-compose >/dev/null; then
    peer="docker-compose $(docker-compose version --short), up -d and a poll of the health"
    unhealthy() {
        docker ps -q --filter "label=com.docker.compose.project=$project" |
            xargs docker inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{else}}healthy{{end}}' | grep -vc '^healthy$'
    }
    peer_up() {
        docker-compose -f $files up -d >/dev/null 2>&1
        while [ "$(unhealthy)" != 0 ]; do sleep 0.05; done
    }
    peer_down() { docker-compose -f $files down -v -t 0 >/dev/null 2>&1; }
else
    echo "bench: neither docker compose nor docker-compose is here: nothing to compare with" >&2
    exit 3
fi
our_up() { "$lbtest" up --quiet -p $project $files >/dev/null; }
our_down() { "$lbtest" down --quiet -p $project >/dev/null; }
trap 'our_down || true; peer_down || true' EXIT INT TERM

seconds() {
    start=$(date +%s%N)
    "$1"
    end=$(date +%s%N)
    awk -v ns=$((end - start)) 'BEGIN { printf "%.2f", ns / 1e9 }'
}
median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print (NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2) }'; }

# Once for the images; not counted.
our_up
our_down

ours=
theirs=
out=benches/results/$(date +%Y-%m-%d)-up.txt
{
    echo "system A until healthy, seconds; $(nproc) cores, kernel $(uname -r), engine $(docker version --format '{{.Server.Version}}' 2>/dev/null)"
    echo "lbtest: $($lbtest --version), up"
    echo "peer:   $peer"
    i=0
    while [ $i -lt "$rounds" ]; do
        i=$((i + 1))
        a=$(seconds our_up)
        our_down
        b=$(seconds peer_up)
        peer_down
        echo "round $i: lbtest $a, peer $b"
        ours="$ours $a"
        theirs="$theirs $b"
    done
    # shellcheck disable=SC2086 # lists of numbers
    a=$(median $ours) b=$(median $theirs)
    echo "median: lbtest $a, peer $b, ratio $(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.2f", a / b }')"
} | tee "$out"
