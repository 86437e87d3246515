#!/bin/sh
# make bench: builds the library of the digests alone, and measures against it. Settings: bench.py.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d "${TMPDIR:-/tmp}/nmsp-bench-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work"
${CC:-cc} -std=gnu11 -O2 -fPIC -shared -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
    -Wno-missing-field-initializers -Werror -I"$("${PG_CONFIG:-pg_config}" --includedir-server)" \
    bench_digest.c -o "$work/bench_digest.so" -lcrypto
python3 bench.py "$work/bench_digest.so"
