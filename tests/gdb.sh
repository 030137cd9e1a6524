#!/usr/bin/env bash
# gdb.sh QVM [linux]: a real gdb on recordings, forwards and backwards, through a pipe; on runs,
# through TCP; lldb; and peers that are no debugger. Looking changes nothing. With `linux` on a
# recording of Linux. Prints failures, and a count. Without a gdb for AArch64 only what needs none is
# tested.
set -uo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"
case $#:${2-} in
1: | 2:linux) ;;
*) echo "usage: gdb.sh QVM [linux]" >&2; exit 2 ;;
esac
guest="${2-bare}"
qvm="$(realpath -e "$1")" || exit 2
cd "$repository" || exit 2
tests/guest/build.sh build/guests/tests || exit 2
gdb="$(command -v gdb-multiarch || command -v aarch64-none-elf-gdb || command -v aarch64-linux-gnu-gdb)" ||
    echo "skipped  everything that needs a gdb for AArch64 (gdb-multiarch)"
lldb="$(command -v lldb)" || echo "skipped  what needs lldb"
. tests/support.sh
trap 'exit 1' HUP INT TERM
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests python3 - "$qvm" "$gdb" "$lldb" "$work" "$guest" <<'PYTHON'
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from support import REPOSITORY_BOARD, SECONDS, Peer, Run, finish, verdict
import support

qvm, gdb, lldb, work, guest = sys.argv[1:]
Server = partial(support.Server, qvm)
ELF = 'build/guests/tests/ipi.elf'
MACHINE = ['configs/test-arm64.qvmconf', 'cpu', 'cpu', 'cpu', 'cpu', 'load', ELF]
ENDLESS = ['configs/test-arm64.qvmconf', 'load', 'build/guests/tests/endless.elf']
TRACE = work + '/ipi.qtrace'
PIPE = 'target remote | %s gdb %s --pipe' % (shlex.quote(qvm), TRACE)
HOPS = '*(unsigned *) ((char *) &shared + 36)'  # in tests/guest/ipi.c

if guest == 'linux':
    MACHINE = ['configs/linux-arm64.qvmconf']
plain = Run([qvm, 'record', '-o', TRACE, *MACHINE])
verdict('recording', plain.problem(0, 'power' if guest == 'linux' else 'checks passed, 0 failed'))


# Without gdb ----------------------------------------------------------------------------------------

def interrupted(packet):
    """Ctrl-C, at once, into a run of 26 million instructions."""
    server = Server('gdb', '--port', '0', TRACE)
    peer = Peer(server.place)
    if packet == 'bc':
        peer.monitor('seek 20000000')
        # Where no instruction is, in a page that is executed all the time: it must be searched.
        peer.ask('Z1,%x,4' % (peer.pc() | 2))
    peer.send(packet)
    peer.socket.sendall(b'\x03')
    stop, when = peer.answer(), peer.monitor('when')
    peer.ask('D')
    ended = server.end()
    at = int(re.search(r'instruction (\d+)', when)[1])
    if not stop.startswith('T02thread:'):
        return 'it answers %r' % stop
    if at > 20000000:
        return 'it is at %s' % when
    return ended.problem(0)


def latency(what, packet, *prepared, trace=TRACE):
    """From Ctrl-C to the answer: far from 200 ms, on a busy machine too, is what took a minute."""
    server = Server('gdb', '--port', '0', trace)
    peer = Peer(server.place)
    for one in prepared:
        peer.monitor(one[8:]) if one.startswith('monitor ') else peer.ask(one)
    peer.send(packet)
    if not packet.startswith('qRcmd'):
        time.sleep(0.3)  # until it is in the middle of it
    began = time.monotonic()
    peer.socket.sendall(b'\x03')
    text = ''
    while (answer := peer.answer()).startswith('O') and answer != 'OK':
        text += bytes.fromhex(answer[1:]).decode()
    took = time.monotonic() - began
    problem = '' if took < 5 else 'it took %.1f s' % took
    if packet.startswith('qRcmd'):
        problem = problem or ('' if answer == 'OK' and 'interrupted on the way' in text else text)
    else:
        problem = problem or ('' if answer.startswith('T02') else answer)
    peer.ask('D')
    verdict('Ctrl-C, ' + what, problem or server.end().problem(0))


def latencies():
    hot = 'Z2,40090f00,4'  # in the page of what the vCPUs share
    latency('a watched page that is hot', 'vCont;c', 'monitor seek 1000000', hot)
    latency('the same, backwards', 'bc', 'monitor seek 40000000', hot)
    idle = work + '/idle.qtrace'
    Run([qvm, 'record', '-o', idle, *MACHINE, 'cpu'])
    latency('a step of a vCPU that is off', 'vCont;s:5', trace=idle)
    latency('monitor seek', 'qRcmd,' + b'seek 50000000'.hex())


