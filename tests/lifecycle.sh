#!/usr/bin/env bash
# lifecycle.sh QVM: how a VM ends, what signals do and how a replay repeats it, dumps that a debugger
# opens, where log lines go. Prints failures, and a count. Without gdb-multiarch the contents of
# dumps are not looked at.
set -uo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"
[ $# = 1 ] || { echo "usage: lifecycle.sh QVM" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
cd "$repository" || exit 2
tests/guest/build.sh build/guests/tests || exit 2
. tests/support.sh
trap 'exit 1' HUP INT TERM
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests python3 - "$qvm" "$work" <<'PYTHON'
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from support import SLOWNESS, ACTOR, Live, Run, finish, verdict, words

qvm, work = sys.argv[1:]
TRACE = work + '/trace'
FOR_EVER = 'count 1000000000'


def run(*arguments):
    return Run([qvm, 'run', *arguments])


def actor(does, *others):
    return words(('a', does, *others))


def replayed(what, recorded):
    r = Run([qvm, 'replay', TRACE])
    verdict(what + ', replay', r.differs(recorded) or
            ('' if r.ending == recorded.ending else 'it ended %r instead of %r' % (r.ending, recorded.ending)))
    return r


# Exit status --------------------------------------------------------------------------------------

ABORT = ['unsupported', 'reference', 'abort']


def statuses():
    for does, others, status, ending in (
            ('off', [], 0, 'the guest powered off'),
            ('reset', [], 0, 'the guest asked for a reset'),
            ('quit 0', [], 0, 'the guest exited with code 0'),
            ('wedge', [], 4, 'the guest did not feed its watchdog, vdev wdt-sp805'),
            ('touch 0x30000000', ABORT, 5, 'unsupported reference: mmio at PC 0x4'),
            ('put 0x30000000 1', ABORT, 5, 'guest-physical 0x30000000, write of 8 bytes'),
            ('wait', [], 7, 'every vCPU waits and nothing will wake it'),
            ('exit 0', [], 32, 'the guest wrote to vdev exit'),
            ('exit 31', [], 63, 'the guest wrote to vdev exit'),
            ('exit 4294967295', [], 0, 'the guest wrote to vdev exit'),
            ('quit 1', [], 33, 'the guest exited with code 1'),
            ('quit 1000', [], 63, 'the guest exited with code 1000'),
            (FOR_EVER, ['--limit-insns', '100001'], 67, '; 100001 instr'),
            ('wait', ['--limit-ns', '1000000'], 67, 'time limit reached')):
        r = Run([qvm, 'record', '-o', TRACE, *actor(does, *others)])
        verdict(does + ' ' + ' '.join(others), r.problem(status, 'qvm: ' if status else '', ending))
        replayed(does, r)
    board = work + '/small.board'
    with open(board, 'w') as to:
        to.write('board small\nram 0x80000000,64M\n')
    r = run(*actor('off'), '--board', board)
    verdict('too little memory', r.problem(64, '[actor.qvmconf:2] the board has no', 'KiB left for ram'))
    for line, why in ((['ram', '1M'], 'nothing to run'), (['lod', 'x'], "unknown option 'lod'"),
                      (['ram', '1M', 'load', '/nowhere/x'], "cannot open '/nowhere/x'")):
        r = run('system', 'a', *line)
        verdict(' '.join(line), r.problem(65, why))
    verdict('dryrun', run(*actor('off', 'dryrun')).problem(0, 'Exiting: dryrun complete'))


# Signals ------------------------------------------------------------------------------------------

def record(*arguments):
    return Live([qvm, 'record', '-o', TRACE, *arguments], work + '/errors')


def signals():
    for name, status, ending in (('SIGTERM', 0, 'terminated by the power button'),
                                 ('SIGINT', 0, 'terminated by the power button'),
                                 ('SIGQUIT', 3, 'power was cut'), ('SIGHUP', 3, 'power was cut')):
        r = record(*actor(FOR_EVER))
        r.until('line 3\n')
        r.send(getattr(signal, name))
        verdict(name, r.finish().problem(status, ending))
        replayed(name, r)
    r = record(*words(('a', FOR_EVER), ('b', 'off'), ('c', 'exit 1'), ('d', FOR_EVER)))
    r.until('line 3\n')
    r.send(signal.SIGQUIT)
    verdict('SIGQUIT for several', r.finish().problem(
        33, 'a: power was cut, vCPU 0 at PC 0x4', 'b: the guest powered off', 'd: power was cut, vCPU 0 at PC 0x4'))
    replayed('SIGQUIT for several', r)


def status_report():
    r = record(*words(('a', 'mmu ' + FOR_EVER, 'cpu', 'cpu'), ('b', 'off'), ('c', 'wait')))
    r.until('line 3\n')
    r.send(signal.SIGUSR1)
    r.until_error('VM c:')
    r.send(signal.SIGTERM)
    verdict('SIGUSR1', r.finish().problem(0, 'terminated'))
    replayed('SIGUSR1', r)
    text = Run([qvm, 'replay', TRACE]).err
    for line in (r'info: a: \d+ VM a: \d+ ns', r'2 vCPUs', r'a: \d+   vCPU 0: runs', r'a: \d+   vCPU 1: off',
                 r'a: \d+   vdev gic: ', r'a: \d+   vdev pl011: 0 reads, 0 writes', r'a: \d+   vdev wdt-sp805: ',
                 r'info: c: \d+ VM c: ', r'c: \d+   vCPU 0: waits'):
        for what, said in ('SIGUSR1', r.err), ('its replay', text):
            verdict('%s says %s' % (what, line), '' if re.search(line, said) else said[-1500:])
    verdict('no status of who has ended', 'VM b:' in text and text)


# Dumps --------------------------------------------------------------------------------------------

def dump_files(folder):
    return sorted(glob.glob(folder + '/*.gcore'))


def debugger(core, *commands):
    """What gdb says."""
    line = ['gdb-multiarch', '-nx', '-batch', '-ex', 'set width 0']
    for command in commands:
        line += ['-ex', command]
    done = subprocess.run(line + ['-c', core], capture_output=True, timeout=60 * SLOWNESS, stdin=subprocess.DEVNULL)
    return done.stdout.decode(errors='replace')


def first_numbers(seed, count):
    """Those that `fill SEED` writes."""
    numbers = []
    for _ in range(count):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        numbers.append('0x%016x' % seed)
    return numbers


def look_into(what, core, pc):
    if not shutil.which('gdb-multiarch'):
        print('skipped  contents of dumps: gdb-multiarch is not installed')
        return
    said = debugger(core, 'info threads', 'info registers', 'output/x $v31.d.u[1]', 'echo \\n',
                    'output/x $v0.d.u[0]', 'echo \\n', 'x/3gx 0x42000000', 'x/3gx 0x2000000000', 'x/i $pc')
    numbers = first_numbers(1, 3)
    for pattern in (r'^x0 +0x1000 ', r'^x1 +0x1001 ', r'^x2 +0x1002 ', r'^x19 +0x1019 ', r'^x28 +0x1028 ',
                    r'^x30 +0x1030 ', r'^sp +0x43000000 ', r'^pc +%s ' % pc, r'^0x1002$', r'^0x1001$',
                    r'^0x42000000:\t%s\t%s\n0x42000010:\t%s' % tuple(numbers),
                    r'^0x2000000000:\t%s\t%s\n0x2000000010:\t%s' % tuple(numbers),
                    r'^=> %s:\tb\t%s' % (pc, pc), r'LWP 2 +0x0+ in', r'^\* 1 +LWP 1 '):
        verdict('%s, gdb: %s' % (what, pattern), '' if re.search(pattern, said, re.M) else said)


def dumps_by_signal():
    folder = work + '/dumps'
    os.mkdir(folder)
    r = record(*actor('fill 1 mmu stand', 'cpu', 'cpu', 'dump', folder))
    r.until('PC 0x')
    r.until('\n')
    for _ in range(3):
        before = len(dump_files(folder))
        r.send(signal.SIGUSR2)
        while len(dump_files(folder)) == before and not r.is_over():
            time.sleep(0.02)
        r.until_error("guest dumped to '%s'" % (dump_files(folder) or [''])[-1])
    r.send(signal.SIGTERM)
    verdict('SIGUSR2', r.finish().problem(0, ': the user asked for it'))
    names = [os.path.basename(name) for name in dump_files(folder)]
    good = [name for name in names if re.fullmatch(r'a-\d{8}-\d{6}(-\d)?\.gcore', name)]
    verdict('names of dumps', '' if len(good) == 3 else repr(names))
    if len(names) != 3:
        return
    core = dump_files(folder)[0]
    verdict('only what was written takes room', '' if os.stat(core).st_blocks < 20000 else 'it is large')
    pc = re.search(r'PC (0x\w+)', r.out)
    look_into('SIGUSR2', core, pc[1] if pc else 'none')
    replayed('SIGUSR2', r)
    verdict('a replay writes no dump', '' if len(dump_files(folder)) == 3 else 'it does')


def dumps_by_watchdog():
    folder, piped = work + '/bites', work + '/piped'
    os.mkdir(folder)
    bite = ['action', 'dump,terminate', 'dump']
    r = run(*actor('fill 1 wedge', *bite, folder))
    verdict('action dump,terminate', r.problem(4, "guest dumped to '%s/a-" % folder, 'did not feed'))
    r = run(*actor('fill 1 wedge', *bite, '|cat >' + piped))
    verdict('dump to a command', r.problem(4, "guest dumped to '|cat >"))
    same = len(dump_files(folder)) == 1 and os.path.exists(piped) and \
        subprocess.run(['cmp', dump_files(folder)[0], piped]).returncode == 0
    verdict('equal runs, equal dumps', '' if same else 'they differ')
    r = run(*words(('a', 'wedge', *bite, folder), ('b', 'fill 1 sum off')))
    verdict('beside another VM', r.problem(4, '[b] sum 0x41c26ad29b130000', 'guest dumped to'))
    r = run(*actor('wedge', 'action', 'dump,terminate'))
    verdict('without dump', r.problem(4, "no dump of the guest: 'dump' is not configured"))
    r = run(*actor('wedge', *bite, work + '/nowhere'))
    verdict('a folder that is not there', r.problem(4, 'no dump of the guest: ', 'nowhere/a-'))
    r = run(*actor('wedge', *bite, '|exit 3'))
    verdict('a command that fails', r.problem(4, "the dump '|exit 3' is not complete"))


# Log ----------------------------------------------------------------------------------------------

def places(*arguments):
    """Where the line about the dry run went."""
    r = run(*actor('off', 'dryrun', *arguments))
    return ('stdout ' if 'dryrun complete' in r.out else '') + ('stderr' if 'dryrun complete' in r.err else '')


def log():
    for line, expected in (('', 'stderr'), ('logger info stdout', 'stdout '), ('logger info stderr', 'stderr'),
                           ('logger info slog', 'stderr'), ('logger error,warn stderr', ''),
                           ('logger info stdout logger info stderr', 'stdout stderr'),
                           ('logger error,info stdout logger info none', ''),
                           ('logger error,info stderr logger info none', ''),
                           ('logger none none', 'error'), ('--log error', ''), ('--log info', 'stderr'),
                           ('logger error stdout --log info', 'stderr'),
                           ('logger info stdout --log info', 'stdout ')):
        got = places(*line.split())
        if expected == 'error':
            verdict(line, run(*actor('off', *line.split())).problem(65, "'none'"))
        else:
            verdict('log of ' + (line or 'the default'), '' if got == expected else 'to %r' % got)
    # A device's own log: the watchdog says at `debug` that its WdogValue is read-only.
    poke = 'put 0x09030004 1 off'
    for line, out, err in (('', 0, 0), ('log debug stdout', 1, 0), ('log debug stderr', 0, 1),
                           ('logger debug stdout', 1, 0), ('logger debug stdout log debug none', 0, 0),
                           ('logger debug stdout log debug stderr', 0, 1),
                           ('log debug none log debug stderr', 0, 1)):
        r = run(*actor(poke.replace('put', 'poke'), *line.split()))
        got = ('wdt-sp805: write' in r.out, 'wdt-sp805: write' in r.err)
        verdict('device: ' + (line or 'the default'), '' if got == (bool(out), bool(err)) else r.out + r.err)


def terminate():
    """What a UART collects for a second comes out when its VM ends long before."""
    r = run('configs/hello-arm64.qvmconf', 'vdev', 'pl011', 'loc', '0x09010000', 'intr', 'gic:34',
            'hostdev', '-', 'batch', '1000000')
    verdict('terminate: the VM runs', '' if 'powered off' in r.err else r.err)
    r = run('system', 'batch', 'ram', '0x40000000,128M', 'vdev', 'gic', 'gicd', '0x08000000', 'gicr',
            '0x080a0000', 'vdev', 'pl011', 'loc', '0x09000000', 'intr', 'gic:33', 'hostdev', '-',
            'batch', '1000000', 'load', 'build/guests/tests/hello.elf')
    verdict('terminate: devices are told', '' if r.out == 'Hello from EL1\n' else r.out + r.err)


def changed_code():
    """Who runs what was changed without IC instructions is told so, and by whom; nobody else."""
    board = ['configs/test-arm64.qvmconf', 'set', 'cpu-model', 'a57', 'load']
    said = r'^qvm: warn: \d+ PC 0x80000000 runs code that was changed at instruction \d+ by PC ' \
           r'0x[0-9a-f]+ without IC IVAU: hardware may run the old$'
    for name, cpus, variables, expected in (('coherent', 2, [], True), ('selfmod', 4, [], False),
                                            ('stale', 1, ['set', 'icache', 'exact'], False)):
        r = run(*board, 'build/guests/tests/%s.elf' % name, *['cpu'] * cpus, *variables)
        got = re.search(said, r.err, re.M) is not None
        verdict('changed code, ' + name, r.problem(0) or
                ('' if got == expected and ('runs code' in r.err) == expected else r.err[-500:]))
        if expected:  # one store is to two pages, and nothing is by a device
            said = r'^qvm: warn: \d+ PC 0x80023000 runs code that was changed at instruction \d+ by PC '
            verdict('changed code in both pages', '' if re.search(said, r.err, re.M) and 'device' not in r.err
                    else r.err[-500:])


for test in changed_code, terminate, statuses, signals, status_report, dumps_by_signal, dumps_by_watchdog, log:
    test()
finish()
PYTHON
