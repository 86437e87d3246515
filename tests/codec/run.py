#!/usr/bin/env python3
"""Runs the codec's test programs and joins their TAP.

usage: run.py BUILD_DIR

Environment: CODEC_SEED and CODEC_ROUNDS of the property tests.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    build = os.path.abspath(sys.argv[1])
    properties = [os.path.join(build, 'properties')]
    seed = os.environ.get('CODEC_SEED') or str(int.from_bytes(os.urandom(4), 'big'))
    properties += [seed, os.environ.get('CODEC_ROUNDS', '5000')]
    programs = [[os.path.join(build, 'unit')], [os.path.join(build, 'seal'), seed],
                [os.path.join(build, 'lint'), *properties[1:]], properties,
                [sys.executable, os.path.join(HERE, 'vectors.py'),
                 os.path.join(build, 'codec_cli')]]
    count = failed = 0
    for program in programs:
        name = os.path.basename(program[-1] if 'python' in program[0] else program[0])
        print('# %s' % ' '.join(os.path.basename(word) for word in program), flush=True)
        process = subprocess.Popen(program, stdout=subprocess.PIPE)
        planned, seen = None, 0
        for raw in process.stdout:
            line = raw.decode('utf-8', 'backslashreplace').rstrip('\n')
            match = re.match(r'(not )?ok \d+ ?(.*)', line)
            plan = re.match(r'1\.\.(\d+)$', line)
            if match:
                count, seen = count + 1, seen + 1
                failed += 1 if match.group(1) else 0
                print('%sok %d %s' % (match.group(1) or '', count, match.group(2)))
            elif plan:
                planned = int(plan.group(1))
            else:
                print(line)
        status = process.wait()
        count += 1
        good = planned == seen and status in (0, 1)
        failed += 0 if good else 1
        print('%sok %d - %s ran to its end: %d of %s, status %d'
              % ('' if good else 'not ', count, name, seen, planned, status), flush=True)
    print('1..%d' % count)
    print('# %d of %d passed' % (count - failed, count))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