def repeated():
    """A debugger that heard nothing for a while asks again; it wants one answer."""
    server = Server('gdb', '--port', '0', TRACE)
    with socket.create_connection(server.place, timeout=SECONDS) as s:
        s.sendall(b'+' + b'$qC#b4' * 3)
        s.shutdown(socket.SHUT_WR)
        had = b''
        while more := s.recv(65536):
            had += more
    good = re.fullmatch(rb'\+\+\+\$QC1#c5', had)
    verdict('a packet sent three times', '' if good else repr(had))
    server.end()


def raw():
    verdict('Ctrl-C', interrupted('vCont;c'))
    verdict('Ctrl-C, backwards', interrupted('bc'))
    latencies()
    repeated()

    server = Server('run', '--gdb', '0', *MACHINE)
    peer = Peer(server.place)
    problem = '' if peer.ask('bs') == 'E01' else 'a run went back'
    answer = peer.ask('vCont;c')
    verdict('a run to its end', problem or ('' if answer == 'W00' else 'the answer is %r' % answer))
    verdict('a run to its end, digest', server.end().differs(plain_run))

    server = Server('run', '--gdb', '0', *MACHINE)
    Peer(server.place).ask('k')
    verdict('kill', server.end().problem(3, 'ended by the debugger'))

    server = Server('run', '--gdb', '127.0.0.1:0', *MACHINE)
    for stray in (b'', b'GET / HTTP/1.0\r\n\r\n$k#6b', b'+$m0,4#00' + bytes(range(256)) * 100):
        with socket.create_connection(server.place) as s:
            s.sendall(stray)
            s.shutdown(socket.SHUT_WR)
    answer = Peer(server.place).ask('vCont;c')
    verdict('a debugger behind peers that are none', '' if answer == 'W00' else repr(answer))
    verdict('peers that are no debuggers', server.end().differs(plain_run))

    server = Server('run', '--gdb', '0', *MACHINE)
    socket.create_connection(server.place).close()
    time.sleep(0.3)
    server.process.terminate()
    verdict('a signal after a peer that is none', server.end().problem(2, 'no debugger came'))

    server = Server('gdb', '--port', '0', TRACE)
    peer = Peer(server.place)
    peer.send('vCont;c')
    peer.socket.close()
    verdict('a debugger that vanishes', server.end().problem(0))

    server = Server('gdb', '--port', '0', TRACE)
    time.sleep(0.3)
    server.process.terminate()
    verdict('a signal instead of a debugger', '' if server.end().status != 0 else 'status 0')

    for where in ('', 'x', '1:', '65536', '127.0.0.1:65536', 'nobody here:1'):
        run = Run([qvm, 'gdb', '--port', where, TRACE])
        verdict('port %r' % where, run.problem(2, 'qvm: '))


def stops_once():
    """Who goes on from a stop that was reported passes it, in either direction; a step that makes an
    access which is watched reports it before it, backwards behind it."""
    server = Server('gdb', '--port', '0', TRACE)
    peer = Peer(server.place)
    peer.monitor('seek 51312550')  # before a store to HOPS
    peer.ask('Z2,4009003c,4')
    watch, step = 'T05watch:4009003c;thread:1;', 'T05thread:1;'
    after = 51312551
    asked = (('vCont;s:1', watch, after - 1), ('vCont;s:1', step, after), ('bs', watch, after),
             ('bs', step, after - 1), ('bs', step, after - 2), ('vCont;s:1', step, after - 1),
             ('c', watch, after - 1), ('c', 'T05replaylog:end;', None), ('bc', watch, after),
             ('vCont;s:1', step, after + 1), ('bs', step, after), ('bc', watch, after),
             ('bc', 'T05watch:4009003c;', None), ('z2,4009003c,4', 'OK', None),
             ('Z1,400801c4,4', 'OK', None), ('c', 'T05hwbreak:;', None))
    peer.ask('qSupported:hwbreak+')
    for number, (packet, wanted, place) in enumerate(asked):
        answer, at = peer.ask(packet), peer.monitor('when')
        good = answer.startswith(wanted) and (place is None or 'instruction %d,' % place in at)
        verdict('stops once, %d: %s' % (number, packet), '' if good else '%r at %r' % (answer, at))
    for packet in ('bc', 'bc', 'c', 'bc', 'c'):
        before, answer, after = peer.monitor('when'), peer.ask(packet), peer.monitor('when')
        good = answer.startswith('T05hwbreak:;') and before != after
        verdict('a breakpoint, ' + packet, '' if good else '%r at %r' % (answer, after))
    # A watchpoint and a breakpoint of one instruction are two stops.
    peer.monitor('seek 51312550')
    peer.ask('Z2,4009003c,4')
    stops = [peer.ask(packet)[:9] for packet in ('c', 'c', 's', 'bc', 'bc', 'c')]
    wanted = ['T05hwbrea', 'T05watch:', 'T05thread', 'T05watch:', 'T05hwbrea', 'T05watch:']
    verdict('both kinds', '' if stops == wanted else repr(stops))
    peer.ask('D')
    verdict('stops once, the end', server.end().problem(0))


