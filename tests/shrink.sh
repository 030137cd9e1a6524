#!/usr/bin/env bash
# shrink.sh QVM [linux]: recordings are shrunk; what is left is smaller, replays, and ends in the same
# way at the same instruction. With `linux` (guests fetched): a wild pointer in Linux in less than 100 kB.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/shrink.sh QVM [linux]}")" || exit 2
part="${2:-bare}"
cd "$(dirname "$0")/.." || exit 2
tests/guest/build.sh build/guests/tests || exit 2
. tests/support.sh

# ending COMMAND...: how it ended and when; its digest is in $digest.
ending() {
    limited 120 "$qvm" "$@" >/dev/null 2>"$work/err" </dev/null
    ended="$?, $(sed -n 's/^qvm: \(.*; [0-9]* instructions*, .*\), digest .*/\1/p' "$work/err")"
    ended="$(sed -E 's/ \([0-9]* access(es)? that nobody answers[^)]*\)//; s/ \(vCPU [^)]*\)//' <<<"$ended")" # of this part of the run
    digest="$(sed -n 's/.*, digest \([0-9a-f]\{64\}\)$/\1/p' "$work/err")"
}

# shrinks NAME TRACE [OPTION...]: the small trace is in $work/small.
shrinks() {
    local name="$1" trace="$2" small
    shift 2
    check "$name: shrunk" limited 240 "$qvm" shrink "$trace" -o "$work/small" "$@" 2>"$work/err"
    cp "$work/err" "$work/said"
    small="$(sed -n 's/.*, digest \([0-9a-f]\{64\}\)$/\1/p' "$work/said")"
    ending replay "$work/small"
    check "$name: replays to the digest it was written with" [ "$digest" = "$small" ]
    check "$name: is smaller" [ "$(wc -c <"$work/small")" -lt "$(wc -c <"$trace")" ]
}

size() {
    wc -c <"$work/small"
}

if [ "$part" = linux ]; then
    cat >"$work/record.py" <<'PYTHON'
