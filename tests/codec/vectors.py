#!/usr/bin/env python3
"""Conformance vectors of the codec; TAP, one line per case.

usage: vectors.py PATH_OF_CODEC_CLI

vectors/cases-symbols.tsv: one configuration per TLV symbol. vectors/cases-behaviour.tsv:
grammar, limits, SNMP, padding, errors. better.tsv names the cases where the reference
has a defect that is not reproduced, with the reason and, where the codec accepts what the
reference refuses, the bytes before sealing; every other difference fails.
The MICs are computed here with hashlib, independently of the codec.
"""
import hashlib
import hmac
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = b'DOCSIS'
CMTS_ORDER = [1, 2, 3, 4, 17, 43, 6, 18, 19, 20, 22, 23, 24, 25, 28, 29, 26, 35, 36, 37, 40]
TOO_LONG = 5


class Codec:
    """codec_cli in batch mode."""

    def __init__(self, path):
        self.process = subprocess.Popen([path, 'batch'], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def call(self, operation, data):
        self.process.stdin.write(operation.encode() + b' ' + data.hex().encode() + b'\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode().rstrip('\n')
        if line.startswith('ok'):
            return bytes.fromhex(line[3:]), None
        if not line.startswith('err'):
            raise SystemExit('Bail out! codec_cli ended at %s %s' % (operation, data[:200]))
        fields = line.split(' ')
        return None, {'code': int(fields[1]), 'line': int(fields[2]), 'column': int(fields[3]),
                      'message': bytes.fromhex(fields[5]).decode(),
                      'detail': bytes.fromhex(fields[6]).decode(),
                      'hint': bytes.fromhex(fields[7]).decode()}

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, problem, name):
        """problem: None or what is wrong."""
        self.count += 1
        if problem:
            self.failed += 1
            print('not ok %d - %s' % (self.count, name))
            for line in problem.split('\n'):
                print('# ' + line[:600])
        else:
            print('ok %d - %s' % (self.count, name))

    def skip(self, name, why):
        self.count += 1
        print('ok %d - %s # SKIP %s' % (self.count, name, why))

    def done(self):
        print('1..%d' % self.count)
        return 1 if self.failed else 0


def top_level(config):
    """(code, bytes of the whole TLV) of a CM config, up to 255."""
    position = 0
    while position < len(config) and config[position] != 255:
        if config[position] == 0:
            position += 1
            continue
        end = position + 2 + config[position + 1]
        yield config[position], config[position:end]
        position = end


def seal(settings, key=KEY):
    """The sealed file of these settings, by the rules, without the codec."""
    body = settings + b'\x06\x10' + hashlib.md5(settings).digest()
    tlvs = list(top_level(body))
    covered = b''.join(tlv for code in CMTS_ORDER for c, tlv in tlvs if c == code)
    sealed = body + b'\x07\x10' + hmac.new(key, covered, 'md5').digest() + b'\xff'
    return sealed + bytes(-len(sealed) % 4)


def read_tsv(name):
    with open(os.path.join(HERE, name), 'rb') as handle:
        lines = handle.read().split(b'\n')
    return [line.split(b'\t') for line in lines[1:] if line]


def unescape(data):
    r"""\n \t \r \\ \" and \xHH of the vector files."""
    def one(match):
        text = match.group(1)
        if text[:1] == b'x':
            return bytes([int(text[1:], 16)])
        return {b'n': b'\n', b't': b'\t', b'r': b'\r'}.get(text, text)
    return re.sub(rb'\\(x[0-9a-fA-F]{2}|.)', one, data, flags=re.S)


def fold(text):
    return b' '.join(text.split())


def folded_body(text):
    """Decoded text without Main, NetworkAccess, MICs, end mark and padding."""
    text = re.sub(rb'/\* (CmMic|CmtsMic) [0-9a-f]*; \*/|/\*EndOfDataMkr\*/|/\* Pad \*/', b'', text)
    text = fold(text)
    text = re.sub(rb'^Main \{ ', b'', text)
    text = re.sub(rb' ?\}$', b'', text)
    return fold(re.sub(rb'^NetworkAccess 1;', b'', text))


def round_trips(codec, config):
    """None, or which form loses something."""
    for write, read in (('decode', 'encode'), ('tojson', 'fromjson'), ('decode,numeric', 'encode')):
        text, error = codec.call(write, config)
        if error:
            return '%s: %s' % (write, error['message'])
        back, error = codec.call(read, text)
        if error:
            return '%s: %s\n%s\n%r' % (read, error['message'], error['detail'], text)
        if back != config:
            return '%s: %r\n%s\n%s' % (write, text, config.hex(), back.hex())
    return None


def symbol_case(codec, case, better):
    _, _, _, text, tlv_hex, file_hex, decoded = case
    tlv = bytes.fromhex(tlv_hex.decode())
    config, error = codec.call('encode', text)
    if error:
        return 'refused: %s\n%s' % (error['message'], error['detail'])
    if config != b'\x03\x01\x01' + tlv:
        return 'bytes %s\nexpected 030101%s' % (config.hex(), tlv_hex.decode())
    sealed, error = codec.call('seal,DOCSIS', config)
    if error:
        return error['message']
    # Independent of the reference, whose CMTS MIC is wrong where TLV 64 occurs.
    if sealed != seal(config):
        return 'sealed %s\nexpected %s' % (sealed.hex(), seal(config).hex())
    if re.fullmatch(rb'[0-9a-f]+', file_hex) and sealed.hex().encode() != file_hex \
            and config[3] != 64:
        return 'file %s\nexpected %s' % (sealed.hex(), file_hex.decode())
    shown, error = codec.call('decode,docsis', sealed)
    if error:
        return error['message']
    if folded_body(shown) != fold(decoded) and not better:
        return 'text %r\nexpected %r' % (folded_body(shown), decoded)
    return round_trips(codec, sealed)


def behaviour_case(codec, case, better):
    label, mode, mibs, text, status, output, stderr, decoded = (case + [b''] * 8)[:8]
    words = mode.split()
    config, error = codec.call('encode', unescape(text))
    if better and better != b'refused':
        return None if config is not None and config.hex().encode() == better else \
            'bytes %s\nexpected %s\n%r' % ((config or b'').hex(), better.decode(), error)
    if status != b'0' or output.startswith(b'NONDETERMINISTIC') or better:
        if not error:
            return 'accepted: %s' % config.hex()
        if error['line'] < 1 or error['column'] < 1 or not error['message']:
            return 'no location: %r' % error
        return None
    long = error is not None and error['code'] == TOO_LONG and b'SnmpMibObject' in text
    if long:
        if not error['hint']:
            return 'no hint: %r' % error
        config, error = codec.call('encode,long', unescape(text))
    if error:
        return 'refused: %s\n%s' % (error['message'], error['detail'])
    if b'-na' in words or b'-eu' in words:
        config, error = codec.call('hash,%s' % ('na' if b'-na' in words else 'eu'), config)
    elif b'-p' not in words:
        config, error = codec.call('seal,DOCSIS' + (',long' if long else ''), config)
    if error:
        return error['message']
    if config.hex().encode() != output:
        return 'bytes %s\nexpected %s' % (config.hex(), output.decode())
    if long:
        return None     # such a file does not decode: TLV 64 means something else
    shown, error = codec.call('decode,docsis' + (',iso' if mibs == b'none' else ''), config)
    if error:
        return error['message']
    # The reference reads generic TLVs of group codes beyond their end.
    if shown != unescape(decoded) and b'GenericTLV' not in text:
        return 'text %r\nexpected %r' % (shown, unescape(decoded))
    return round_trips(codec, config)


def read_file(folder, name):
    with open(os.path.join(folder, name), 'rb') as handle:
        return handle.read()


def render_mta(template):
    for i in range(10):
        for key, value in (('phonenumber.prefix_number', '0372'),
                           ('phonenumber.number', '5550%d1' % i),
                           ('phonenumber.username', 'user%d' % i),
                           ('phonenumber.password', 'secret%d' % i)):
            template = template.replace(b'{%s.%d}' % (key.encode(), i), value.encode())
    return b'Main\n{\n' + template + b'\n}\n'


def outside_files(codec, tap):
    folder = os.environ.get('NMSP_VECTORS') or os.path.join(HERE, '../../../shared/vectors')
    names = ['golden file verifies', 'golden file round-trips', 'rendered CM template',
             'MTA template without hash', 'MTA template, na hash', 'MTA template, eu hash']
    if not os.path.exists(os.path.join(folder, 'DOCSIS-GOLDEN.bin')):
        for name in names:
            tap.skip(name, 'NMSP_VECTORS does not name the folder of the vectors')
        return
    golden = read_file(folder, 'DOCSIS-GOLDEN.bin')
    states, error = codec_verify(codec, golden)
    tap.ok(None if states == b'ok ok' else '%r %r' % (states, error), names[0])
    tap.ok(round_trips(codec, golden), names[1])
    templates = os.path.join(folder, 'templates')
    config, error = codec.call('encode', read_file(templates, 'base-cm.rendered.txt'))
    sealed = codec.call('seal,DOCSIS', config)[0] if config else None
    expected = read_file(templates, 'base-cm.rendered.cfg')
    tap.ok(None if sealed == expected else '%r' % error, names[2])
    text = render_mta(read_file(templates, 'seed-fritzbox-mta.template.txt'))
    config, error = codec.call('encode', text)
    for name, kind in ((names[3], 'nohash'), (names[4], 'na'), (names[5], 'eu')):
        expected = read_file(templates, 'fritzbox-mta.%s.cfg' % kind)
        made = config
        if config is not None and kind != 'nohash':
            made, error = codec.call('hash,' + kind, config)
        problem = None if made == expected else '%r\n%s' % (error, (made or b'').hex())
        tap.ok(problem or round_trips(codec, made), name)


def codec_verify(codec, config):
    """Verify with a key of one blank, which a batch line cannot carry."""
    path = codec.process.args[0]
    result = subprocess.run([path, 'verify', ' '], input=config, capture_output=True)
    return result.stdout, result.stderr


def main():
    codec, tap = Codec(sys.argv[1]), Tap()
    better = {row[0]: row[2] if len(row) > 2 else b'refused' for row in read_tsv('better.tsv')}
    unused = set(better)
    for case in read_tsv('vectors/cases-symbols.tsv'):
        label = b'symbol %s %s' % (case[0], case[1])
        unused.discard(label)
        tap.ok(symbol_case(codec, case, better.get(label)), label.decode())
    for case in read_tsv('vectors/cases-behaviour.tsv'):
        label = b'behaviour ' + case[0]
        unused.discard(label)
        tap.ok(behaviour_case(codec, case, better.get(label)), label.decode('latin-1'))
    tap.ok('not used: %r' % sorted(unused) if unused else None, 'better.tsv names cases')
    outside_files(codec, tap)
    tap.ok(None if codec.close() == 0 else 'exit status', 'codec_cli ends cleanly')
    return tap.done()


if __name__ == '__main__':
    sys.exit(main())
