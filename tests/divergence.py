"""divergence.py QVM CHUNKS WORK: recordings that were changed in one place, and the sentence that
their replay must give. divergence.sh runs it."""
import hashlib
import os
import re
import subprocess
import sys
import time

from support import SLOWNESS, Run, finish, verdict, words

qvm, chunks, work = sys.argv[1:]
GUESTS = 'build/guests/tests'
BOARD = '@configs/test-arm64.qvmconf'


# Traces --------------------------------------------------------------------------------------------

def unpack(path):
    """Its chunks: a list of [type, contents]."""
    row = subprocess.run([chunks, 'unpack'], stdin=open(path, 'rb'), capture_output=True,
                         check=True).stdout
    found, at = [], 0
    while at < len(row):
        size = int.from_bytes(row[at + 4:at + 12], 'little')
        found.append([row[at:at + 4].decode(), bytearray(row[at + 12:at + 12 + size])])
        at += 12 + size
    return found


def pack(parts, path):
    row = b''.join(kind.encode() + len(data).to_bytes(8, 'little') + bytes(data)
                   for kind, data in parts)
    done = subprocess.run([chunks, 'pack'], input=row, capture_output=True, check=True)
    open(path, 'wb').write(done.stdout)


def of(parts, kind):
    return next(data for k, data in parts if k == kind)


def joined(parts, kind):
    """The contents of all chunks of that type; they become one."""
    data = bytearray(b''.join(bytes(d) for k, d in parts if k == kind))
    first = next(i for i, (k, d) in enumerate(parts) if k == kind)
    parts[:] = [p for i, p in enumerate(parts) if p[0] != kind or i == first]
    parts[first][1] = data
    return data


def without(*kinds):
    def change(parts):
        parts[:] = [p for p in parts if p[0] not in kinds]
    return change


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def text_put(text):
    return varint(len(text)) + text.encode()


def texts(data):
    """A list of [name, text]."""
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                return value

    def text():
        nonlocal at
        size = number()
        at += size
        return data[at - size:at].decode()

    return [[text(), text()] for _ in range(number())]


def retext(parts, kind, change):
    data = of(parts, kind)
    list_ = texts(data)
    change(list_)
    data[:] = varint(len(list_)) + b''.join(text_put(n) + text_put(t) for n, t in list_)


def config(old, new):
    def change(parts):
        def edit(list_):
            assert old in list_[0][1], list_[0][1]
            list_[0][1] = list_[0][1].replace(old, new)
        retext(parts, 'CONF', edit)
    return change


def machine(name, text):
    def change(parts):
        def edit(list_):
            list_[:] = [p for p in list_ if p[0] != name] + [[name, text]]
        retext(parts, 'MACH', edit)
    return change


def bytes_in(kind, old, new):
    """Replaces the only place where these bytes are."""
    def change(parts):
        data = joined(parts, kind)
        assert data.count(old) == 1, (kind, old, data.count(old))
        data[:] = data.replace(old, new)
    return change


def byte_at(kind, at, xor=1):
    """In the first chunk of that type."""
    def change(parts):
        of(parts, kind)[at] ^= xor
    return change


def all_of(*changes):
    def change(parts):
        for one in changes:
            one(parts)
    return change


# Verdicts ------------------------------------------------------------------------------------------

def replay(path, *options):
    started = time.monotonic()
    run = Run([qvm, 'replay', *options, path])
    run.seconds = time.monotonic() - started
    return run


def says(what, trace, change, *sentences, options=('--verify',), status=66):
    """The changed trace must give these lines on standard error, and no other but the verdict."""
    parts = unpack(trace)
    change(parts)
    path = work + '/changed.qtrace'
    pack(parts, path)
    run = replay(path, *options)
    lines = [line[5:] for line in run.err.splitlines()
             if line.startswith('qvm: ') and not re.search(' digest [0-9a-f]{64}$', line)
             and not line.startswith('qvm: warn: ')]  # what the guest does is said again
    problem = ''
    if run.status != status:
        problem = 'status %s instead of %s: %s' % (run.status, status, run.err[-900:])
    elif len(lines) != len(sentences):
        problem = '%d lines instead of %d: %r' % (len(lines), len(sentences), lines)
    else:
        for line, wanted in zip(lines, sentences):
            if not re.fullmatch('.*'.join(map(re.escape, wanted.split('...'))), line):
                problem = 'it says\n    %s\n  and not\n    %s' % (line, wanted)
                break
    verdict(what, problem)


