#!/usr/bin/env bash
# perf-linux.sh QVM: Linux' perf counts instructions and cycles of a program of known length, exactly at
# EL0 (tests/guest/linux/perf_count.c); stopped in other places it counts the same, the kernel's too.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/perf-linux.sh QVM}")" || exit 2
cd "$(dirname "$0")/.." || exit 2
. tests/support.sh
tests/guest/linux/build.sh build/guests/linux-arm64 || exit 2
for options in "" "--digest-every 9999991"; do
    # shellcheck disable=SC2086 # words
    limited 100 "$qvm" run $options tests/guest/linux/perf.qvmconf >"$work/out" 2>"$work/err" </dev/null
    check "exact${options:+ with $options}" grep -q '^qvm: counted' "$work/out"
    cat "$work/out" "$work/err" >"$work/run$options"
done
check "the same however it is stopped" cmp -s "$work/run" "$work/run--digest-every 9999991"
finish
