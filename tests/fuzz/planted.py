#!/usr/bin/env python3
"""Does the fuzzer find bugs? In a copy of the sources one check is taken out at a time; the target
must fail within a minute, from the seeds alone.

usage: planted.py BUILD_DIR

Exit status: 0 = each was found.
"""
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
EXTENSION = os.path.join(HERE, "..", "..", "extension")
SECONDS = 60

# target, file, what stands there (once), what is put in its place
BUGS = [
    ("decoder", "docsis/reader.c",
     "return *value_length <= end - position - *header;", "return true;",
     "a member of a group may be longer than the group"),
    ("text", "docsis/lexer.c",
     "if (full && lexer->end - p >= 4 && p[1] == 'x' &&", "if (full && p[1] == 'x' &&",
     "\\x at the end of the input"),
    ("json", "docsis/json_read.c", "if (r->end - p < 6)\n        return false;", "",
     "\\u at the end of the input"),
    ("template", "template/template.c",
     "    if (count > length - start)\n        count = length - start;\n", "",
     "a substring may be longer than its text"),
]


def plant(tree, bug):
    """The sources with the bug."""
    target, file, old, new, _ = bug
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(EXTENSION, os.path.join(tree, "extension"),
                    ignore=shutil.ignore_patterns("*.o", "pg"))
    path = os.path.join(tree, "extension", file)
    with open(path) as handle:
        text = handle.read()
    if text.count(old) != 1:
        sys.exit("%s: what is to go stands there %d times: %s" % (file, text.count(old), old))
    with open(path, "w") as handle:
        handle.write(text.replace(old, new))


def fuzz(fresh, target):
    """(finding or None, its reason) of a run from the seeds."""
    argv = [os.path.join(fresh, "fuzz_" + target), "-max_total_time=%d" % SECONDS,
            "-close_fd_mask=1", "-rss_limit_mb=2048", "-artifact_prefix=" + fresh + "/"]
    done = subprocess.run([*argv, os.path.join(fresh, "corpus_" + target)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="backslashreplace")
    reason = re.search(r"BROKEN PROMISE.*|SUMMARY: (?!libFuzzer).*|runtime error.*", done.stdout)
    return done.returncode != 0, reason[0][:120] if reason else ""


def main():
    build = os.path.abspath(sys.argv[1])
    good = True
    for bug in BUGS:
        target = bug[0]
        tree = os.path.join(build, "planted", target)
        fresh = os.path.join(tree, "build")
        plant(tree, bug)
        subprocess.run(["make", "-s", "-C", HERE, "TOP=" + tree, "BUILD=" + fresh,
                        os.path.join(fresh, "fuzz_" + target)], check=True)
        subprocess.run([sys.executable, os.path.join(HERE, "seeds.py"), fresh,
                        os.path.join(build, "codec", "codec_cli")], check=True)
        start = time.monotonic()
        found, reason = fuzz(fresh, target)
        good &= found
        print("planted %-9s %-20s (%s): %s after %.0f s: %s" % (
            target, bug[1], bug[4], "found" if found else "NOT FOUND",
            time.monotonic() - start, reason), flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
