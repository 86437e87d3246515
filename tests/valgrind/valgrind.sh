#!/bin/sh
# pgTAP with the whole server under valgrind's memcheck; any error that server.supp does not explain
# fails. VALGRIND_FILES: these files of tests/sql only.
#
# palloc hides overruns of its own chunks from memcheck (only a server built for valgrind tells it);
# the fuzzers and make asan look for those where the code is the same.
. "$(dirname "$0")/private.sh"

make_private "-g -O1"
mkdir -m 777 "$work/log"
bin=$(dirname "$PG_CONFIG")
mv "$bin/postgres" "$bin/postgres.real"
# No JIT: loading LLVM makes ld.so read beyond words, and its code has no names.
# initdb's steps and questions of pg_ctl go to the program itself: they run none of our code.
cat >"$bin/postgres" <<WRAPPER
#!/bin/sh
case "\$1" in
    --*|-V) exec "$bin/postgres.real" "\$@" ;;
esac
exec valgrind --quiet --error-limit=no --num-callers=30 --gen-suppressions=all --track-origins=no \\
    --suppressions="$top/tests/valgrind/server.supp" --log-file="$work/log/%p" \\
    "$bin/postgres.real" "\$@" -c jit=off
WRAPPER
chmod 755 "$bin/postgres"
status=0
python3 "$top/tests/run_sql.py" ${VALGRIND_FILES:-} >"$work/tap" || status=$?
grep -v '^ok ' "$work/tap" | tail -40
cat "$work/log"/* >"$work/errors"
if [ -s "$work/errors" ]; then
    head -120 "$work/errors"
    echo "valgrind: $(grep -c '^ *<insert_a_suppression_name_here>' "$work/errors") errors" >&2
    cp "$work/errors" "${VALGRIND_LOG:-/dev/null}"
    exit 1
fi
[ $status -eq 0 ] || { echo "valgrind: no error, but pgTAP failed" >&2; exit 1; }
echo "valgrind: $(grep -c '^ok ' "$work/tap") tests of pgTAP passed without an error of memcheck"
