#!/usr/bin/env bash
# faults.sh QVM [--short]: a corpus of faults (tests/guest/faults.c) goes out of a recording in every
# format that `qvm import` reads, and comes back: each must have the same class, syndrome, addresses
# and PC. Then the texts and cores of others. Prints failures, counts by kind, and a count.
# --short: every seventh of the cores.
set -uo pipefail
[ $# -ge 1 ] || { echo "usage: faults.sh QVM [--short]" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
every=1
[ "${2:-}" != --short ] || every=7
cd "$(dirname "$0")/.." || exit 2
tests/guest/build.sh build/guests/tests || exit 2
work="$(mktemp -d)" || exit 2
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work" # recordings of runs that end badly
python3 tests/faults.py "$qvm" build/guests/tests/faults.elf "$work" "$every"
