#!/bin/sh
# Joins the SQL files into the extension's install script:
#   sh sql/join.sh "CODE FILES" "SCHEMA FILES" "VIEW FILES" > nmsp--VERSION.sql
# Each migration and each repeatable file becomes the body of a function, which nmsp.migrate() runs
# outside of any extension script: what they make never belongs to the extension.
set -eu

wrap() { # name files...
    name=$1
    shift
    echo "CREATE FUNCTION nmsp.$name() RETURNS void LANGUAGE plpgsql"
    echo "SET search_path TO pg_catalog, pg_temp SET check_function_bodies TO on"
    echo "AS \$$name\$ BEGIN"
    for f in "$@"; do
        echo "-- $f"
        cat "$f"
    done
    echo "END \$$name\$;"
    echo "REVOKE ALL ON FUNCTION nmsp.$name() FROM PUBLIC;"
    echo "COMMENT ON FUNCTION nmsp.$name() IS 'Part of nmsp.migrate(); not to be called directly.';"
}

cat sql/header.sql
for f in $1; do
    echo "-- $f"
    cat "$f"
done
for f in $2; do
    number=$(basename "$f" | cut -d_ -f1)
    wrap "_m$number" "$f"
done
for f in $3; do
    number=$(basename "$f" .sql)
    wrap "_r$number" "$f"
done
