#!/usr/bin/python3
"""prove's door to tests/run_sql.py: all pgTAP files."""

import os
import sys

os.execv(sys.executable, [sys.executable, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "run_sql.py"), *sys.argv[1:]])
