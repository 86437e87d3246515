# Sourced: a copy of the server and a build of our own in it, so that nothing installed changes.
#
#   make_private FLAGS    copies PostgreSQL and our sources into $work, builds with PROFILE=FLAGS
#                         and installs there; sets PG_CONFIG for what follows. $work goes at exit.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/nmsp-private-XXXXXX")
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

make_private() {
    server=$(dirname "$("${PG_CONFIG:-pg_config}" --bindir)")
    share=$("${PG_CONFIG:-pg_config}" --sharedir)
    prefix=${server%/lib/*}
    # Programs find the rest of the server beside themselves: a copy of both trees is enough.
    mkdir -p "$work$(dirname "${server#"$prefix"}")" "$work$(dirname "${share#"$prefix"}")"
    cp -a "$server" "$work${server#"$prefix"}"
    cp -a "$share" "$work${share#"$prefix"}"
    ln -s "$(readlink -f "$prefix/include")" "$work/include"
    PG_CONFIG=$work${server#"$prefix"}/bin/pg_config
    export PG_CONFIG
    mkdir "$work/src"
    for part in Makefile nmsp.control META.json extension workers sql; do
        cp -a "$top/$part" "$work/src/"
    done
    find "$work/src" -name '*.o' -delete
    # Not the optimiser's view of the code, but the lines it was written in.
    # No -Werror: with a sanitizer's checks between them, gcc sees null pointers that cannot be.
    make -s -C "$work/src" -j"$(nproc)" PROFILE="$1"
    make -s -C "$work/src" install PROFILE="$1" >/dev/null
}
