"""The corpus of faults, out and in again (tests/faults.sh)."""
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

SLOWNESS = int(os.environ.get('QVM_SLOWNESS', 1))  # scripts/yardstick.sh
qvm, guest, work, every = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
VM = ('system faults ram 0x40000000,8M rom 0x60000000,64K set semihosting on '
      'vdev gic gicd 0x08000000 gicr 0x080a0000 '
      'vdev pl011 loc 0x09000000 intr gic:33 hostdev - '
      'vdev pl031 loc 0x09010000 intr gic:34').split()
passed, failures = 0, []
kinds = collections.Counter()


def check(what, good, why=''):
    global passed
    if good:
        passed += 1
    else:
        failures.append('%s: %s' % (what, why))


def at(name):
    return os.path.join(work, name)


def run(*words, status=0):
    """What it prints, and its messages."""
    r = subprocess.run(['timeout', '-s', 'KILL', str(60 * SLOWNESS), qvm, *map(str, words)],
                       stdin=subprocess.DEVNULL, capture_output=True, text=True)
    check(' '.join(map(str, words))[:120], r.returncode == status,
          'status %d instead of %d: %s' % (r.returncode, status, r.stderr[:300]))
    return r.stdout, r.stderr


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


# The recording: what it says of itself.
printed, _ = run('record', '--exits', '-o', at('faults.qtrace'), *VM, 'load', guest)
exits = lines(run('exits', at('faults.qtrace'), '--json')[0])


def kind_of(syndrome):
    """Of an exit or exception, by its syndrome (ESR_EL1 or ESR_EL2)."""
    ec, status = syndrome >> 26, syndrome & 0x3f
    if ec in (0x16, 0x17):
        return 'hypercall'
    if ec == 0x22 or (ec in (0x24, 0x25) and status == 0x21):
        return 'alignment'
    if ec in (0x20, 0x21, 0x24, 0x25):
        return 'abort'
    return 'other'


def kind_of_exit(x):
    if x['reason'] == 'mmio' and not x['handler'].startswith('unsupported'):
        return 'MMIO'
    if x['reason'] in ('mmio', 'mmio-opaque', 'stage2', 'fetch'):
        return 'stage 2'
    return kind_of(x['syndrome'])


def is_abort(syndrome):
    return syndrome >> 26 in (0x20, 0x24)


# Exit streams: of every format, with nothing lost but what the format has no place for.
def known_bits(name, x):
    """Of the syndrome, that the format can hold."""
    ec = x['syndrome'] >> 26
    if name == 'documented':
        return 0xfc000000 | (0 if is_abort(x['syndrome']) else 0x1ffffff)
    if name == 'ftrace' and ec == 0x17:
        return 0xfc000000  # Linux does not trace the immediate of SMC
    if name == 'ftrace' and ec == 0x01:
        return 0xfc000001
    if name == 'ftrace' and ec == 0x00:
        return 0xfc000000
    return 0xffffffff


def compare_exit(name, x, y):
    bits = known_bits(name, x)
    if (x['syndrome'] ^ y['syndrome']) & bits or y['syndrome_known'] != bits:
        return 'syndrome %#x of %#x' % (y['syndrome'], x['syndrome'])
    if y['class'] != x['syndrome'] >> 26 or y['pc'] != x['pc'] or y['vcpu'] != x['vcpu']:
        return 'class or PC'
    if is_abort(x['syndrome']):
        if y.get('gpa') != x['gpa']:
            return 'gpa %r of %#x' % (y.get('gpa'), x['gpa'])
        if y.get('gva') != x['gva'] and (name != 'documented' or x['syndrome'] >> 26 == 0x20):
            return 'gva %r of %#x' % (y.get('gva'), x['gva'])
        told = name != 'documented' and x['size'] and x['reason'] != 'mmio-opaque'
        if told and (y['size'], y['write'], y['value']) != (x['size'], x['write'], x['value']):
            return 'access'
    if not y['agrees'] or not y['judged']:
        return 'the model: %s (%s)' % (y['model'], y['differs'])
    # Of a write to a device that is there, what the model says must be what the run did.
    if x['handler'] in ('gic', 'pl011', 'pl031') and ' %s answers' % x['handler'] not in \
            ' ' + y['model'] and is_abort(x['syndrome']) and name != 'documented':
        return 'who answers: %s' % y['model']
    return ''


def compare_stream(name, source):
    trace = at(name + '.qtrace')
    run('import', source, '-o', trace, *VM)
    imported = lines(run('replay', '--exits', trace, '--json')[0])
    check(name, len(imported) == len(exits), '%d exits of %d' % (len(imported), len(exits)))
    for x, y in zip(exits, imported):
        why = compare_exit(name, x, y)
        check('%s, exit %d' % (name, x['number']), not why, why)
    run('diff', trace, at('faults.qtrace'))


