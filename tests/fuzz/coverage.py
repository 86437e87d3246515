#!/usr/bin/env python3
"""Line coverage of the readers, from the fuzzers' corpora and the codec's own tests.

usage: coverage.py BUILD_DIR

Prints a table per file, and per reader; writes the lines that were not reached to
BUILD_DIR/coverage/missed.txt. Exit status: 0 = every reader has 90 % of its lines.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CODEC = os.path.join(HERE, "..", "codec")
TARGETS = ["decoder", "text", "json", "template", "lint"]
READERS = {
    "decoder": ["reader.c", "text.c", "value_text.c", "oid_text.c", "json_write.c"],
    "seal": ["mic.c", "mic_extended.c", "mta.c", "download.c", "cvc.c"],
    "text": ["lexer.c", "parser.c", "value.c", "varbind.c", "oid.c", "snmp.c"],
    "json": ["json_read.c"],
    "template": ["split.c", "template.c", "words.c"],
    "lint": ["lint.c", "lint_value.c", "lint_group.c", "lint_snmp.c", "lint_mta.c"],
}
GOAL = 90.0


def tool(name):
    """Of the same version as clang."""
    argv = [os.environ.get("CLANG", "clang"), "-print-prog-name=" + name]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip() or name


def profile(folder, name, argv):
    """Runs a program for its profile."""
    path = os.path.join(folder, name + ".profraw")
    done = subprocess.run(argv, env={**os.environ, "LLVM_PROFILE_FILE": path},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="backslashreplace")
    if done.returncode != 0:
        sys.exit("%s\n%s" % (" ".join(argv), done.stdout[-2000:]))
    return path


def run_all(build, folder):
    """Profiles of everything."""
    codec = os.path.join(folder, "codec")
    paths = [profile(folder, "unit", [os.path.join(codec, "unit")]),
             profile(folder, "properties", [os.path.join(codec, "properties"), "1", "2000"]),
             profile(folder, "vectors", [sys.executable, os.path.join(CODEC, "vectors.py"),
                                         os.path.join(codec, "codec_cli")])]
    for target in TARGETS:
        argv = [os.path.join(folder, "fuzz_" + target), "-runs=0", "-close_fd_mask=1"]
        paths.append(profile(folder, target, [*argv, os.path.join(build, "corpus_" + target)]))
    return paths


def main():
    build = os.path.abspath(sys.argv[1])
    folder = os.path.join(build, "coverage")
    merged = os.path.join(folder, "all.profdata")
    subprocess.run([tool("llvm-profdata"), "merge", "-sparse", "-o", merged,
                    *run_all(build, folder)], check=True)
    binaries = [os.path.join(folder, "codec", name) for name in ("unit", "properties", "codec_cli")]
    binaries += [os.path.join(folder, "fuzz_" + target) for target in TARGETS]
    objects = ["-instr-profile=" + merged, binaries[0]]
    objects += [word for binary in binaries[1:] for word in ("-object", binary)]

    def cov(command):
        return subprocess.run([tool("llvm-cov"), command, *objects], capture_output=True, text=True,
                              check=True).stdout

    lines = {}
    for data in json.loads(cov("export"))["data"][0]["files"]:
        if "/extension/" in data["filename"] and data["filename"].endswith(".c"):
            summary = data["summary"]["lines"]
            lines[os.path.basename(data["filename"])] = (summary["count"], summary["covered"])
    good = True
    row = "%-9s %-14s %7d %7d %7.1f"
    print("%-9s %-14s %7s %7s %7s" % ("reader", "file", "lines", "reached", "%"))
    for reader, files in READERS.items():
        found = [(name, *lines[name]) for name in files if name in lines]
        for name, count, covered in found:
            print(row % (reader, name, count, covered, 100.0 * covered / count))
        if found:
            count, covered = sum(f[1] for f in found), sum(f[2] for f in found)
            good &= 100.0 * covered / count >= GOAL
            print(row % (reader, "all", count, covered, 100.0 * covered / count))
    with open(os.path.join(folder, "missed.txt"), "w") as handle:
        name = ""
        for line in cov("show").splitlines():
            cells = line.split("|", 2)
            if line.startswith("/"):
                name = os.path.basename(line.rstrip(":"))
            elif len(cells) == 3 and cells[1].strip() == "0":
                handle.write("%s:%s:%s\n" % (name, cells[0].strip(), cells[2]))
    print("lines not reached: %s" % os.path.join(folder, "missed.txt"))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
