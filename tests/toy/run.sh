#!/usr/bin/env bash
# run.sh QVM_TOY CHUNKS: the program with an architecture that only a test has (toy.h) assembles, runs,
# exits, records, replays, is snapshotted, explained and asked by gdb. CHUNKS is tests/chunks.c.
set -uo pipefail
[ $# = 2 ] || { echo "usage: run.sh QVM_TOY CHUNKS" >&2; exit 2; }
qvm="$(realpath "$1")"
chunks="$(realpath "$2")"
cd "$(dirname "$0")/../.." || exit 2
. tests/support.sh
cd "$work" || exit 2

# "H", "i", A to RAM, a wait for input, the UART's flags, and what was stored; the end.
printf '\x01\x48\x02\x00\x40\x01\x21\x02\x00\x40\x02\x00\x20\x02\x38\x40\x00\x02\x00\xc0\x02\x00\x40\x02\x00\xa0\x02\x00\x50' >image
cat >toy.qvmconf <<'END'
system toy
ram 0,16K
cpu
vdev gic gicd 0x08000000 gicr 0x080a0000
vdev pl011 loc 0x4000 intr gic:33 hostdev -
vdev exit loc 0x5000
load image
END
# The same without a wait, for runs without input.
printf '\x01\x48\x02\x00\x40\x01\x21\x02\x00\x40\x02\x00\x20\x01\x05\x02\x00\xa0\x02\x00\x50' >plain
sed 's/image/plain/; s/hostdev -/hostdev >-/' toy.qvmconf >plain.qvmconf

# says WHAT STATUS TEXT COMMAND...: it ends so, and both outputs together hold the text.
says() {
    local what="$1" status="$2" text="$3" got
    shift 3
    limited 20 "$@" >out 2>&1 </dev/null
    got=$?
    cat out >err
    if [ $got != "$status" ]; then
        verdict "$what" "status $got, not $status: $(tail -n 1 out)"
    elif ! grep -qF -- "$text" out; then
        verdict "$what" "does not say '$text': $(head -n 3 out)"
    else
        verdict "$what" ""
    fi
}

says 'it runs, and its guest ends it' 41 'the guest wrote to vdev exit' "$qvm" run plain.qvmconf
says 'its output is there' 41 'Hi' "$qvm" run plain.qvmconf
says 'other models are unknown' 65 "unknown CPU model 'a57' (toy)" "$qvm" check set cpu-model a57 @plain.qvmconf
says 'it is recorded' 41 'the guest wrote' "$qvm" record -o t --exits --digest-every 2 --snapshot-every 3 plain.qvmconf
says 'it replays' 41 'the guest wrote' "$qvm" replay t
says 'it replays, digest for digest' 0 'the guest wrote' "$qvm" replay --verify t
says 'its exits replay' 0 '3 guest exits replayed, all as recorded' "$qvm" replay --exits t
says 'exits have its names' 0 'reason=io pc=0x2 syndrome=0x101 gva=0x4000' "$qvm" exits t
says 'and details' 0 'WHY       0x00000101: a store' "$qvm" explain t --exit 1
says 'all of them' 0 'WHERE     0x4000' "$qvm" explain t --exit 1
says 'exits are searched' 0 '(exit 1: io write gpa 0x4000' "$qvm" when t --exit io
says 'for those that it has' 2 'none of io, fetch, forbidden, wait' "$qvm" when t --exit hvc
says 'accesses are explained' 0 'address 0x4004: vdev pl011, offset 0x4' "$qvm" explain t --at 3 0x4004
says 'the next instruction is' 0 'at level 0' "$qvm" explain t --at 3 --next
says 'its registers are searched' 0 'A was last written by instruction 7' "$qvm" why t A
says 'memory, too' 0 'was last written by instruction 5' "$qvm" why t 0x2000,4
says 'and code' 0 'insn=3 vm=toy vcpu=0 0x5' "$qvm" when t --exec 5
says 'equal recordings are equal' 0 'no difference' "$qvm" diff t t
says 'exports' 0 'guest-exit' "$qvm" export t --format json
says 'no export where there is no format' 2 'Linux has no tracepoints for cpu-model toy' "$qvm" export t --format ftrace
says 'a dump' 0 'dumped' "$qvm" dump t --at 4 -o core
says 'a limit is exact' 67 '4 instructions,' "$qvm" run --limit-insns 4 plain.qvmconf
says 'a snapshot is saved' 41 'the guest wrote' "$qvm" run --save-at insn=4 snap plain.qvmconf
says 'and goes on' 41 'the guest wrote' "$qvm" run --from snap
says 'a chaotic run is the same' 41 'the guest wrote' "$qvm" run --chaos 7 plain.qvmconf

# Exits from elsewhere are of other architectures; so is one of this log, of which the first is
# given the reason mmio-opaque.
echo '# tracer: nop' >ftrace
says 'exits from elsewhere are not its own' 2 'not known for cpu-model toy' "$qvm" import ftrace -o seen plain.qvmconf
"$chunks" unpack <t >row
python3 - <<'END'
row = bytearray(open('row', 'rb').read())
row[row.index(b'EXIT') + 4 + 8 + 5] = 1  # behind version, kind, VM, vCPU and count
open('row', 'wb').write(row)
END
"$chunks" pack <row >odd
python3 - <<'END'
import struct
row, out, at = open('row', 'rb').read(), b'', 0
while at < len(row):
    kind, size = row[at:at + 4], struct.unpack('<Q', row[at + 4:at + 12])[0]
    if kind in (b'HEAD', b'CONF', b'MACH'):
        out += row[at:at + 12 + size]
    at += 12 + size
# version 2; a trap of vCPU 0 with nothing known, line 1, no syndrome, "WHY"
seen = bytes([2, 1, 0, 0, 1, 0, 0, 3]) + b'WHY'
open('row', 'wb').write(out + b'EXIT' + struct.pack('<Q', len(seen)) + seen)
END
"$chunks" pack <row >seen
says 'an exit that it does not have is nobody'"'"'s' 66 'PC 0x2: ? write of 4 bytes at gpa 0x4000: who answers: recorded pl011, now nobody' "$qvm" replay --exits odd
says 'nor are those of another in a trace' 0 "the VM's CPUs have no such exits" "$qvm" explain seen --exit 0

# Input wakes it, recorded and replayed.
(sleep 0.5; printf x; sleep 0.5) | limited 20 "$qvm" record -o input toy.qvmconf >out 2>err
verdict 'it waits for input, and goes on' "$([ ${PIPESTATUS[1]} = 0 ] || [ -s out ] || tail -n 1 err)"
says 'so does its replay' 0 'digest' "$qvm" replay --verify input

# packet TEXT: as gdb sends it.
packet() {
    local sum=0 i
    for ((i = 0; i < ${#1}; i++)); do
        sum=$((sum + $(printf '%d' "'${1:i:1}")))
    done
    printf '+$%s#%02x' "$1" $((sum % 256))
}
# asks WHAT TEXT PACKET...: a session of these has the answer.
asks() {
    local what="$1" text="$2" p answer all= pid
    shift 2
    coproc GDB { limited 20 "$qvm" gdb --pipe t 2>err; }
    pid=$GDB_PID
    for p in "$@"; do # one by one: what comes while it runs interrupts it
        packet "$p" >&"${GDB[1]}"
        IFS= read -r -t 20 -d '#' answer <&"${GDB[0]}" && all+="$answer#"
    done
    packet k >&"${GDB[1]}"
    wait "$pid"
    verdict "gdb: $what" "$(grep -qF -- "$text" <<<"$all" || head -c 300 <<<"$all")"
}
asks 'two registers' '$0000000000000000''0000000000000000#' g
asks 'a step' '$48000000000000000200000000000000#' s g
asks 'a breakpoint' '$48000000000000000500000000000000#' Z0,5,1 c g
asks 'backwards' '$00000000000000000000000000000000#' Z0,7,1 c z0,7,1 bs bs bs g
asks 'a description' 'org.qvm.toy' qXfer:features:read:target.xml:0,fff
asks 'memory' '$01480200#' m0,4
asks 'registers written' '$07000000000000000200000000000000#' s P0=0700000000000000 g

finish
