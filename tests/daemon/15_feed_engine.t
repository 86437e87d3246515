#!/bin/sh
# The feed engine without PostgreSQL, under ASAN and UBSAN.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d /tmp/nmsp-engine-XXXXXX)
trap 'rm -rf "$work"' EXIT
${CC:-cc} -std=gnu11 -g -O1 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
    -Wno-missing-field-initializers -Werror -fsanitize=address,undefined -fno-sanitize-recover=all \
    -I. -o "$work/engine" tests/daemon/feed_engine.c workers/feed/*.c -lcrypto -pthread
mkdir "$work/folder"
"$work/engine" "$work/folder"
