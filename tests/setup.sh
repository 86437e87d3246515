#!/bin/sh
# Installs the Debian packages of tests/packages.txt, and of more lists beside it that are named, where
# they are missing (root, or sudo): tests/setup.sh [packages-dev.txt]. Package
# scripts must not start daemons on this machine: a policy says so for as long as this takes.
set -eu
cd "$(dirname "$0")"

missing=""
for package in $(cat packages.txt "$@" | sed 's/#.*//'); do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "These packages are missing:$missing" >&2
        echo "Install them as root: apt-get install -y$missing" >&2
        exit 1
    }
    as_root=sudo
fi

echo "Installing$missing" >&2
policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/nmsp-tests.conf
guarded=false
log=$(mktemp)

clean_up() {
    if $guarded; then
        $as_root rm -f $policy
    fi
    $as_root rm -f $no_cluster
    rm -f "$log"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
    guarded=true
fi
# The databases are made by the tests themselves, never the package's own cluster.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    $as_root mkdir -p "$(dirname $no_cluster)"
    echo "create_main_cluster = false" | $as_root tee $no_cluster >/dev/null
fi
status=0
{ $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null || status=$?
if [ $status -ne 0 ]; then
    tail -20 "$log" >&2
    echo "apt-get failed; the packages are listed in tests/packages.txt" >&2
fi
exit $status
