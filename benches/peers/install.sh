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

policy=/usr/sbin/policy-rc.d
install_packages() {
    # The benchmark runs servers of its own; those that the packages would start on this machine are not wanted.
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
        $as_root chmod +x $policy
        trap '$as_root rm -f $policy' EXIT INT TERM
    fi
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        $as_root mkdir -p /etc/postgresql-common/createcluster.d
        echo 'create_main_cluster = false' | $as_root tee /etc/postgresql-common/createcluster.d/lbtest.conf >/dev/null
    fi
    $as_root apt-get update -qq
    # One by one: a system may know some of them only.
    for package in $packages; do
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
            echo "bench: $package cannot be installed" >&2
    done
}
if [ -n "$packages" ]; then
    if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! sudo -n true 2>/dev/null; }; then
        echo "bench: not installed, for want of apt or root:$packages" >&2
    else
        echo "bench: installing$packages" >&2
        install_packages
    fi
fi
if lacks oha && [ ! -x target/peers/bin/oha ]; then
    echo "bench: building oha into target/peers, once: some minutes" >&2
    ${CARGO:-cargo} install --quiet --locked --root target/peers --version '^1.16' oha || echo "bench: oha cannot be built" >&2
fi
