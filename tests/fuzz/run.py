#!/usr/bin/env python3
"""Runs fuzz targets, several at a time, and sums up.

usage: run.py BUILD_DIR [TARGET ...]

FUZZ_SECONDS   of each target (default 60)
FUZZ_JOBS      how many run at a time (default: the number of processors)

A failing input is kept as BUILD_DIR/failure-TARGET-..., and printed with the command that
repeats it.
Exit status: 0 = every target ran for its time without a finding.
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

TARGETS = ["decoder", "text", "json", "template", "lint"]


def argv_of(build, target, seconds):
    """libFuzzer's command line: the corpus grows in place."""
    words = [os.path.join(build, "fuzz_" + target), "-max_total_time=%d" % seconds, "-timeout=10",
             "-rss_limit_mb=2048", "-print_final_stats=1", "-close_fd_mask=1",
             "-artifact_prefix=%s/failure-%s-" % (build, target)]
    dictionary = os.path.join(build, target + ".dict")
    if os.path.exists(dictionary):
        words.append("-dict=" + dictionary)
    return words + [os.path.join(build, "corpus_" + target)]


def run(build, target, seconds):
    """(ok, lines to print) of one target."""
    log = os.path.join(build, target + ".log")
    with open(log, "w") as handle:
        status = subprocess.run(argv_of(build, target, seconds), stdin=subprocess.DEVNULL,
                                stdout=handle, stderr=subprocess.STDOUT, check=False).returncode
    with open(log, errors="backslashreplace") as handle:
        text = handle.read()
    runs = re.search(r"stat::number_of_executed_units: (\d+)", text)
    rate = re.search(r"stat::average_exec_per_sec: +(\d+)", text)
    coverage = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
    line = "%-9s executions=%s exec/s=%s edges=%s features=%s corpus=%s %s" % (
        target, runs[1] if runs else "?", rate[1] if rate else "?",
        *(coverage[-1] if coverage else ("?",) * 3), "ok" if status == 0 else "FAILED")
    lines = [line]
    if status != 0:
        told = r"^(?:BROKEN PROMISE.*|.*runtime error.*|SUMMARY.*|==.*ERROR.*)$"
        lines += ["  " + word for word in re.findall(told, text, re.M)]
        for path in re.findall(r"Test unit written to (\S+)", text):
            with open(path, "rb") as handle:
                lines.append("  input: %s" % handle.read(600).hex())
            lines.append("  again: %s %s" % (os.path.join(build, "fuzz_" + target), path))
        lines.append("  log: %s" % log)
    return status == 0, lines


def main():
    build = os.path.abspath(sys.argv[1])
    targets = sys.argv[2:] or TARGETS
    seconds = int(os.environ.get("FUZZ_SECONDS") or 60)
    jobs = int(os.environ.get("FUZZ_JOBS") or os.cpu_count() or 1)
    for old in glob.glob(os.path.join(build, "failure-*")):
        os.rename(old, os.path.join(build, "old-" + os.path.basename(old)))
    good = True
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for ok, lines in pool.map(lambda target: run(build, target, seconds), targets):
            good &= ok
            print("\n".join(lines), flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