def record(path, *words, text='', more=''):
    """`more` comes when `text` was echoed."""
    command = [qvm, 'record', '-o', path, *words]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    process.stdin.write(text.encode())
    process.stdin.flush()
    seen = b''
    while more and text.encode() not in seen:
        part = os.read(process.stdout.fileno(), 4096)
        if not part:
            break
        seen += part
    process.stdin.write(more.encode())
    process.stdin.close()
    out = seen + process.stdout.read()
    return process.wait(timeout=60 * SLOWNESS), out.decode()


# The causes ----------------------------------------------------------------------------------------

CLOCK = 'instruction 5, vm test, vcpu 0, 0x40080010 <clock+0>: ldr w0, [x20]: ' \
        'mmio read of 4 bytes at gpa 0x9010000'
START = 'the replay diverged: the machines differ at the start: '
EFFECT = 'the first visible effect: '
VISIBLE = 'the replay diverged: the first visible difference: '
STATES = 'the replay diverged: machine states '
ENDED = 'the replay diverged: it ended at instruction 228, tick 229 with status 0 ' \
        '(the guest powered off), the recording at '
POWERED_OFF = ' (the guest powered off)'

full = work + '/full.qtrace'
status, printed = record(full, '--exits', '--digest-every', '10', '--limit-insns', '100000', BOARD,
                         'cpu', 'load', GUESTS + '/diverge.elf', text='a', more='b')
verdict('the recording', '' if (status, printed) == (0, '7ab') else '%s %r' % (status, printed))

says('nothing changed', full, without(), status=0)
says('nothing changed, without guest exits and parts', full, without('EXIT', 'PART'), status=0)

# Inputs
EARLY, LATE = b'\x00\x01\x01\x01a', b'\xda\x01\x01\x01\x01b'
early = bytes_in('PUSH', EARLY, b'\x00\x01\x01\x01c')
READ = 'vm test, vcpu 0, 0x400800c4 <got+0>: ldr w0, [x19]: ' \
       'mmio read of 4 bytes at gpa 0x9000000 (vdev pl011, UARTDR): the value from pl011: '
says('an input byte', full, early,
     STATES + 'are equal at instruction 0 and differ at 10 (vm test, vcpu 0, next 0x40080028 '
     '<identity+0xc>: str w0, [x19]): vm test, vdev pl011: rx[0]: recorded 0x61, now 0x63')
says('an input byte, by exits alone', full, all_of(early, without('DIGS', 'PART')),
     VISIBLE + 'instruction 211, ' + READ + 'recorded 0x61, now 0x63')
says('an input byte, by the output alone', full, all_of(early, without('DIGS', 'PART', 'EXIT')),
     'the replay diverged: it printed something else')
says('an input one tick later', full, bytes_in('PUSH', LATE, b'\xdb\x01\x01\x01\x01b'),
     STATES + 'are equal at instruction 210 and differ at 220 (...): time; vm test, vdev pl011')
says('an input one tick later, by the end', full,
     all_of(bytes_in('PUSH', LATE, b'\xdb\x01\x01\x01\x01b'), without('DIGS')),
     'the replay diverged: it ended at instruction 228, tick 230 with status 0' + POWERED_OFF +
     ', the recording at instruction 228, tick 229 with status 0' + POWERED_OFF +
     '; machine states were equal at instruction 0')
says('an input that is missing', full, bytes_in('PUSH', LATE, b''),
     VISIBLE + 'instruction 217, vm test, vcpu 0, 0x400800c0 <poll+0xc>: b #0x400800b4: interrupts '
     'signalled to vcpu 0: IRQ was recorded and does not happen; '
     'machine states were equal at instruction 210')
