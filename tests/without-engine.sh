#!/usr/bin/env bash
# without-engine.sh QVM OTHER: a program that was built without Unicorn plays recorded exits, and
# answers what they can answer as OTHER does, which has the engine. What it cannot do it says.
# Prints failures and a count.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/without-engine.sh QVM OTHER}")" || exit 2
other="$(realpath -e "${2:?usage: tests/without-engine.sh QVM OTHER}")" || exit 2
cd "$(dirname "$0")/.." || exit 2
. tests/support.sh

# same WORDS...: both programs say the same, and end with the same status.
same() {
    local ours theirs
    limited 60 "$qvm" "$@" >"$work/ours" 2>"$work/ours-err" </dev/null
    ours=$?
    limited 60 "$other" "$@" >"$work/theirs" 2>"$work/theirs-err" </dev/null
    theirs=$?
    # Code is in no exit.
    sed -i -E '/^  (executed|goes on) /d' "$work/ours" "$work/theirs"
    check "$*: status" [ $ours = $theirs ]
    check "$*: what it prints" cmp "$work/ours" "$work/theirs"
    check "$*: what it says" cmp "$work/ours-err" "$work/theirs-err"
}

# refuses WORDS...: it says why it cannot.
refuses() {
    local status=0
    limited 60 "$qvm" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    check "$*: status $status" [ $status != 0 ]
    check "$*: its reason" grep -q "built without Unicorn" "$work/err"
    check "$*: nothing else" [ ! -s "$work/out" ]
}

# Hosts without ELF have none.
library="$(dirname "$qvm")/libqvm.so"
[ ! -e "$library" ] || check "the library" env QVM_LIBRARY="$library" PYTHONPATH=python python3 -B -c '
import qvm
assert not qvm.runs_guests()
try:
    qvm.Machine("configs/hello-arm64.qvmconf")
except qvm.Error as e:
    assert e.status == 65 and "built without Unicorn" in str(e), (e.status, e)
else:
    raise AssertionError("it makes a machine")'

traces=(traces/*.qtrace) configurations=(configs/*.qvmconf)
at_least 30 ${#traces[@]} recordings
at_least 15 ${#configurations[@]} configurations
for trace in "${traces[@]}"; do
    same replay --exits "$trace"
    same info "$trace"
    same exits --json "$trace"
done
for number in 0 7 40; do
    same explain --exit $number traces/mmio.qtrace
    same explain --exit $number traces/translation.qtrace
done
for file in "${configurations[@]}"; do
    same check "$file"
    same fmt "$file"
done
refuses run configs/test-arm64.qvmconf load build/guests/tests/hello.elf
refuses replay traces/hello.qtrace
refuses explain traces/mmio.qtrace --at 100 0x40080000
refuses when --write 0x40080000 traces/mmio.qtrace
refuses why traces/mmio.qtrace 0x40080000
refuses dump --at 100 traces/mmio.qtrace -o "$work/core"
check "diff finds the first exit that differs" \
    grep -q "^first difference: exit 0 of A, vcpu 0" <("$qvm" diff traces/mmio.qtrace traces/timers.qtrace)
check "diff of equal ones" grep -q "^no difference" <("$qvm" diff traces/mmio.qtrace traces/mmio.qtrace)
finish
