#!/usr/bin/env bash
# ports-linux.sh QVM: Debian's kernel with a virtio console of three ports (configs/ports-arm64.qvmconf)
# reads what a file says on one of them and writes to another. Recorded, replayed, replayed from a
# snapshot in its middle and by exits alone, it ends in the same state. `qvm test` types to a port by
# its name. The window of a terminal is the guest's, and a change of it is an input.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/ports-linux.sh QVM}")" || exit 2
cd "$(dirname "$0")/.." || exit 2
. tests/support.sh
trace="$work/run.qtrace"
sed "s|build/ports|$work/ports|" configs/ports-arm64.qvmconf >"$work/ports.qvmconf"
printf 'size\nwrite 300\nwrite 100\nend\n' >"$work/ports.txt"
yes 0123456789abcde | head -c $((300 * 1024)) >"$work/expected"
yes 0123456789abcde | head -c $((100 * 1024)) >>"$work/expected"

# final COMMAND...: the last digest that it says.
final() {
    limited 100 "$qvm" "$@" >"$work/out" 2>"$work/err" </dev/null
    sed -n 's/.* digest \([0-9a-f]*\)$/\1/p' "$work/err" | tail -n 1
}

says() {
    grep -q "$1" "$work/out" || echo "'$1' is missing"
}

whole="$(final record --exits --snapshot-every 100000000 -o "$trace" "$work/ports.qvmconf")"
verdict "the guest powers off" "$([ -n "$whole" ] || tail -n 1 "$work/err")"
for line in "port: vport0p1 'control'" "port: vport0p2 'data'" "window: 50 132" "workload done"; do
    verdict "the guest says it" "$(says "$line")"
done
check "what it wrote is in the file" cmp "$work/expected" "$work/ports.data"
check "replayed" [ "$whole" = "$(final replay "$trace")" ]
check "from a snapshot" [ "$whole" = "$(final replay "$trace" --from 800000000)" ]
final replay --exits "$trace" >/dev/null
check "exits alone" grep -q "all as recorded" "$work/err"

# By name, to a port whose input is no file: its answers are printed, too.
sed -e 's|control hostdev.*|control|' -e 's|data hostdev.*|data|' "$work/ports.qvmconf" >"$work/named.qvmconf"
cat >"$work/named.qvmtest" <<'TEST'
limit 10s
vm named.qvmconf
send "size\n" after /userspace reached/ to console.control
send "end\n" after /window: 50 132/ to console.control
expect console /done: size/
expect console /workload done/
expect repeatable
test by-name
TEST
limited 100 "$qvm" test "$work/named.qvmtest" >"$work/out" 2>"$work/err"
verdict "a test types to a port" "$([ $? = 0 ] || tail -n 3 "$work/out" "$work/err")"
sed -i 's/to console.control/to console.contrl/' "$work/named.qvmtest"
limited 100 "$qvm" test "$work/named.qvmtest" >"$work/out" 2>&1
check "a port that is not there" grep -q "no device or port 'console.contrl'" "$work/out"

# On a terminal of another size, which changes twice.
mkfifo "$work/words"
sed "s|<$work/ports.txt|<$work/words|" "$work/ports.qvmconf" >"$work/terminal.qvmconf"
limited 100 python3 - "$qvm" "$work" >"$work/out" 2>"$work/err" <<'PYTHON'
import fcntl, os, pty, struct, sys, termios

qvm, work = sys.argv[1:]


def resize(columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def wait_for(text):
    global seen
    while text not in seen:
        seen += os.read(terminal, 4096)
    seen = seen[seen.index(text) + len(text):]


child, terminal = pty.fork()
if child == 0:
    while os.get_terminal_size(0).columns != 90:
        pass
    os.execv(qvm, [qvm, "record", "-o", f"{work}/terminal.qtrace", f"{work}/terminal.qvmconf"])
resize(90, 30)
seen = b""
with open(f"{work}/words", "wb", buffering=0) as words:
    wait_for(b"userspace reached")
    for columns, rows in (90, 30), (70, 20), (71, 21):
        resize(columns, rows)
        words.write(b"size\n")
        wait_for(b"window: %d %d" % (rows, columns))
        print(columns, rows)
    words.write(b"end\n")
    wait_for(b"workload done")
try:
    while os.read(terminal, 4096):
        pass
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
PYTHON
verdict "a guest on a terminal" "$([ $? = 0 ] || tail -n 3 "$work/out" "$work/err")"
final replay "$work/terminal.qtrace" >/dev/null
verdict "its replay" "$(says 'window: 21 71')"
limited 10 "$qvm" info "$work/terminal.qtrace" >"$work/out" 2>"$work/err"
check "three sizes were recorded" [ "$(grep -c 'window size, 4 bytes for device 1 of VM 0' "$work/out")" = 3 ]
finish
