#!/usr/bin/env bash
# soak.sh BUILD_DIR [BOOTS]: what takes too long for every day. Whole boots of Linux, BOOTS times
# (20) with one vCPU and a quarter of that with 2 and 4, all equal; recorded and replayed; the same
# under the debug, asan and clang builds (built if missing); all guest programs under those; the
# fuzzers. Prints one line a step, and a count.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
build="${1:?usage: tests/soak.sh BUILD_DIR [BOOTS]}"
boots="${2:-20}"
qvm="$build/qvm"
[ -x "$qvm" ] || { echo "soak.sh: there is no $qvm" >&2; exit 2; }
if ! scripts/guests.sh --no-install; then
    echo "soak.sh: needs the downloaded guests (scripts/guests.sh)" >&2
    exit 2
fi

work="$(mktemp -d)" || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
passed=0
failed=0
from=$SECONDS

report() { # report WHAT PROBLEM
    if [ -z "$2" ]; then
        passed=$((passed + 1))
        printf 'passed  %4d s  %s\n' $((SECONDS - from)) "$1"
    else
        failed=$((failed + 1))
        printf 'FAILED  %4d s  %s: %s\n' $((SECONDS - from)) "$1" "$2"
    fi
    from=$SECONDS
}

# boot LIMIT_S COMMAND...: a whole boot. Leaves $problem, and the digest in $digest.
boot() {
    local seconds="$1" status=0
    shift
    timeout -s KILL "$seconds" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    digest="$(sed -n 's/^qvm: .* instructions*, .* digest \([0-9a-f]\{64\}\)$/\1/p' "$work/err")"
    problem=
    if [ $status = 137 ]; then
        problem="it does not end (stopped after $seconds s)"
    elif [ $status != 0 ] || [ -z "$digest" ]; then
        problem="status $status: $(tail -n 1 "$work/err")"
    elif ! grep -F 'qvm: workload done' "$work/out" >/dev/null; then
        problem="the guest did not finish its work"
    fi
}

# same WHAT LIMIT_S COMMAND...: a boot like the first one of this configuration.
same() {
    local what="$1"
    shift
    boot "$@"
    if [ -z "$problem" ] && [ "$digest" != "$first" ]; then
        problem="digest $digest instead of $first"
    elif [ -z "$problem" ] && ! cmp -s "$work/out" "$work/first.out"; then
        problem="it printed something else"
    fi
    report "$what" "$problem"
}

boots_of() { # boots_of CONFIG COUNT
    local config="configs/$1.qvmconf" i preset
    boot 300 "$qvm" run "$config"
    first="$digest"
    cp "$work/out" "$work/first.out"
    report "$1, boot 1 of $2" "$problem"
    [ -z "$problem" ] || return
    for i in $(seq 2 "$2"); do
        same "$1, boot $i of $2" 300 "$qvm" run "$config"
    done
    same "$1, digests every 99991" 900 "$qvm" run "$config" --digest-every 99991
    same "$1, record" 300 "$qvm" record -o "$work/trace" "$config" --digest-every 9999991
    same "$1, replay" 300 "$qvm" replay "$work/trace"
    for preset in debug clang asan; do
        [ -x build/$preset/qvm ] || continue
        same "$1, $preset" 1800 build/$preset/qvm run "$config"
        same "$1, $preset, replay" 1800 build/$preset/qvm replay "$work/trace"
    done
}

step() { # step WHAT COMMAND...
    local what="$1" log="$work/step"
    shift
    if "$@" >"$log" 2>&1 </dev/null; then
        report "$what" ""
    else
        report "$what" "$(tail -n 1 "$log")"
        sed 's/^/        /' "$log" | tail -n 20
    fi
}

build_preset() {
    cmake --preset "$1" && cmake --build --preset "$1"
}

for preset in debug clang asan; do
    step "build $preset" build_preset $preset
done
boots_of linux-arm64 "$boots"
boots_of linux-arm64-smp2 $(((boots + 3) / 4))
boots_of linux-arm64-smp4 $(((boots + 3) / 4))
others=()
for preset in debug clang asan; do
    [ ! -x build/$preset/qvm ] || others+=(build/$preset/qvm)
done
step "guest programs in all builds" tests/determinism.sh "$qvm" "${others[@]}"
step "limited Linux in all builds" tests/determinism.sh --linux "$qvm" "${others[@]}"
step "bad input in all builds" tests/bad-input.sh "$qvm" "${others[@]}"
for preset in debug clang asan; do
    [ -x build/$preset/qvm ] || continue
    step "guest programs, $preset" tests/guest/run.sh build/$preset/qvm build/guests/tests
done
step "fuzzing, 120 s each" tests/fuzz/run.sh 120
echo "$passed passed, $failed failed"
[ $failed = 0 ]
