#!/bin/sh
# run.sh QVM OUTDIR [NAME...]: builds the guest programs to OUTDIR and runs them (or the named ones)
# under QVM, twice for each CPU model in a program's first line; both runs must end in the same
# state. One line a program and model, a count at the end, exit status 1 if anything failed.
#
# The first line of a program: vcpus: N  model: M[,M...]  [ends: limit|watchdog|waiting|stuck]
# Programs end with exit status 0; those that `ends: limit` must reach the instruction limit (67),
# those that `ends: watchdog` are ended by one (4);
# those that `ends: waiting` wait for input, which does not come (7);
# those that `ends: stuck` take the same exception for ever (7).
# What a program needs beyond the common board is in NAME.qvmconf.
set -u
[ $# -ge 2 ] || { echo "usage: run.sh QVM OUTDIR [NAME...]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
config="$here/../../configs/test-arm64.qvmconf"
qvm=$1
out=$2
shift 2
"$here/build.sh" "$out" || exit 2
work=$(mktemp -d "$out/.run.XXXXXX") || exit 2
export TMPDIR="$work" # recordings of runs that end badly
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# property SOURCE NAME: the word after "NAME:" in the first line.
property() {
    sed -n "1s/.* $2: *\([^ ]*\).*/\1/p" "$1"
}

# run_once NAME MODEL VCPUS LIMIT NUMBER: output to files of that number, digest to digest.NUMBER.
run_once() {
    cpus=
    while [ "$(echo $cpus | wc -w)" -lt "$3" ]; do
        cpus="$cpus cpu"
    done
    mkdir -p "$work/files"
    own=
    [ ! -e "$here/$1.qvmconf" ] || own="@$here/$1.qvmconf"
    "$qvm" run --limit-insns "$4" "@$config" ${own:+"$own"} set cpu-model "$2" \
        set semihosting "$work/files" load "$out/$1.elf" $cpus >"$work/out.$5" 2>"$work/err.$5" </dev/null
    status=$?
    rm -rf "$work/files"
    sed -n 's/.* digest \([0-9a-f]\{64\}\)$/\1/p' "$work/err.$5" >"$work/digest.$5"
    return $status
}

# verdict NAME MODEL VCPUS ENDS: prints why it failed, or nothing.
verdict() {
    expected=0
    limit=2000000000
    if [ "$4" = limit ]; then
        expected=67
        limit=300000
    elif [ "$4" = watchdog ]; then
        expected=4
    elif [ "$4" = waiting ] || [ "$4" = stuck ]; then
        expected=7
    fi
    run_once "$1" "$2" "$3" "$limit" 1
    first=$?
    run_once "$1" "$2" "$3" "$limit" 2
    second=$?
    if [ $first != $expected ]; then
        echo "exit status $first instead of $expected: $(grep -h FAILED "$work/out.1" "$work/err.1" |
            head -1)$(grep -c FAILED "$work/out.1" | sed 's/^/ (lines that say FAILED: /; s/$/)/')"
    elif [ $second != $first ]; then
        echo "second run: exit status $second instead of $first"
    elif [ ! -s "$work/digest.1" ]; then
        echo "no digest: $(tail -1 "$work/err.1")"
    elif ! cmp -s "$work/digest.1" "$work/digest.2"; then
        echo "the second run's state has another digest"
    elif ! cmp -s "$work/out.1" "$work/out.2"; then
        echo "the second run's output differs"
    fi
}

passed=0
failed=0
[ $# -gt 0 ] || set -- $(cd "$here" && for source in *.c *.S; do echo "${source%.*}"; done)
for name in "$@"; do
    source="$here/$name.c"
    [ -e "$source" ] || source="$here/$name.S"
    for model in $(property "$source" model | tr , ' '); do
        why=$(verdict "$name" "$model" "$(property "$source" vcpus)" "$(property "$source" ends)")
        if [ -z "$why" ]; then
            passed=$((passed + 1))
            echo "ok      $name $model"
        else
            failed=$((failed + 1))
            echo "FAILED  $name $model: $why"
        fi
    done
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
