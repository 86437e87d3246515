#!/bin/sh
# The demo on a bare Debian 12:
#   tests/demo/demo.sh        installs what is missing, builds, starts a small operator, boots
#                             modems, changes one and shows the difference
#   tests/demo/demo.sh stop   takes it away again (packages and the installed extension remain)
# Runs as root or with sudo. NMSP_DEMO names the folder (default /var/tmp/nmsp-demo), PG_CONFIG
# the server.
set -eu
cd "$(dirname "$0")/../.."
demo="${NMSP_DEMO:-/var/tmp/nmsp-demo}"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo env NMSP_DEMO="$demo" ${PG_CONFIG:+PG_CONFIG="$PG_CONFIG"} "$@"
    fi
}

if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "The demo makes network namespaces: run it as root (su -c 'make demo')." >&2
        exit 1
    }
    echo "The demo makes network namespaces and installs packages: sudo may ask for your password."
    sudo -v
fi

if [ "${1:-}" = stop ]; then
    command -v python3 >/dev/null || exit 0 # never ran here
    as_root python3 tests/demo/demo.py stop
    exit
fi

started=$(date +%s)
elapsed() {
    echo $(($(date +%s) - started))
}

# step WORDS COMMAND...: runs the command; a line now, one each 10 s while it takes, one at its end.
step() {
    words=$1
    shift
    log=$(mktemp)
    begin=$(elapsed)
    printf '%4d s  %s\n' "$begin" "$words"
    "$@" >"$log" 2>&1 &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        sleep 0.2
        now=$(elapsed)
        if [ $((now - begin)) -ge 10 ]; then
            begin=$now
            printf '%4d s  ... %s\n' "$now" "$(tail -n 1 "$log" | cut -c 1-90)"
        fi
    done
    status=0
    wait $pid || status=$?
    if [ $status -ne 0 ]; then
        tail -n 30 "$log" >&2
        rm -f "$log"
        echo "This failed: $words. The lines above say why; \"make demo\" goes on from there." >&2
        exit 1
    fi
    rm -f "$log"
}

step "packages (tests/packages.txt), those that are missing" tests/setup.sh
step "build" make -s
step "install into $("${PG_CONFIG:-pg_config}" --pkglibdir)" tests/install.sh
printf '%4d s  installed\n' "$(elapsed)"
as_root python3 tests/demo/demo.py
