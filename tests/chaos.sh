#!/usr/bin/env bash
# chaos.sh QVM [--short]: runs under chaos. Races of guest programs that the ordinary schedule never
# shows are found, and their traces replay every time; the same programs without the race pass under
# every seed; a run under a seed is the same however it is made and watched. Prints failures, with
# which seed each race was found, and a count. --short: fewer repetitions, for slow builds.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/chaos.sh QVM [--short]}")" || exit 2
seeds=120 replays=20
short=no
[ "${2:-}" != --short ] || { seeds=12; replays=3; short=yes; }
cd "$(dirname "$0")/.." || exit 2
tests/guest/build.sh build/guests/tests || exit 2
. tests/support.sh

ask() { # WORDS...: leaves out and err in the work folder, the exit status in $status
    status=0
    limited 600 "$qvm" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
}

# final WORDS...: the digest in which a run ends is in $digest.
final() {
    ask "$@"
    digest="$(sed -n 's/.* digest \([0-9a-f]\{64\}\)$/\1/p' "$work/err")"
}

# vm PROGRAM VCPUS: the words of that VM are in $vm.
vm() {
    vm=(configs/test-arm64.qvmconf load "build/guests/tests/$1.elf")
    local i
    for ((i = 0; i < $2; i++)); do
        vm+=(cpu)
    done
}

# race NAME VCPUS: found within 200 seeds; the seed is in $seed, the digest it ends in in $whole.
race() {
    local i
    vm "$1" "$2"
    ask run "${vm[@]}"
    check "$1: without chaos it passes" [ $status = 0 ]
    ask chaos --seeds 200 -o "$work/$1.qtrace" "${vm[@]}"
    seed="$(sed -n 's/^qvm: seed \([0-9]*\) fails: .*/\1/p' "$work/err")"
    check "$1: found within 200 seeds" [ $status = 33 -a "${seed:-0}" -ge 1 ]
    check "$1: its output is shown" grep -q '^FAILED, .*: count: ' "$work/out"
    echo "$1: seed ${seed:-none} of 200 finds it"
    final run --no-record --chaos "${seed:-0}" "${vm[@]}"
    whole="$digest"
    check "$1: the seed alone does it" [ $status = 33 ]
    for ((i = 0; i < replays; i++)); do
        final replay "$work/$1.qtrace"
        check "$1: replay $i" [ "$status $digest" = "33 $whole" ]
    done
}

# passes NAME VCPUS: under as many seeds as it takes to trust it.
passes() {
    vm "$1" "$2"
    ask chaos --seeds $seeds "${vm[@]}"
    check "$1: passes under $seeds seeds" [ $status = 0 ]
    check "$1: and says so" grep -qx "qvm: no run failed: $seeds seeds, 1 to $seeds" "$work/err"
    check "$1: and nothing else" [ ! -s "$work/out" ]
}

# same NAME SEED VCPUS [LIMIT]: however it is made and watched.
same() {
    local name="$1" chaos=(--chaos "$2") limit=(--limit-insns "${4:-100000000}") every total
    vm "$1" "$3"
    final run --no-record "${chaos[@]}" "${vm[@]}" "${limit[@]}"
    whole="$digest"
    total="$(sed -n 's/.*; \([0-9]*\) instructions*, .*/\1/p' "$work/err")"
    check "$name: ends" [ -n "$whole" ]
    for every in 997 9973 $((total / 3)); do
        final run --no-record "${chaos[@]}" "${vm[@]}" "${limit[@]}" --digest-every $every
        check "$name: digests every $every" [ "$digest" = "$whole" ]
    done
    final record -o "$work/t.qtrace" "${chaos[@]}" "${vm[@]}" "${limit[@]}" --digest-every 9973 \
        --snapshot-every $((total / 5))
    check "$name: recorded" [ "$digest" = "$whole" ]
    for every in 0 2 4; do
        final replay "$work/t.qtrace" --from $((total * every / 5))
        check "$name: replayed from $every fifths" [ "$digest" = "$whole" ]
    done
    final run --no-record "${chaos[@]}" "${vm[@]}" "${limit[@]}" --save-at insn=$((total / 2)) \
        "$work/save.qtrace"
    check "$name: saved" [ "$digest" = "$whole" ]
    final run "${limit[@]}" --from "$work/save.qtrace"
    check "$name: from a snapshot" [ "$digest" = "$whole" ]
}

