"""Puts the test libraries on the module path; import it first."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "lib"), os.path.join(TESTS, "modem")]
