#!/usr/bin/env bash
# rebaseline.sh [QVM]: records traces/*.qtrace anew (default: with build/release/qvm). To be done,
# with the reason in the commit, when the machine's state or the trace format changes on purpose;
# otherwise a trace that does not replay is a bug. traces/README.md says what each shows.
set -euo pipefail
qvm="$(realpath -e "${1:-$(dirname "$0")/../build/release/qvm}")"
cd "$(dirname "$0")/.."
tests/guest/build.sh build/guests/tests
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

fail() {
    echo "rebaseline.sh: $1: $(tail -n 1 "$work/err")" >&2
    exit 1
}

# as VCPUS MODEL PROGRAM: the words of that VM are in $vm.
as() {
    vm=(configs/test-arm64.qvmconf set cpu-model "$2" load "build/guests/tests/$3.elf")
    local i
    for ((i = 0; i < $1; i++)); do
        vm+=(cpu)
    done
}

# ends STATUS NAME COMMAND...
ends() {
    local wanted="$1" name="$2" status=0
    shift 2
    timeout -s KILL 60 "$@" >/dev/null 2>"$work/err" <"$input" || status=$?
    [ $status = "$wanted" ] || fail "$name: status $status"
}
input=/dev/null

# keep NAME STATUS DIGEST_EVERY WORDS...: appears only if it is complete and replays.
keep() {
    local name="$1" wanted="$2" made="$work/$1.qtrace"
    ends "$wanted" "$name" "$qvm" record -o "$made" --digest-every "$3" "${@:4}"
    ends "$wanted" "$name, replay" "$qvm" replay "$made"
    mv "$made" "traces/$name.qtrace"
    printf '%-12s %6d bytes  %s\n' "$name" "$(wc -c <"traces/$name.qtrace")" \
        "$(sed -n 's/^qvm: \(.*\), digest.*/\1/p' "$work/err")"
}

# trace NAME DIGEST_EVERY STATUS ARGUMENTS...: of a VM on the test board, which ends with that status;
# appears only if it is complete and replays, exits alone too. Its input is in $input.
trace() {
    local made="$work/$1.qtrace" status=0
    timeout -s KILL 60 "$qvm" record --exits -o "$made" --digest-every "$2" configs/test-arm64.qvmconf \
        "${@:4}" >/dev/null 2>"$work/err" <"${input:-/dev/null}" || status=$?
    [ $status = "$3" ] || fail "$1: status $status"
    timeout -s KILL 60 "$qvm" replay "$made" >/dev/null 2>"$work/err" || [ $? = "$3" ] || fail "$1, replay"
    timeout -s KILL 60 "$qvm" replay --exits "$made" 2>"$work/exits" || fail "$1, exit replay"
    mv "$made" "traces/$1.qtrace"
    printf '%-12s %6d bytes  %s\n' "$1" "$(wc -c <"traces/$1.qtrace")" \
        "$(sed -n 's/^qvm: \(.*\), digest.*/\1/p' "$work/err")"
}

# program NAME DIGEST_EVERY MODEL PROGRAM [ARGUMENTS...]: one that ends with status 0.
program() {
    trace "$1" "$2" 0 set cpu-model "$3" load "build/guests/tests/$4.elf" "${@:5}"
}

# More than the UART's FIFO takes, in several pushes.
seq -s ' ' 1 300 >"$work/typed"

program hello 10 a57 hello
program translation 20000 a57 at
program granules 500000 max granules
program atomics 100003 max atomics cpu cpu cpu cpu
program ipi 1000003 a57 ipi cpu cpu cpu cpu
program timers 500009 a57 timers
program interrupts 500009 a57 stress_irq
program lazyfp 100003 a57 lazyfp
program mmio 10007 a57 mmio
input="$work/typed" program input 500009 a57 timers
program semihosting 100003 a57 semihost set semihosting build/guests/tests
program virtio 100003 a57 virtio @tests/guest/virtio.qvmconf
program shmem 100003 a57 shmem @tests/guest/shmem.qvmconf
trace watchdog 100003 4 @tests/guest/watchdog.qvmconf load build/guests/tests/watchdog.elf
trace race 10007 33 --chaos 25 load build/guests/tests/race.elf cpu cpu
