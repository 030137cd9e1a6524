#!/usr/bin/env bash
# musl.sh [--no-install]: builds build/musl/qvm with musl as the C library, without an engine, in one file.
# The libraries are built from Debian's sources of them, once, and kept in the cache folder (QVM_CACHE).
# Status 77, and the reason, where these or the compiler cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/private_apt.sh
. scripts/archives.sh

install=yes
[ "${1:-}" != --no-install ] || { install=no; shift; }
[ $# = 0 ] || { echo "usage: scripts/musl.sh [--no-install]" >&2; exit 2; }
root="$QVM_CACHE/musl"
compiler=musl-gcc archiver=ar toolchain=cmake/Musl.cmake check_options=()
log=build/logs/musl-apt.log
mkdir -p build/logs

without() {
    echo "musl: $1 (details: $log)" >&2
    exit 77
}

tools_work() {
    echo 'int main(void) { return 0; }' | "$compiler" -static -x c - -o /dev/null
}

bring_zlib() {
    sources zlib || return 1
    headers=("$folder"/{zlib,zconf}.h)
    archive z zlib -DHAVE_UNISTD_H "$folder"/*.c
}

: >"$log"
if ! tools_work >>"$log" 2>&1; then
    [ $install = yes ] || without "no compiler for musl"
    echo "musl: installing musl-tools"
    scripts/setup.sh --musl >>"$log" 2>&1 && tools_work >>"$log" 2>&1 || without "the compiler cannot be installed"
fi
if [ ! -d "$root/lib" ]; then
    [ $install = yes ] || without "its libraries are not in $root"
    mkdir -p "$QVM_CACHE"
    temporary="$(mktemp -d "$QVM_CACHE/musl-tmp.XXXXXX")"
    trap 'rm -rf "$temporary"' EXIT
    bring_libraries zstd xxhash zlib check fdt >>"$log" 2>&1 || without "its libraries cannot be fetched and built"
fi

cmake --preset musl "-DQVM_CACHE=$QVM_CACHE"
cmake --build --preset musl