says('an input for another device', full, bytes_in('PUSH', LATE, b'\xda\x01\x01\x00\x01b'),
     VISIBLE + 'instruction 217, vm test, vcpu 0, 0x400800c0 <poll+0xc>: b #0x400800b4: interrupts '
     'signalled to vcpu 0: IRQ was recorded and does not happen; '
     'machine states were equal at instruction 210')
late = bytes_in('PUSH', LATE, b'\xda\x01\x01\x01\x01c')
clock = bytes_in('PULL', (1704067200).to_bytes(8, 'little'), (1704067201).to_bytes(8, 'little'))
RTCDR = CLOCK + ' (vdev pl031, RTCDR): the value from pl031: recorded 0x65920080, now 0x65920081'
says('the wall clock', full, clock,
     START + 'vm test, vdev pl031: offset: recorded 0x65920080, now 0x65920081', EFFECT + RTCDR)
says('the wall clock, by exits alone', full, all_of(clock, without('PART')), VISIBLE + RTCDR)

# Configuration
says('more RAM', full, config('ram 0x40000000,0x8000000', 'ram 0x40000000,0x8001000'),
     START + 'memory, in more than one page')
says('another clock rate', full, config('clock-rate 1000000000', 'clock-rate 500000000'),
     STATES + 'are equal at instruction 0 and differ at 10 (vm test, vcpu 0, next 0x40080028 '
     '<identity+0xc>: str w0, [x19]): vm test, vdev pl011')
says('another CPU', full, config('cpu-model a57', 'cpu-model a53'),
     START + 'memory page, hpa 0x4001600000, vm test, gpa 0x47e00000',
     EFFECT + 'instruction 11, vm test, vcpu 0, 0x40080028 <identity+0xc>: str w0, [x19]: mmio '
     'write of 4 bytes at gpa 0x9000000 (vdev pl011, UARTDR): the value written: recorded 0x37, '
     'now 0x33')
says('another policy', full, config('unsupported reference ignore', 'unsupported reference fail'),
     VISIBLE + 'instruction 15, vm test, vcpu 0, 0x40080038 <nothing+0x4>: ldr w0, [x0]: mmio read '
     'of 4 bytes at gpa 0xa000000: the result: recorded done, now abort; '
     'machine states were equal at instruction 10')
NOBODY = ': who answers: recorded pl031, now unsupported reference'
says('a device is missing', full, config('vdev pl031 loc 0x9010000 intr gic:34\n', ''),
     START + 'the recorded machine has vm test, vdev pl031 where this one has vm test, its power '
     'state and counts', EFFECT + CLOCK + NOBODY)
says('a device is elsewhere', full, config('pl031 loc 0x9010000', 'pl031 loc 0x9020000'),
     START + 'memory page, hpa 0x..., vm test, gpa 0x47e00000', EFFECT + CLOCK + NOBODY)
says('a device has another interrupt', full, config('gic:33', 'gic:35'),
     START + 'memory byte, hpa 0x..., vm test, gpa 0x47e00...: recorded 0x01, now 0x03',
     EFFECT + 'instruction 207, vm test, vcpu 0, 0x400800ac <console+0x14>: str w0, [x23, #0x104]: '
     'interrupts signalled to vcpu 0: IRQ was recorded, now there is the end of an exit (done '
     'by gic)')
says('a device has another option', full, config('gicr 0x080a0000', 'gicr 0x080c0000'),
     START + 'memory byte, hpa 0x..., vm test, gpa 0x47e00...: recorded 0x0a, now 0x0c',
     EFFECT + 'instruction 18, vm test, vcpu 0, 0x40080044 <interrupt+0x8>: str wzr, [x22, #0x14]: '
     'mmio write of 4 bytes at gpa 0x80a0014: who answers: recorded gic, now unsupported reference')
says('one more vCPU', full, config('cpu sched 10r', 'cpu sched 10r\ncpu sched 10r'),
     START + 'the recorded machine has vm test, vdev gic where this one has vm test, vcpu 1')
