#!/usr/bin/env bash
# run.sh QVM [NAME...]: replays traces/*.qtrace, whole (only those, if any are named) and their guest
# exits alone. Each must end with the exit status that was recorded, which it does only if every digest
# and every exit agrees.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/golden/run.sh QVM [NAME...]}")" || exit 2
shift
whole=" $* "
cd "$(dirname "$0")/../.." || exit 2
err="$(mktemp)" || exit 2
trap 'rm -f "$err"' EXIT
passed=0
failed=0

# replay TRACE STATUS OPTION...
replay() {
    local status=0
    timeout -s KILL $((60 * ${QVM_SLOWNESS:-1})) "$qvm" replay "${@:3}" "$1" >/dev/null 2>"$err" </dev/null || status=$?
    if [ $status = "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  ${*:3} $1: status $status instead of $2: $(head -n 1 "$err")"
    fi
}

for trace in traces/*.qtrace; do
    name="$(basename "$trace" .qtrace)"
    [ "$whole" != "  " ] && [ "${whole/ $name /}" = "$whole" ] ||
        replay "$trace" "$("$qvm" info --json "$trace" | sed 's/.*"end":{[^}]*"status":\([0-9]*\).*/\1/')"
    replay "$trace" 0 --exits
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
