#!/usr/bin/env bash
# rebaseline.sh QVM NAME...: records these traces/NAME.qtrace, anew or for the first time. Anew only
# with the reason in the commit: a trace that does not replay is a bug, and one that was made on an
# older machine shows that this machine can still imitate it. traces/README.md says what each shows.
set -euo pipefail
qvm="$(realpath -e "${1:?usage: traces/rebaseline.sh QVM NAME...}")"
shift
only=" $* "
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

wanted() {
    [[ $only == *" $1 "* ]]
}

# keep NAME STATUS DIGEST_EVERY WORDS...: appears only if it is complete and replays, its exits alone, too.
keep() {
    local name="$1" status="$2" made="$work/$1.qtrace"
    wanted "$name" || return 0
    ends "$status" "$name" "$qvm" record --exits -o "$made" --digest-every "$3" "${@:4}"
    ends 0 "$name, exit replay" "$qvm" replay --exits "$made"
    ends "$status" "$name, replay" "$qvm" replay "$made"
    mv "$made" "traces/$name.qtrace"
    printf '%-12s %6d bytes  %s\n' "$name" "$(wc -c <"traces/$name.qtrace")" \
        "$(sed -n 's/^qvm: \(.*\), digest.*/\1/p' "$work/err")"
}

# trace NAME DIGEST_EVERY VCPUS MODEL PROGRAM [WORDS...]: of a program that ends with status 0.
trace() {
    wanted "$1" || return 0
    as "$3" "$4" "$5"
    keep "$1" 0 "$2" "${vm[@]}" "${@:6}"
}

# race NAME DIGEST_EVERY VCPUS MODEL PROGRAM: under the first seed under which the program fails.
race() {
    as "$3" "$4" "$5"
    ends 33 "$1, search" "$qvm" chaos --seeds 200 -o "$work/found.qtrace" "${vm[@]}"
    keep "$1" 33 "$2" "${vm[@]}" --chaos "$(sed -n 's/^qvm: seed \([0-9]*\) fails: .*/\1/p' "$work/err")"
}

# More than the UART's FIFO takes, in several pushes.
seq -s ' ' 1 300 >"$work/typed"

trace hello 10 1 a57 hello
trace translation 20000 1 a57 at
trace granules 500000 1 max granules
trace atomics 100003 4 max atomics
trace ipi 1000003 4 a57 ipi
trace waking 1000000 2 a57 wake
trace timers 500009 1 a57 timers
trace interrupts 500009 1 a57 stress_irq
trace lazyfp 100003 1 a57 lazyfp
trace mmio 10007 1 a57 mmio
input="$work/typed" trace input 500009 1 a57 timers
trace semihosting 100003 1 a57 semihost set semihosting build/guests/tests
trace virtio 100003 1 a57 virtio @tests/guest/virtio.qvmconf
trace packed 10007 1 a57 virtio @tests/guest/virtio.qvmconf
keep net 0 10007 tests/guest/net-a.qvmconf tests/guest/net-b.qvmconf
trace dma-master 20011 1 a57 master @tests/guest/master.qvmconf
trace pl330 20011 1 a57 pl330 @tests/guest/pl330.qvmconf
trace contained 20011 1 a57 master --board configs/boards/dma.board 'pass loc 0x0a100000,0x1000,rwd intr gic:80=80'
trace attack 20011 1 a57 attack --board configs/boards/dma.board \
    'pass loc 0x0a100000,0x1000,rwd loc 0x0a200000,0x1000,rwd'
trace raced 500009 2 a57 raced --board configs/boards/dma.board 'vdev smmu pass loc 0x0a100000,0x1000,rwd'
trace smmu 10007 1 a57 smmu @tests/guest/smmu.qvmconf
trace shmem 100003 1 a57 shmem @tests/guest/shmem.qvmconf
as 1 a57 watchdog
keep watchdog 4 100003 "${vm[@]}" @tests/guest/watchdog.qvmconf
race race 997 2 a57 race
trace wfe 100003 2 a57 wfe
trace monitors 500009 2 a57 pmu_events
trace coherent 100003 2 a57 coherent
trace steps 100003 2 a57 steps
