#!/bin/sh
# The codec without PostgreSQL: unit tests, properties, conformance vectors; one TAP stream.
cd "$(dirname "$0")" && exec make -s check
