#!/bin/sh
# build.sh OUTDIR: builds shmem-demo and OUTDIR/shmem.cpio, the initramfs with it, from
# OUTDIR/busybox (scripts/guests.sh puts it there). Does nothing if that is newer than its sources.
# Needs clang and lld.
set -eu
[ $# = 1 ] || { echo "usage: build.sh OUTDIR" >&2; exit 2; }
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"
initramfs=../../../scripts/initramfs.py

if [ -e "$out/shmem.cpio" ] &&
    [ -z "$(find . "$initramfs" "$out/busybox" -newer "$out/shmem.cpio")" ]; then
    exit 0
fi

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
"$(tool clang)" --target=aarch64-linux-gnu -std=gnu11 -march=armv8-a -mgeneral-regs-only \
    -mstrict-align -ffreestanding -fno-builtin -fno-stack-protector -fno-pic \
    -fno-asynchronous-unwind-tables -O2 -Wall -Wextra -Werror -c shmem_demo.c -o "$work/demo.o"
"$(tool ld.lld)" -static --build-id=none -o "$work/shmem-demo" "$work/demo.o"
python3 "$initramfs" "$out/busybox" init-shmem "$work/shmem.cpio" "bin/shmem-demo=$work/shmem-demo"
mv "$work/shmem.cpio" "$out/shmem.cpio"