# stops_everywhere NAME VCPUS: turns end, interrupts set out and arrive between any two instructions.
stops_everywhere() {
    local i whole
    vm "$1" "$2"
    for i in 5 6 7; do
        final run --no-record --chaos $i "${vm[@]}" --limit-insns 3000
        whole="$digest"
        final run --no-record --chaos $i "${vm[@]}" --limit-insns 3000 --digest-every 1
        check "$1: seed $i, a digest after every instruction" \
            [ -n "$whole" -a "$digest" = "$whole" ]
    done
}

different_seeds() {
    local i
    vm race_locked 2
    for ((i = 1; i <= 20; i++)); do
        final run --no-record --chaos $i "${vm[@]}"
        echo "$digest"
    done >"$work/digests"
    check "20 seeds end in 20 states" [ "$(sort -u "$work/digests" | grep -c .)" = 20 ]
}

# A snapshot that was made without chaos goes on under any seed.
from_a_snapshot() {
    vm ipi 4
    local limit=(--limit-insns 2000000)
    ask run "${vm[@]}" --limit-insns 300000 --save-at insn=200000 "$work/plain.qtrace"
    final run --from "$work/plain.qtrace" "${limit[@]}"
    local plain="$digest"
    final record -o "$work/on.qtrace" --from "$work/plain.qtrace" --chaos 3 "${limit[@]}"
    local under_3="$digest"
    check "a seed from a snapshot on" [ -n "$digest" -a "$digest" != "$plain" ]
    final replay "$work/on.qtrace"
    check "a seed from a snapshot on, replayed" [ "$digest" = "$under_3" ]
    final run --from "$work/plain.qtrace" --chaos 4 "${limit[@]}"
    check "another seed from a snapshot on" [ -n "$digest" -a "$digest" != "$under_3" ]
}

# Two VMs, and what is asked of a recording.
other_commands() {
    vm race 2
    local rest=('ram 0x40000000,4M' 'set semihosting on' 'vdev gic gicd 0x08000000 gicr 0x080a0000'
        load build/guests/tests/race.elf cpu cpu)
    local two=(system one "${rest[@]}" + system two "${rest[@]}")
    final run --no-record --chaos 9 "${two[@]}"
    whole="$digest"
    final record -o "$work/two.qtrace" --chaos 9 "${two[@]}" --digest-every 997
    check "two VMs" [ -n "$whole" -a "$digest" = "$whole" ]
    final replay "$work/two.qtrace"
    check "two VMs, replayed" [ "$digest" = "$whole" ]
    ask record -o "$work/one.qtrace" --chaos 1 "${vm[@]}"
    ask record -o "$work/other.qtrace" --chaos 2 "${vm[@]}"
    ask diff "$work/one.qtrace" "$work/one.qtrace"
    check "no difference from itself" [ $status = 0 ]
    ask diff "$work/one.qtrace" "$work/other.qtrace"
    check "two seeds differ" [ $status = 66 ]
    ask info "$work/other.qtrace"
    check "a trace says its seed" grep -qx 'recorded with chaos 2' "$work/out"
    ask when "$work/race.qtrace" --exit semihosting --last
    check "when" [ $status = 0 ]
}

# wrong SENTENCE WORDS...
wrong() {
    local sentence="$1"
    shift
    ask "$@"
    check "'$*'" [ "$status $(cat "$work/err")" = "2 qvm: $sentence" ]
}

