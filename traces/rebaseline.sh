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

# trace NAME DIGEST_EVERY VCPUS MODEL PROGRAM [INPUT_FILE]: appears only if it is complete and
# replays. All end with exit status 0.
trace() {
    local made="$work/$1.qtrace" cpus=()
    while [ ${#cpus[@]} -lt "$3" ]; do
        cpus+=(cpu)
    done
    timeout -s KILL 60 "$qvm" record -o "$made" --digest-every "$2" configs/test-arm64.qvmconf \
        set cpu-model "$4" load "build/guests/tests/$5.elf" "${cpus[@]}" \
        >/dev/null 2>"$work/err" <"${6:-/dev/null}" || fail "$1"
    timeout -s KILL 60 "$qvm" replay "$made" >/dev/null 2>"$work/err" || fail "$1, replay"
    mv "$made" "traces/$1.qtrace"
    printf '%-12s %6d bytes  %s\n' "$1" "$(wc -c <"traces/$1.qtrace")" \
        "$(sed -n 's/^qvm: \(.*\), digest.*/\1/p' "$work/err")"
}

# More than the UART's FIFO takes, in several pushes.
seq -s ' ' 1 300 >"$work/typed"

trace hello 10 1 a57 hello
trace translation 20000 1 a57 at
trace granules 500000 1 max granules
trace atomics 100003 4 max atomics
trace ipi 1000003 4 a57 ipi
trace timers 500009 1 a57 timers
trace interrupts 500009 1 a57 stress_irq
trace lazyfp 100003 1 a57 lazyfp
trace mmio 10007 1 a57 mmio
trace input 500009 1 a57 timers "$work/typed"
