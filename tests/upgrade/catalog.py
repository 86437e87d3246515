"""Listings of what the product has put into a database (catalog.sql), to compare databases."""

import difflib
import os

LISTING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "catalog.sql")
LEAST = 500  # a listing that is shorter is a query that failed, not a schema


def listing(db, database):
    """The lines of catalog.sql for one database of a cluster."""
    lines = db.psql_file(LISTING, database).splitlines()
    if len(lines) < LEAST:
        raise RuntimeError(f"{database}: only {len(lines)} lines of catalog")
    return lines


def differences(one, other):
    """What differs between two listings, as lines that begin with - or +."""
    return [line for line in difflib.unified_diff(one, other, n=0, lineterm="")
            if line[:1] in "+-" and line[:3] not in ("+++", "---")]
