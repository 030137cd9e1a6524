#!/bin/sh
# example.sh OUTDIR: the device that docs/writing-a-vdev.md builds, as a reader would have it after
# following the page: OUTDIR/counter.c, and OUTDIR/all.c with its line.
set -eu
out=$1
cd "$(dirname "$0")/.."
mkdir -p "$out"
awk '/^```c$/ && !done { inside = 1; next } /^```$/ { if (inside) done = 1; inside = 0 } inside' \
    docs/writing-a-vdev.md >"$out/counter.c"
sed -e 's/^extern const struct vdev_type exit_type;/&\
extern const struct vdev_type counter_type;/' \
    -e 's/&exit_type,/& \&counter_type,/' vdev/all.c >"$out/all.c"
grep -q '&counter_type' "$out/all.c" || { echo "example.sh: vdev/all.c has another form" >&2; exit 1; }
