#!/bin/sh
# run.sh QVM OUTDIR [NAME...]: builds the guest programs to OUTDIR, which is build/guests/tests, and
# runs the tests of programs.qvmtest (or the named ones) with QVM, and those of passed.qvmtest.
set -u
[ $# -ge 2 ] || { echo "usage: run.sh QVM OUTDIR [NAME...]" >&2; exit 2; }
cd "$(dirname "$0")/../.." || exit 2
qvm=$1
tests/guest/build.sh "$2" || exit 2
shift 2
tests=tests/guest/programs.qvmtest
[ $# -gt 0 ] || exec "$qvm" test $tests tests/guest/passed.qvmtest
named=
for name in "$@"; do
    named="$named $tests:$name"
done
exec "$qvm" test $named
