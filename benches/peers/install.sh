#!/bin/sh
# Installs the servers and clients that lbtest is compared with: from Debian or Ubuntu as root, oha by cargo into
# target/peers. What cannot be installed is named and is no error: the benchmark leaves it out and says so.
set -eu
cd "$(dirname "$0")/../.."
if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
lacks() { ! command -v "$1" >/dev/null && [ ! -x "/usr/sbin/$1" ]; }

packages=
for pair in nginx:nginx-light wrk:wrk ab:apache2-utils h2load:nghttp2-client hey:hey taskset:util-linux setpriv:util-linux; do
    if lacks "${pair%:*}"; then packages="$packages ${pair#*:}"; fi
done
[ -x /usr/bin/time ] || packages="$packages time"
ls /usr/lib/postgresql/*/bin/pgbench >/dev/null 2>&1 || packages="$packages postgresql postgresql-contrib"

if [ -n "$packages" ]; then
    if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! sudo -n true 2>/dev/null; }; then
        echo "bench: not installed, for want of apt or root:$packages" >&2
    else
        echo "bench: installing$packages" >&2
        # shellcheck disable=SC2086 # a list of words
        .ci/install-packages $packages || true
    fi
fi
if lacks oha && [ ! -x target/peers/bin/oha ]; then
    echo "bench: building oha into target/peers, once: some minutes" >&2
    ${CARGO:-cargo} install --quiet --locked --root target/peers --version '^1.16' oha || echo "bench: oha cannot be built" >&2
fi
