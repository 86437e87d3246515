#!/usr/bin/python3
"""Makes SQL of the template library: sql/templates.py FILE ... > template_library.sql

Each file is one template, named as the file is. It begins with a comment of this form, which stays
in its text:

    /* device: cm
       parent: cm-access
       What it is for. */
"""

import os
import re
import sys

HEAD = re.compile(r"/\* device: (cm|mta)\n(?:\s*parent: (\S+)\n)?\s*(.*?) \*/\n", re.DOTALL)


def literal(text):
    """SQL literal."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def read(path):
    """(name, device, parent, description, source) of a file."""
    with open(path) as file:
        source = file.read()
    head = HEAD.match(source)
    if not head:
        sys.exit(f"{path}: no head")
    name = os.path.splitext(os.path.basename(path))[0]
    return (name, head[1], head[2], re.sub(r"\s+", " ", head[3]), source)


def main(paths):
    rows = [read(path) for path in sorted(paths)]
    known = {row[0] for row in rows}
    for row in rows:
        if row[2] and row[2] not in known:
            sys.exit(f"{row[0]}: no template {row[2]}")
    values = ",\n    ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)
    print("CREATE FUNCTION nmsp.template_library(OUT name text, OUT device text, OUT parent text, "
          "OUT description text, OUT source text)\nRETURNS SETOF record "
          f"LANGUAGE sql IMMUTABLE PARALLEL SAFE\nBEGIN ATOMIC\n    VALUES {values};\nEND;\n"
          "COMMENT ON FUNCTION nmsp.template_library() IS\n'The templates that come with this "
          "version: common modems, MTAs of several vendors. nmsp.load_templates puts them into "
          "nmsp.template.';")


main(sys.argv[1:])
