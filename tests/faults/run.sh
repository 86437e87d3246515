#!/bin/sh
# All fault stories, then one table and one line over all of them.
set -eu
cd "$(dirname "$0")/../.."
NMSP_FAULT_RESULTS=$(mktemp)
export NMSP_FAULT_RESULTS
trap 'rm -f "$NMSP_FAULT_RESULTS"' EXIT
status=0
prove --timer --failures --verbose tests/faults/*.t || status=$?
python3 tests/faults/summary.py "$NMSP_FAULT_RESULTS" || status=1
exit $status
