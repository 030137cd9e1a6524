#!/usr/bin/env bash
# mingw.sh [--no-install]: builds build/mingw/qvm.exe for Windows, without an engine, and `qvm-here` beside
# it, which runs it on this machine (Wine). The libraries are built from Debian's sources of them, once, and
# kept in the cache folder (QVM_CACHE). Status 77, and the reason, where these or the tools cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/private_apt.sh

install=yes
[ "${1:-}" != --no-install ] || { install=no; shift; }
[ $# = 0 ] || { echo "usage: scripts/mingw.sh [--no-install]" >&2; exit 2; }
triplet=x86_64-w64-mingw32
root="$QVM_CACHE/mingw"
wine=/usr/lib/wine/wine64 # not `wine`, which says at each start that programs of 32 bits cannot run
log=build/logs/mingw-apt.log
mkdir -p build/logs

without() {
    echo "mingw: $1 (details: $log)" >&2
    exit 77
}

tools_work() {
    command -v $triplet-gcc $triplet-ar "$wine" >/dev/null
}

# archive NAME VERSION SOURCE...: from those, with their headers in $headers; as pkg-config will know it.
archive() {
    local name="$1" version="$2" objects
    shift 2
    objects="$(mktemp -d "$temporary/objects.XXXXXX")"
    (cd "$objects" && $triplet-gcc -O2 -c "$@") &&
        $triplet-ar rcs "$temporary/root/lib/lib$name.a" "$objects"/*.o &&
        cp "${headers[@]}" "$temporary/root/include" &&
        printf '%s\n' "Name: $name" "Description: $name" "Version: $version" "Libs: -L$root/lib -l$name" \
            "Cflags: -I$root/include" >"$temporary/root/lib/pkgconfig/lib$name.pc"
}

# sources PACKAGE: unpacked in $folder; $version is theirs.
sources() {
    folder="$temporary/$1"
    private_apt_source "$1" "$folder" || return 1
    version="$(private_apt_version "$1")"
}

bring_zstd() {
    sources libzstd || return 1
    headers=("$folder"/lib/zstd{,_errors}.h)
    archive zstd "$version" -DZSTD_DISABLE_ASM "$folder"/lib/{common,compress,decompress}/*.c
}

bring_xxhash() {
    sources xxhash || return 1
    headers=("$folder/xxhash.h")
    archive xxhash "$version" "$folder/xxhash.c"
}

# Mirrors lack sources of some suites.
bring_fdt() {
    sources device-tree-compiler || {
        private_apt_begin "$temporary/newer" amd64 stable deb-src && sources device-tree-compiler
    } || return 1
    headers=("$folder"/libfdt/{libfdt,libfdt_env,fdt}.h)
    archive fdt "$version" -I "$folder/libfdt" "$folder"/libfdt/fdt*.c
}

bring_zlib() {
    local folder="$temporary/zlib/usr/$triplet"
    private_apt_unpack libz-mingw-w64-dev "$temporary/zlib" &&
        cp "$folder"/include/* "$temporary/root/include" && cp "$folder/lib/libz.a" "$temporary/root/lib" &&
        sed "s|^prefix=.*|prefix=$root|" "$folder/lib/pkgconfig/zlib.pc" >"$temporary/root/lib/pkgconfig/zlib.pc"
}

# For the tests.
bring_check() {
    sources check || return 1
    cmake -G Ninja -S "$folder" -B "$folder/build" "-DCMAKE_TOOLCHAIN_FILE=$PWD/cmake/Mingw.cmake" -DCMAKE_BUILD_TYPE=Release \
        -DCHECK_ENABLE_TESTS=OFF -DINSTALL_CHECKMK=OFF -DCMAKE_C_FLAGS=-D__USE_MINGW_ANSI_STDIO=1 "-DCMAKE_INSTALL_PREFIX=$temporary/check" &&
        cmake --build "$folder/build" --target install || return 1
    cp "$temporary"/check/include/* "$temporary/root/include"
    cp "$temporary/check/lib/libcheck.a" "$temporary/root/lib"
    sed "s|^prefix=.*|prefix=$root|; /^Libs:/s/$/ -lpthread/" "$temporary/check/lib/pkgconfig/check.pc" >"$temporary/root/lib/pkgconfig/check.pc"
}

bring_libraries() {
    local headers folder version suite
    suite="$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")"
    mkdir -p "$temporary/root/include" "$temporary/root/lib/pkgconfig"
    find_debian_archive && private_apt_begin "$temporary/apt" amd64 "$suite" "deb deb-src" &&
        bring_zstd && bring_xxhash && bring_zlib && bring_check && bring_fdt || return 1
    rm -rf "$root"
    mv -T "$temporary/root" "$root" || [ -d "$root/lib" ]
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
    bring_libraries >>"$log" 2>&1 || without "its libraries cannot be fetched and built"
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