"""record.py QVM TRACE COMMAND: Linux to its shell, which gets the command."""
import os, select, subprocess, sys, time
qvm, trace, command = sys.argv[1:]
p = subprocess.Popen([qvm, 'record', '-o', trace, 'configs/linux-arm64.qvmconf', 'unsupported', 'reference',
                      'abort', 'cmdline', 'console=ttyAMA0 nokaslr qvm.shell'],
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
said, sent, until = b'', False, time.monotonic() + 120
while time.monotonic() < until:
    if select.select([p.stdout], [], [], 1)[0]:
        data = os.read(p.stdout.fileno(), 65536)
        if not data:
            break
        said += data
    if not sent and said[-40:].find(b'# ') >= 0:
        p.stdin.write(command.encode() + b'\n')
        p.stdin.flush()
        sent = True
else:
    p.kill()
sys.exit(p.wait())
PYTHON
    limited 180 python3 "$work/record.py" "$qvm" "$work/wild.qtrace" 'devmem 0xdead0000 32'
    check "the wild pointer is recorded" [ $? = 5 ]
    shrinks "wild pointer" "$work/wild.qtrace"
    ending replay "$work/small"
    check "the same fault" grep -q 'mmio at PC .*, guest-physical 0xdead0000, read of 4 bytes' "$work/err"
    check "below 100 kB: $(size) bytes" [ "$(size)" -lt 100000 ]
    echo "wild pointer in Linux: $(wc -c <"$work/wild.qtrace") bytes to $(size)"
else
    for name in watchdog race timers semihosting interrupts virtio ipi restarts; do
        ending replay "traces/$name.qtrace"
        whole="$ended"
        shrinks "$name" "traces/$name.qtrace" --history 3000
        check "$name: ends the same way" [ "$ended" = "$whole" ]
    done
    # Cut off at an instruction: the vCPU is in the same fault there.
    shrinks "up to an instruction" traces/translation.qtrace --at 300000 --history 3000
    check "it ends there" [ "${ended%%[;,] vCPU*}" = "67, instruction limit reached" ]

    # One whose end was changed: it does not come to it, and is not run for ever.
    "$qvm" record -o "$work/changed.qtrace" configs/test-arm64.qvmconf \
        load build/guests/tests/endless.elf --limit-insns 1000 >/dev/null 2>&1
    python3 - "$work/changed.qtrace" <<'PYTHON'
import struct, sys, zlib
data = bytearray(open(sys.argv[1], 'rb').read())
at = data.index(b'ENDV')
size = struct.unpack_from('<Q', data, at + 16)[0]
struct.pack_into('<i', data, at + 32, 0)  # it powered off, not at a limit
struct.pack_into('<I', data, at + 24, zlib.crc32(data[at + 32:at + 32 + size]))
struct.pack_into('<I', data, at + 28, zlib.crc32(data[at:at + 28]))
open(sys.argv[1], 'wb').write(data)
PYTHON
    limited 60 "$qvm" shrink "$work/changed.qtrace" -o "$work/small" >/dev/null 2>"$work/err"
    ended=$?
    check "a changed end: status $ended" [ $ended = 2 ]
    check "a changed end" grep -q 'ends at instruction 1000, and what it holds does not' "$work/err"

    # Of a fault the tables are still there: it can be explained.
    "$qvm" record -o "$work/fault.qtrace" @configs/test-arm64.qvmconf unsupported reference abort \
        load build/guests/tests/mmio.elf >/dev/null 2>"$work/err"
    before=$(($(sed -n 's/.*; \([0-9]*\) instructions*, .*/\1/p' "$work/err") - 1))
    shrinks "a fault" "$work/fault.qtrace"
    "$qvm" explain "$work/small" --at $before 0x9000ff0 >"$work/err"
    check "and explained" grep -q '^gpa 0x9000ff0: vdev pl011, offset 0xff0$' "$work/err"
    "$qvm" explain "$work/small" --at $before --next >"$work/err"
    check "with its code" grep -q 'executed  0x[0-9a-f]*: ldr xzr, \[x0\]' "$work/err"

    cp traces/hello.qtrace "$work/only.qtrace"
    "$qvm" shrink "$work/only.qtrace" -o "$work/only.qtrace" 2>"$work/err"
    check "the original stays" [ $? = 2 ]
    "$qvm" shrink "$work/only.qtrace" -o "$work/x" --at 67 2>"$work/err"
    check "an instruction behind the end: status 2" [ $? = 2 ]

    "$qvm" record -o "$work/late.qtrace" @configs/test-arm64.qvmconf load build/guests/tests/timers.elf \
        --limit-ns 500000 >/dev/null 2>&1 </dev/null
    shrinks "up to a time" "$work/late.qtrace" --history 3000
    check "it ends by that" [ "${ended%%[;,] vCPU*}" = "67, time limit reached" ]

    # Few and long runs: it says how far it is, within seconds.
    timeout -s KILL 60 "$qvm" shrink traces/timers.qtrace -o "$work/x" --history 5000000 2>"$work/err" &
    long=$!
    for ((i = 0; i < 300; i++)); do
        ! grep -q '^qvm: shrink: [0-9]* runs*' "$work/err" || break
        sleep 0.1
    done
    check "a long one says how far it is" [ $i -lt 300 ]
    kill $long 2>/dev/null
    wait $long 2>/dev/null

    "$qvm" shrink traces/hello.qtrace 2>"$work/err"
    check "no -o: status 2" [ $? = 2 ]
    echo text >"$work/text"
    "$qvm" shrink traces/hello.qtrace -o "$work/text" 2>"$work/err"
    check "no text is overwritten" [ $? = 2 ]
    "$qvm" shrink configs/hello-arm64.qvmconf -o "$work/x" 2>"$work/err"
    check "no trace: status 2" [ $? = 2 ]
fi
finish
