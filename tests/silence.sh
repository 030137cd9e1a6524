#!/usr/bin/env bash
# silence.sh QVM: guests that get stuck, and what is said of it: which vector, which interrupt, how
# many accesses. Each run is repeated with stops in other places, recorded, replayed, and its exits
# are replayed alone; all end at the same instruction. Prints failures, and a count.
set -uo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"
[ $# = 1 ] || { echo "usage: silence.sh QVM" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
cd "$repository" || exit 2
tests/guest/build.sh build/guests/tests || exit 2
work="$(mktemp -d)" || exit 2
export TMPDIR="$work" # recordings of runs that end badly
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests python3 - "$qvm" "$work" <<'PYTHON'
import re
import signal
import sys
from support import ACTOR, Live, Run, finish, verdict

qvm, work = sys.argv[1:]
TRACE = work + '/trace'


def guest(does, *others):
    return [ACTOR, 'rom', '0x60000000,64K', 'load', 'build/guests/tests/vms/stuck.elf', 'cmdline', does, *others]


def same(what, first, *command):
    verdict(what, Run([qvm, *command]).differs(first))


def stuck(does, *needles, status=7, options=()):
    """Ends like that, wherever it was stopped on the way."""
    machine = guest(does, *(['cpu', 'cpu'] if does.startswith('other') else []), *options)
    first = Run([qvm, 'record', '--exits', '-o', TRACE, *machine])
    verdict(does, first.problem(status, *needles))
    same(does + ', stopped often', first, 'run', '--no-record', '--digest-every', '7', *machine)
    same(does + ', replayed', first, 'replay', TRACE)
    alone = Run([qvm, 'replay', '--exits', TRACE])
    verdict(does + ', its exits alone', alone.problem(0, 'all as recorded'))
    return first


FOR_EVER = 'vCPU 0 takes the same exception for ever at the vector '
UDF = r'; the first exception was at PC 0x4\w+, instruction \d+: ESR 0x2000000, undefined instruction; '

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
                          'Instruction Abort from the same Exception level, FAR 0xa800000;'))

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

# Limits.
stuck('off', 'time limit reached while every vCPU waits: vCPU 0 waits at PC 0x4', 'its timers are off',
      status=67, options=['--limit-ns', '1000000'])
stuck('parked', 'instruction limit reached: vCPU 0 is in `b .` at PC 0x4', 'with interrupts masked',
      status=67, options=['--limit-insns', '100000'])

# Accesses that come to nothing.
r = stuck('lost 1000', 'the guest powered off (20 accesses that nobody answers, 1000 that its memory does not permit)',
          "the guest's memory there does not permit a write of 4 bytes at guest-physical 0x60000010: it is ignored",
          'accesses like these of more pages are only counted', status=0)
verdict('one line a page, and no more than 17', '' if r.err.count('warn:') == 17 else r.err)
stuck('lost 3', 'the guest gets an abort', options=['unsupported', 'reference', 'fail'], status=33)

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
r = Live([qvm, 'run', ACTOR, 'cmdline', 'count 1000000000'], work + '/errors')
r.until('line 3\n')
r.send(signal.SIGTERM)
verdict('SIGTERM', r.finish().problem(0, 'terminated by the power button (SIGTERM, SIGINT): nothing here tells '
                                      'the guest of it, vCPU 0 at PC 0x4'))
found = re.search(r'^qvm: to see it again: qvm replay (.*)$', r.err, re.M)
same('SIGTERM, replayed', r, 'replay', found.group(1) if found else 'none')
for what, status, command in (('success', 0, [ACTOR, 'cmdline', 'off']),
                              ('unwanted', 67, ['--no-record', '--limit-insns', '1000', *ENDLESS])):
    r = Run([qvm, 'run', *command])
    verdict(what, r.problem(status) or (r.err if 'to see it again' in r.err else ''))

finish()
PYTHON
