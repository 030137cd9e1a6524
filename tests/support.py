"""What test scripts share: running qvm, and counting verdicts."""
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time

REPOSITORY_BOARD = 'configs/boards/two-clusters.board'
ACTOR = '@tests/guest/vms/actor.qvmconf'
SLOWNESS = int(os.environ.get('QVM_SLOWNESS', 1))  # scripts/yardstick.sh
SECONDS = 120 * SLOWNESS  # how long one run may take

passed = failed = 0


def verdict(what, problem):
    """Counts; an empty problem is none."""
    global passed, failed
    if problem:
        failed += 1
        print('FAILED  %s: %s' % (what, problem))
    else:
        passed += 1


def at_least(number, cases, what):
    """So many cases are there to go over: without inputs a loop checks nothing, and would pass."""
    verdict('number of ' + what, '' if len(cases) >= number else '%d, not at least %d' % (len(cases), number))
    return cases


def finish():
    print('%d passed, %d failed' % (passed, failed))
    sys.exit(failed != 0 or passed == 0)


class Run:
    """A run of qvm that has ended: status, out, err, and from its verdict digest and ending."""

    def __init__(self, command, **options):
        self.command = command
        if 'input' not in options:
            options['stdin'] = subprocess.DEVNULL
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, **options)
            self.take(done.returncode, done.stdout, done.stderr)
        except subprocess.TimeoutExpired as e:
            self.take('none in %d s' % SECONDS, e.stdout or b'', e.stderr or b'')

    def take(self, status, out, err):
        self.status = status
        self.out, self.err = out.decode(errors='replace'), err.decode(errors='replace')
        found = re.search(r'^qvm: (.*); \d+ instructions?, .* digest ([0-9a-f]{64})$', self.err, re.M)
        self.ending, self.digest = found.groups() if found else ('', '')

    def of(self, vm):
        """The console lines of one of several VMs."""
        prefix = '[%s] ' % vm
        return [line[len(prefix):] for line in self.out.splitlines() if line.startswith(prefix)]

    def problem(self, status, *needles):
        """Why it is not a run that ended so and said this, or an empty string."""
        if self.status != status:
            return 'status %s instead of %s: %s' % (self.status, status, self.err[-300:])
        for needle in needles:
            if needle not in self.out + self.err:
                return 'it does not say %r but %r' % (needle, (self.out + self.err)[-300:])
        return ''

    def differs(self, other):
        """Why it is not the same run as the other, or an empty string."""
        if not self.digest or not other.digest:
            return 'no digest: %s' % (self.err or other.err)[-300:]
        if self.status != other.status:
            return 'status %s instead of %s: %s' % (self.status, other.status, self.err[-300:])
        if self.digest != other.digest:
            return 'digest %.16s... instead of %.16s...' % (self.digest, other.digest)
        if self.out != other.out:
            return 'it printed %r instead of %r' % (self.out[-200:], other.out[-200:])
        return ''


class Live(Run):
    """A run that goes on, to be sent signals; ends by finish()."""

    def __init__(self, command, errors, stdin=subprocess.DEVNULL, **options):
        self.command, self.errors = command, errors
        with open(errors, 'wb') as to:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=to,
                                            **options)
        self.seen = b''
        self.deadline = time.monotonic() + SECONDS

    def read(self):
        """More output; False at its end, or when it took too long."""
        left = self.deadline - time.monotonic()
        if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
            return False
        data = os.read(self.process.stdout.fileno(), 65536)
        self.seen += data
        return data != b''

    def is_over(self):
        """It has ended, or took too long."""
        return time.monotonic() > self.deadline or self.process.poll() is not None

    def until(self, text):
        """Waits for standard output to have the text."""
        while text.encode() not in self.seen and self.read():
            pass

    def until_error(self, text):
        """Waits for standard error to have the text."""
        while text not in open(self.errors, errors='replace').read():
            if self.is_over():
                return
            if select.select([self.process.stdout], [], [], 0.02)[0]:
                self.read()

    def send(self, signal):
        self.process.send_signal(signal)

    def finish(self):
        while self.read():
            pass
        try:
            status = self.process.wait(max(1, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = 'none in %d s' % SECONDS
        self.take(status, self.seen, open(self.errors, 'rb').read())
        return self


def words(*vms):
    """The command line of several VMs, each (name, what the actor does, other words...)."""
    line = []
    for name, does, *others in vms:
        line += ['+'] if line else []
        line += ['system', name, ACTOR, 'cmdline', does, *others]
    return line


class Server:
    """qvm that waits for a debugger on TCP."""

    def __init__(self, qvm, *words):
        self.process = subprocess.Popen([qvm, *words], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.timer = threading.Timer(SECONDS, self.process.kill)
        self.timer.start()
        line = self.process.stderr.readline().decode()
        found = re.search(r'target remote (127\.0\.0\.1):(\d+)$', line)
        self.place = (found[1], int(found[2])) if found else None
        if not found:
            self.process.kill()
            verdict('waiting for a debugger', 'it says %r' % line)

    def end(self):
        """As a Run."""
        out, err = self.process.communicate()
        self.timer.cancel()
        done = Run.__new__(Run)
        done.take(self.process.returncode, out, err)
        return done


class Peer:
    """One that speaks the protocol, without acknowledgements."""

    def __init__(self, place):
        self.socket = socket.create_connection(place, timeout=SECONDS)
        # Or Ctrl-C waits for the answer to what it should end.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.had = b''
        self.ask('QStartNoAckMode')

    def send(self, payload):
        data = payload.encode()
        self.socket.sendall(b'$%s#%02x' % (data, sum(data) & 0xff))

    def answer(self):
        while True:
            found = re.search(rb'\$([^#]*)#..', self.had)
            if found:
                self.had = self.had[found.end():]
                return found[1].decode()
            more = self.socket.recv(65536)
            if not more:
                return None
            self.had += more

    def ask(self, payload):
        self.send(payload)
        return self.answer()

    def pc(self):
        return int.from_bytes(bytes.fromhex(self.ask('g'))[256:264], 'little')

    def monitor(self, command):
        self.send('qRcmd,' + command.encode().hex())
        text = ''
        while (part := self.answer()) not in ('OK', None):
            text += bytes.fromhex(part[1:]).decode()
        return text
