#!/usr/bin/env bash
# snapshots.sh QVM [PROGRAM...]: a run that goes on from a snapshot ends in the state in which the run ends that
# the snapshot was taken of; so does its recording, and a replay that begins in the middle. Snapshots
# that guests ask for, other inputs afterwards, several VMs, damaged files; recordings of failures.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/snapshots.sh QVM [PROGRAM...]}")" || exit 2
shift
programs=" ${*:-exceptions timers lazyfp ipi atomics wfe} "
cd "$(dirname "$0")/.." || exit 2
tests/guest/build.sh build/guests/tests || exit 2
. tests/support.sh

# final ARGUMENTS...: the digest in which a run ends; its output is in $work/out, messages in err.
final() {
    limited 120 "$qvm" "$@" >"$work/out" 2>"$work/err" <"${input:-/dev/null}"
    sed -n 's/.*, digest \([0-9a-f]\{64\}\)$/\1/p' "$work/err"
}

instructions() {
    sed -n 's/.*; \([0-9]*\) instructions*, .*/\1/p' "$work/err"
}

# program NAME VCPUS MODEL: at five places of its run.
program() {
    local name="$1" model="$3" cpus=() whole total at i
    [[ $programs == *" $name "* ]] || return 0
    while [ ${#cpus[@]} -lt "$2" ]; do
        cpus+=(cpu)
    done
    local vm=(configs/test-arm64.qvmconf set cpu-model "$model" load "build/guests/tests/$name.elf"
        "${cpus[@]}")
    whole="$(final run "${vm[@]}")"
    total="$(instructions)"
    for i in 1 2 3 4 5; do
        at=$((total * i / 6 + i))
        check "$name: saving at $at changes nothing" [ "$whole" = \
            "$(final run "${vm[@]}" --save-at insn=$at "$work/save.qtrace")" ]
        check "$name: from $at" [ "$whole" = "$(final run --from "$work/save.qtrace")" ]
    done
    check "$name: recorded from $at" [ "$whole" = \
        "$(final record -o "$work/from.qtrace" --from "$work/save.qtrace")" ]
    check "$name: and replayed" [ "$whole" = "$(final replay "$work/from.qtrace")" ]
    check "$name: recorded with snapshots" [ "$whole" = \
        "$(final record -o "$work/many.qtrace" "${vm[@]}" --snapshot-every $((total / 7 + 1)) \
            --digest-every $((total / 11 + 1)))" ]
    for i in 0 2 4 6; do
        check "$name: replayed from the middle ($i)" [ "$whole" = \
            "$(final replay "$work/many.qtrace" --from $((total * i / 7)))" ]
    done
    check "$name: on from the last of them" [ "$whole" = "$(final run --from "$work/many.qtrace")" ]
}

guest_asks() {
    local vm=(configs/hello-arm64.qvmconf load build/guests/tests/saved.elf)
    sed -e '/^load/d' configs/hello-arm64.qvmconf >"$work/saved.qvmconf"
    vm=("$work/saved.qvmconf" load build/guests/tests/saved.elf)
    final run "${vm[@]}" --save-at guest-hypercall "$work/asked.qtrace" >/dev/null
    check "a guest asks: the run goes on" grep -q '^input: nothing' "$work/out"
    local letter
    for letter in x y; do
        printf '%s' "$letter" >"$work/typed"
        input="$work/typed" final run --from "$work/asked.qtrace" >/dev/null
        check "a guest asks: continued with $letter" grep -q "^input: $letter" "$work/out"
        check "a guest asks: what was before is not printed again" [ "$(wc -l <"$work/out")" = 1 ]
    done
}

several_vms() {
    local vms=(configs/hello-arm64.qvmconf "$work/second.qvmconf") whole
    sed -e 's/^system .*/system second/' configs/hello-arm64.qvmconf >"$work/second.qvmconf"
    whole="$(final run "${vms[@]}")"
    check "two VMs: saved" [ "$whole" = \
        "$(final run "${vms[@]}" --save-at insn=70 "$work/two.qtrace")" ]
    check "two VMs: continued" [ "$whole" = "$(final run --from "$work/two.qtrace")" ]
}

# refused STATUS TEXT ARGUMENTS...
refused() {
    local status="$1" text="$2" got=0
    shift 2
    limited 60 "$qvm" "$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
    check "$*: status $got, $(head -1 "$work/err")" [ "$got" = "$status" ]
    check "$*: '$text' in $(head -1 "$work/err")" grep -q -- "$text" "$work/err"
}

bad_files() {
    final run configs/hello-arm64.qvmconf --save-at insn=30 "$work/good.qtrace" >/dev/null
    head -c 700 "$work/good.qtrace" >"$work/short.qtrace"
    limited 60 "$qvm" record -o "$work/plain.qtrace" configs/hello-arm64.qvmconf \
        >/dev/null 2>&1 </dev/null
    refused 2 'holds no snapshot' run --from "$work/short.qtrace"
    refused 2 'holds no snapshot' run --from "$work/plain.qtrace"
    final run "$work/saved.qvmconf" load build/guests/tests/hello.elf vdev pl011 loc 0x09010000 \
        intr gic:34 hostdev ">|touch $work/ran" --save-at insn=30 "$work/command.qtrace" >/dev/null
    rm -f "$work/ran"
    refused 2 'wants to run the command' run --from "$work/command.qtrace"
    check "a command in a snapshot is not run" [ ! -e "$work/ran" ]
    final run --from "$work/command.qtrace" --trust >/dev/null
    check "a command in a snapshot is run when trusted" [ -e "$work/ran" ]
    refused 2 'not a trace' run --from tests/snapshots.sh
    refused 2 'no others can be given' run --from "$work/good.qtrace" configs/hello-arm64.qvmconf
    refused 2 "insn=N, ns=N, console=TEXT or guest-hypercall, not 'now'" run configs/hello-arm64.qvmconf --save-at now "$work/x"
    refused 2 'wants a number' run configs/hello-arm64.qvmconf --save-at insn=x "$work/x"
    refused 2 'the first is 1' run configs/hello-arm64.qvmconf --save-at ns=0 "$work/x"
    refused 2 'there is no text' run configs/hello-arm64.qvmconf --save-at console= "$work/x"
}

# save_at WHEN LEFT WORD...: what is printed behind the snapshot is LEFT.
save_at() {
    local when="$1" left="$2" whole
    shift 2
    whole="$(final run --no-record "$@")"
    check "saving at $when changes nothing" [ "$whole" = \
        "$(final run --no-record "$@" --save-at "$when" "$work/when.qtrace")" ]
    check "from $when" [ "$whole" = "$(final run --no-record --from "$work/when.qtrace")" ]
    check "from $when: '$(cat "$work/out")'" [ "$left" = "$(cat "$work/out")" ]
    check "saving at $when while snapshots are recorded" [ "$whole" = "$(final record \
        -o "$work/r.qtrace" --snapshot-every 1000 "$@" --save-at "$when" "$work/again.qtrace")" ]
    final run --no-record --from "$work/again.qtrace" >/dev/null
    check "the same one: '$(cat "$work/out")'" [ "$left" = "$(cat "$work/out")" ]
}

moments() {
    local actor=(@tests/guest/vms/actor.qvmconf cmdline)
    save_at console=aab $'b-c\nend' "${actor[@]}" "uart aaab uart b uart - say c say end off"
    save_at 'console=one' 'two' "${actor[@]}" "say one say two off"
    # While one vCPU takes the same exception for ever: another runs, or waits for its timer.
    local stuck=(@tests/guest/vms/actor.qvmconf cpu cpu load build/guests/tests/vms/stuck.elf cmdline)
    save_at ns=50000 '1 checks passed, 0 failed' "${stuck[@]}" "other helps"
    save_at ns=1000000 '' "${stuck[@]}" "other later"
    final run --no-record "${actor[@]}" "say one off" --save-at console=two "$work/none" >/dev/null
    check "a text that does not come" grep -q 'the run ended before it was due' "$work/err"
}

# A run that ends badly leaves a recording, unless it is told not to.
failures() {
    local vm=(configs/watchdog-arm64.qvmconf) kept whole
    mkdir "$work/kept"
    whole="$(TMPDIR="$work/kept" final run "${vm[@]}")"
    kept="$(echo "$work/kept"/*.qtrace)"
    check "a watchdog bites: there is a recording" [ -e "$kept" ]
    check "a watchdog bites: its name is said" grep -q "qvm replay $kept" "$work/err"
    check "a watchdog bites: it replays" [ "$whole" = "$(final replay "$kept")" ]
    rm -f "$kept"
    final run "${vm[@]}" --save-at insn=1000 "$work/early.qtrace" >/dev/null
    rm -f "$work/kept"/*.qtrace
    check "a run from a snapshot fails the same way" \
        [ "$whole" = "$(TMPDIR="$work/kept" final run --from "$work/early.qtrace")" ]
    kept="$(echo "$work/kept"/*.qtrace)"
    check "a run from a snapshot fails: it replays" [ "$whole" = "$(final replay "$kept")" ]
    rm -f "$kept"
    TMPDIR="$work/kept" final run "${vm[@]}" --no-record >/dev/null
    TMPDIR="$work/kept" final run configs/hello-arm64.qvmconf >/dev/null
    check "nothing is left without a reason" [ -z "$(ls "$work/kept")" ]
}

# What a TLB holds is in snapshots, not in digests: it is the same wherever the run stopped before.
full_tlb() {
    local words vm end save
    for words in el1 "el1 odd" el0 "el0 odd"; do
        vm=(configs/test-arm64.qvmconf cpu load build/guests/tests/tlbfull.elf cmdline "$words")
        final run "${vm[@]}" >/dev/null
        end=$(instructions)
        final run "${vm[@]}" --save-at insn=$((end - 6000)) "$work/before.qtrace" >/dev/null
        save=(run --from "$work/before.qtrace" --save-at "insn=$((end - 100))")
        final "${save[@]}" "$work/once.qtrace" >/dev/null
        final "${save[@]}" "$work/often.qtrace" --digest-every 1 >/dev/null
        check "a full TLB, $words" cmp "$work/once.qtrace" "$work/often.qtrace"
    done
}

program exceptions 1 a57
program timers 1 a57
program lazyfp 1 a57
program ipi 4 a57
program wfe 2 a57
program atomics 4 max
guest_asks
several_vms
moments
bad_files
failures
full_tlb
finish