def over_two_pages():
    """A store over a page boundary, from a page with code into the watched one (tests/guest/debug.c)."""
    trace = work + '/debug.qtrace'
    Run([qvm, 'record', '-o', trace, 'configs/test-arm64.qvmconf', 'load', 'build/guests/tests/debug.elf'])
    server = Server('gdb', '--port', '0', trace)
    peer = Peer(server.place)
    peer.ask('Z2,90011000,4')
    answer, registers = peer.ask('c'), peer.ask('g')
    x0, x1 = (int.from_bytes(bytes.fromhex(registers[at:at + 16]), 'little') for at in (0, 16))
    good = answer.startswith('T05watch:90011000;') and (x0, x1) == (0x90010ffc, 0x5566778811223344)
    verdict('a store over two pages', '' if good else '%s, x0 %#x, x1 %#x' % (answer, x0, x1))
    peer.ask('D')
    verdict('a store over two pages, the end', server.end().problem(0))


def impossible():
    """Nobody gets to where the architecture, as it is here, has nothing."""
    server = Server('gdb', '--port', '0', TRACE)
    peer = Peer(server.place)
    peer.ask('Z1,400801c4,4')
    peer.ask('c')

    def cpsr():
        return int.from_bytes(bytes.fromhex(peer.ask('p21')), 'little')

    def sp():
        return int.from_bytes(bytes.fromhex(peer.ask('p1f')), 'little')

    was, stack = cpsr(), sp()
    forbidden = [was & ~0x1f | mode for mode in (1, 8, 9, 0xc, 0xd, 0x10, 0x13, 0x1f)] + \
                [was ^ 1 << bit for bit in (5, 10, 11, 12, 20, 21, 22, 23, 24, 25, 26, 27)]
    for value in forbidden:
        answer = peer.ask('P21=' + value.to_bytes(4, 'little').hex())
        good = answer == 'E01' and cpsr() == was
        verdict('cpsr %#x' % value, '' if good else '%r, it is %#x' % (answer, cpsr()))
    for value in (was ^ 0xf << 28, was ^ 0xf << 6, was & ~0xf, was & ~0xf | 4, was):
        answer = peer.ask('P21=' + value.to_bytes(4, 'little').hex())
        good = answer == 'OK' and cpsr() == value and (sp() == stack) == bool(value & 1)
        verdict('cpsr %#x' % value, '' if good else '%r, it is %#x, SP %#x' % (answer, cpsr(), sp()))
    registers = peer.ask('g')
    packet = registers[:33 * 16] + (was | 0xc).to_bytes(4, 'little').hex() + registers[33 * 16 + 8:]
    verdict('G with EL3', '' if peer.ask('G' + packet) == 'E01' else 'it is taken')
    peer.ask('D')
    verdict('impossible, the end', server.end().problem(0))


def looking():
    """Whatever is looked at, set and stepped, forwards and backwards: the digest at the end is the
    recording's."""
    chance = random.Random(1)
    server = Server('gdb', '--port', '0', TRACE)
    peer = Peer(server.place)
    points = []
    for _ in range(40):
        what = chance.randrange(10)
        address = chance.choice((0x40080000, 0x40090000, 0x40080700, 0x09000000)) + \
            chance.randrange(0x800) * 4
        thread = chance.randrange(1, 5)
        if what == 0:
            points.append('%d,%x,4' % (chance.randrange(5), address))
            peer.ask('Z' + points[-1])
        elif what == 1 and points:
            peer.ask('z' + points.pop(chance.randrange(len(points))))
        elif what == 2:
            for _ in range(chance.randrange(1, 6)):
                peer.ask(chance.choice(('vCont;s:%x', 'bs')).replace('%x', '%x' % thread))
        elif what == 3:
            peer.ask('Hg%x' % thread)
            peer.ask('g')
            peer.ask('p%x' % chance.randrange(90))
        elif what == 4:
            peer.monitor('seek %d' % chance.randrange(1000000))
        elif what == 5:
            peer.monitor(chance.choice(('walk %d', 'why %d,4')) % address)
        elif what == 6:
            peer.monitor('why x%d' % chance.randrange(31))
        elif what == 7:
            peer.monitor(chance.choice(('events 9', 'info vdevs', 'exits', 'when', 'digest')))
        elif what == 8 and points:
            peer.ask(chance.choice(('vCont;c', 'bc')))
        else:
            peer.ask('m%x,40' % address)
    for point in points:
        peer.ask('z' + point)
    end = peer.ask('vCont;c')
    digest = peer.monitor('digest').strip()
    verdict('the end of the recording', '' if end.startswith('T05replaylog:end;') else repr(end))
    verdict('looking changes nothing', '' if digest == plain.digest else 'digest %s' % digest)
    verdict('its start', '' if peer.ask('bc').startswith('T05replaylog:begin;') else 'another stop')
    peer.ask('D')
    verdict('looking, the end', server.end().problem(0))


