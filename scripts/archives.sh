# Sourced by mingw.sh and musl.sh: the libraries as archives, from Debian's sources of them, for a compiler
# whose libraries Debian does not have. They are made in $temporary/root, which is moved to $root when all of
# them are there; $compiler and $archiver are that compiler's, $toolchain is CMake's file for it, and
# $check_options what CMake is told beside that.
# shellcheck shell=bash disable=SC2154

# archive FILE NAME SOURCE...: libFILE.a of those, with the headers in $headers; NAME is what pkg-config knows.
archive() {
    local file="$1" name="$2" objects
    shift 2
    objects="$(mktemp -d "$temporary/objects.XXXXXX")"
    (cd "$objects" && "$compiler" -O2 -c "$@") &&
        "$archiver" rcs "$temporary/root/lib/lib$file.a" "$objects"/*.o &&
        cp "${headers[@]}" "$temporary/root/include" &&
        printf '%s\n' "Name: $name" "Description: $name" "Version: $version" "Libs: -L$root/lib -l$file" \
            "Cflags: -I$root/include" >"$temporary/root/lib/pkgconfig/$name.pc"
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
    archive zstd libzstd -DZSTD_DISABLE_ASM "$folder"/lib/{common,compress,decompress}/*.c
}

bring_xxhash() {
    sources xxhash || return 1
    headers=("$folder/xxhash.h")
    archive xxhash libxxhash "$folder/xxhash.c"
}

# Mirrors lack sources of some suites.
bring_fdt() {
    sources device-tree-compiler || {
        private_apt_begin "$temporary/newer" amd64 stable deb-src && sources device-tree-compiler
    } || return 1
    headers=("$folder"/libfdt/{libfdt,libfdt_env,fdt}.h)
    archive fdt libfdt -I "$folder/libfdt" "$folder"/libfdt/fdt*.c
}

# For the tests.
bring_check() {
    sources check || return 1
    cmake -G Ninja -S "$folder" -B "$folder/build" "-DCMAKE_TOOLCHAIN_FILE=$PWD/$toolchain" -DCMAKE_BUILD_TYPE=Release \
        -DCHECK_ENABLE_TESTS=OFF -DINSTALL_CHECKMK=OFF "-DCMAKE_INSTALL_PREFIX=$temporary/check" \
        -DCMAKE_INSTALL_LIBDIR=lib "${check_options[@]}" &&
        cmake --build "$folder/build" --target install || return 1
    cp "$temporary"/check/include/* "$temporary/root/include"
    cp "$temporary/check/lib/libcheck.a" "$temporary/root/lib"
    sed "s|^prefix=.*|prefix=$root|; /^Libs:/s/$/ -lpthread/" "$temporary/check/lib/pkgconfig/check.pc" >"$temporary/root/lib/pkgconfig/check.pc"
}

# bring_libraries COMMAND...: those commands, one after the other, with this machine's release of Debian.
bring_libraries() {
    local headers folder version suite library
    suite="$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")"
    mkdir -p "$temporary/root/include" "$temporary/root/lib/pkgconfig"
    find_debian_archive && private_apt_begin "$temporary/apt" amd64 "$suite" "deb deb-src" || return 1
    for library in "$@"; do
        "bring_$library" || return 1
    done
    rm -rf "$root"
    mv -T "$temporary/root" "$root" || [ -d "$root/lib" ]
}
