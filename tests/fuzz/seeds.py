#!/usr/bin/env python3
"""Starting corpora and dictionaries of the fuzzers, from the codec's vectors and symbols.

usage: seeds.py BUILD_DIR CODEC_CLI

BUILD_DIR/corpus_TARGET gets the seeds, BUILD_DIR/TARGET.dict the words. Seeds that the vectors lack
stand in seeds/TARGET, one per line, with the escapes of Python.
"""
import codecs
import hashlib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
VECTORS = os.path.join(HERE, "..", "codec", "vectors")
SYMBOLS = os.path.join(HERE, "..", "..", "extension", "symbols")
TYPES = ["Integer", "Integer32", "Counter32", "Gauge32", "Unsigned32", "Timeticks", "IPAddress",
         "String", "HexString", "ObjectID", "Counter64", "DecimalString"]
MARKS = ["Main {", "};", "/*", "*/", 'E"', "\\x", "0x", "::", ".0", ".1.3.6.1.", "TlvCode ",
         "TlvLength ", "TlvValue ", "CmMic ", "CmtsMic ", "EndOfDataMkr;", "Pad "]
JSON_MARKS = ['{"t":"', '"n":"', '"v":', '"v":[', '"hex":"', '"oid":"', '"type":"', '"value":',
              '"name":"', "\\u00", "\\ud83d\\ude00"]
TEMPLATE_MARKS = ["{a.0}", "{b.0}", "{c.0}", "{d.0}", "{none.0}", "{a.0,?,b}", ",*,", ",/,",
                  "{abc,1,-1}", "MaxCPE {a.0};", "#if a.0 set", "#if b.0 unset", "#if c.0 = 10.0.0.1", "#if d.0 < 2",
                  "#if a.0 <> ", "#else", "#endif", "#override MaxCPE"]


def rows(path):
    """Lines of a .tsv without its head, as lists of bytes."""
    with open(path, "rb") as handle:
        return [line.split(b"\t") for line in handle.read().split(b"\n")[1:] if line]


def unescape(data):
    """Python's escapes; what they make above 0x7f are bytes."""
    return codecs.escape_decode(data)[0]


class Cli:
    """codec_cli batch: one operation per line."""

    def __init__(self, path):
        self.process = subprocess.Popen([path, "batch"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def call(self, operation, data):
        """The result, or None when it was refused."""
        self.process.stdin.write(b"%s %s\n" % (operation, data.hex().encode()))
        self.process.stdin.flush()
        words = self.process.stdout.readline().rstrip(b"\n").split(b" ")
        return bytes.fromhex(words[1].decode()) if words[0] == b"ok" else None

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Corpus:
    """Folders of seeds, named by their contents as libFuzzer does."""

    def __init__(self, build):
        self.build = build

    def put(self, target, data):
        folder = os.path.join(self.build, "corpus_" + target)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, hashlib.sha1(data).hexdigest()), "wb") as handle:
            handle.write(data)


def body(text):
    """What stands between the braces of Main."""
    start, end = text.find(b"{"), text.rfind(b"}")
    return text[start + 1:end] if 0 <= start < end else text


def add_vectors(corpus, cli):
    """Every fifth symbol, all behaviours: as text, as bytes, as JSON, as a template."""
    texts = [row[3] for row in rows(os.path.join(VECTORS, "cases-symbols.tsv"))[::5]]
    texts += [unescape(row[3]) for row in rows(os.path.join(VECTORS, "cases-behaviour.tsv"))]
    for number, text in enumerate(texts):
        if len(text) > 2000:
            continue
        corpus.put("text", text)
        if number % 8 == 0:
            corpus.put("template", b"1\nabc\n10.0.0.1\n\n#if a.0 = 1\n" + body(text)
                       + b"\n#else\nMaxCPE {a.0};\n#if d.0 set\nPad;\n#endif\n#endif\n" + body(text))
        corpus.put("template", b"1\nabc\n10.0.0.1\n\n" + body(text).replace(b" 1;", b" {a.0};"))
        config = cli.call(b"encode", text)
        if config is None:
            continue
        for data in (config, cli.call(b"seal,s3cret", config)):
            if data is not None and len(data) < 4096:
                corpus.put("decoder", data)
                corpus.put("lint", data)
        data = cli.call(b"tojson", config)
        if data is not None:
            corpus.put("json", data)


def add_own(corpus):
    """seeds/TARGET: a line each, or a folder with a file each."""
    folder = os.path.join(HERE, "seeds")
    for target in sorted(os.listdir(folder)):
        if os.path.isdir(os.path.join(folder, target)):
            for name in sorted(os.listdir(os.path.join(folder, target))):
                with open(os.path.join(folder, target, name), "rb") as handle:
                    corpus.put(target, handle.read())
            continue
        with open(os.path.join(folder, target), "rb") as handle:
            for line in handle.read().split(b"\n"):
                if line and not line.startswith(b"#"):
                    is_hex = target == "decoder"
                    data = bytes.fromhex(line.decode()) if is_hex else unescape(line)
                    corpus.put(target, data)
                    if is_hex:
                        corpus.put("lint", data)


def write_dictionary(build, target, words):
    with open(os.path.join(build, target + ".dict"), "w") as handle:
        for word in sorted(set(words)):
            handle.write('"%s"\n' % "".join("\\x%02x" % byte for byte in word.encode()))


def add_dictionaries(build):
    """Names of the language, some of the MIB's, and marks."""
    names = [row[1].decode() for row in rows(os.path.join(SYMBOLS, "tlv.tsv"))]
    labels = [row[0].decode() for row in rows(os.path.join(SYMBOLS, "mib.tsv"))[::37]]
    quoted = ['"%s"' % name for name in names]
    write_dictionary(build, "text", names + labels + TYPES + MARKS)
    write_dictionary(build, "json", quoted + labels + TYPES + JSON_MARKS)
    write_dictionary(build, "template", names[::9] + TYPES + MARKS + TEMPLATE_MARKS)


def main():
    build, cli = sys.argv[1], Cli(sys.argv[2])
    corpus = Corpus(build)
    add_vectors(corpus, cli)
    add_own(corpus)
    add_dictionaries(build)
    cli.close()


if __name__ == "__main__":
    main()
