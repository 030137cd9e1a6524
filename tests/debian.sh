#!/usr/bin/env bash
# debian.sh QVM: Debian with systemd on its disk (scripts/guests.sh debian): boots to a login while it is
# recorded, with a snapshot there; the disk keeps what is written, the recording replays, and what
# follows begins at the login: the disk is as it was then, and apt installs a package. Another run has a
# network card: it installs the package from a server of this host, and starts again, with what was
# written; its recording replays without the server. Prints failures, and a count.
set -uo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"
[ $# = 1 ] || { echo "usage: debian.sh QVM" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
cd "$repository" || exit 2
if [ ! -e build/guests/debian-arm64/stamp ]; then
    echo "skipped  there is no Debian on a disk (scripts/guests.sh debian)"
    exit 0
fi
. tests/support.sh
trap 'exit 1' HUP INT TERM
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests python3 - "$qvm" "$work" <<'PYTHON'
import functools
import http.server
import os
import subprocess
import sys
import threading
from support import Live, Run, finish, verdict

qvm, work = sys.argv[1:]
CONF, DISK = 'configs/debian-arm64.qvmconf', 'build/guests/debian-arm64/root.ext4'
TRACE, SNAPSHOT, TESTS = work + '/boot.qtrace', work + '/login.qtrace', work + '/login.qvmtest'
FRESH = 'sync; echo 3 >/proc/sys/vm/drop_caches;'  # what is read next is read from the disk
MIRROR = 'build/guests/debian-arm64/mirror'
CARD = 'vdev virtio-net loc 0x1c0c0000 intr gic:40 peer /dev/vdevpeers/vp0'.split()
TRACE_LIMIT = 64 << 20  # with all images

FROM_LOGIN = rf'''
from {SNAPSHOT}
limit 60s
send "root\n"

test disk # it is as it was at the login
send "cat /root/mark; echo two >/root/mark; {FRESH} cat /root/mark; poweroff\n" after /~# /
expect console /cat: \/root\/mark: No such file/
expect console /^two/
expect console /Powering off/
expect exit 0
expect repeatable

test package # from a mirror on the guest's own loopback
send "busybox httpd -h /srv/mirror; apt-get update && apt-get -y install hello; hello; poweroff\n" after /~# /
expect console /^Setting up hello/
expect console /^Hello, world!/
expect console /Powering off/
expect exit 0
'''


def converse(live, *steps):
    """Waits for each text behind what was there, and types."""
    for text, keys in steps:
        begin = len(live.seen)
        while text not in live.seen[begin:] and live.read():
            pass
        live.process.stdin.write(keys)
        live.process.stdin.flush()
    return live.finish()


def boot(*more):
    live = Live([qvm, *more, CONF], work + '/err', stdin=subprocess.PIPE)
    return converse(live, (b'debian login: ', b'root\n'),
                    (b'~# ', b'systemctl is-system-running --wait; echo one >/root/mark; %s cat /root/mark; poweroff\n'
                     % FRESH.encode()))


class Mirror(http.server.SimpleHTTPRequestHandler):
    """What the guest asked for, of a server on this host's loopback."""
    asked = []

    def log_message(self, form, *arguments):
        self.asked.append(form % arguments)


def mirror():
    """The server, which is at work, and has a port of its own."""
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Mirror, directory=MIRROR))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def network():
    """A package comes from the host, and is there when the guest has started again."""
    server = mirror()
    source = 'deb [trusted=yes] http://10.0.2.2:%d/ ./' % server.server_port
    trace = work + '/net.qtrace'
    live = Live([qvm, 'record', '-o', trace, '--net', 'user,open', '--on-exit', 'restart', CONF, *CARD],
                work + '/err', stdin=subprocess.PIPE)
    recorded = converse(
        live, (b'debian login: ', b'root\n'),
        (b'~# ', b'until ip route | grep -q default; do sleep 1; done; echo "%s" >/etc/apt/sources.list\n'
         % source.encode()),
        (b'~# ', b'apt-get update && apt-get -y install hello; hello; reboot\n'),
        (b'debian login: ', b'root\n'),
        (b'~# ', b'until ip route | grep -q default; do sleep 1; done; apt-get update; hello; poweroff\n'))
    server.shutdown()
    verdict('a package from the host', recorded.problem(0, '\nSetting up hello', 'starts again', 'the guest powered off'))
    verdict('what was written is there when it has started again',
            '' if recorded.out.count('\nHello, world!') == 2 else 'hello ran %d times' % recorded.out.count('\nHello, world!'))
    for name, times in ('Packages', 2), ('hello_', 1):
        count = sum('/' + name in line and (' 200 ' in line or ' 304 ' in line) for line in Mirror.asked)
        verdict('the host was asked for %s' % name, '' if count >= times else repr(Mirror.asked))
    verdict('replay without the host', Run([qvm, 'replay', trace]).differs(recorded))


before = os.stat(DISK).st_mtime_ns
recorded = boot('record', '-o', TRACE, '--save-at', 'console=login: ', SNAPSHOT)
verdict('boot, login, shutdown', recorded.problem(0, 'running\r', '\none\r', 'the guest powered off'))
verdict('the file stays as it is', '' if os.stat(DISK).st_mtime_ns == before else 'it was written to')
size = os.path.getsize(TRACE)
verdict('size of the trace', '' if size < TRACE_LIMIT else '%d bytes' % size)
verdict('replay', Run([qvm, 'replay', TRACE]).differs(recorded))

with open(TESTS, 'w') as file:
    file.write(FROM_LOGIN)
done = Run([qvm, 'test', TESTS])
verdict('tests from the login', done.problem(0, '2 passed') and done.out)
if 'has no user network' in Run([qvm, 'run', '--net', 'user', 'system', 'x', 'ram', '1M', 'dryrun']).err:
    print('skipped  the network: no libslirp')
else:
    network()
finish()
PYTHON
