#!/usr/bin/env bash
# mingw.sh [--no-install]: builds build/mingw/qvm.exe for Windows, without an engine, and `qvm-here` beside
# it, which runs it on this machine (Wine). The libraries are built from Debian's sources of them, once, and
# kept in the cache folder (QVM_CACHE). Status 77, and the reason, where these or the tools cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/private_apt.sh
. scripts/archives.sh

install=yes
[ "${1:-}" != --no-install ] || { install=no; shift; }
[ $# = 0 ] || { echo "usage: scripts/mingw.sh [--no-install]" >&2; exit 2; }
triplet=x86_64-w64-mingw32
root="$QVM_CACHE/mingw"
compiler=$triplet-gcc archiver=$triplet-ar toolchain=cmake/Mingw.cmake
check_options=(-DCMAKE_C_FLAGS=-D__USE_MINGW_ANSI_STDIO=1) # C's formats, as CMakeLists.txt has it
wine=/usr/lib/wine/wine64 # not `wine`, which says at each start that programs of 32 bits cannot run
log=build/logs/mingw-apt.log
mkdir -p build/logs

without() {
    echo "mingw: $1 (details: $log)" >&2
    exit 77
}

tools_work() {
    command -v "$compiler" "$archiver" "$wine" >/dev/null
}

bring_zlib() {
    local folder="$temporary/zlib/usr/$triplet"
    private_apt_unpack libz-mingw-w64-dev "$temporary/zlib" &&
        cp "$folder"/include/* "$temporary/root/include" && cp "$folder/lib/libz.a" "$temporary/root/lib" &&
        sed "s|^prefix=.*|prefix=$root|" "$folder/lib/pkgconfig/zlib.pc" >"$temporary/root/lib/pkgconfig/zlib.pc"
}

: >"$log"
if ! tools_work >>"$log" 2>&1; then
    [ $install = yes ] || without "no cross compiler for Windows, or no Wine"
    echo "mingw: installing gcc-mingw-w64-x86-64-win32 and wine64"
    scripts/setup.sh --mingw >>"$log" 2>&1 && tools_work >>"$log" 2>&1 || without "the cross compiler cannot be installed"
fi
if [ ! -d "$root/lib" ]; then
    [ $install = yes ] || without "its libraries are not in $root"
    mkdir -p "$QVM_CACHE"
    temporary="$(mktemp -d "$QVM_CACHE/mingw-tmp.XXXXXX")"
    trap 'rm -rf "$temporary"' EXIT
    bring_libraries zstd xxhash zlib check fdt >>"$log" 2>&1 || without "its libraries cannot be fetched and built"
fi

cmake --preset mingw "-DQVM_CACHE=$QVM_CACHE"
cmake --build --preset mingw
cat >build/mingw/qvm-here <<HERE
#!/bin/sh
export WINEDEBUG=-all WINEPREFIX='$QVM_CACHE/wine'
exec $wine '$PWD/build/mingw/qvm.exe' "\$@"
HERE
chmod +x build/mingw/qvm-here
build/mingw/qvm-here --version >>"$log" 2>&1 # the first start makes Wine's folder, and says so
