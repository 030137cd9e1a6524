# What test scripts share, sourced in the root of the project: a folder for their files, which is also
# where recordings of runs that end badly go, and counting verdicts.
work="$(mktemp -d)" || exit 2
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
# The sanitizer would stop at an allocation that is too large; a host without room answers it.
export ASAN_OPTIONS=allocator_may_return_null=1
passed=0
failed=0

# limited SECONDS COMMAND...: ends it then; on a machine that is slow now (scripts/yardstick.sh), later.
limited() {
    local seconds=$(($1 * ${QVM_SLOWNESS:-1}))
    shift
    timeout -s KILL $seconds "$@"
}

# verdict WHAT PROBLEM: counts; an empty problem is none.
verdict() {
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  $1: $2"
    fi
}

# check WHAT CONDITION...: the same; the problem is what was last said in $work/err.
check() {
    local what="$1"
    shift
    if "$@"; then
        verdict "$what" ""
    else
        verdict "$what" "not so: $(tail -n 1 "$work/err" 2>/dev/null)"
    fi
}

# at_least NUMBER COUNT WHAT: so many cases were there to go over. Inputs that were moved or renamed leave
# a loop with nothing to do, and a test that checks nothing passes.
at_least() {
    verdict "number of $3" "$([ "$2" -ge "$1" ] || echo "$2, not at least $1")"
}

# finish [TEXT]: the counts, and whether all passed.
finish() {
    echo "$passed passed, $failed failed${1:-}"
    [ $failed = 0 ] && [ $passed -gt 0 ]
}
