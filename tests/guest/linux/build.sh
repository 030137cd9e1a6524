#!/bin/sh
# build.sh OUTDIR: builds shmem-demo and OUTDIR/shmem.cpio, the initramfs with it, from OUTDIR/busybox
# (scripts/guests.sh puts it there); perf-count with OUTDIR/perf.cpio; and disk-read with
# OUTDIR/blk.cpio. Does nothing if these are newer than their sources. Needs clang and lld.
set -eu
[ $# = 1 ] || { echo "usage: build.sh OUTDIR" >&2; exit 2; }
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"
initramfs=../../../scripts/initramfs.py

# up_to_date FILE
up_to_date() {
    [ -e "$1" ] && [ -z "$(find . "$initramfs" "$out/busybox" -newer "$1")" ]
}
! up_to_date "$out/shmem.cpio" || ! up_to_date "$out/perf.cpio" || ! up_to_date "$out/blk.cpio" || exit 0

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

# build SOURCE PROGRAM INIT CPIO [MODULE...]
build() {
    source=$1 program=$2 init=$3 cpio=$4
    shift 4
    "$clang" --target=aarch64-linux-gnu -std=gnu11 -march=armv8-a -mgeneral-regs-only \
        -mstrict-align -ffreestanding -fno-builtin -fno-stack-protector -fno-pic \
        -fno-asynchronous-unwind-tables -O2 -Wall -Wextra -Werror -c "$source" -o "$work/program.o"
    "$lld" -static --build-id=none -o "$work/$program" "$work/program.o"
    # shellcheck disable=SC2046 # a list of words
    set -- $(for module in "$@"; do echo "$module.ko=$out/modules/$module.ko"; done)
    python3 "$initramfs" "$out/busybox" "$init" "$work/$cpio" "bin/$program=$work/$program" "$@"
    mv "$work/$cpio" "$out/$cpio"
}
build shmem_demo.c shmem-demo init-shmem shmem.cpio
build perf_count.c perf-count init-perf perf.cpio
build disk_read.c disk-read init-disk blk.cpio virtio_mmio virtio_blk
