#!/bin/sh
# pgTAP with the library built with -fsanitize=undefined: any runtime error fails. (The address
# sanitizer cannot be loaded into the server; make valgrind and make asan stand in for it.)
. "$(dirname "$0")/private.sh"

make_private "-g -O1 -fsanitize=undefined"
mkdir -m 777 "$work/log"
status=0
export UBSAN_OPTIONS="print_stacktrace=1:log_path=$work/log/ubsan"
python3 "$top/tests/run_sql.py" >"$work/tap" || status=$?
grep -v '^ok ' "$work/tap" | tail -40
if [ -n "$(ls "$work/log")" ]; then
    cat "$work/log"/* | grep -A12 'runtime error' | head -200
    echo "ubsan: $(cat "$work/log"/* | grep -c 'runtime error') runtime errors" >&2
    exit 1
fi
[ $status -eq 0 ] || { echo "ubsan: no runtime error, but pgTAP failed" >&2; exit 1; }
echo "ubsan: pgTAP passed without a runtime error"
