#!/usr/bin/env python3
"""Turns MIB modules into SQL that puts their objects into nmsp.mib_object.

usage: load_mib.py [-p FOLDER]... MODULE... | psql -X -v ON_ERROR_STOP=1 DATABASE

MODULE is a file, or the name of a module in one of the folders. FOLDER holds MIB files that the
modules import from (SNMPv2-SMI, SNMPv2-TC, ...). The objects of these modules that are in the
table already are replaced, in one transaction. Needs smidump (Debian: smitools); it reads the
files here, never inside the server. Exit status 1 and nothing written when a module has errors.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

BASE_TYPES = {'OctetString': 'OCTET STRING', 'ObjectIdentifier': 'OBJECT IDENTIFIER',
              'Enumeration': 'INTEGER', 'Integer32': 'Integer32', 'Unsigned32': 'Unsigned32',
              'Unsigned64': 'Counter64', 'Bits': 'BITS'}
# Types with a tag of their own; everything else derives from a base type.
SMI_TYPES = {'Counter32': 'Counter32', 'Counter': 'Counter32', 'Counter64': 'Counter64',
             'Gauge32': 'Gauge32', 'Gauge': 'Gauge32', 'Unsigned32': 'Unsigned32',
             'TimeTicks': 'TimeTicks', 'IpAddress': 'IpAddress', 'NetworkAddress': 'IpAddress',
             'Opaque': 'OCTET STRING', 'Integer32': 'Integer32', 'INTEGER': 'INTEGER',
             'OctetString': 'OCTET STRING', 'ObjectIdentifier': 'OBJECT IDENTIFIER'}
ACCESS = {'noaccess': 'not-accessible', 'notifyonly': 'accessible-for-notify',
          'readonly': 'read-only', 'readwrite': 'read-write'}


def fail(message, hint=''):
    sys.exit('load_mib.py: %s%s' % (message, '\n' + hint if hint else ''))


class Modules:
    """Modules as smidump understands them, each read once."""

    def __init__(self, folders):
        self.environment = dict(os.environ)
        if folders:
            path = ':'.join(os.path.abspath(folder) for folder in folders)
            self.environment['SMIPATH'] = path + ':' + os.environ.get('SMIPATH', '')
        self.trees = {}

    def tree(self, module):
        """Root of the XML form of a module."""
        if module not in self.trees:
            self.trees[module] = self.dump(module)
        return self.trees[module]

    def dump(self, module):
        try:
            done = subprocess.run(['smidump', '-k', '-f', 'xml', module], text=True,
                                  capture_output=True, env=self.environment, check=False)
        except FileNotFoundError:
            fail('smidump is not there', 'sudo apt-get install -y smitools')
        if done.returncode != 0 or 'contains errors' in done.stderr or not done.stdout:
            fail('module "%s" has errors\n%s' % (module, done.stderr.strip()),
                 'Name the folder of the modules it imports: -p FOLDER.')
        return ElementTree.fromstring(done.stdout)

    def typedef(self, module, name):
        """Definition of a named type, or None."""
        for found in self.tree(module).iterfind('typedefs/typedef'):
            if found.get('name') == name:
                return found
        return None

    def syntax(self, element, own_module):
        """(type, ranges, enums) of a <type>, <typedef> or <parent>; ranges and enums or None."""
        if element is None:
            return None, None, None
        if element.tag == 'typedef':
            return self.defined(element, own_module)
        module, name = element.get('module') or own_module, element.get('name')
        if name in SMI_TYPES:
            return SMI_TYPES[name], None, None
        found = self.typedef(module, name)
        if found is None:
            fail('type "%s" of module "%s" is not defined' % (name, module))
        return self.defined(found, module)

    def defined(self, typedef, module):
        base = BASE_TYPES.get(typedef.get('basetype'))
        ranges = ','.join('%s..%s' % (number(r.get('min')), number(r.get('max')))
                          for r in typedef.iterfind('range')) or None
        enums = {n.get('name'): int(n.get('number')) for n in typedef.iterfind('namednumber')}
        if typedef.get('basetype') == 'Bits':
            enums = {}
        inherited = self.syntax(typedef.find('parent'), module)
        return inherited[0] or base, ranges or inherited[1], enums or inherited[2] or None


def number(text):
    """smidump writes some bounds in hex."""
    return str(int(text, 16)) if re.match(r'-?0x', text) else text


def index_of(modules, row, module):
    """(names, implied) of a row's INDEX, also of one that it AUGMENTS."""
    linkage = row.find('linkage')
    if linkage is None:
        return None, False
    for word in ('augments', 'reorders', 'sparse', 'expands'):
        other = linkage.find(word)
        if other is not None and not linkage.findall('index'):
            home = other.get('module') or module
            for candidate in modules.tree(home).iter('row'):
                if candidate.get('name') == other.get('name'):
                    return index_of(modules, candidate, home)
    names = [index.get('name') for index in linkage.iterfind('index')]
    return names or None, linkage.get('implied') == 'true'


def objects(modules, wanted):
    """Rows for the table, of one module."""
    root = modules.tree(wanted)
    module = root.find('module').get('name')
    # Modules that are named by file are found by name when others refer to them.
    modules.trees[module] = root
    creatable = False
    for element in root.iter():
        if element.tag in ('table', 'row'):
            creatable = element.get('create') == 'true'
        if element.tag not in ('node', 'scalar', 'table', 'row', 'column', 'notification'):
            continue
        if element.get('oid') is None:
            continue
        syntax = element.find('syntax')
        kind, ranges, enums = modules.syntax(syntax[0] if syntax is not None and len(syntax)
                                             else None, module)
        if element.tag == 'notification':
            kind = 'NOTIFICATION'
        names, implied = index_of(modules, element, module) if element.tag == 'row' \
            else (None, False)
        access = element.findtext('access')
        if access is not None:
            access = ACCESS.get(access)
        if access == 'read-write' and element.tag == 'column' and creatable:
            access = 'read-create'
        yield (element.get('name'), module, element.get('oid'), kind, access, ranges,
               json.dumps(enums) if enums else None,
               '{%s}' % ','.join(names) if names else None, 't' if implied else 'f')


def copy_field(value):
    if value is None:
        return r'\N'
    return value.replace('\\', r'\\').replace('\t', r'\t').replace('\n', r'\n')


def main():
    parser = argparse.ArgumentParser(usage='%(prog)s [-p FOLDER]... MODULE...')
    parser.add_argument('-p', action='append', default=[], metavar='FOLDER')
    parser.add_argument('module', nargs='+')
    arguments = parser.parse_args()
    modules = Modules(arguments.p)
    rows = [row for module in arguments.module for row in objects(modules, module)]
    out = ['BEGIN;', 'DELETE FROM nmsp.mib_object WHERE module IN (%s);'
           % ', '.join("'%s'" % name.replace("'", "''") for name in sorted({r[1] for r in rows})),
           'COPY nmsp.mib_object (name, module, oid, type, access, ranges, enums, index_columns, '
           'index_implied) FROM stdin;']
    out += ['\t'.join(copy_field(value) for value in row) for row in rows]
    print('\n'.join(out + ['\\.', 'COMMIT;']))


if __name__ == '__main__':
    main()
