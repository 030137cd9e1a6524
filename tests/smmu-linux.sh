#!/usr/bin/env bash
# smmu-linux.sh QVM: Debian's kernel with its arm-smmu-v3 driver in front of virtio devices
# (configs/linux-arm64-smmu.qvmconf) moves blocks and frames, each device in a group of its own. The run
# ends in the same state when it is recorded, replayed, replayed from a snapshot in its middle, with or
# without a log of its exits; and its exits alone answer as they did.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/smmu-linux.sh QVM}")" || exit 2
cd "$(dirname "$0")/.." || exit 2
. tests/support.sh
mkdir -p build
truncate -s 64M "$work/disk.img"
sed "s|build/disk.img|$work/disk.img|" configs/linux-arm64-smmu.qvmconf >"$work/smmu.qvmconf"
trace="$work/run.qtrace"

# final COMMAND...: the last digest that it says.
final() {
    limited 240 "$qvm" "$@" >"$work/out" 2>"$work/err" </dev/null
    sed -n 's/.* digest \([0-9a-f]*\)$/\1/p' "$work/err" | tail -n 1
}

says() {
    grep -q "$1" "$work/out" || echo "'$1' is missing"
}

whole="$(final run "$work/smmu.qvmconf")"
verdict "the guest powers off" "$([ -n "$whole" ] || tail -n 1 "$work/err")"
for line in "smmu-v3 2b400000.iommu: ias 48-bit, oas 48-bit" "group 0: 1c0d0000.virtio, DMA" \
    "group 3: 20001000.virtio, DMA" "disk: what was written" "network: what was sent" "workload done"; do
    verdict "the guest says it" "$(says "$line")"
done
check "the SMMU reports nothing" [ "$(grep -c 'arm-smmu.*event\|arm-smmu.*error' "$work/out")" = 0 ]
check "recorded, with exits" [ "$whole" = "$(final record --exits --snapshot-every 300000000 -o "$trace" \
    "$work/smmu.qvmconf")" ]
check "replayed" [ "$whole" = "$(final replay "$trace")" ]
check "from a snapshot" [ "$whole" = "$(final replay "$trace" --from 700000000)" ]
final replay --exits "$trace" >/dev/null
check "exits alone" grep -q "all as recorded" "$work/err"
finish
