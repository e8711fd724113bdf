#!/bin/sh
# Makes sure that the image debian:bookworm-slim exists: what the Dockerfiles build from.
#
#   there already       it is left alone, whoever made it
#   a registry answers  it is pulled
#   otherwise           it is made from Debian's packages with mmdebstrap and imported
#
# A made image takes over the apt mirror, proxy and time checks that this host's apt uses, since
# packages are going to be installed inside builds just as they are here.
set -eu

IMAGE=${BASE_IMAGE:-debian:bookworm-slim}
SUITE=bookworm
PULL_TIMEOUT=${PULL_TIMEOUT:-120}

say() { printf 'base-image: %s\n' "$*"; }
die() { printf 'base-image: %s\n' "$*" >&2; exit 3; }

if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi

# A docker CLI newer than its engine refuses to talk, or does not negotiate, unless it is told the
# engine's API version. The engine names it in a header of any answer, so ask it, not the CLI.
engine_api() {
    socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
    case $socket in
        unix://*) $as_root curl -fsS --max-time 5 --unix-socket "${socket#unix://}" http://engine/version 2>/dev/null ;;
        tcp://*) curl -fsS --max-time 5 "http://${socket#tcp://}/version" 2>/dev/null ;;
        *) return 1 ;;
    esac | sed -n 's/.*"ApiVersion":"\([0-9.]*\)".*/\1/p' | head -n 1
}

command -v docker >/dev/null || die "no docker command here: run 'make engine', or install docker.io"
if [ -z "${DOCKER_API_VERSION:-}" ] && ! docker info >/dev/null 2>&1; then
    api=$(engine_api || true)
    if [ -n "$api" ]; then
        DOCKER_API_VERSION=$api
        export DOCKER_API_VERSION
    fi
fi
if docker info >/dev/null 2>&1; then
    docker=docker
elif [ -n "$as_root" ] && sudo -E docker info >/dev/null 2>&1; then
    docker="sudo -E docker"
else
    die "the Docker engine does not answer: run 'make engine'"
fi

if $docker image inspect "$IMAGE" >/dev/null 2>&1; then
    say "$IMAGE is there"
    exit 0
fi
say "pulling $IMAGE"
if timeout "$PULL_TIMEOUT" $docker pull --quiet "$IMAGE" >/dev/null 2>&1; then
    say "pulled $IMAGE"
    exit 0
fi

say "no registry answered: making $IMAGE with mmdebstrap"
missing=
command -v mmdebstrap >/dev/null || missing="$missing mmdebstrap"
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"
if [ -n "$missing" ]; then
    command -v apt-get >/dev/null || die "needs$missing, and this is not a system with apt: pull or load $IMAGE by hand"
    [ -z "$as_root" ] || command -v sudo >/dev/null || die "needs$missing: run as root, or install sudo"
    say "installing$missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# The mirrors of the suite that this host uses, if it is a Debian of that suite; mmdebstrap's own choice otherwise.
host_uri() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
        awk -v release="$1" '$2 == release && $3 == "main" { sub("/$", "", $1); print $1; exit }'
}
main=$(host_uri $SUITE)
updates=$(host_uri $SUITE-updates)
security=$(host_uri $SUITE-security)

work=$(mktemp -d)
trap '$as_root rm -rf "$work"' EXIT INT TERM
# Proxies and the two checks of time that a host behind a mirror may have had to switch off. mmdebstrap
# uses these options and leaves them in the image, under /etc/apt/apt.conf.d.
apt-config dump |
    grep -iE '^Acquire::((https?|ftp)::(Proxy|Timeout)|Check-Valid-Until|Check-Date|ForceIPv4|Retries)' >"$work/apt.conf" || true
# What a container image never needs, as in the image of the registry: translations and package caches.
cat >>"$work/apt.conf" <<'CONF'
Acquire::Languages "none";
Acquire::GzipIndexes "true";
APT::Install-Recommends "false";
CONF
# Nor manuals, documents and messages in other languages; licences stay.
cat >"$work/dpkg.cfg" <<'CONF'
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-include=/usr/share/locale/locale.alias
CONF
# A package that is installed in a build must not try to start its service.
printf '#!/bin/sh\nexit 101\n' >"$work/policy-rc.d"
chmod 755 "$work/policy-rc.d"
chmod 755 "$work"

[ -z "$as_root" ] || command -v sudo >/dev/null || die "making $IMAGE needs root: run as root, or install sudo"
# Without sources mmdebstrap takes Debian's own, with updates and security.
set --
[ -z "$main" ] || set -- "deb $main $SUITE main"
[ -z "$main" ] || [ -z "$updates" ] || set -- "$@" "deb $updates $SUITE-updates main"
[ -z "$main" ] || [ -z "$security" ] || set -- "$@" "deb $security $SUITE-security main"

# shellcheck disable=SC2016 # "$1" is mmdebstrap's: the folder of the new system
$as_root mmdebstrap --quiet --variant=minbase --include=ca-certificates \
    --aptopt="$work/apt.conf" --dpkgopt="$work/dpkg.cfg" \
    --customize-hook="copy-in $work/policy-rc.d /usr/sbin" \
    --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"' \
    "$SUITE" "$work/root.tar" "$@" ||
    die "mmdebstrap failed: can packages be installed here? (apt-get update)"

# Again: another session may have made or loaded it meanwhile, and its image is not ours to replace.
if $docker image inspect "$IMAGE" >/dev/null 2>&1; then
    say "$IMAGE is there by now"
    exit 0
fi
$docker import --change 'CMD ["bash"]' "$work/root.tar" "$IMAGE" >/dev/null
say "made $IMAGE"
