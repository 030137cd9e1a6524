#!/usr/bin/env bash
# silence.sh QVM [linux]: guests that get stuck, and what is said of it: which vector, which interrupt, how
# many accesses. Each run is repeated with stops in other places, recorded, replayed, and its exits
# are replayed alone; all end at the same instruction. And what a terminal's escape key does; with
# linux, only that a BREAK on the console is Linux' SysRq. Prints failures, and a count.
set -uo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"
[ $# = 1 ] || [ "${2:-}" = linux ] || { echo "usage: silence.sh QVM [linux]" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
cd "$repository" || exit 2
tests/guest/build.sh build/guests/tests || exit 2
. tests/support.sh
trap 'exit 1' HUP INT TERM
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests python3 - "$qvm" "$work" "${2:-}" <<'PYTHON'
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from support import ACTOR, Live, Run, finish, verdict

qvm, work, guest_system = sys.argv[1:]
TRACE = work + '/trace'


def guest(does, *others):
    return [ACTOR, 'rom', '0x60000000,64K', 'load', 'build/guests/tests/vms/stuck.elf', 'cmdline', does, *others]


def same(what, first, *command):
    verdict(what, Run([qvm, *command]).differs(first))


def stuck(does, *needles, status=7, options=(), typed=b''):
    """Ends like that, wherever it was stopped on the way."""
    machine = guest(does, *(['cpu', 'cpu'] if does.startswith('other') else []), *options)
    first = Run([qvm, 'record', '--exits', '-o', TRACE, *machine], input=typed)
    verdict(does, first.problem(status, *needles))
    often = Run([qvm, 'run', '--no-record', '--digest-every', '7', *machine], input=typed)
    verdict(does + ', stopped often', often.differs(first))
    same(does + ', replayed', first, 'replay', TRACE)
    alone = Run([qvm, 'replay', '--exits', TRACE])
    verdict(does + ', its exits alone', alone.problem(0, 'all as recorded'))
    return first


def on_terminal(what, command, status, *steps):
    """Waits for each text, then types; what it printed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = b''
    deadline = time.monotonic() + 120
    for text, keys in (*steps, (None, b'')):
        begin = len(seen)
        while text is None or text not in seen[begin:]:
            try:
                ready = select.select([master], [], [], max(0, deadline - time.monotonic()))[0]
                data = os.read(master, 65536) if ready else b''
            except OSError:  # the other end is closed
                data = b''
            if not data:
                break
            seen += data
        os.write(master, keys)
    if time.monotonic() > deadline:
        process.kill()
    ended = process.wait()
    os.close(master)
    text = seen.decode(errors='replace').replace('\r', '')
    verdict(what, '' if ended == status else 'status %d instead of %d: %s' % (ended, status, text[-500:]))
    return text


if guest_system == 'linux':
    text = on_terminal('SysRq', [qvm, 'record', '-o', TRACE, 'configs/linux-arm64.qvmconf', 'cmdline',
                                 'console=ttyAMA0 nokaslr qvm.shell sysrq_always_enabled=1'], 0,
                       (b'/ # ', b'\x01bh'), (b'show-task-states', b'\x01bt'), (b'task:init', b'\rpoweroff -f\r'))
    verdict('help', '' if 'sysrq: HELP' in text else text[-500:])
    verdict('show state', '' if 'sysrq: Show State' in text else text[-500:])
    r = Run([qvm, 'replay', '--verify', TRACE])
    verdict('SysRq, replayed', r.problem(0, 'sysrq: HELP', 'sysrq: Show State'))
    finish()

# Characters of UARTDR: a break is BE and nothing else.
text = on_terminal('escape keys', [qvm, 'record', '-o', TRACE, *guest('hears 5')], 0,
                   (b'ready', b'a\x01bb\x01\x01\x01c'))
verdict('what they send', '' if 'got 0x61\ngot 0x400\ngot 0x62\ngot 0x1\ngot 0x63\n' in text else text)
verdict('a BREAK in a replay', Run([qvm, 'replay', '--verify', TRACE]).problem(0, 'got 0x400\n'))
on_terminal('Ctrl-A x', [qvm, 'run', *guest('hears 5')], 3, (b'ready', b'a\x01x'))

FOR_EVER = 'vCPU 0 takes the same exception for ever at the vector '
UDF = r'; the first exception was at PC 0x4\w+, instruction \d+: ESR 0x2000000, undefined instruction '
UDF += r'\(vCPU 0 came from main\+0x\w+\); '

for does, vector, why in (
        ('nowhere', '0x7000000200 (VBAR_EL1 0x7000000000 + 0x200)',
         'it cannot be fetched: nothing is at guest-physical 0x7000000200'),
        ('unmapped', '0x7000000200', 'it cannot be fetched: translation fault, level 1'),
        ('not-executable', '0x42000200', 'it cannot be fetched: permission fault, level 2'),
        ('svc', '0x42000200', 'the instruction there raises it itself: ESR 0x56000000, SVC'),
        ('brk', '0x42000200', 'the instruction there raises it itself: ESR 0xf2000000, BRK'),
        ('zeros', '0x42000200', 'the instruction there raises it itself: ESR 0x2000000, undefined instruction'),
        ('stack', '0x42000200', 'translation fault, level 1, FAR 0x6ffffffff0')):
    r = stuck(does, FOR_EVER + vector, why)
    verdict(does + ', the first exception', '' if re.search(UDF, r.err) else r.err[-300:])

# The PC, ESR and FAR of the first, which is a fetch here.
r = Run([qvm, 'run', '--no-record', 'configs/test-arm64.qvmconf', 'load', 'build/guests/tests/jump.elf'])
verdict('jump', r.problem(7, 'the first exception was at PC 0xa800000, instruction 5: ESR 0x86000010, '
                          'Instruction Abort from the same Exception level, external abort, FAR 0xa800000;'))

stuck('watched', 'the guest did not feed its watchdog', 'warn:', FOR_EVER, status=4)
stuck('other wait', 'warn:', 'no vCPU gets on: vCPU 0 waits at PC 0x4', 'vCPU 1 takes the same exception for ever')
r = stuck('other later', 'warn:', 'vCPU 1 takes the same exception for ever', status=0)
verdict('it is said once', '' if r.err.count('warn:') == 1 else r.err)
stuck('other helps', 'warn:', '1 checks passed, 0 failed', status=0)
stuck('other helps', '1 checks passed, 0 failed', status=0, options=['--chaos', '5'])

# What waits.
WAITS = 'every vCPU waits and nothing will wake it: vCPU 0 waits at PC 0x4'
for does, why in (
        ('asleep', 'INTID 27 is pending, but the redistributor sleeps (GICR_WAKER.ProcessorSleep)'),
        ('masked', 'its priority 0x80 is not above the mask 0x80 (ICC_PMR_EL1)'),
        ('disabled', 'INTID 27 is pending, but it is disabled (GICR_ISENABLER0)'),
        ('group', 'the distributor does not forward group 1 (GICD_CTLR)'),
        ('interface', 'the CPU interface does not take group 1 (ICC_IGRPEN1_EL1)'),
        ('active', 'it is active: it was acknowledged and has not been deactivated'),
        ('off', 'no interrupt is pending (enabled: INTID 27), its timers are off'),
        ('imask', 'its virtual timer is masked (IMASK)'),
        ('nothing', 'no interrupt is pending, and none is enabled, its timers are off')):
    stuck(does, WAITS, why)

# Input that the device has no room for wakes nobody either.
stuck('nothing', WAITS, typed=b'a' * 300)

# Limits.
stuck('off', 'time limit reached while every vCPU waits: vCPU 0 waits at PC 0x4', 'its timers are off',
      status=67, options=['--limit-ns', '1000000'])
stuck('parked', 'instruction limit reached: vCPU 0 branches to itself at PC 0x4', 'with interrupts masked',
      status=67, options=['--limit-insns', '100000'])

# Accesses that come to nothing.
r = stuck('lost 1000', 'the guest powered off (20 accesses that nobody answers, 1000 that its memory does not permit)',
          "the guest's memory there does not permit a write of 4 bytes at guest-physical 0x60000010: it is ignored "
          '(unsupported reference fail makes it an abort)',
          'no more pages are named where accesses come to nothing: those are only counted', status=0)
verdict('one line a page, and no more than 17', '' if r.err.count('warn:') == 17 else r.err)
Run([qvm, 'record', '--snapshot-every', '1000', '-o', TRACE, *guest('lost 1000')])
r = Run([qvm, 'replay', '--from', '5000', TRACE])
found = re.search(r' accesses that nobody answers, (\d+) that its memory does not permit since instruction (\d+)\); ', r.err)
verdict('those behind a snapshot', '' if found and int(found[1]) < 1000 and 4000 < int(found[2]) <= 5000 else r.err)
stuck('lost 3', 'the guest gets an abort', options=['unsupported', 'reference', 'fail'], status=33)

# Wishes that mean something else than they seem to.
r = Run([qvm, 'run', '--no-record', *guest('off'), 'set', 'semihosting', 'yes', '--limit-ns', '1000000'])
verdict('set semihosting yes', r.problem(67, "set semihosting: there is no folder 'yes'"))
two = [word for at, line in (('0x0a100000', 50), ('0x0a200000', 51))
       for word in ('vdev', 'pl011', 'loc', at, 'intr', 'gic:%d' % line, 'hostdev', '-')]
r = Run([qvm, 'run', '--no-record', 'ram', '0x40000000,16M', 'load', 'build/guests/tests/hello.elf', *two, '--limit-insns', '9'])
verdict('two consoles', r.problem(67, 'pl011 at 0xa100000 gets what is typed: the first of 2 with hostdev -'))

# A kernel that says it has panicked.
PANIC = ['vdev', 'pvpanic', 'loc', '0x09050000']
for event, status, says in (('1', 7, "the guest's kernel panicked; "), ('3', 7, "the guest's kernel panicked; "),
                            ('2', 0, "the guest's kernel panicked, and its crash kernel goes on"),
                            ('4', 0, 'the guest powered off; ')):
    r = Run([qvm, 'run', ACTOR, *PANIC, 'cmdline', 'say alive byte 0x09050000 %s off' % event])
    verdict('pvpanic ' + event, r.problem(status, 'alive', says))
    verdict('pvpanic %s, a trace' % event, '' if ('to see it again' in r.err) == (status == 7) else r.err)
Run([qvm, 'run', ACTOR, *PANIC, 'set', 'fdt-dump-file', work + '/tree', 'cmdline', 'off'])
r = Run(['fdtget', work + '/tree', '/pvpanic@9050000', 'compatible'])
verdict('pvpanic in the tree', '' if r.out == 'qemu,pvpanic-mmio\n' else r.out + r.err)

# What is kept of a run, and that it is the run.
def kept(what, run):
    found = re.search(r'^qvm: to see it again: qvm replay (.*)$', run.err, re.M)
    verdict(what + ', a trace', '' if found else run.err[-300:])
    if found:
        same(what + ', replayed', run, 'replay', found.group(1))
        verdict(what + ', verified', Run([qvm, 'replay', '--verify', found.group(1)]).problem(0))


ENDLESS = ['configs/test-arm64.qvmconf', 'load', 'build/guests/tests/endless.elf']
kept('a limit', Run([qvm, 'run', '--limit-insns', '100000', *ENDLESS]))
kept('the guest says so', Run([qvm, 'run', ACTOR, 'cmdline', 'exit 3']))
kept('it is stuck', Run([qvm, 'run', *guest('nowhere')]))
for name, status, ending in (('SIGTERM', 0, 'terminated by the power button (SIGTERM, SIGINT): nothing here tells '
                              'the guest of it, vCPU 0 at PC 0x4'),
                             ('SIGQUIT', 3, 'power was cut, vCPU 0 at PC 0x4'),
                             ('SIGHUP', 3, 'power was cut, vCPU 0 at PC 0x4')):
    r = Live([qvm, 'run', ACTOR, 'cmdline', 'count 1000000000'], work + '/errors')
    r.until('line 3\n')
    r.send(getattr(signal, name))
    verdict(name, r.finish().problem(status, ending))
    verdict(name + ', where', '' if re.search(r' at PC 0x4\w+ \(vCPU 0 (in|reads) ', r.err) else r.err[-300:])
    kept(name, r)
for what, status, command in (('success', 0, [ACTOR, 'cmdline', 'off']),
                              ('unwanted', 67, ['--no-record', '--limit-insns', '1000', *ENDLESS])):
    r = Run([qvm, 'run', *command])
    verdict(what, r.problem(status) or (r.err if 'to see it again' in r.err else ''))

finish()
PYTHON
