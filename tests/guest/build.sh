#!/bin/sh
# build.sh OUTDIR: builds every guest program of this folder to OUTDIR/NAME.elf, and those of vms/ to
# OUTDIR/vms/NAME.elf (they are no tests by themselves); only those whose sources are newer. Needs
# clang and lld. The result depends on nothing but sources and compiler: sources are named from the
# root of the project, where gdb finds them if it runs there.
set -eu
[ $# = 1 ] || { echo "usage: build.sh OUTDIR" >&2; exit 2; }
mkdir -p "$1/vms"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"

# tool NAME: NAME or the newest NAME-NN there is.
tool() {
    if command -v "$1" >/dev/null 2>&1; then
        echo "$1"
        return
    fi
    for version in 25 24 23 22 21 20 19 18 17 16 15 14 13 12; do
        if command -v "$1-$version" >/dev/null 2>&1; then
            echo "$1-$version"
            return
        fi
    done
    echo "build.sh: no $1 found" >&2
    return 1
}
clang=$(tool clang)
lld=$(tool ld.lld)

work=$(mktemp -d "$out/.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

flags="--target=aarch64-none-elf -march=armv8-a -ffreestanding -nostdlib -fno-pic
    -fno-stack-protector -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -O2
    -g -fdebug-compilation-dir=tests/guest
    -fdebug-prefix-map=$("$clang" -print-resource-dir)=clang -Ilib -c"
c_flags="-std=gnu11 -mgeneral-regs-only -mstrict-align -fno-builtin -Wall -Wextra -Werror"

# compile SOURCE OBJECT
compile() {
    case "$1" in
    *.c) "$clang" $flags $c_flags "$1" -o "$2" ;;
    *) "$clang" $flags "$1" -o "$2" ;;
    esac
}

# link OUTPUT FILE...; a program appears whole or not at all.
link() {
    target=$1
    shift
    "$lld" -T lib/guest.ld --build-id=none --gc-sections -z norelro -o "$work/linked" "$@"
    mv "$work/linked" "$target"
}

# up_to_date OUTPUT SOURCE...
up_to_date() {
    [ -e "$1" ] && [ -z "$(find lib build.sh "$2" -newer "$1")" ]
}

library=
for source in *.c *.S vms/*.c; do
    [ -e "$source" ] || continue
    name=${source%.*}
    ! up_to_date "$out/$name.elf" "$source" || continue
    if [ -z "$library" ]; then
        for part in lib/*.c lib/*.S; do
            object="$work/lib-$(basename "$part").o"
            compile "$part" "$object"
            library="$library $object"
        done
    fi
    compile "$source" "$work/program.o"
    case "$source" in
    *.S) link "$out/$name.elf" "$work/program.o" ;; # stands alone
    *) link "$out/$name.elf" "$work/program.o" $library ;;
    esac
done
