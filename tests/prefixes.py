#!/usr/bin/env python3
"""prefixes.py BUILD: every function that others can call begins with a name of its file, or of the header
that declares it: words of that name (gic_lines.c: gic_, lines_ or gic_lines_), in the plural or not; or a
type that the header defines (bytes.h: reader_); or its architecture. Prints each that does not."""
import pathlib
import re
import subprocess
import sys

FOLDERS = ['emu', 'mmu', 'cpu', 'vdev', 'hv']
# Names that are everywhere, and the library's own.
ELSEWHERE = re.compile(r'load_le$|store_le$|.*_aarch64$')


def beginnings(stem):
    """What a file of that name may begin its functions with: each run of its words, and their initials."""
    words = stem.split('_')
    found = set()
    for first in range(len(words)):
        for behind in range(first + 1, len(words) + 1):
            run = '_'.join(words[first:behind])
            found |= {run, run + 's', re.sub('y$', '', run) + 'ies', re.sub('s$', '', run)}
    if len(words) > 1:
        found.add(''.join(word[0] for word in words))
    return found


def declarations():
    """Of each function: what the headers that name it let it begin with."""
    declared = {}
    for folder in FOLDERS:
        for header in pathlib.Path(folder).rglob('*.h'):
            text = header.read_text()
            may = beginnings(re.sub('_internal$', '', header.stem))
            may |= set(re.findall(r'^(?:struct|enum) ([a-z0-9_]+) \{$', text, re.MULTILINE))
            for name in set(re.findall(r'\b([a-z][a-z0-9_]*)\(', text)):
                declared.setdefault(name, set()).update(may)
    return declared


def functions(build):
    """(source, function) of every object of the folders' libraries."""
    for folder in FOLDERS:
        top = pathlib.Path(build, 'CMakeFiles', f'qvm_{folder}.dir')
        objects = sorted(map(str, top.rglob('*.o')))
        lines = subprocess.run(['nm', '--defined-only', '-gA', *objects], check=True, capture_output=True,
                               text=True).stdout.splitlines()
        for line in lines:
            where, kind, name = line.split()
            if kind == 'T':
                yield where.split('.dir/')[1].split('.o:')[0], name


if len(sys.argv) != 2:
    sys.exit('usage: prefixes.py BUILD')
declared = declarations()
count = bad = 0
for source, name in functions(sys.argv[1]):
    count += 1
    may = beginnings(pathlib.Path(source).stem) | declared.get(name, set())
    if '/arm64/' in source:
        may.add('arm64')
    if not ELSEWHERE.match(name) and not any(name == word or name.startswith(word + '_') for word in may):
        print(f'{source}: {name}')
        bad += 1
print(f'{count} functions, {bad} with other names')
sys.exit(bad > 0 or count == 0)
