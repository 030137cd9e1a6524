#!/usr/bin/env bash
# input.sh QVM [bare|u-boot|linux|virtio...]: talks to guests through standard input and signals
# while they are recorded, then replays: the same console output, the same end. By default all of
# them; u-boot, linux and virtio are downloaded guests (scripts/guests.sh). Prints failures, and a
# count.
set -uo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"
[ $# -ge 1 ] || { echo "usage: input.sh QVM [bare|u-boot|linux|virtio...]" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
shift
cd "$repository" || exit 2
tests/guest/build.sh build/guests/tests || exit 2
[ $# -gt 0 ] || set -- bare u-boot linux virtio
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests exec python3 - "$qvm" "$@" <<'PYTHON'
import os, re, select, signal, subprocess, sys, tempfile, time
from support import finish, verdict

qvm, chosen = sys.argv[1], sys.argv[2:]
kept = tempfile.TemporaryDirectory()
os.environ["TMPDIR"] = kept.name  # recordings of runs that end badly
TIMEOUT = 100 * int(os.environ.get("QVM_SLOWNESS", 1))  # seconds for all of one guest


class Guest:
    """A qvm process whose console is a pair of pipes."""

    def __init__(self, words, errors):
        self.errors = open(errors, 'wb')
        self.process = subprocess.Popen([qvm] + words, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors)
        self.output = b''
        self.seen = 0  # how much of the output earlier waits have used up
        self.end = time.monotonic() + TIMEOUT

    def read(self):
        """More output; False at its end."""
        left = self.end - time.monotonic()
        if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
            raise TimeoutError
        data = os.read(self.process.stdout.fileno(), 65536)
        self.output += data
        return data != b''

    def wait_for(self, pattern):
        """Until the pattern comes; False if the guest ends without it."""
        while True:
            found = re.compile(pattern).search(self.output, self.seen)
            if found:
                self.seen = found.end()
                return True
            if not self.read():
                return False

    def send(self, what):
        if isinstance(what, signal.Signals):
            time.sleep(1)  # it runs by then, or this would end the program itself
            self.process.send_signal(what)
            return
        try:
            self.process.stdin.write(what)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the guest has ended, which the next wait says

    def finish(self):
        self.process.stdin.close()
        while self.read():
            pass
        return self.process.wait(max(1, self.end - time.monotonic()))

    def kill(self):
        self.process.kill()
        self.process.wait()


def end_of(errors):
    """How it ended and where: the verdict line."""
    lines = open(errors, 'rb').read().decode(errors='replace').splitlines()
    return next((line for line in lines if re.search('digest [0-9a-f]{64}$', line)), '')


def converse(guest, steps):
    """The first problem, or an empty string."""
    for pattern, answer in steps:
        try:
            if pattern and not guest.wait_for(pattern):
                return 'it ended before it said %r' % pattern
        except TimeoutError:
            return 'it did not say %r within %d s but, last: %r' % (pattern, TIMEOUT,
                                                                   guest.output[-200:])
        if answer is not None:
            guest.send(answer)
    return ''


def test(name, words, steps, status, ending):
    """Records a conversation and replays it."""
    with tempfile.TemporaryDirectory() as folder:
        trace, errors = folder + '/trace', folder + '/recorded'
        guest = Guest(['record', '-o', trace, '--digest-every', '100000000'] + words, errors)
        problem = converse(guest, steps)
        try:
            got = guest.finish() if not problem else None
        except (TimeoutError, subprocess.TimeoutExpired):
            problem = 'it does not end'
        if problem:
            guest.kill()
            verdict(name, problem)
            return
        recorded = end_of(errors)
        if got != status or ending not in recorded:
            verdict(name, 'status %s instead of %d: %r' % (got, status, recorded))
            return
        verdict(name, '')
        verdict(name + ', replay', replay_problem(trace, status, guest.output, recorded))


def replay_problem(trace, status, output, recorded):
    errors = trace + '-replayed'
    with open(errors, 'wb') as to:
        try:
            replay = subprocess.run([qvm, 'replay', trace], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=to, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            return 'it does not end'
    replayed = end_of(errors)
    if replay.returncode != status:
        return 'status %d: %s' % (replay.returncode, open(errors, errors='replace').read()[-300:])
    if replayed != recorded:
        return '%r instead of %r' % (replayed, recorded)
    if replay.stdout != output:
        return 'it printed something else than the recording did'
    return ''


BOARD = ['configs/test-arm64.qvmconf', 'load', 'build/guests/tests/endless.elf']


def bare():
    # A guest that never ends by itself; the signals come whenever the host likes.
    for name, number, status, ending in (
            ('power button', signal.SIGTERM, 0, 'terminated by the power button'),
            ('power button by SIGINT', signal.SIGINT, 0, 'terminated by the power button'),
            ('power cut', signal.SIGQUIT, 3, 'power was cut')):
        test(name, BOARD, [(None, number)], status, ending)
    # Bytes that nobody reads, more than the UART and the buffer behind it hold.
    test('unread input', BOARD + ['--limit-insns', '2000000'], [(None, b'x' * 100000)], 67,
         'instruction limit reached')


def u_boot():
    prompt = rb'\n=> '
    test('U-Boot', ['configs/u-boot-arm64.qvmconf'], [
        (rb'Hit any key to stop autoboot', b' '),
        (prompt, b'version\n'),
        (rb'U-Boot 20\d\d\.\d\d', None),
        (prompt, b'bdinfo\n'),
        (rb'-> start\s+= 0x0*40000000', None),
        (prompt, b'fdt addr $fdtcontroladdr\n'),
        (prompt, b'fdt print /cpus\n'),
        (rb'device_type = "cpu"', None),
        (prompt, b'fdt print\n'),
        (rb'arm,pl011', None),
        (prompt, b'poweroff\n'),
    ], 0, 'powered off')


def linux():
    prompt = rb'/ # '
    test('Linux', ['configs/linux-arm64.qvmconf', 'cmdline', 'console=ttyAMA0 nokaslr qvm.shell'], [
        (prompt, b'echo $((6*7))\n'),
        (rb'\n42\r\n', None),
        (prompt, b'grep -c processor /proc/cpuinfo; cat\n'),
        (rb'\n1\r\n', b'typed to cat\n\x04'),
        (rb'typed to cat\r\ntyped to cat\r\n', None),
        (prompt, b'sleep 1000\n'),
        (rb'sleep 1000', b'\x03'),  # Ctrl-C, in the midst of it
        (prompt, b'poweroff -f\n'),
    ], 0, 'powered off')


def virtio():
    config = 'configs/virtio-console-arm64.qvmconf'
    if not os.path.exists('build/guests/linux-arm64/virtio.cpio'):
        print('skipped  virtio: there is no initramfs with modules (scripts/guests.sh)')
        return
    test('Linux on hvc0', [config, 'cmdline', 'console=hvc0 nokaslr qvm.ask'], [
        (rb'random numbers: virtio_rng.0', None),
        (rb'what is your name\?', b'World\n'),
        (rb'hello World\r\n', None),
    ], 0, 'powered off')
    test('Linux and its watchdog', [config, 'cmdline', 'console=hvc0 nokaslr qvm.starve'], [
        (rb'watchdog: sp805-wdt', None),
    ], 4, 'did not feed its watchdog')


for choice in chosen:
    {'bare': bare, 'u-boot': u_boot, 'linux': linux, 'virtio': virtio}[choice]()
finish()
PYTHON
