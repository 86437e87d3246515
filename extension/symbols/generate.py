#!/usr/bin/env python3
"""Makes the C tables of the codec from tlv.tsv and mib.tsv.

usage: generate.py SOURCE_DIR BUILD_DIR

Writes BUILD_DIR/symbols_generated.c (shapes: extension/docsis/symbol.h).
Standard library only. A new TLV or MIB object is a new row, nothing else.

tlv.tsv: path (codes joined by dots), name, type (a docsis_type in lower case),
minimum and maximum (of the number, or of the length), length_bytes (1 or 2),
tool_name (the docsis tool's name, where ours differs; - = the tool does not know
the TLV at this place), reference,
compat_max (the docsis tool's maximum, where a later specification raised it),
unit (of the number).
mib.tsv: label (empty = nameless node), oid, module, type, access, ranges
(lo..hi,lo..hi), enums (label=value,...), indexes (labels), implied (1 = last
index has no length).
mib_module.tsv: module, reference (the document that defines it).
"""
import os
import sys

# Limits of these types are in the dictionary, but the docsis tool never
# enforces them; texts that it accepts must stay valid.
UNCHECKED = {'u24', 'u8_list', 'oid'}
MIB_TYPES = ['', 'BITS', 'COUNTER', 'COUNTER64', 'GAUGE', 'INTEGER', 'INTEGER32', 'IPADDR',
             'NOTIF', 'OBJECTID', 'OCTETSTR', 'TICKS', 'UNSIGNED32']
MIB_ACCESS = ['', 'NoAccess', 'Notify', 'ReadOnly', 'ReadWrite', 'Create']
EXCENTIS = (1, 3, 6, 1, 4, 1, 7432)


def fail(message):
    sys.exit('generate.py: ' + message)


def read_rows(path, columns):
    """Rows of a TSV with a header line, as dictionaries."""
    with open(path, encoding='utf-8') as handle:
        lines = handle.read().split('\n')
    header = lines[0].split('\t')
    missing = [c for c in columns if c not in header]
    if missing:
        fail('%s: no column %s' % (path, missing[0]))
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = line.split('\t')
        cells += [''] * (len(header) - len(cells))
        row = dict(zip(header, cells))
        row['line'] = '%s:%d' % (path, number)
        rows.append(row)
    return rows


def c_string(text):
    """A C string literal, or NULL for None."""
    if text is None:
        return 'NULL'
    out = []
    for byte in text.encode('utf-8'):
        char = chr(byte)
        if char in '"\\':
            out.append('\\' + char)
        elif 32 <= byte < 127:
            out.append(char)
        else:
            out.append('\\%03o' % byte)
    return '"' + ''.join(out) + '"'


def fnv1a(text):
    value = 2166136261
    for byte in text.encode('utf-8'):
        value = ((value ^ byte) * 16777619) & 0xffffffff
    return value