wrong_words() {
    vm race 2
    wrong "--seeds wants at least 1, and the last seed must be below 2^64" chaos --seeds 0 "${vm[@]}"
    wrong "--seeds wants at least 1, and the last seed must be below 2^64" \
        chaos --seeds 2 --first-seed 18446744073709551615 "${vm[@]}"
    wrong "--seeds wants a number, not 'many'" chaos --seeds many "${vm[@]}"
    wrong "--chaos wants an argument" run "${vm[@]}" --chaos
    wrong "--chaos is not for replay, but for run record" replay --chaos 1 "$work/race.qtrace"
    wrong "--chaos is not for chaos, but for run record" chaos --chaos 1 "${vm[@]}"
    wrong "--seeds is not for run, but for chaos" run --seeds 1 "${vm[@]}"
    wrong "chaos wants a configuration file (qvm --help)" chaos --seeds 2
    echo mine >"$work/mine"
    wrong "'$work/mine' exists and is not a trace: not overwritten" chaos -o "$work/mine" "${vm[@]}"
    ask chaos missing.qvmconf
    check "no such configuration" [ $status = 65 ]
}

# Who waits for the search may end it: that is no success.
interrupted() {
    local i pid
    vm atomics 4
    status=0
    "$qvm" chaos --seeds 100000 "${vm[@]}" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    sleep 2 # it takes signals by then
    for ((i = 0; i < 50; i++)); do # one may come while no guest runs
        kill -TERM $pid 2>/dev/null || break
        sleep 0.2
    done
    wait $pid || status=$?
    check "an interrupted search" [ $status = 3 ]
    check "an interrupted search says so" grep -q '^qvm: interrupted at seed ' "$work/err"
}

# A guest that does not end looks like one that cannot.
limits() {
    vm race_locked 2
    ask chaos --seeds 3 "${vm[@]}" --limit-insns 1000
    check "a limit is a failure" [ $status = 67 ]
    local kept
    kept="$(sed -n 's/.*; to see it again: qvm replay //p' "$work/err")"
    check "its trace has a name" [ -s "$kept" ]
    ask replay "$kept"
    check "and replays" [ $status = 67 ]
}

# when NAME: the moment is found, to one instruction, and again; the share rises with it.
when() {
    ask chaos --when "$work/$1.qtrace"
    check "$1: when it happened" [ $status = 0 ]
    read -r before less after more < <(sed -nE \
        's/^it became likely between instruction ([0-9]+) \(([0-9]+) of 20 seeds fail\) and ([0-9]+) \(([0-9]+)\): vm test, vcpu [0-9], next 0x.*/\1 \2 \3 \4/p' "$work/out")
    check "$1: to one instruction" [ "${after:-0}" = $((${before:-0} + 1)) ]
    check "$1: few seeds fail before it, most behind it" [ "${less:-20}" -lt 12 -a "${more:-0}" -gt 16 ]
    check "$1: it is in the run" [ "${before:-0}" -gt 100 ]
    [ $short = no ] || return
    cp "$work/out" "$work/curve"
    ask chaos --when "$work/$1.qtrace"
    check "$1: the same curve again" cmp -s "$work/out" "$work/curve"
}

# A fault that is none of order; and recordings that have no answer.
no_moment() {
    ask record -o "$work/stuck.qtrace" configs/test-arm64.qvmconf load build/guests/tests/jump.elf
    ask chaos --when "$work/stuck.qtrace" --seeds 3 --budget 30
    check "no moment" grep -qx 'nowhere does it become likelier: it does not depend on the order' "$work/out"
    ask chaos --when "$work/race.qtrace" --budget 100
    check "a small budget" grep -qx -- '--budget above 100 runs finds out more' "$work/out"
    wrong "the recording ended well (status 0): the guest powered off" chaos --when traces/hello.qtrace
    vm race 2
    wrong "--when is about what was recorded: no VMs can be given" chaos --when traces/hello.qtrace "${vm[@]}"
    wrong "--budget wants at least the runs of two moments, 40 here" chaos --when traces/hello.qtrace --budget 39
    wrong "--budget is not for run, but for chaos" run --budget 3 "${vm[@]}"
}

race race 2
race race_irq 1
when race
[ $short = yes ] || when race_irq
no_moment
passes race_locked 2
passes race_irq_masked 1
passes steps 2
same race 7 2
same race_irq 8 1
same ipi 3 4 2000000
same timers 4 1 2000000
stops_everywhere race 2
stops_everywhere race_irq 1
different_seeds
from_a_snapshot
other_commands
wrong_words
interrupted
limits
finish
