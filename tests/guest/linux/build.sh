#!/bin/sh
# build.sh OUTDIR: builds shmem-demo and OUTDIR/shmem.cpio, the initramfs with it, from OUTDIR/busybox
# (scripts/guests.sh puts it there); and perf-count with OUTDIR/perf.cpio. Does nothing if these are
# newer than their sources. Needs clang and lld.
set -eu
[ $# = 1 ] || { echo "usage: build.sh OUTDIR" >&2; exit 2; }
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"
initramfs=../../../scripts/initramfs.py

# up_to_date FILE
up_to_date() {
    [ -e "$1" ] && [ -z "$(find . "$initramfs" "$out/busybox" -newer "$1")" ]
}
! up_to_date "$out/shmem.cpio" || ! up_to_date "$out/perf.cpio" || exit 0

# tool NAME: NAME or the newest NAME-NN there is.
tool() {
    for name in "$1" $(seq -f "$1-%g" 25 -1 12); do
        if command -v "$name" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    echo "build.sh: no $1 found" >&2
    return 1
}

work=$(mktemp -d "$out/.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
clang=$(tool clang)
lld=$(tool ld.lld)

# build SOURCE PROGRAM INIT CPIO
build() {
    "$clang" --target=aarch64-linux-gnu -std=gnu11 -march=armv8-a -mgeneral-regs-only \
        -mstrict-align -ffreestanding -fno-builtin -fno-stack-protector -fno-pic \
        -fno-asynchronous-unwind-tables -O2 -Wall -Wextra -Werror -c "$1" -o "$work/program.o"
    "$lld" -static --build-id=none -o "$work/$2" "$work/program.o"
    python3 "$initramfs" "$out/busybox" "$3" "$work/$4" "bin/$2=$work/$2"
    mv "$work/$4" "$out/$4"
}
build shmem_demo.c shmem-demo init-shmem shmem.cpio
build perf_count.c perf-count init-perf perf.cpio
