#!/usr/bin/env bash
# determinism.sh [--linux|--short] QVM [OTHER_QVM...]: the digest of a run depends on nothing but its
# configuration. Each guest runs once plainly; then in every other way that must not matter, and
# each run must print the same bytes and end in the same state. Prints what differed, and a count.
#   --linux     the downloaded Linux instead of the guest programs
#   --short     fewer guest programs and less of each, for slow builds
#   OTHER_QVM   the same program built otherwise: it must agree, too
set -uo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"

guests=programs
case "${1:-}" in
--linux) guests=linux; shift ;;
--short) guests=short; shift ;;
esac
[ $# -ge 1 ] || { echo "usage: determinism.sh [--linux|--short] QVM [OTHER_QVM...]" >&2; exit 2; }
binaries=()
for binary in "$@"; do
    binaries+=("$(realpath -e "$binary")") || exit 2
done
qvm="${binaries[0]}"
cd "$repository" || exit 2

seconds=30 # how long a run may take; SIGTERM would only press the guest's power button
work="$(mktemp -d)" || exit 2
export TMPDIR="$work" # recordings of runs that end badly
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
passed=0
failed=0

verdict() { # verdict WHAT PROBLEM: counts; an empty problem is none
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  $guest, $1: $2"
    fi
}

# run NAME COMMAND...: leaves NAME.out, NAME.err, NAME.digest in the work folder, and $status.
run() {
    local name="$work/$1"
    shift
    # The outer redirection is for what the shell has to say of a process that was killed.
    { timeout -s KILL $((seconds * ${QVM_SLOWNESS:-1})) "$@" >"$name.out" 2>"$name.err" <"$input"; } 2>/dev/null
    status=$?
    sed -n 's/^qvm: .* instructions*, .* digest \([0-9a-f]\{64\}\)$/\1/p' "$name.err" >"$name.digest"
}
input=/dev/null

# problem_of NAME REFERENCE REFERENCE_STATUS: why the run NAME is not the run REFERENCE.
problem_of() {
    if [ "$status" = 137 ]; then
        echo "it does not end (stopped after $seconds s)"
    elif [ "$status" != "$3" ]; then
        echo "exit status $status instead of $3: $(tail -n 1 "$work/$1.err")"
    elif [ ! -s "$work/$1.digest" ]; then
        echo "no digest: $(tail -n 1 "$work/$1.err")"
    elif ! cmp -s "$work/$1.digest" "$work/$2.digest"; then
        echo "digest $(cut -c1-16 "$work/$1.digest")... instead of $(cut -c1-16 "$work/$2.digest")...," \
            "$(tail -n 1 "$work/$1.err" | sed 's/.*; \([0-9]*\) instr.*/at \1/')" \
            "instead of $(tail -n 1 "$work/$2.err" | sed 's/.*; \([0-9]*\) instr.*/\1/') instructions"
    elif ! cmp -s "$work/$1.out" "$work/$2.out"; then
        echo "it printed something else"
    fi
}

# same WHAT COMMAND...: this run must be like the reference.
same() {
    local what="$1"
    shift
    run other "$@"
    verdict "$what" "$(problem_of other reference "$reference_status")"
}

# differs WHAT COMMAND...: this run must end in another state, or equal digests would say nothing.
differs() {
    local what="$1"
    shift
    run other "$@"
    if [ ! -s "$work/other.digest" ] || cmp -s "$work/other.digest" "$work/reference.digest"; then
        verdict "$what" "the digest does not show it"
    else
        verdict "$what" ""
    fi
}

# reference EXPECTED_STATUS COMMAND...
reference() {
    local expected="$1"
    shift
    run reference "$@"
    reference_status=$status
    if [ $status != "$expected" ] || [ ! -s "$work/reference.digest" ]; then
        verdict "first run" "exit status $status instead of $expected: $(tail -n 1 "$work/reference.err")"
        return 1
    fi
    verdict "first run" ""
}

# The same under every other build.
other_builds() {
    local binary
    for binary in "${binaries[@]:1}"; do
        same "under $binary" "$binary" run "$@"
        same "under $binary, digests every 997" "$binary" run "$@" --digest-every 997
        same "replay under $binary" "$binary" replay "$work/digests.qtrace"
    done
}

# Stops at odd places: what a run is at its instruction N is the same however often it stopped before.
intermediate_states() {
    local limit every
    for limit in 1009 65521 299993; do
        guest="$name until $limit"
        run reference "$qvm" run "$@" --limit-insns $limit
        reference_status=$status
        for every in 1 997 1000; do
            [ $every != 1 ] || [ $limit = 1009 ] || continue
            same "digests every $every" "$qvm" run "$@" --limit-insns $limit --digest-every $every
        done
    done
}

# Words for these vCPUs: `cpu` so many times.
cpus() {
    local i
    for ((i = 0; i < $1; i++)); do
        echo cpu
    done
}

bare() { # bare NAME VCPUS MODEL [LIMIT]
    name="$1"
    local words
    mapfile -t words < <(cpus "$2")
    words=(configs/test-arm64.qvmconf set cpu-model "$3" load "$work/programs/$1.elf" "${words[@]}")
    if [ -n "${4:-}" ]; then
        every_way 67 "${words[@]}" --limit-insns "$4"
    else
        every_way 0 "${words[@]}" && intermediate_states "${words[@]}"
    fi
}

one_of_two() { # one_of_two NAME VCPUS: the words of one of several VMs
    printf '%s\n' system "$1" 'ram 0x40000000,128M' 'rom 0x60000000,64K' 'set semihosting on' \
        'vdev gic gicd 0x08000000 gicr 0x080a0000' \
        'vdev pl011 loc 0x09000000 intr gic:33 hostdev -' 'vdev pl031 loc 0x09010000 intr gic:34' \
        load "$work/programs/$1.elf"
    cpus "$2"
}

two() { # two NAME VCPUS NAME VCPUS: two VMs on one board
    name="$1 and $3"
    local words
    mapfile -t words < <(one_of_two "$1" "$2"; echo +; one_of_two "$3" "$4")
    every_way 0 "${words[@]}" && intermediate_states "${words[@]}"
}

# every_way EXPECTED_STATUS QVM_WORD...
every_way() {
    local expected="$1" words every
    shift
    words=("$@")
    guest="$name"
    reference "$expected" "$qvm" run "${words[@]}" || return
    # What only watches is there all at once, and so is what only differs around the run.
    same "--stats, --events, --log of everything, --realtime" "$qvm" run "${words[@]}" --stats \
        --log fatal,internal,error,warn,info,debug,verbose --realtime --events "$work/events"
    input="$silent"
    same "second run: other environment and addresses, silent standard input" \
        env -i A=1 "${other_addresses[@]}" "$qvm" run "${words[@]}"
    input=/dev/null
    for every in 1000 997 7919 99991 100000; do
        same "digests every $every" "$qvm" run "${words[@]}" --digest-every $every
    done
    same "record" "$qvm" record -o "$work/plain.qtrace" "${words[@]}"
    same "replay" "$qvm" replay "$work/plain.qtrace"
    same "replay, digests every 7919" "$qvm" replay "$work/plain.qtrace" --digest-every 7919
    # A replay never asks the host for input, so it stops elsewhere than the recording did, and
    # compares every one of these.
    same "record, digests every 997" "$qvm" record -o "$work/digests.qtrace" "${words[@]}" \
        --digest-every 997
    same "replay of digests every 997" "$qvm" replay "$work/digests.qtrace"
    other_builds "${words[@]}"
    differs "another wall clock" "$qvm" run "${words[@]}" --wall-clock 1
}

under_valgrind() { # under_valgrind NAME
    guest="$1"
    seconds=240
    if ! command -v valgrind >/dev/null; then
        echo "skipped  valgrind: not installed"
        return
    elif ldd "$qvm" | grep libasan >/dev/null; then
        return # the one excludes the other
    fi
    reference 0 "$qvm" run configs/test-arm64.qvmconf load "$work/programs/$1.elf" cpu || return
    same "under valgrind" valgrind -q --smc-check=all-non-file "$qvm" run \
        configs/test-arm64.qvmconf load "$work/programs/$1.elf" cpu
}

linux_guest() { # linux_guest CONFIG
    guest="$1"
    seconds=120
    local words=("configs/$1.qvmconf" --limit-insns 300000000)
    reference 67 "$qvm" run "${words[@]}" || return
    same "second run" "$qvm" run "${words[@]}"
    same "digests every 100000" "$qvm" run "${words[@]}" --digest-every 100000
    same "record, digests every 10000000" "$qvm" record -o "$work/digests.qtrace" "${words[@]}" \
        --digest-every 10000000
    same "replay" "$qvm" replay "$work/digests.qtrace"
    local binary
    for binary in "${binaries[@]:1}"; do
        same "under $binary" "$binary" run "${words[@]}"
        same "replay under $binary" "$binary" replay "$work/digests.qtrace"
    done
}

# A pipe that somebody holds open and writes nothing to.
silent="$work/silent"
mkfifo "$silent"
exec 9<>"$silent"
other_addresses=()
if setarch -R true 2>/dev/null; then
    other_addresses=(setarch -R)
fi

programs() {
    tests/guest/build.sh build/guests/tests || exit 2
    # Others may rebuild them meanwhile.
    cp -r build/guests/tests "$work/programs"
}

case $guests in
linux)
    linux_guest linux-arm64
    linux_guest linux-arm64-smp2
    ;;
short)
    programs
    bare hello 1 a57
    bare pan 1 max
    bare timers 1 a57 500000
    bare atomics 4 a57 600000
    two hello 1 pan 1
    ;;
programs)
    programs
    bare hello 1 a57
    bare at 1 a57
    bare pan 1 max
    bare mmuswitch 1 a57
    bare often 1 a57
    bare remnants 1 a57
    bare atomics 4 a57
    bare wfe 2 a57
    bare ownpages 4 a57
    bare timers 1 a57 2000000
    bare ipi 4 a57 2000000
    bare selfmod 4 a57 1000000
    bare coherent 2 a57
    bare devicemem 1 a57
    two at 1 atomics 4
    under_valgrind pan
    ;;
esac
echo "$passed passed, $failed failed"
[ $failed = 0 ]
