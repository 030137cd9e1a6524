#!/usr/bin/env bash
# debian.sh QVM: Debian with systemd on its disk (scripts/guests.sh debian): boots to a login while it is
# recorded, with a snapshot there; the disk keeps what is written, the recording replays, and what
# follows begins at the login: the disk is as it was then, apt installs a package, and the machine
# starts again with what was written. Prints failures, and a count.
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
import os
import subprocess
import sys
from support import Live, Run, finish, verdict

qvm, work = sys.argv[1:]
CONF, DISK = 'configs/debian-arm64.qvmconf', 'build/guests/debian-arm64/root.ext4'
TRACE, SNAPSHOT, TESTS = work + '/boot.qtrace', work + '/login.qtrace', work + '/login.qvmtest'
FRESH = 'sync; echo 3 >/proc/sys/vm/drop_caches;'  # what is read next is read from the disk
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
finish()
PYTHON
