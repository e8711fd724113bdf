#!/bin/sh
# Makes sure that a Docker engine answers: on Debian and Ubuntu it installs the distribution's docker.io
# where there is none, starts it where it does not run, and waits until it answers.
set -eu

SOCKET=/var/run/docker.sock
say() { printf 'docker-engine: %s\n' "$*"; }
die() { printf 'docker-engine: %s\n' "$*" >&2; exit 3; }
if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi

# The engine is asked over its socket, not through the CLI: a CLI of another age may refuse to talk to it.
answers() {
    case ${DOCKER_HOST:-} in
        '' | unix://*) path=${DOCKER_HOST:-unix://$SOCKET} && curl -fsS -o /dev/null --max-time 5 --unix-socket "${path#unix://}" http://engine/_ping 2>/dev/null ;;
        *) docker info >/dev/null 2>&1 ;;
    esac
}
root_is_answered() { $as_root curl -fsS -o /dev/null --max-time 5 --unix-socket "$SOCKET" http://engine/_ping 2>/dev/null; }

install() {
    command -v apt-get >/dev/null || die "needs $*, and this is not a Debian or Ubuntu: install it by hand (https://docs.docker.com/engine/install/)"
    [ -z "$as_root" ] || command -v sudo >/dev/null || die "needs $*: run as root, or install sudo"
    say "installing $* from this system's packages"
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

start() {
    say "starting the Docker engine"
    if [ -d /run/systemd/system ]; then
        $as_root systemctl start docker && return
    elif [ -x /etc/init.d/docker ]; then
        # In containers the init script's ulimits are often refused; then by hand.
        $as_root service docker start >/dev/null 2>&1 && wait_for 15 && return
    fi
    $as_root sh -c 'nohup dockerd >/var/log/lbtest-dockerd.log 2>&1 </dev/null &'
}

wait_for() {
    tries=$(($1 * 2))
    until root_is_answered; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.5
    done
}

command -v curl >/dev/null || install curl
if answers; then
    say "there, and it answers"
    exit 0
fi
[ -z "${DOCKER_HOST:-}" ] || die "DOCKER_HOST is $DOCKER_HOST, and nothing answers there"
if ! root_is_answered; then
    # iptables: what the engine publishes ports with; ca-certificates: for a registry, where there is one.
    command -v dockerd >/dev/null || install docker.io iptables ca-certificates
    start
    if ! wait_for 60; then
        $as_root tail -n 20 /var/log/lbtest-dockerd.log /var/log/docker.log 2>/dev/null >&2 || true
        die "the Docker engine was started and does not answer; its last words are above, where there are any"
    fi
fi
if ! answers; then
    # Running, but this user may not talk to it. Adding a group works from the next login on only.
    command -v setfacl >/dev/null || install acl
    say "giving $(id -un) access to $SOCKET (until the engine starts anew; for good: sudo usermod -aG docker $(id -un))"
    $as_root setfacl -m "u:$(id -u):rw" "$SOCKET"
    answers || die "the Docker engine answers root, but not $(id -un)"
fi
say "answers"
