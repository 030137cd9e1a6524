#!/bin/sh
# shmem-linux.sh QVM: two Linux guests of one board (configs/shmem-*.qvmconf) pass 16 MiB through
# shared memory, with notifications. Both must have seen the same bytes, and the recording of the
# run must replay.
set -u
[ $# = 1 ] || { echo "usage: shmem-linux.sh QVM" >&2; exit 2; }
qvm=$1
guests=build/guests/linux-arm64
tests/guest/linux/build.sh "$guests" || exit 2
work=$(mktemp -d "$guests/.shmem.XXXXXX") || exit 2
export TMPDIR="$work" # recordings of runs that end badly
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "FAILED  $1"
    cat "$work/out" "$work/err"
    exit 1
}

"$qvm" record -o "$work/run.qtrace" configs/shmem-writer.qvmconf configs/shmem-reader.qvmconf \
    >"$work/out" 2>"$work/err" || fail "exit status $?"
sed -n 's/.*shmem-demo \([a-z]*\): \(.*\) bytes, \(.*\) notifications seen, checksum \(.*\)/\1 \2 \3 \4/p' \
    "$work/out" | tr -d '\r' | sort >"$work/reports"
{
    read -r reader reader_bytes reader_notified reader_sum
    read -r writer writer_bytes writer_notified writer_sum
} <"$work/reports"
[ "${reader:-} ${writer:-}" = "reader writer" ] || fail "not both guests have reported"
[ "$reader_bytes $writer_bytes" = "16777216 16777216" ] || fail "not 16 MiB"
[ "$reader_sum" = "$writer_sum" ] || fail "checksums differ: $writer_sum, $reader_sum"
# As many as there were slots, unless some came while the one before was not seen yet.
[ "$reader_notified" -ge 16 ] && [ "$writer_notified" -ge 16 ] || fail "too few notifications"
cat "$work/reports"
"$qvm" replay "$work/run.qtrace" >/dev/null 2>"$work/err" || fail "the recording does not replay"
echo "ok      two guests, the same 16 MiB; the recording replays"