says('chaos', full, machine('chaos', '7'), START + 'schedule; chaos',
     EFFECT + 'instruction 192, vm test, vcpu 0, 0x40080090 <wait+0>: add x25, x25, #1: interrupts '
     'signalled to vcpu 0: IRQ: recorded at instruction 192, now at 208')


def image(old, new):
    """One instruction of the guest is another one; digests are put right."""
    def change(parts):
        data = joined(parts, 'IMAG')
        elf = bytes(data[40:])
        old_bytes, new_bytes = old.to_bytes(4, 'little'), new.to_bytes(4, 'little')
        assert elf.count(old_bytes) == 1
        elf = elf.replace(old_bytes, new_bytes)
        digest = hashlib.sha256(elf).digest()
        bytes_in('PULL', bytes(data[:32]), digest)(parts)
        data[:] = digest + data[32:40] + elf
    return change


# mov w26, #2 becomes mov w26, #3: one more character is waited for
three = image(0x5280005a, 0x5280007a)
THREE = 'instruction 225, vm test, vcpu 0, 0x400800b4 <poll+0>: ldr w0, [x19, #0x18]: the guest exit ' \
        'hvc was recorded at instruction 226, now there is the guest exit mmio read of 4 bytes at ' \
        'gpa 0x9000018 (vdev pl011, UARTFR) at 225'
says('another image', full, three,
     START + 'memory byte, hpa 0x..., vm test, gpa 0x400800b0: recorded 0x5a, now 0x7a',
     EFFECT + THREE)
says('another image, by exits alone', full, all_of(three, without('DIGS', 'PART')),
     VISIBLE + THREE)
says('another image, by digests alone', full, all_of(three, without('EXIT', 'PART')),
     STATES + 'differ at instruction 10 (vm test, vcpu 0, next 0x40080028 <identity+0xc>: '
     'str w0, [x19])')

# What the recorder found
NO_PART = 'no part of them does, so the recorded digest is another machine\'s'
says('a digest', full, byte_at('DIGS', 20),
     STATES + 'are equal at instruction 0 and differ at 10 (vm test, vcpu 0, next 0x40080028 '
     '<identity+0xc>: str w0, [x19]): ' + NO_PART)
says('the interval of digests', full, byte_at('DIGS', 0),
     'the replay diverged: the recording\'s digest 0 is of instruction 11, the replay\'s of 9; '
     'machine states were equal at instruction 0')
says('the end\'s output', full, byte_at('ENDV', 52),
     'the replay diverged: it printed something else; machine states were equal at instruction 220')
says('the end\'s state', full, byte_at('ENDV', 20),
     'the replay diverged: the final states differ: ' + NO_PART +
     '; machine states were equal at instruction 220')
says('the end\'s status', full, byte_at('ENDV', 0),
     ENDED + 'instruction 228, tick 229 with status 1' + POWERED_OFF +
     '; machine states were equal at instruction 220')
says('the end\'s instruction', full, byte_at('ENDV', 4),
     ENDED + 'instruction 229, tick 229 with status 0' + POWERED_OFF +
     '; machine states were equal at instruction 220')
says('the end is early', full, byte_at('ENDV', 4, 228 ^ 150),
     VISIBLE + 'instruction 192, vm test, vcpu 0, 0x40080094 <wait+0x4>: cbz x24, #0x40080090: '
     'interrupts signalled to vcpu 0: IRQ was recorded and does not happen; '
     'machine states were equal at instruction 150')
says('the end is early, without guest exits', full,
     all_of(byte_at('ENDV', 4, 228 ^ 150), without('EXIT')),
     'the replay diverged: the recording ended at instruction 150 (the guest powered off), the '
     'replay goes on; machine states were equal at instruction 150')
says('the end\'s tick', full, byte_at('ENDV', 12, 8),
     ENDED + 'instruction 228, tick 237 with status 0' + POWERED_OFF +
     '; machine states were equal at instruction 220')
