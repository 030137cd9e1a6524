#!/usr/bin/env bash
# run.sh QVM [--exits | NAME...]: replays traces/*.qtrace, whole (none with --exits; only those, if any
# are named) and their guest exits alone, two at a time. Each must end with the exit status that was
# recorded, which it does only if every digest and every exit agrees.
set -uo pipefail
export qvm
qvm="$(realpath -e "${1:?usage: tests/golden/run.sh QVM [--exits | NAME...]}")" || exit 2
shift
whole=" $* "
cd "$(dirname "$0")/../.." || exit 2
. tests/support.sh

# replay TRACE whole|exits: prints why it failed, or nothing. Its options: none, or --exits.
replay() {
    local status=0 expected=0 err options=()
    if [ "$2" = exits ]; then
        options=(--exits)
    else
        expected="$("$qvm" info --json "$1" | sed 's/.*"end":{[^}]*"status":\([0-9]*\).*/\1/')"
    fi
    err="$(timeout -s KILL $((60 * ${QVM_SLOWNESS:-1})) "$qvm" replay "${options[@]}" "$1" \
        2>&1 >/dev/null </dev/null)" || status=$?
    if [ $status = "$expected" ]; then
        echo passed
    else
        echo "FAILED  ${options[*]} $1: status $status instead of $expected: $(head -n 1 <<<"$err")"
    fi
}
export -f replay

traces=(traces/*.qtrace)
at_least 30 ${#traces[@]} recordings
for name in $whole; do
    [ "$name" = --exits ] || check "$name is one" [ -e "traces/$name.qtrace" ]
done
results="$(
    for trace in "${traces[@]}"; do
        name="$(basename "$trace" .qtrace)"
        [ "$whole" != "  " ] && [ "${whole/ $name /}" = "$whole" ] || echo "$trace whole"
        echo "$trace exits"
    done | xargs -P 2 -L 1 bash -c 'replay "$@"' replay
)"
grep -v '^passed$' <<<"$results"
passed="$(grep -c '^passed$' <<<"$results")"
failed=$((failed + $(grep -vc '^passed$' <<<"$results")))
finish