for name in ('traceprinter', 'ftrace'):
    run('export', at('faults.qtrace'), '--format', name, '-o', at(name))
    compare_stream(name, at(name))
# The arguments that the hypervisor's documentation has, and no others; other blanks, another order.
with open(at('traceprinter')) as f, open(at('documented'), 'w') as g:
    g.write('TRACEPRINTER version 1.02\n')
    for line in f:
        if 'GUEST_EXIT' not in line:
            continue
        head = re.sub(r' vm:.*', '', line.rstrip('\n')).split(' ')
        g.write('%s %s  QVM   :GUEST_EXIT\t%s\n' %
                (head[0], head[1], '  '.join(reversed(head[3:]))))
compare_stream('documented', at('documented'))
for x in exits:
    if x['reason'] != 'semihosting':
        kinds[kind_of_exit(x)] += 1


# Cores: one before each instruction that faults. The guest's handler has told what it took.
taken = [[int(word, 16) for word in line.split()[1:]]
         for line in printed.splitlines() if line.startswith('taken ')]
vectors = int(re.search(r'^vectors (0x[0-9a-f]+)$', printed, re.M).group(1), 16)
at_vector = []
for offset in (0x200, 0x400):
    for line in run('when', at('faults.qtrace'), '--exec', '%#x' % (vectors + offset))[0].splitlines():
        at_vector.append((int(re.match(r'insn=(\d+) ', line).group(1)), offset))
at_vector.sort()
check('exceptions', [o for _, o in at_vector] == [t[3] for t in taken],
      '%d at the vectors, %d taken' % (len(at_vector), len(taken)))


def core(number):
    """Out and in: what comes of the next instruction, and what the tables say of its address."""
    before = at_vector[number][0] - 2
    name = at('core-%d' % number)
    problems = []

    def tool(*words):
        r = subprocess.run([qvm, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True)
        if r.returncode:
            problems.append('%s: %s' % (words[0], r.stderr[:200]))
        return r.stdout

    tool('dump', at('faults.qtrace'), '--at', before, '-o', name)
    tool('import', name, '-o', name + '.qtrace', *VM)
    os.remove(name)
    out = tool('explain', name + '.qtrace', '--next', '--json')
    answer = json.loads(out) if out else {}
    syndrome, far, elr, _ = taken[number]
    by_tables = ''
    if kind_of(syndrome) == 'abort' and 'esr' in answer and 'ldtr' not in answer['instruction']:
        fetch = syndrome >> 26 in (0x20, 0x21)
        how = '--fetch' if fetch else '--write' if syndrome & 0x40 else '--read'
        by_tables = json.loads(tool('explain', name + '.qtrace', '%#x' % far, how, '--json'))
    os.remove(name + '.qtrace')
    return answer, by_tables, problems


def compare_core(number, answer, by_tables):
    syndrome, far, elr, vector = taken[number]
    if 'reason' in answer:  # the guest took what the hypervisor gave it: that was an exit
        return '' if answer['result'] in ('abort', 'undefined') and answer['pc'] == elr else 'exit'
    if answer.get('esr') != syndrome or answer.get('elr') != elr or answer.get('vector') != vector:
        return '%r instead of %#x at %#x' % (answer, syndrome, elr)
    has_far = kind_of(syndrome) in ('abort', 'alignment')
    if answer['pc'] != elr or (has_far and answer['far'] != far):
        return 'PC or FAR: %r instead of %#x, %#x' % (answer, elr, far)
    if by_tables and (not by_tables['fault'] or by_tables['fault']['esr'] != syndrome or
                      by_tables['fault']['far'] != far):
        return 'explain: %r instead of %#x' % (by_tables['fault'], syndrome)
    return ''


with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    numbers = range(0, len(taken), every)
    for number, (answer, by_tables, problems) in zip(numbers, pool.map(core, numbers)):
        why = '; '.join(problems) or compare_core(number, answer, by_tables)
        check('core %d, before instruction %d' % (number, at_vector[number][0]), not why, why)
        if 'reason' not in answer:
            kind = kind_of(taken[number][0])
            kinds['stage 1' if kind == 'abort' else kind] += 1

for line in failures[:20]:
    print('FAILED  ' + line)
print('faults: %d (%s)' % (sum(kinds.values()),
                           ', '.join('%s %d' % k for k in sorted(kinds.items()))))
print('%d passed, %d failed' % (passed, len(failures)))
sys.exit(1 if failures or (every == 1 and sum(kinds.values()) < 200) else 0)
