#!/usr/bin/env python3
"""Starting corpora of the fuzzers, from the codec's vectors.

usage: seeds.py BUILD_DIR
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
VECTORS = os.path.join(HERE, '..', 'codec', 'vectors', 'cases-symbols.tsv')


def put(folder, name, data):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'wb') as handle:
        handle.write(data)


def main():
    build = sys.argv[1]
    with open(VECTORS, 'rb') as handle:
        rows = [line.split(b'\t') for line in handle.read().split(b'\n')[1:] if line]
    for number, row in enumerate(rows[::7]):
        name = 'seed-%d' % number
        put(os.path.join(build, 'corpus_text'), name, row[3])
        put(os.path.join(build, 'corpus_config'), name, bytes.fromhex(row[4].decode()))
        put(os.path.join(build, 'corpus_json'), name,
            b'[{"t":"%s","hex":"%s"},{"t":"11","v":{"oid":"1.3.6.1.2.1.1.4.0","type":"String",'
            b'"value":"x"}}]' % (row[0].split(b'.')[0], row[4][4:]))


if __name__ == '__main__':
    main()
