#!/usr/bin/env bash
# rtos-linux.sh QVM: a periodic bare-metal guest beside Linux on one CPU. Linux boots, works and
# powers off; the periodic guest has its 20 periods, none more than 1 us late.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/rtos-linux.sh QVM}")" || exit 2
cd "$(dirname "$0")/.." || exit 2
tests/guest/build.sh build/guests/tests || exit 2
out="$(timeout -s KILL $((110 * ${QVM_SLOWNESS:-1})) "$qvm" run --board configs/boards/one-cpu.board configs/rtos.qvmconf \
    configs/linux-arm64.qvmconf 2>&1 </dev/null)" || { echo "$out" | tail -5; exit 1; }
late="$(sed -n 's/^\[rtos\] 20 periods of 1 ms, at worst \([0-9]*\) ns late$/\1/p' <<<"$out")"
grep -q '^\[linux\] qvm: workload done' <<<"$out" && [ -n "$late" ] && [ "$late" -le 1000 ] ||
    { echo "Linux or the periodic guest did not do its work (late: ${late:-never} ns)"; exit 1; }
echo "Linux powered off; the periodic guest was $late ns late at worst"