def streams():
    """What an SMMU makes of a device's access, at the moment that is looked at."""
    server = Server('gdb', '--port', '0', 'traces/contained.qtrace')
    peer = Peer(server.place)
    peer.monitor('seek 100000')
    says('monitor stream', peer.monitor('stream master 0xa800000 write') + peer.monitor('stream smmu0:5 0x40001234'),
         r"^write of iova 0xa800000, stream 0x5, of master, behind the board's smmu0$",
         r'^refused: F_TRANSLATION: stage 2 level 1: write of 0xa800000', r'^hpa 0x80401234: RAM of vm test, gpa 0x40001234')
    says('monitor stream, of nobody', peer.monitor('stream master') + peer.monitor('stream uart 0'),
         '^stream wants DEVICE', "has no vdev 'uart' with a stream")
    peer.ask('k')
    server.end()


def unfetched(guest):
    """Each attempt is a step, also one at a vector or behind a branch where nothing can be fetched."""
    trace = '%s/%s.qtrace' % (work, guest)
    elf = 'build/guests/tests/%s.elf' % guest
    ran = Run([qvm, 'record', '-o', trace, 'configs/test-arm64.qvmconf', 'load', elf])
    end = int(re.search(r'; (\d+) instructions', ran.err)[1])
    server = Server('gdb', '--port', '0', trace)
    peer = Peer(server.place)

    def when():
        return int(re.search(r'instruction (\d+)', peer.monitor('when'))[1])

    there = list(range(max(0, end - 8), end + 1))
    peer.monitor('seek %d' % there[0])
    places = [(when(), peer.pc())]
    for packet in ['s'] * (len(there) - 1) + ['bs'] * (len(there) - 1):
        peer.ask(packet)
        places.append((when(), peer.pc()))
    forth, back = places[:len(there)], places[len(there) - 1:][::-1]
    problem = '' if [n for n, _ in forth] == there and forth == back else repr(places)
    for n, pc in forth:
        peer.monitor('seek %d' % n)
        if (when(), peer.pc()) != (n, pc):
            problem = problem or 'seek %d is at %d' % (n, when())
    # The first time that the vector is tried, too.
    vector = forth[-1][1]
    peer.monitor('seek 0')
    peer.ask('Z0,%x,4' % vector)
    peer.ask('c')
    first = min(n for n, pc in forth if pc == vector)
    if not problem and when() != first:
        problem = 'the breakpoint is met at %d, not %d' % (when(), first)
    peer.ask('D')
    verdict('steps of ' + guest, problem)
    verdict('steps of %s, the end' % guest, server.end().problem(0))


# With gdb -------------------------------------------------------------------------------------------

def script(target, *commands):
    """What gdb says, each command's answer behind a line `> COMMAND`."""
    path = work + '/script.gdb'
    with open(path, 'w') as to:
        to.write('set pagination off\nset confirm off\nset architecture aarch64\n%s\n' % target)
        for command in commands:
            to.write('echo > %s\\n\n%s\n' % (command.replace('\\', ''), command))
    try:
        done = subprocess.run([gdb, '-nx', '-batch', '-x', path, ELF], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS)
    except subprocess.TimeoutExpired as e:
        return (e.stdout or b'').decode(errors='replace') + '\nit does not end'
    return done.stdout.decode(errors='replace')


def says(what, text, *patterns):
    """The patterns come in this order."""
    at = 0
    for pattern in patterns:
        found = re.compile(pattern, re.M).search(text, at)
        if not found:
            verdict(what, 'no %r in %r' % (pattern, text[at:][-1000:]))
            return
        at = found.end()
    verdict(what, '')


