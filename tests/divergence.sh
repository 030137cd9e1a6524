#!/usr/bin/env bash
# divergence.sh QVM CHUNKS: what a replay says when it is not what was recorded. Recordings are
# changed in one place each (CHUNKS, tests/chunks.c, takes them apart and puts them together), and
# their replay must end with status 66 and the one sentence that names the cause. Also: a replay
# needs no files. Prints failures, and a count.
set -uo pipefail
[ $# = 2 ] || { echo "usage: divergence.sh QVM CHUNKS" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
chunks="$(realpath -e "$2")" || exit 2
cd "$(dirname "$0")/.." || exit 2
tests/guest/build.sh build/guests/tests || exit 2
work="$(mktemp -d)" || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
PYTHONDONTWRITEBYTECODE=1 python3 tests/divergence.py "$qvm" "$chunks" "$work"
