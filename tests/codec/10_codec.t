#!/bin/sh
# The codec's tests as one stream of TAP; see Makefile.
cd "$(dirname "$0")" && make -s programs >&2 && exec python3 run.py build
