#!/usr/bin/env bash
# exit-replay.sh QVM [PROGRAM...]: the guest exits of a run are recorded; the exit logic alone, on the engine
# that executes nothing, answers each as it did, raises the same interrupts and ends the same way. So does
# a full replay. Every guest program (or the named ones), several VMs, boards, chaos, snapshots.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/exit-replay.sh QVM [PROGRAM...]}")" || exit 2
shift
only=" $* "
cd "$(dirname "$0")/.." || exit 2
tests/guest/build.sh build/guests/tests || exit 2
. tests/support.sh
exits=0

# replays NAME: the recording, both ways.
replays() {
    local status=0 line
    limited 120 "$qvm" replay "$work/t.qtrace" >/dev/null 2>"$work/err" </dev/null || status=$?
    if [ $status = 66 ] || grep -q diverged "$work/err"; then
        verdict "$1" "full replay: $(head -n 1 "$work/err")"
        return
    fi
    limited 60 "$qvm" replay --exits "$work/t.qtrace" 2>"$work/err" || status=$?
    line="$(tail -n 1 "$work/err")"
    if [[ $line != *", all as recorded" ]]; then
        verdict "$1" "exit replay, status $status: $(head -n 1 "$work/err")"
        return
    fi
    line="${line% guest exit*}"
    exits=$((exits + ${line##* }))
    verdict "$1" ""
}

# case NAME ARGUMENTS...: recorded, then replayed.
case_of() {
    local name="$1"
    shift
    limited 120 "$qvm" record --exits -o "$work/t.qtrace" "$@" >/dev/null 2>"$work/err" \
        <"${input:-/dev/null}"
    replays "$name"
}

guest=build/guests/tests
mkdir "$work/files"

# The programs with their words, as tests/guest/programs.qvmtest has them: a test a line.
cases=0
while read -r _ name test; do
    cases=$((cases + 1))
    [[ $only == "  " || $only == *" $name "* ]] || continue
    models=a57
    [[ ! $test =~ "matrix cpu-model "([^ ]+) ]] || models="${BASH_REMATCH[1]}"
    read -ra words <<<"${test#*with }"
    for i in "${!words[@]}"; do
        [[ ${words[i]} != *.qvmconf ]] || words[i]="@${words[i]}"
    done
    for model in ${models//,/ }; do
        case_of "$name $model" @configs/test-arm64.qvmconf "${words[@]}" set cpu-model "$model" \
            set semihosting "$work/files" --limit-insns 1000000
    done
done < <(sed -e ':more' -e 'N;s/\n \{1,\}/ /;t more' -e 'P;D' tests/guest/programs.qvmtest | grep '^test ')

at_least 70 $cases "tests of guest programs"

case_of "two VMs" configs/two-vms-a.qvmconf configs/two-vms-b.qvmconf
case_of "restarts" configs/watchdog-arm64.qvmconf --on-exit restart --limit-insns 4000000
case_of "shared memory" configs/shmem-writer.qvmconf configs/shmem-reader.qvmconf --limit-insns 1000000
case_of "a board" --board configs/boards/one-cpu.board configs/two-vms-a.qvmconf
for seed in 1 2 3; do
    case_of "chaos $seed" --chaos $seed @configs/test-arm64.qvmconf load $guest/ipi.elf cpu cpu cpu cpu \
        --limit-insns 4000000
done
# Under chaos a turn ends with each exception that repeats, and the exit that each is goes with it.
case_of "chaos with an exception for ever" --chaos 1 @configs/test-arm64.qvmconf load $guest/stranded.elf cpu cpu
seq -s ' ' 1 300 >"$work/typed"
input="$work/typed" case_of "input" @configs/test-arm64.qvmconf load $guest/timers.elf
"$qvm" run @configs/test-arm64.qvmconf load $guest/timers.elf --save-at insn=300000 "$work/s.qtrace" \
    >/dev/null 2>&1
case_of "from a snapshot" --from "$work/s.qtrace"
"$qvm" record --exits -o "$work/t.qtrace" @configs/test-arm64.qvmconf load $guest/timers.elf \
    --snapshot-every 200000 >/dev/null 2>&1
limited 60 "$qvm" replay --from 500000 "$work/t.qtrace" >/dev/null 2>"$work/err" ||
    verdict "full replay from a snapshot in the middle" "not so: $(head -n 1 "$work/err")"

# A snapshot right before a vCPU is woken, or before it writes a timer: what comes without an
# instruction is still to come.
faults=(@configs/test-arm64.qvmconf load $guest/faults.elf)
"$qvm" record --exits -o "$work/t.qtrace" "${faults[@]}" >/dev/null 2>&1
wfi="$("$qvm" exits "$work/t.qtrace" | sed -n 's/.* insn=\([0-9]*\) .* reason=wfi .*/\1/p' | head -n 1)"
[ -n "$wfi" ] || verdict "faults" "no WFI"
for ((i = -3; i <= 3; i++)); do
    at=$((${wfi:-1000} + i))
    "$qvm" record --exits -o "$work/t.qtrace" "${faults[@]}" --snapshot-every $at >/dev/null 2>&1
    limited 60 "$qvm" replay --from $at "$work/t.qtrace" >/dev/null 2>"$work/err"
    ! grep -q diverged "$work/err" ||
        verdict "full replay from a snapshot beside a WFI" "not so: $(head -n 1 "$work/err")"
done

finish "; $exits guest exits"
