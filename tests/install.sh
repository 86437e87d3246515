#!/bin/sh
# make install, as root where the server's folders ask for it.
set -eu
cd "$(dirname "$0")/.."
folder=$("${PG_CONFIG:-pg_config}" --pkglibdir)
if [ -w "$folder" ]; then
    exec make -s WERROR=-Werror install
elif command -v sudo >/dev/null; then
    exec sudo make -s WERROR=-Werror install
fi
echo "No right to write to $folder: run this as root, or set PG_CONFIG to a PostgreSQL of your own." >&2
exit 1
