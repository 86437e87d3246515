#!/bin/sh
# Codec tests and the feed engine's test under the address and undefined-behaviour sanitizers.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
tap=$(mktemp)
trap 'rm -f "$tap"' EXIT

under_sanitizers() {
    name=$1
    shift
    "$@" >"$tap" 2>&1 || {
        grep -v '^ok ' "$tap" | tail -60
        echo "asan: $name failed" >&2
        exit 1
    }
    echo "asan: $name: $(grep -c '^ok ' "$tap") tests passed"
}

under_sanitizers codec make -s -C "$top/tests/codec" asan
under_sanitizers "feed engine" "$top/tests/daemon/15_feed_engine.t"