def forwards():
    text = script(PIPE, 'info threads', 'hbreak main', 'break sgis', 'continue', 'monitor when',
                  'continue', 'info threads', 'info registers pc cpsr SCTLR_EL1', 'p $v0.d.u',
                  'compare-sections .text', 'thread 3', 'p $pc', 'thread 1', 'stepi', 'stepi',
                  'p $pc', 'set $x7 = 1', 'detach')
    says('threads at the start', text, r'^\* 1 +Thread 1 \(VM test, vCPU 0: runs\).* start \(\) at tests/guest/lib/start\.S:\d+$',
         r'^  4 +Thread 4 \(VM test, vCPU 3: off\)')
    says('breakpoints', text, r'^Thread 1 hit Breakpoint 1, main \(\) at tests/guest/ipi\.c:\d+$',
         r'^instruction \d+, 0\.\d{9} s virtual$',
         r'^Thread 1 hit Breakpoint 2, sgis \(\) at tests/guest/ipi\.c:\d+$',
         r'^  3 +Thread 3 \(VM test, vCPU 2: waits\).* receive \(argument=\w+\) at tests/guest/ipi\.c:\d+$')
    says('registers', text, r'^pc .*<sgis(\+\d+)?>$', r'^cpsr .*\[.* EL=1 .*\]$',
         r'^SCTLR_EL1 +0x\w+ +\d+$', r'= \{\d+, \d+\}$')
    says('memory is as in the ELF file', text, r'Section \.text,.*: matched\.')
    says('switching threads', text, r'^\[Switching to thread 3 ', r'<receive\+\d+>$',
         r'^\[Switching to thread 1 ', r'<sgis\+\d+>$')
    says('detaching', text, r'^\[Inferior 1 .*detached\]$')


def backwards():
    text = script(PIPE, 'break sgis', 'continue', 'delete', 'monitor when', 'stepi', 'stepi',
                  'reverse-stepi', 'reverse-stepi', 'monitor when', 'p $pc', 'reverse-continue',
                  'monitor when', 'p $pc', 'continue', 'monitor when', 'break psci',
                  'reverse-continue', 'p $pc', 'detach')
    whens = re.findall(r'^instruction (\d+),', text, re.M)
    end = re.search(r'(\d+) instructions', plain.err)
    verdict('steps back', '' if whens[:1] == whens[1:2] else 'at %s' % whens)
    says('the place after steps back', text, r'<sgis(\+\d+)?>$')
    says('both ends of the recording', text, r'^No more reverse-execution history\.$', r'<start>$',
         r'^No more reverse-execution history\.$', r'hit Breakpoint 2, psci \(\) at tests/guest/ipi\.c:\d+$')
    verdict('instructions at both ends',
            '' if whens[2:] == ['0', end[1]] else 'they are %s' % whens)


