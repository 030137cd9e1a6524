#!/usr/bin/env bash
# run.sh QVM: replays traces/*.qtrace. Each must end with the exit status of its recording: every
# digest agrees.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/golden/run.sh QVM}")" || exit 2
cd "$(dirname "$0")/../.." || exit 2
err="$(mktemp)" || exit 2
trap 'rm -f "$err"' EXIT
passed=0
failed=0
for trace in traces/*.qtrace; do
    status=0
    timeout -s KILL 60 "$qvm" replay "$trace" >/dev/null 2>"$err" </dev/null || status=$?
    recorded="$("$qvm" info "$trace" | sed -n 's/^end at instruction .*, exit status \([0-9]*\): .*/\1/p')"
    if [ $status = "$recorded" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  $trace: status $status: $(head -n 1 "$err")"
    fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
