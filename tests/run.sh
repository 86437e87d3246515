#!/bin/sh
# Runs groups of tests: tests/run.sh [codec] [sql] [daemon]. Fast ones first; prove sums up.
set -eu
cd "$(dirname "$0")/.."
files=""
for group in "${@:-codec}"; do
    for file in tests/"$group"/*.t; do
        [ -e "$file" ] && files="$files $file"
    done
done
[ -n "$files" ] || { echo "no tests in: $*" >&2; exit 1; }
exec prove --timer --failures $files
