#!/usr/bin/env bash
# replays.sh QVM [COUNT [LINUX]]: COUNT replays (1000) of the recordings in traces/ in turn, and LINUX
# (10) of a boot of Linux where the guest is there, while two loops keep two processors busy.
# None may diverge. Prints the failures and a count.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
qvm="${1:?usage: tests/replays.sh QVM [COUNT [LINUX]]}"
count="${2:-1000}"
linux="${3:-10}"
work="$(mktemp -d)" || exit 2
load=()
trap 'kill "${load[@]}" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
passed=0
failed=0

replay() { # replay SECONDS TRACE: the recording's own status, so not 66, and no complaint
    local status=0
    timeout -s KILL $(($1 * ${QVM_SLOWNESS:-1})) "$qvm" replay "$2" >/dev/null 2>"$work/err" </dev/null || status=$?
    if [ $status = 66 ] || [ $status -ge 128 ] || ! grep -q ' digest [0-9a-f]\{64\}$' "$work/err"; then
        failed=$((failed + 1))
        echo "FAILED  $2: status $status: $(tail -n 1 "$work/err")"
    else
        passed=$((passed + 1))
    fi
}

for i in 1 2; do
    while :; do :; done &
    load+=($!)
done
traces=(traces/*.qtrace)
for ((i = 0; i < count; i++)); do
    replay 60 "${traces[i % ${#traces[@]}]}"
done
if [ "$linux" -gt 0 ] && [ -e build/guests/linux-arm64/Image ]; then
    timeout -s KILL $((300 * ${QVM_SLOWNESS:-1})) "$qvm" record -o "$work/linux.qtrace" --digest-every 99999989 \
        configs/linux-arm64.qvmconf >/dev/null 2>&1 </dev/null
    for ((i = 0; i < linux; i++)); do
        replay 300 "$work/linux.qtrace"
    done
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
