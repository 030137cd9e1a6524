#!/usr/bin/env bash
# vms.sh QVM: several VMs on one board: they do not disturb each other, not even by how
# they end, and a run of them is as reproducible as that of one. Boards, pass-through, priorities,
# trace events. Prints failures, and a count.
set -uo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"
[ $# = 1 ] || { echo "usage: vms.sh QVM" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
cd "$repository" || exit 2
tests/guest/build.sh build/guests/tests || exit 2
. tests/support.sh
trap 'exit 1' HUP INT TERM
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests python3 - "$qvm" "$work" <<'PYTHON'
import re
import sys
from collections import defaultdict
from support import ACTOR, REPOSITORY_BOARD, Run, at_least, finish, verdict, words

qvm, work = sys.argv[1:]
LOG_ALL = 'fatal,internal,error,warn,info,debug,verbose'


def run(*arguments):
    return Run([qvm, 'run', *arguments])


def vms(*list_of_vms, options=()):
    return run(*words(*list_of_vms), *options)


def board(name, text):
    path = '%s/%s.board' % (work, name)
    with open(path, 'w') as to:
        to.write('board %s\n%s\n' % (name, text))
    return path


# The same in every way that must not matter -------------------------------------------------------

def events_of(path):
    """What was traced, and what is wrong with it."""
    text = open(path).read()
    last, inside, problem = {}, None, ''
    following = {'': 'VCPU_CREATED', 'VCPU_CREATED': 'GUEST_ENTRY', 'GUEST_ENTRY': 'GUEST_CYCLES',
                 'GUEST_CYCLES': 'GUEST_EXIT', 'GUEST_EXIT': 'GUEST_ENTRY'}
    for line in text.splitlines():
        m = re.match(r't:0x[0-9a-f]{16} CPU:\d\d QVM:(\w+) .*\bvm:(\S+) vcpu:(\d+) insn:\d+', line)
        if not m:
            return text, 'a line is %r' % line
        name, vcpu = m[1], m.groups()[1:]
        if name == 'INTERRUPT':
            continue
        if not problem and following[last.get(vcpu, '')] != name:
            problem = '%s behind %s: %s' % (name, last.get(vcpu, 'nothing'), line)
        if not problem and name == 'GUEST_ENTRY' and inside not in (None, vcpu):
            problem = 'in the guest while another is: ' + line
        if name in ('GUEST_ENTRY', 'GUEST_EXIT'):
            inside = vcpu if name == 'GUEST_ENTRY' else None
        last[vcpu] = name
    times = [int(t, 16) for t in re.findall(r'^t:0x(\S+)', text, re.M)]
    if times != sorted(times):
        problem = problem or 'time goes back'
    if 'GUEST_CYCLES' in last.values():
        problem = problem or 'a guest exit is missing at the end'
    return text, problem


def same_in_every_way(name, *arguments):
    first = run(*arguments)
    verdict(name, '' if first.digest else first.err)
    for what, options in (('again', []), ('--stats', ['--stats']),
                          ('--log of everything', ['--log', LOG_ALL]),
                          ('--digest-every 9973', ['--digest-every', '9973']),
                          ('--events', ['--events', work + '/run.events'])):
        verdict('%s, %s' % (name, what), run(*arguments, *options).differs(first))
    trace = work + '/trace'
    recorded = Run([qvm, 'record', '-o', trace, *arguments, '--digest-every', '19997', '--events',
                    work + '/record.events'])
    verdict(name + ', record', recorded.differs(first))
    replayed = Run([qvm, 'replay', trace, '--events', work + '/replay.events'])
    verdict(name + ', replay', replayed.differs(first))
    text, problem = events_of(work + '/run.events')
    verdict(name + ', entries and exits', problem)
    for way in 'record', 'replay':
        other, _ = events_of('%s/%s.events' % (work, way))
        verdict('%s, events of %s' % (name, way), '' if other == text else 'they differ')
    return first


VICTIM = 'fill 1 sum count 30 sum off'


def sameness():
    one_cpu = board('one-cpu', 'cpus 1\nram 0x80000000,512M')
    for name, options in ('two VMs', []), ('two VMs on one CPU', ['--board', one_cpu]):
        same_in_every_way(name, *words(('a', VICTIM), ('b', 'count 10 assault count 30 exit 2')),
                          *options)
    same_in_every_way('restarts', *words(('a', 'count 5 reset'), ('b', 'count 40 off')),
                      '--on-exit', 'restart', '--limit-ns', '4000000')
    restored_restarts()
    same_in_every_way('sporadic beside FIFO', *words(
        ('a', 'count 30 off', 'cpu', 'sched', '20,5,2,400000,100000s'),
        ('b', 'count 30 off', 'cpu', 'sched', '10f')), '--board', one_cpu)


# Two clocks strike at once: whose interrupt comes first is the same in a board that was restored, where
# no VM has started again.
def restored_restarts():
    clock = ('vdev', 'pl031', 'loc', '0x09010000', 'intr', 'gic:34')
    trace = work + '/restarts'
    recorded = Run([qvm, 'record', '--exits', '-o', trace,
                    *words(('a', 'second reset', *clock), ('b', 'second second second second off', *clock)),
                    '--on-exit', 'restart', '--limit-ns', '4500000000', '--snapshot-every', '1000'])
    verdict('clocks beside a restart', recorded.problem(67, 'VM a starts again'))
    end = int(re.findall(r'(\d+) instructions', recorded.err)[-1])
    for at in at_least(5, range(1000, end, 1000), 'places to go on from'):
        r = Run([qvm, 'replay', '--verify', '--from', str(at), trace])
        verdict('clocks beside a restart, from %d' % at,
                r.err if 'diverged' in r.err or r.digest != recorded.digest else '')


# What others do does not matter -------------------------------------------------------------------

def isolation():
    alone = run('system', 'a', ACTOR, 'cmdline', VICTIM)
    expected = alone.out.splitlines()
    verdict('alone', alone.problem(0, 'sum'))
    for what, does, others, status, ending in (
            ('assaults', 'assault assault off', [], 0, 'b: the guest powered off'),
            ('gets exceptions for it', 'assault', ['unsupported', 'reference', 'fail'], 33,
             'b: the guest exited with code 1'),
            ('does what is unsupported', 'touch 0x30000000', ['unsupported', 'reference', 'abort'],
             5, 'b: unsupported reference'),
            ('exits', 'exit 3', [], 35, 'b: the guest wrote to vdev exit'),
            ('quits', 'quit 31', [], 63, 'b: the guest exited with code 31'),
            ('starves its watchdog', 'wedge', [], 4, 'b: the guest did not feed its watchdog'),
            ('resets', 'reset', [], 0, 'b: the guest asked for a reset')):
        for order in (0, 1):
            list_of_vms = [('a', VICTIM), ('b', does, *others)]
            r = vms(*(list_of_vms[::-1] if order else list_of_vms))
            problem = r.problem(status, ending, 'a: the guest powered off (exit status 0)')
            if not problem and r.of('a') != expected:
                problem = 'a printed %r' % r.of('a')
            verdict('beside a VM that %s, %s' % (what, 'behind it' if order else 'before it'), problem)
    r = vms(('a', 'exit 9'), ('b', 'touch 0x30000000', 'unsupported', 'reference', 'abort'),
            ('c', 'wedge'), ('d', 'off'))
    verdict('the largest status', r.problem(41, 'qvm: b: unsupported', 'qvm: 4 VMs;'))


# When one ends ------------------------------------------------------------------------------------

def endings():
    r = vms(('a', 'count 2 off'), ('b', 'count 1000 off'), options=['--on-exit', 'stop'])
    verdict('--on-exit stop', r.problem(0, 'b: stopped, as another VM has ended') or
            ('b went on' if 'line 1000' in r.of('b') else ''))
    r = vms(('a', 'count 2 exit 1'), ('b', 'count 20 off'), options=['--on-exit', 'all'])
    verdict('--on-exit all', r.problem(33) or ('' if r.of('b')[-1] == 'line 20' else 'b ended'))
    shared = ['pass', 'loc', '0x60000000,0x1000,rwm=0xb8000000']
    memory = 'touch 0x42000000 put 0x42000000 7 bump 0x60000000 '
    for what, does, count in (('reset', memory + 'below 5 reset off', 5),
                              ('a watchdog', memory + 'below 4 wedge off', 4)):
        r = vms(('a', does, *shared), ('b', VICTIM),
                options=['--board', REPOSITORY_BOARD, '--on-exit', 'restart'])
        expected = [line for i in range(count) for line in ('found 0x0', 'number %d' % (i + 1))]
        lines = [line for line in r.of('a') if line != 'wedged']
        verdict('restart by ' + what, r.problem(0, ' VM a starts again: ') or
                ('' if lines == expected else 'a printed %r' % lines))
    r = vms(('a', 'say again reset'), options=['--on-exit', 'restart', '--limit-ns', '200000'])
    verdict('restarts without end', r.problem(67, 'time limit reached', 'again\nagain\nagain\n'))
    for does in 'off', 'exit 2', 'quit 3':
        r = vms(('a', does), ('b', 'off'), options=['--on-exit', 'restart'])
        verdict('no restart after %s' % does, 'starts again' in r.err and r.err)
    r = run('ram', '1M', '--on-exit', 'maybe')
    verdict('--on-exit maybe', r.problem(2, '--on-exit wants all, stop or restart'))


# The command line ---------------------------------------------------------------------------------

HELLO = ['vdev gic gicd 0x08000000 gicr 0x080a0000 vdev pl011 loc 0x09000000 intr gic:33 hostdev -',
         'load', 'build/guests/tests/hello.elf']


def many(count):
    line = []
    for i in range(count):
        line += ['+'] if i else []
        line += ['system', 'v%d' % i, 'ram', '0x40000000,4M', *HELLO]
    return line


def command_line():
    r = run(*words(('a', 'uart one uart two say three uart four off'), ('b', 'say five off')))
    for line in '[a] three', '[a] onetwofour', '[b] five':
        verdict('console: ' + line, '' if line in r.out.splitlines() else repr(r.out))
    r = Run([qvm, '@configs/hello-arm64.qvmconf', '+', 'system', 'two', 'ram', '0x40000000,4M', *HELLO])
    verdict('@a + @b', r.problem(0, '[hello] Hello from EL1', '[two] Hello from EL1'))
    r = run('configs/hello-arm64.qvmconf', 'tests/guest/vms/actor.qvmconf', 'cmdline', 'say hi off')
    verdict('two files', r.problem(0, '[hello] Hello from EL1', '[vm2] hi', 'qvm: 2 VMs;'))
    for line in ['+', ACTOR], [ACTOR, '+'], [ACTOR, '+', '+', ACTOR]:
        verdict(' '.join(line), run(*line).problem(2, "'+' stands between two VMs"))
    for line in [ACTOR, 'system', 'x'], :
        verdict(' '.join(line), run(*line).problem(65))
    r = run(*words(('twin', 'off'), ('other', 'off'), ('twin', 'off')))
    verdict('equal names', r.problem(65, "VM 1 and VM 3 of the board are both called 'twin'"))
    r = run('system', 'vm2', ACTOR, '+', ACTOR)
    verdict('a name that another has by its place', r.problem(65, "both called 'vm2'"))
    r = run('set', 'cpu-model', 'a53', *HELLO[:1], 'ram', '1M', '+', 'set', 'cpu-model', 'a72', 'ram', '1M')
    verdict('different CPUs', r.problem(65, 'must agree in cpu-model'))
    r = run(*many(64))
    lines = [line for line in r.out.splitlines() if line.endswith('] Hello from EL1')]
    verdict('64 VMs', r.problem(0) or ('' if len(set(lines)) == 64 else '%d lines' % len(lines)))
    verdict('65 VMs', run(*many(65)).problem(2, 'more than 64 VMs on one board'))
    small = board('small', 'ram 0x80000000,16M')
    r = run('--board', small, *many(4))
    verdict('a board that is too small', r.problem(64, 'KiB left for ram'))


# Pass-through -------------------------------------------------------------------------------------

UART = ['pass', 'loc', '0x50000000,0x1000,rwn=0x1c0a0000']
WIRED = UART + ['intr', 'gic:50=38']


def passes(what, status, needles, *list_of_vms, on=REPOSITORY_BOARD):
    verdict('pass: ' + what, vms(*list_of_vms, options=['--board', on]).problem(status, *needles))


def pass_through():
    passes('registers and interrupt', 0, ['***', '3 interrupts'], ('a', 'irq 50 0x50000000 off', *WIRED))
    passes('no interrupt without intr', 0, ['***', '0 interrupts'], ('a', 'irq 50 0x50000000 off', *UART))
    passes('beside another VM', 0, ['[a] 3 interrupts', '[b] sum 0x41c26ad29b130000'],
           ('a', 'irq 50 0x50000000 off', *WIRED), ('b', VICTIM))
    passes('of another VM', 0, ['[b] found 0xffffffffffffffff'],
           ('a', 'count 30 off', *UART), ('b', 'touch 0x50000000 off'))
    frames = ['pass', 'loc', '0x60000000,0x1000,rwm=0xb8000000']
    passes('typed memory for two', 0, ['[b] found 0x5', '[b] number 6'],
           ('a', 'put 0x60000000 5 off', *frames), ('b', 'count 30 touch 0x60000000 bump 0x60000000 off', *frames))
    passes('read-only', 0, ['found 0x0'],
           ('a', 'put 0x60000000 5 touch 0x60000000 off', 'pass', 'loc', '0x60000000,0x1000,rn=0xb8000000'))
    passes('by asinfo', 0, ['number 1'], ('a', 'bump 0x60000000 off', 'pass', 'loc',
           '0x60000000,$asinfo_length{camera_frames},rwm=$asinfo_start{camera_frames}'))
    passes('a camera with d', 0, [], ('a', 'off', 'pass', 'loc', '0x50000000,0x10000,rwd=0x1d000000'))
    for what, attributes, host, why in (
            ("the host's memory", 'rwm', '0x80000000', "that is the host's own memory"),
            ('half a region', 'rwm', '0xbbfff000', "that is the host's own memory"),
            ('DMA without d', 'rwn', '0x1d000000', "attribute 'd'"),
            ('d without DMA', 'rwd', '0x1c0a0000', "attribute 'n', not 'd'")):
        line = ['pass', 'loc', '0x50000000,0x10000,%s=%s' % (attributes, host)]
        passes(what, 65, ['[cmdline:', 'pass of host addresses', why], ('a', 'off', *line))
    passes('a part of a device', 65, ['leaves a part out'],
           ('a', 'off', 'pass', 'loc', '0x50000000,0x1000,rwd=0x1d000000'))
    passes('one device for two', 65, ['VM a', 'VM b', 'pass of host addresses 0x1c0a0000'],
           ('a', 'off', *UART), ('b', 'off', *UART))
    passes('DMA without an SMMU', 65, ['the board has no SMMU'],
           ('a', 'off', 'pass', 'loc', '0x50000000,0x1000,rwd=0x1d000000'),
           on=board('no-smmu', 'ram 0x80000000,256M\ndevice none loc 0x1d000000 dma on'))


# Priorities ---------------------------------------------------------------------------------------

def lateness(own, others):
    """Of the periodic guest beside two that are busy, in ns."""
    r = run('system', 'rtos', '@tests/guest/vms/actor.qvmconf', 'load', 'build/guests/tests/vms/rtos.elf',
            'cpu', *own, '+', *words(*((name, 'count 1000000 off', 'cpu', *others) for name in ('busy', 'busier'))),
            '--on-exit', 'stop', '--limit-ns', '25000000', '--board', work + '/one-cpu.board')
    found = re.search(r'at worst (\d+) ns late', r.out)
    return int(found[1]) if found else r.err


def lines_of(own, others, ms):
    """How many lines two VMs print that share a CPU."""
    r = vms(('a', 'count 1000000', 'cpu', *own), ('b', 'count 1000000', 'cpu', *others),
            options=['--board', work + '/one-cpu.board', '--limit-ns', str(ms * 1000000)])
    return len(r.of('a')), len(r.of('b'))


def priorities():
    board('one-cpu', 'cpus 1\nram 0x80000000,512M')
    high, equal = lateness(['sched', '20'], ['sched', '10']), lateness(['sched', '10'], ['sched', '10'])
    low = lateness(['sched', '5'], ['sched', '10'])
    verdict('a higher priority is in time', '' if isinstance(high, int) and high < 1000 else high)
    verdict('an equal one waits for its turn',
            '' if isinstance(equal, int) and 50000 < equal <= 250000 else equal)
    verdict('a lower one does not run', '' if 'time limit reached' in str(low) else low)
    for what, own, others, least, most in (
            ('equals', ['sched', '10'], ['sched', '10'], 0.48, 0.52),
            ('FIFO', ['sched', '10f'], ['sched', '10'], 1, 1),
            ('a higher priority', ['sched', '11'], ['sched', '10'], 1, 1),
            ('a budget of a tenth', ['sched', '20,5,4,1000000,100000s'], ['sched', '10'], 0.09, 0.11),
            ('a budget of two thirds', ['sched', '20,5,4,300000,200000s'], ['sched', '10'], 0.64, 0.69)):
        a, b = lines_of(own, others, 10)
        share = a / max(1, a + b)
        verdict('share of ' + what, '' if least <= share <= most else '%d and %d lines' % (a, b))


# Examples -----------------------------------------------------------------------------------------

def examples():
    r = run('--board', REPOSITORY_BOARD, 'configs/two-vms-a.qvmconf', 'configs/two-vms-b.qvmconf')
    verdict('configs/two-vms-*', r.problem(37, '[a] writes', '[b] found 0x2a'))
    r = run('--board', REPOSITORY_BOARD, 'configs/passed-uart.qvmconf')
    verdict('configs/passed-uart', r.problem(0, 'Hello from EL1'))
    r = run('configs/watchdog-dump.qvmconf', 'dump', work)
    verdict('configs/watchdog-dump', r.problem(4, "guest dumped to '%s/wedged-" % work))
    r = run('--board', 'configs/boards/one-cpu.board', 'configs/rtos.qvmconf', '+',
            *words(('busy', 'count 1000000')), '--on-exit', 'stop')
    late = re.search(r'at worst (\d+) ns late', r.out)
    verdict('configs/rtos', r.problem(0) or ('' if late and int(late[1]) < 1000 else r.out[-100:]))


for test in sameness, isolation, endings, command_line, pass_through, priorities, examples:
    test()
finish()
PYTHON
