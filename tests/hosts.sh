#!/usr/bin/env bash
# hosts.sh [--no-install]: builds the program for each host that one can build for here, and replays the
# recordings on it: natively, by Wine, or by qemu-user. Prints a table; what a build and its tests printed
# is in build/logs/. Fails where something fails, but not where a host is left out for want of tools.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
options=("$@")
logs=build/logs
bad=0
mkdir -p "$logs"

row() {
    printf '%-13s %-12s %-18s %-38s %s\n' "$@"
}

# counted TEXT COMMAND...: sets $said to "N of M TEXT", from the line of counts that it prints last.
counted() {
    local text="$1" passed failed
    shift
    "$@" >>"$log" 2>&1 </dev/null
    read -r passed failed < <(tail -n 1 "$log" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p')
    said="${passed:-0} of $((${passed:-0} + ${failed:-0}))$text"
    [ -n "${passed:-}" ] && [ "$passed" -gt 0 ] && [ "$failed" = 0 ] || bad=1 said="$said FAILED"
}

# suites PRESET: sets $said to how many unit suites passed.
suites() {
    local failed total
    ctest --test-dir "build/$1" -j2 -R '^test_' >>"$log" 2>&1 </dev/null
    read -r failed total < <(sed -nE 's/.*tests passed, ([0-9]+) tests? failed out of ([0-9]+).*/\1 \2/p' "$log")
    said="$((${total:-0} - ${failed:-0})) of ${total:-0} suites"
    [ "${total:-0}" -gt 0 ] && [ "$failed" = 0 ] || bad=1 said="$said FAILED"
}

# boots QVM: sets $said to whether Linux comes to the state that it has in build/release/qvm, after so many
# instructions: for all of them qemu-user takes too long.
boot_millions=20
boots() {
    local qvm digests=()
    said="no Linux in build/guests"
    [ -e build/guests/linux-arm64/Image ] || return
    for qvm in "$1" build/release/qvm; do
        digests+=("$("$qvm" run --no-record --limit-insns ${boot_millions}000000 configs/linux-arm64.qvmconf 2>&1 </dev/null |
            tee -a "$log" | sed -nE 's/.* digest ([0-9a-f]{64})$/\1/p')")
    done
    said="Linux' first $boot_millions M instructions equal"
    [ -n "${digests[0]}" ] && [ "${digests[0]}" = "${digests[1]}" ] || bad=1 said="Linux FAILED"
}

preset() {
    cmake --preset "$1" && cmake --build --preset "$1"
}

# size PROGRAM: in MB, without symbols where this machine's strip knows the host.
size() {
    local file="$logs/hosts-stripped"
    [ -e "$1" ] || set -- "$1.exe"
    strip -o "$file" "$1" 2>/dev/null || cp "$1" "$file"
    awk -v bytes="$(stat -c %s "$file")" 'BEGIN { printf "%.1f MB\n", bytes / 1e6 }'
    rm -f "$file"
}

# host NAME QVM LEFT-OUT TESTS BUILD...: TESTS are words: all, exits or names for tests/golden/run.sh; then,
# behind a comma, answers, suites and boots if these are run, too.
host() {
    local name="$1" qvm="$2" left_out="$3" golden="${4%%,*}" others="${4#*,}" other="" status=0 recordings
    log="$logs/hosts-$name.log"
    shift 4
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [ $status != 0 ]; then
        [ $status = 77 ] || bad=1
        row "$name" "$([ $status = 77 ] && echo no || echo FAILED)" - - "$(tail -n 1 "$log")"
        return
    fi
    case "$golden" in
    all) counted "" tests/golden/run.sh "$qvm" ;;
    exits) counted "" tests/golden/run.sh "$qvm" --exits ;;
    *) counted "" tests/golden/run.sh "$qvm" $golden ;; # a list of words
    esac
    recordings="$said"
    if [[ " $others " == *" answers "* ]]; then
        counted " answers" tests/without-engine.sh "$qvm" build/release/qvm
        other="$said"
    fi
    if [[ " $others " == *" suites "* ]]; then
        suites "$name"
        other="$other${other:+, }$said"
    fi
    if [[ " $others " == *" boots "* ]]; then
        boots "$qvm"
        other="$other${other:+, }$said"
    fi
    row "$name" "$(size "${qvm%-here}")" "$recordings" "${other:--}" "$left_out"
}

row host "built: size" "recordings equal" "other tests" "left out"
host release build/release/qvm - all,suites preset release
host static build/static/qvm - all, preset static
host noengine build/noengine/qvm "what runs guest code" exits,answers preset noengine
host musl build/musl/qvm "what runs guest code: no engine" exits,"answers suites" scripts/musl.sh "${options[@]}"
host mingw build/mingw/qvm-here "what runs guest code: no engine" exits,"answers suites" scripts/mingw.sh "${options[@]}"
export QVM_SLOWNESS=$((4 * ${QVM_SLOWNESS:-1}))
host cross-s390x build/cross-s390x/qvm-here "other tests" all, scripts/cross.sh "${options[@]}" s390x
host cross-arm64 build/cross-arm64/qvm-here "other tests; most of what takes minutes there" \
    "hello mmio translation,boots" scripts/cross.sh "${options[@]}" arm64
exit $bad
