"""What somebody at gdb's prompt waits for, measured through gdb's protocol on a pipe: ours and
QEMU's. No gdb in between, so that only the target's time counts."""
import random
import struct
import subprocess
import time


class Gdb:
    """The remote protocol's client side, as far as these measurements need it."""

    def __init__(self, command):
        self.target = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL)
        self.left = b""
        self.ask("qSupported:swbreak+;hwbreak+;ReverseStep+;ReverseContinue+")

    def _byte(self):
        if not self.left:
            self.left = self.target.stdout.read1(65536)
            if not self.left:
                raise EOFError("the target is gone")
        byte, self.left = self.left[:1], self.left[1:]
        return byte

    def ask(self, text):
        self.target.stdin.write(b"$%s#%02x" % (text.encode(), sum(text.encode()) % 256))
        self.target.stdin.flush()
        while self._byte() != b"$":
            pass
        answer = b""
        while (byte := self._byte()) != b"#":
            answer += byte
        self._byte(), self._byte()
        self.target.stdin.write(b"+")
        self.target.stdin.flush()
        return answer.decode()

    def timed(self, text):
        start = time.monotonic()
        answer = self.ask(text)
        return time.monotonic() - start, answer

    def monitor(self, text):
        """Its output: packets `O` with text, then OK or a last text."""
        answer, said = self.ask("qRcmd," + text.encode().hex()), ""
        while answer.startswith("O") and answer != "OK":
            said += bytes.fromhex(answer[1:]).decode()
            while self._byte() != b"$":
                pass
            answer = ""
            while (byte := self._byte()) != b"#":
                answer += byte.decode()
            self._byte(), self._byte()
        return said if answer in ("OK", "") else said + bytes.fromhex(answer).decode()

    def close(self):
        self.target.stdin.close()
        self.target.wait()


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * percent // 100)]


def empty_qcow2(path, size=1 << 20):
    """What qemu-img create would make: version 2, clusters of 64 KiB. QEMU keeps snapshots in it."""
    cluster = 1 << 16
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, 16, size, 0, 1, 3 * cluster,
                         cluster, 1, 0, 0)
    with open(path, "wb") as file:
        file.write(header.ljust(cluster, b"\0"))
        file.write(struct.pack(">Q", 2 * cluster).ljust(cluster, b"\0"))
        file.write(struct.pack(">4H", 1, 1, 1, 1).ljust(cluster, b"\0"))
        file.write(bytes(cluster))


class Session:
    """Measurements in one recording; each a list of seconds."""

    def __init__(self, command, end):
        self.gdb, self.end = Gdb(command), end
        self.random = random.Random(1)
        self.to_the_end, _ = self.gdb.timed("c")

    def seek(self, instructions):
        start = time.monotonic()
        said = self.gdb.monitor(f"seek {instructions}")
        seconds = time.monotonic() - start
        if f"instruction {instructions}," not in said:
            raise EOFError(f"seek {instructions} went elsewhere: {said}")
        return seconds

    def seeks(self, count):
        return [self.seek(self.random.randrange(self.end)) for _ in range(count)]

    def steps_back(self, places, each):
        """Each place is gone to first; the first steps back there count like the others."""
        seconds = []
        for _ in range(places):
            self.seek(self.random.randrange(self.end // 100, self.end))
            seconds += [self.gdb.timed("bs")[0] for _ in range(each)]
        return seconds

    def pc_at(self, instructions):
        self.seek(instructions)
        return struct.unpack_from("<Q", bytes.fromhex(self.gdb.ask("g")), 32 * 8)[0]

    def back_to(self, address):
        """From the end to the last time that the instruction at `address` was executed."""
        self.seek(self.end - 1)
        if address is not None:
            self.gdb.ask(f"Z1,{address:x},4")
        seconds, answer = self.gdb.timed("bc")
        if address is not None:
            self.gdb.ask(f"z1,{address:x},4")
        return seconds, answer

    def close(self):
        self.gdb.close()