def hash_table(entries):
    """Open addressing table of (name, index), at most one third full."""
    size = 4
    while size < 3 * len(entries):
        size *= 2
    table = [-1] * size
    for name, index in entries:
        slot = fnv1a(name) & (size - 1)
        while table[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        table[slot] = index
    return table


def emit_ints(out, declaration, values):
    out.append('%s = {' % declaration)
    values = values or [-1]
    for start in range(0, len(values), 16):
        out.append('    ' + ', '.join(str(v) for v in values[start:start + 16]) + ',')
    out.append('};\n')


def chain(names):
    """For each index: first index of the same name, next index of the same name."""
    first, following, last = [], [-1] * len(names), {}
    start = {}
    for index, name in enumerate(names):
        if name in last:
            following[last[name]] = index
        else:
            start[name] = index
        last[name] = index
        first.append(start[name])
    return first, following


def load_symbols(source):
    rows = read_rows(os.path.join(source, 'tlv.tsv'),
                     ['path', 'name', 'type', 'minimum', 'maximum', 'length_bytes',
                      'tool_name', 'reference', 'compat_max', 'unit'])
    by_path = {}
    for index, row in enumerate(rows):
        row['code'] = int(row['path'].split('.')[-1])
        if not 0 <= row['code'] <= 255:
            fail('%s: code out of range' % row['line'])
        if not row['name'].isalnum():
            fail('%s: bad name %r' % (row['line'], row['name']))
        # The typed form stands for a code; statements such as file forms do not.
        if row['type'] not in ('file', 'generic') and row['path'] not in by_path:
            by_path[row['path']] = index
    for row in rows:
        if '.' in row['path']:
            parent = row['path'].rsplit('.', 1)[0]
            if parent not in by_path:
                fail('%s: no parent %s' % (row['line'], parent))
            row['parent'] = by_path[parent]
        else:
            row['parent'] = -1
    return rows, by_path


def emit_symbols(out, rows, by_path):
    first, following = chain([row['name'] for row in rows])
    children = {}
    for path, index in by_path.items():
        children.setdefault(rows[index]['parent'], {})[rows[index]['code']] = index
    pool = []

    def child_range(parent):
        codes = children.get(parent)
        if not codes:
            return 1, 0, 0
        low, high, base = min(codes), max(codes), len(pool)
        pool.extend(codes.get(code, -1) for code in range(low, high + 1))
        return low, high, base

    def body(row, index):
        low, high, base = child_range(index)
        limited = row['minimum'] != '' and row['maximum'] != ''
        values = [c_string(row['name']), c_string(row['path']),
                  c_string('' if row['tool_name'] == '-' else row['tool_name'] or None), c_string(row['reference']),
                  c_string(row['unit']),
                  '%su' % (row['minimum'] if limited else 0),
                  '%su' % (row['maximum'] if limited else 0),
                  '%su' % ((row['compat_max'] or row['maximum']) if limited else 0),
                  row['parent'], first[index], following[index], row['code'],
                  'DOCSIS_T_' + row['type'].upper(),
                  'true' if limited else 'false',
                  'true' if limited and row['type'] not in UNCHECKED else 'false',
                  'true' if row['name'] == 'VendorIdentifier' else 'false',
                  row['length_bytes'] or 1, low, high, base]
        return '    {%s},' % ', '.join(str(v) for v in values)

    lines = [body(row, index) for index, row in enumerate(rows)]
    low, high, base = child_range(-1)
    out.append('const docsis_symbol docsis_symbols[] = {')
    out.extend(lines)
    out.append('};\n')
    out.append('const int docsis_symbols_count = %d;\n' % len(rows))
    out.append('const docsis_symbol docsis_root = {\n    "", "", NULL, "", "", 0, 0, 0, -1, -1, -1, 0, '
               'DOCSIS_T_GROUP, false, false, false, 1, %d, %d, %d\n};\n' % (low, high, base))
    emit_ints(out, 'const int16_t docsis_child_pool[]', pool)
    table = hash_table([(row['name'], i) for i, row in enumerate(rows) if first[i] == i])
    emit_ints(out, 'const int16_t docsis_name_hash[]', table)
    out.append('const uint32_t docsis_name_hash_mask = %du;\n' % (len(table) - 1))


def load_mib(source):
    """Nodes in breadth-first order, so that children are consecutive."""
    rows = read_rows(os.path.join(source, 'mib.tsv'),
                     ['label', 'oid', 'module', 'type', 'access', 'ranges', 'enums', 'indexes',
                      'implied'])
    references = {row['module']: row['reference'] for row in
                  read_rows(os.path.join(source, 'mib_module.tsv'), ['module', 'reference'])}
    order, by_oid = {}, {}
    for number, row in enumerate(rows):
        oid = tuple(int(arc) for arc in row['oid'].split('.'))
        if oid in by_oid:
            fail('%s: oid occurs twice' % row['line'])
        by_oid[oid] = row
        order[oid] = number
    for oid in list(by_oid):
        for length in range(1, len(oid)):
            if oid[:length] not in by_oid:
                by_oid[oid[:length]] = dict.fromkeys(rows[0], '')
                order[oid[:length]] = len(rows)
    oids = sorted(by_oid, key=lambda oid: (len(oid), oid))
    return oids, by_oid, order, references


def parse_ranges(text):
    """'0..0,4..9000' -> pairs. A high of -1 is 2^32 - 1."""
    pairs = []
    for part in filter(None, text.split(',')):
        low, high = part.split('..')
        low, high = int(low), int(high)
        if high < low:
            high &= 0xffffffff
        pairs.append((low, high))
    return pairs


def parse_enums(text):
    pairs = []
    for part in filter(None, text.split(',')):
        label, value = part.rsplit('=', 1)
        pairs.append((int(value), label))
    return pairs


def family(oid, module):
    """The profile that prefers an object; docsis_mib_family() has the same rule."""
    if oid[:len(EXCENTIS)] == EXCENTIS:
        return 'DOCSIS_PROFILE_EXCENTIS'
    return 'DOCSIS_PROFILE_' + ('IETF' if '-IETF-' in module else 'CABLELABS')


def emit_modules(out, names, references):
    unknown = sorted(set(references) - set(names))
    if unknown:
        fail('mib_module.tsv: no object of module %s' % unknown[0])
    out.append('const docsis_mib_module docsis_mib_modules[] = {')
    out.extend('    {%s, %s},' % (c_string(name), c_string(references.get(name, '')))
               for name in names)
    out.append('};\n')


def emit_mib(out, oids, by_oid, order, references):
    position = {oid: index for index, oid in enumerate(oids)}
    labels = {}
    for oid in sorted(oids, key=order.get):
        if by_oid[oid]['label']:
            labels.setdefault(by_oid[oid]['label'], []).append(position[oid])
    following, ambiguous = {}, set()
    for nodes in labels.values():
        if len(nodes) > 1:
            ambiguous.update(nodes)
        for left, right in zip(nodes, nodes[1:]):
            following[left] = right
    ranges, enums, indexes, lines = [], [], [], []
    modules = sorted({row['module'] for row in by_oid.values()})
    emit_modules(out, modules, references)
    children = {}
    for index, oid in enumerate(oids):
        if len(oid) > 1:
            children.setdefault(oid[:-1], []).append(index)

    def resolve_index(label, module):
        """The node of an index column: of the same module, if it has one."""
        nodes = labels.get(label, [])
        for node in nodes:
            if by_oid[oids[node]]['module'] == module:
                return node
        return nodes[0] if nodes else -1

    for index, oid in enumerate(oids):
        row = by_oid[oid]
        own_ranges = parse_ranges(row['ranges'])
        own_enums = parse_enums(row['enums'])
        own_indexes = [resolve_index(label, row['module'])
                       for label in filter(None, row['indexes'].split(','))]
        kids = children.get(oid, [])
        if row['type'] not in MIB_TYPES:
            fail('%s: unknown type %s' % (row['line'], row['type']))
        values = [c_string(row['label'] or None), '%du' % oid[-1],
                  position[oid[:-1]] if len(oid) > 1 else -1,
                  kids[0] if kids else -1, len(kids), following.get(index, -1),
                  len(ranges), len(own_ranges), len(enums), len(own_enums),
                  len(indexes), len(own_indexes),
                  'DOCSIS_MIB_' + (row['type'] or 'NONE'), len(oid),
                  'true' if row['implied'] == '1' else 'false',
                  family(oid, row['module']),
                  'true' if index in ambiguous else 'false',
                  modules.index(row['module']), MIB_ACCESS.index(row['access'])]
        lines.append('    {%s},' % ', '.join(str(v) for v in values))
        ranges += own_ranges
        enums += own_enums
        indexes += own_indexes
    out.append('const docsis_mib_node docsis_mib_nodes[] = {')
    out.extend(lines)
    out.append('};\n')
    out.append('const int docsis_mib_count = %d;\n' % len(lines))
    out.append('const int16_t docsis_mib_2 = %d;\n' % position[(1, 3, 6, 1, 2, 1)])
    emit_ints(out, 'const int16_t docsis_mib_top[3]', [position.get((arc,), -1)
                                                       for arc in range(3)])
    out.append('const docsis_range docsis_mib_ranges[] = {')
    out.extend('    {%d, %d},' % pair for pair in ranges or [(0, 0)])
    out.append('};\n')
    out.append('const docsis_enum docsis_mib_enums[] = {')
    out.extend('    {%d, %s},' % (value, c_string(label)) for value, label in enums or [(0, '')])
    out.append('};\n')
    emit_ints(out, 'const int16_t docsis_mib_indexes[]', indexes)
    table = hash_table([(label, nodes[0]) for label, nodes in labels.items()])
    emit_ints(out, 'const int16_t docsis_mib_hash[]', table)
    out.append('const uint32_t docsis_mib_hash_mask = %du;' % (len(table) - 1))


def main():
    if len(sys.argv) != 3:
        fail('usage: generate.py SOURCE_DIR BUILD_DIR')
    source, build = sys.argv[1:]
    out = ['/* Made by generate.py from tlv.tsv and mib.tsv. Do not edit. */',
           '#include "symbol.h"\n']
    emit_symbols(out, *load_symbols(source))
    emit_mib(out, *load_mib(source))
    os.makedirs(build, exist_ok=True)
    target = os.path.join(build, 'symbols_generated.c')
    temporary = '%s.%d.tmp' % (target, os.getpid())
    with open(temporary, 'w', encoding='ascii') as handle:
        handle.write('\n'.join(out) + '\n')
    os.replace(temporary, target)


if __name__ == '__main__':
    main()