says('who answered', full, bytes_in('EXIT', b'pl031', b'pl032'),
     VISIBLE + CLOCK + ' (vdev pl031, RTCDR): who answers: recorded pl032, now pl031; '
     'machine states were equal at instruction 0')


def cut_exits(parts):
    data = joined(parts, 'EXIT')
    del data[data.rindex(b'\x01\x00\x00'):]  # the last exit and its result


says('an exit too many', full, cut_exits,
     VISIBLE + 'instruction 228, vm test, vcpu 0, 0x400800e0 <call+0xc>: hvc #0: the guest exit hvc '
     'is not in the recording; machine states were equal at instruction 220')

# Random numbers, which a device puts into the guest's memory
random = work + '/random.qtrace'
record(random, '--digest-every', '100', BOARD, '@tests/guest/virtio.qvmconf', 'cpu', 'load',
       GUESTS + '/virtio.elf')


def entropy(parts):
    joined(parts, 'PULL')[-8] ^= 1


says('a random number', random, entropy,
     STATES + 'are equal at instruction ... and differ at ... (vm test, vcpu 0, next ...): '
     'memory page, hpa 0x..., vm test, gpa 0x4009...')

# Several VMs, boards
two = work + '/two.qtrace'
record(two, '--digest-every', '1000', '--on-exit', 'stop',
       *words(('one', 'say one'), ('two', 'count 3')))
says('what an end means to the others', two, machine('on-exit', 'all'),
     'the replay diverged: the recording ended at instruction ... (one: the guest powered off; two: '
     'stopped, as another VM has ended), the replay goes on; '
     'machine states were equal at instruction ...',
     'one: the guest powered off (exit status 0)', 'two: instruction limit reached, vCPU 0 at PC ... (exit status 67)')
board = work + '/board.qtrace'
record(board, '--digest-every', '10', '--board', 'configs/boards/two-clusters.board', BOARD, 'cpu',
       'load', GUESTS + '/hello.elf')


def smaller(parts):
    def edit(list_):
        list_[0][1] = list_[0][1].replace('ram 0x880000000,0xc0000000', 'ram 0x880000000,0xb0000000')
    retext(parts, 'BORD', edit)


says('another board', board, smaller, START + 'memory page, hpa 0x80002000')

# Snapshots
snapshots = work + '/snapshots.qtrace'
record(snapshots, '--snapshot-every', '100', '--limit-insns', '100000', BOARD, 'cpu', 'load',
       GUESTS + '/diverge.elf', text='a', more='b')
says('an input byte, by snapshots', snapshots, early,
     STATES + 'are equal at instruction 0 and differ at 100 (vm test, vcpu 0, next 0x40080090 '
     '<wait+0>: add x25, x25, #1): vm test, vdev pl011: rx[0]: recorded 0x61, now 0x63')
says('an input byte, by the end', snapshots, late,
     'the replay diverged: it printed something else; machine states were equal at instruction 200')


# Neither files nor a console are needed ------------------------------------------------------------

def replays_alone(what, trace, out):
    empty = work + '/empty'
    os.makedirs(empty, exist_ok=True)
    run = Run([qvm, 'replay', '--verify', trace], cwd=empty, env={})
    problem = run.problem(0)
    if not problem and run.out != out:
        problem = 'it prints %r' % run.out
    if not problem and os.listdir(empty):
        problem = 'it leaves %s' % os.listdir(empty)
    verdict(what, problem)


replays_alone('a replay without any file', full, '7ab')
replays_alone('a replay without its board', board, 'Hello from EL1\n')

# A recorder that was killed: as far as it goes, and nothing is wrong with that
whole = open(full, 'rb').read()
for size in len(whole) // 2, len(whole) * 3 // 4, len(whole) - 100:
    cut = work + '/cut.qtrace'
    open(cut, 'wb').write(whole[:size])
    run = replay(cut, '--verify')
    verdict('cut off at %d' % size, 'status %d: %s' % (run.status, run.err[-400:])
            if run.status not in (0, 67) or 'diverged' in run.err else '')
finish()