def hot_loop():
    """A breakpoint that is met thousands of times: the last time, and the one before."""
    end = int(re.search(r'(\d+) instructions', plain.err)[1])
    text = script(PIPE, 'monitor seek %d' % (end // 2), 'maintenance flush register-cache',
                  'hbreak *$pc', 'monitor seek %d' % end, 'maintenance flush register-cache',
                  'reverse-continue', 'monitor when', 'continue', 'reverse-continue',
                  'reverse-continue', 'monitor when', 'continue', 'monitor when', 'continue',
                  'detach')
    says('a breakpoint in a loop', text, 'hit Breakpoint 1', r'^No more reverse-execution history\.$',
         'hit Breakpoint 1', 'hit Breakpoint 1', 'hit Breakpoint 1',
         r'^No more reverse-execution history\.$')
    whens = [int(when) for when in re.findall(r'^instruction (\d+),', text, re.M)][-3:]
    good = len(whens) == 3 and whens[1] < whens[0] == whens[2]
    verdict('the last time and the one before', '' if good else 'at %s' % whens)


def slow_start():
    """gdb repeats its first packet every 2 s."""
    text = script('target remote | sleep 5; exec %s gdb %s --pipe' % (shlex.quote(qvm), TRACE),
                  'monitor when', 'stepi', 'monitor when', 'detach')
    says('a slow start', text, r'^> monitor when\ninstruction 0, ', r'^> stepi',
         r'^instruction 1, ', r'^\[Inferior 1 .*detached\]$')
    verdict('a slow start, no packet too many', '' if 'unexpected' not in text else text)


CHANGE = r'^Thread %d hit Hardware watchpoint \d: .*\n\nOld value = %d\nNew value = %d$'


def watch():
    text = script(PIPE, 'watch ' + HOPS, 'continue', 'continue', 'continue', 'continue', 'x/i $pc-4',
                  'reverse-continue', 'x/i $pc', 'reverse-continue', 'p ' + HOPS,
                  'continue', 'reverse-continue', 'rwatch ' + HOPS, 'reverse-continue', 'detach')
    says('watchpoints', text, CHANGE % (2, 0, 1), CHANGE % (3, 1, 2), CHANGE % (4, 2, 3),
         CHANGE % (1, 3, 4), r'\bstr\t')
    says('watchpoints, backwards', text, CHANGE % (1, 4, 3), r'^=> .*\bstr\t', CHANGE % (4, 3, 2),
         r'^\$\d+ = 2$', r'hit Hardware read watchpoint 2: ')


def watched_steps():
    text = script(PIPE, 'monitor seek 51312550', 'maintenance flush register-cache',
                  'watch ' + HOPS, 'stepi', 'monitor when', 'reverse-stepi', 'monitor when', 'next',
                  'reverse-next', 'detach')
    says('a watched step', text, CHANGE % (1, 999, 1000), r'^instruction 51312551,',
         CHANGE % (1, 1000, 999), r'^instruction 51312550,', CHANGE % (1, 999, 1000),
         CHANGE % (1, 1000, 999))


def writes():
    """They are part of the run, on the way back and forwards again."""
    text = script(PIPE, 'break sgis', 'continue', 'delete', 'stepi 5', 'set $x20 = 0x1234',
                  'set var *(unsigned *) ((char *) &shared + 100) = 77', 'stepi 9',
                  'set $x21 = 0x4321', 'stepi', 'monitor digest', 'reverse-stepi 13',
                  'monitor when', 'p/x $x20', 'stepi 13', 'p/x $x20', 'p/x $x21', 'monitor digest',
                  'p *(unsigned *) ((char *) &shared + 100)', 'monitor why x20', 'detach')
    says('writes', text, r'another run$', '^as recorded, up to .* instruction (\d+)$', '= 0x0$',
         '= 0x1234$', '= 0x4321$', '= 77$', r'debugger, who wrote right behind this instruction$',
         r'before 0x0+, after 0x0+1234$')
    verdict('writes, digest', '' if len(set(re.findall(r'^[0-9a-f]{64}$', text, re.M))) == 1 else text)


def first_instruction():
    """Before it, a vCPU has no state in the engine yet."""
    text = script(PIPE, 'monitor walk 0x40080000', 'p/x $x0', 'p $cpsr', 'set $x7 = 77',
                  'thread 2', 'monitor walk 0x40080000', 'thread 1', 'stepi', 'p $x7',
                  'reverse-stepi', 'p $x7', 'p $pc', 'thread 2', 'set $x7 = 77')
    place = r'^gpa 0x40080000, hpa 0x\w+: RAM, offset '
    says('a walk before the first instruction', text, r'next 0x40080000 <start\+0>: msr daifset', place,
         r'^\$1 = 0x4\w+$', r'EL=1', '^> thread 2', place, r'Could not write register')
    says('registers written before the first instruction', text, r'another run$', '^> stepi',
         ' = 77$', ' = 77$', r'<start>$')


def why():
    text = script(PIPE, 'monitor why x7', 'break spis', 'continue', 'monitor digest',
                  'monitor why sp', 'monitor why VBAR_EL1', 'monitor why lr',
                  'eval "monitor why %%lu,4", (long) &%s' % HOPS, 'monitor why 0x40080000',
                  'monitor events 4', 'monitor events', 'info registers pc', 'monitor digest',
                  'monitor space guest-physical', 'monitor why 0x4009003c,4', 'monitor why zr',
                  'monitor why 0x4009003c,40', 'monitor why 0x4008fff8,9', 'monitor events 5000',
                  'detach')
    says('who wrote a register', text, r'^x7 was not written since instruction 0: it holds 0x0+,',
         r'^sp was last written by instruction \d+: VM test, vCPU 0, \w+ <\w+\+\w+>: stp x29, x30, \[sp, ',
         r'before 0x\w+7ff0, after 0x\w+7fc0$',
         r'^VBAR_EL1 was .* instruction 76: .*msr vbar_el1, x1$', r'^lr was .*: bl ')
    wrote = r'^0x4009003c \(4 bytes\) was last written by instruction 51312551: VM test, vCPU 0, ' \
            r'0x400801c4 <on_irq\+0x8c>: str w10, .*\n%s +before 0x000003e7, after 0x000003e8\n.*seek 51312550 '
    says('who wrote an address', text, wrote % '', r'^0x40080000 \(1 byte\) was not written since ')
    says('who wrote a physical address', text, r'addresses of memory are guest-physical',
         wrote % r' +by its virtual address 0x4009003c\n')
    says('no question', text, "register of gdb.s target description, not 'zr'", 'within one page', 'within one page',
         r'at most 1000 events')
    digests = re.findall(r'^[0-9a-f]{64}$', text, re.M)
    verdict('a question changes nothing',
            '' if len(digests) == 2 and len(set(digests)) == 1 else repr(digests))
    events = [line for line in text.splitlines() if ' QVM:' in line]
    good = len(events) == 24 and events[:4] == events[-4:] and ' insn:51412935' in events[-1]
    verdict('events', '' if good else repr(events))
    says('where it was', text, r'^pc .*<spis\+')


def read_where_it_runs():
    text = script('target remote | %s gdb --pipe traces/hello.qtrace' % shlex.quote(qvm),
                  'rwatch *(char *) 0x40080026', 'continue', 'monitor when', 'detach')
    says('data in the page that runs', text, '^Hardware read watchpoint 1: .*\n\nValue = 108 ',
         '^instruction 11,')


def devices():
    text = script('target remote | %s gdb --pipe traces/hello.qtrace' % shlex.quote(qvm),
                  'awatch *(unsigned *) 0x09000000', 'continue', 'monitor when', 'continue',
                  'continue', 'reverse-continue', 'x/i $pc', 'monitor when',
                  'monitor why 0x09000000', 'detach')
    hit = r'Hardware access \(read/write\) watchpoint 1'
    says('registers of devices', text, hit, '^instruction 5,', hit, hit, hit, r'^=> .*\bstr\t',
         '^instruction 12,', r'by instruction 9: .* str w3, \[x1\]\n +value 0x65, to pl011$')


def live(command):
    words = ['-o', work + '/debugged.qtrace'] if command == 'record' else []
    server = Server(command, '--gdb', '0', *words, *MACHINE)
    text = script('target remote %s:%d' % server.place, 'hbreak psci', 'continue',
                  'info registers system', 'x/8gx $sp', 'info threads', 'monitor walk 0x40080000',
                  'monitor space guest-physical', 'x/i 0x40080000', 'stepi 100', 'watch ' + HOPS,
                  'continue', 'monitor events 2', 'monitor why x0', 'delete', 'detach')
    ended = server.end()
    says(command + ' --gdb', text, r'hit Breakpoint 1, psci \(\) at tests/guest/ipi\.c:\d+$', r'^TTBR0_EL1 ',
         r'^gpa 0x40080000, hpa 0x\w+: RAM, offset ', r'<start>:\t', CHANGE % (2, 0, 1),
         r'QVM:\w+ .*\n.*QVM:', r'^a run has no past ', r'^\[Inferior 1 .*detached\]$')
    verdict(command + ' --gdb, digest', ended.differs(plain_run))
    if command == 'record':
        replay = Run([qvm, 'replay', words[1]])
        verdict('replay of what was debugged', replay.differs(plain))


def two_vms():
    """The vCPUs of all VMs are threads; each has the memory of its VM."""
    trace = work + '/two.qtrace'
    Run([qvm, 'record', '-o', trace, '--board', REPOSITORY_BOARD, 'configs/two-vms-a.qvmconf',
         'configs/two-vms-b.qvmconf'])
    text = script('target remote | %s gdb --pipe %s' % (shlex.quote(qvm), trace),
                  'file build/guests/tests/vms/actor.elf', 'info threads', 'break main thread 2',
                  'continue', 'thread', 'monitor walk 0x40080000', 'thread 1',
                  'monitor walk 0x40080000', 'delete', 'thread 2', 'stepi', 'p $pc',
                  'awatch *(unsigned *) 0x60000000', 'continue', 'monitor why 0x60000000', 'detach')
    says('two VMs', text, r'Thread 1 \(VM a, vCPU 0', r'Thread 2 \(VM b, vCPU 0',
         r'^Thread 2 hit Breakpoint 1, ', 'Current thread is 2', r'^instruction \d+, vm b, vcpu 0 ',
         r'^instruction \d+, vm a, vcpu 0 ', r'<(main|words_start)(\+\d+)?>$', r'^Thread 2 hit Hardware access',
         r'^Value = 42$', r'was last written by .*: VM a, vCPU 0, .*: str x')


def with_lldb():
    server = Server('gdb', '--port', '0', TRACE)
    commands = ['gdb-remote %s:%d' % server.place, 'register read cpsr', 'breakpoint set -n sgis',
                'continue', 'thread list', 'memory read -c 4 0x40080000', 'thread step-inst', 'bt',
                'breakpoint delete 1', 'watchpoint set expression -w write -s 4 -- 0x4009003c',
                'continue', 'register read SCTLR_EL1', 'process plugin packet monitor when', 'detach']
    words = [word for command in commands for word in ('-o', command)]
    run = Run([lldb, '--no-lldbinit', '--batch', *words, ELF])
    says('lldb', run.out, r'`start at start\.S:\d+$', r'cpsr = 0x000003c5$', r'stop reason = breakpoint 1\.1',
         r'tid = 0x0004, .*`receive', r'^0x40080000: df 4f 03 d5', r'step into\n.*`sgis at ipi\.c:\d+',
         r'frame #1: .*`main', r'old value: 0\nnew value: 1', r'thread #2, stop reason = watchpoint',
         r'SCTLR_EL1 = 0x\w+$', r'^instruction \d+, ', r'^Process 1 detached')
    verdict('lldb, the end', server.end().problem(0))


def interrupt_gdb():
    """The user's own Ctrl-C, and the end of gdb."""
    server = Server('run', '--gdb', '0', *ENDLESS)
    process = subprocess.Popen([gdb, '-nx', '-batch', '-ex', 'target remote %s:%d' % server.place,
                                '-ex', 'continue', '-ex', 'info registers pc', '-ex', 'kill', ELF],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    time.sleep(2)  # it runs by then
    process.send_signal(signal.SIGINT)
    try:
        text = process.communicate(timeout=SECONDS)[0].decode()
    except subprocess.TimeoutExpired:
        process.kill()
        text = 'gdb does not end: %r' % process.communicate()[0]
    says('Ctrl-C in gdb', text, r'Program received signal SIGINT', r'^pc +0x4[0-9a-f]+ ',
         r'^\[Inferior 1 .*killed\]$')
    verdict('kill in gdb', server.end().problem(3, 'ended by the debugger'))


def linux():
    """A kernel without symbols: what VBAR_EL1 says is where its exceptions begin."""
    text = script('target remote | %s gdb --pipe %s' % (shlex.quote(qvm), TRACE),
                  'monitor seek 600000000', 'maintenance flush register-cache',
                  'hbreak *($VBAR_EL1 + 0x280)', 'continue', 'monitor when',
                  'p $ELR_EL1 == 0', 'set $interrupted = $ELR_EL1', 'monitor why ELR_EL1',
                  'reverse-stepi', 'stepi', 'p $pc == $interrupted', 'stepi',
                  'p $pc == $VBAR_EL1 + 0x284', 'reverse-continue', 'monitor when',
                  'p $pc == $VBAR_EL1 + 0x280', 'delete 1', 'watch -l *(unsigned long *) $sp',
                  'reverse-continue', 'x/i $pc', 'delete')
    says('an interrupt of a kernel', text, r'^Breakpoint 1, 0xffff', r'= 0$',
         r'^ELR_EL1 was last written behind instruction \d+, when an exception was taken', r'= 1$',
         r'= 1$', r'^Breakpoint 1, 0xffff', r'= 1$', r'^Old value = ', r'^=> 0xffff.*:\tst')
    whens = re.findall(r'^instruction (\d+),', text, re.M)
    verdict('back to the interrupt', '' if len(whens) == 3 and whens[1] == whens[2] else repr(whens))
    text = script('target remote | %s gdb --pipe %s' % (shlex.quote(qvm), TRACE),
                  'monitor seek 1800000000', 'maintenance flush register-cache',
                  'hbreak *($VBAR_EL1 + 0x400)', 'continue', 'info registers cpsr', 'monitor why sp',
                  'reverse-stepi', 'x/i $pc', 'info registers cpsr', 'stepi',
                  'p $pc == $VBAR_EL1 + 0x400', 'reverse-continue', 'p $pc == $VBAR_EL1 + 0x400',
                  'monitor why TTBR0_EL1', 'monitor digest')
    says('a system call', text, r'^Breakpoint 1, 0xffff', r'EL=1', r'^sp was .*: svc #0', '\tsvc\t',
         r'EL=0', r'^Breakpoint 1, ', '= 1$', r'^Breakpoint 1, ', '= 1$',
         r'^TTBR0_EL1 was last written by instruction \d+: VM linux, vCPU 0, .*: msr ttbr0_el1, x',
         r'^[0-9a-f]{64}$')


def bare():
    raw()
    stops_once()
    over_two_pages()
    impossible()
    looking()
    streams()
    unfetched('doublefault')
    unfetched('jump')
    if gdb:
        slow_start()
        forwards()
        backwards()
        hot_loop()
        watch()
        watched_steps()
        writes()
        first_instruction()
        why()
        read_where_it_runs()
        devices()
        two_vms()
        live('run')
        live('record')
        interrupt_gdb()
    if lldb:
        with_lldb()


if guest == 'bare':
    plain_run = Run([qvm, 'run', *MACHINE])
    bare()
elif gdb:
    linux()
finish()
PYTHON
