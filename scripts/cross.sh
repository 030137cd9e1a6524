#!/usr/bin/env bash
# cross.sh [--no-install] ARCHITECTURE: builds build/cross-ARCHITECTURE/qvm for s390x or arm64, with that
# architecture's own Debian packages of the libraries, which are kept in the cache folder (QVM_CACHE), and
# `qvm-here` beside it, which runs it on this machine (qemu-user). Status 77, and the reason, where these
# cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/private_apt.sh

install=yes
[ "${1:-}" != --no-install ] || { install=no; shift; }
architecture="${1:?usage: scripts/cross.sh [--no-install] ARCHITECTURE}"
case "$architecture" in
s390x) name=s390x ;;
arm64) name=aarch64 ;;
*) echo "cross: '$architecture' is not one of: s390x arm64" >&2; exit 2 ;;
esac
triplet=$name-linux-gnu
root="$QVM_CACHE/cross-$architecture"
build="build/cross-$architecture"
log="build/logs/cross-$architecture-apt.log"
mkdir -p build/logs

without() {
    echo "cross: $architecture: $1 (details: $log)" >&2
    exit 77
}

tools_work() {
    command -v "qemu-$name-static" >/dev/null &&
        echo 'int main(void) { return 0; }' | "$triplet-gcc" -x c - -o /dev/null
}

# The libraries of this machine's release; Unicorn of a newer one.
bring_libraries() {
    local temporary="$1" package suite
    suite="$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")"
    find_debian_archive &&
        private_apt_begin "$temporary/apt" "$architecture" "$suite" || return 1
    for package in libc6 libgcc-s1 libatomic1 zlib1g zlib1g-dev libzstd-dev libxxhash0 libxxhash-dev libfdt1 \
        libfdt-dev libzstd1 libcapstone-dev "$(needed_by libcapstone-dev)"; do
        private_apt_unpack "$package" "$temporary/root" || return 1
    done
    private_apt_begin "$temporary/newer" "$architecture" testing || return 1
    for package in libunicorn2t64 libunicorn-dev; do
        private_apt_unpack "$package" "$temporary/root" || return 1
    done
    rm -rf "$root"
    mv -T "$temporary/root" "$root" || [ -d "$root/usr" ]
}

# The library that a development package is of.
needed_by() {
    private_apt_show "$1" | sed -n 's/^Depends:.*\(libcapstone[0-9][^ ,]*\).*/\1/p'
}

: >"$log"
if ! tools_work >>"$log" 2>&1; then
    [ $install = yes ] || without "no cross compiler, or no qemu-user-static"
    echo "cross: installing gcc-$triplet and qemu-user-static"
    scripts/setup.sh --cross >>"$log" 2>&1 && tools_work >>"$log" 2>&1 || without "the cross compiler cannot be installed"
fi
if [ ! -d "$root/usr" ]; then
    [ $install = yes ] || without "its libraries are not in $root"
    mkdir -p "$QVM_CACHE"
    temporary="$(mktemp -d "$QVM_CACHE/cross-tmp.XXXXXX")"
    trap 'rm -rf "$temporary"' EXIT
    bring_libraries "$temporary" >>"$log" 2>&1 || without "its libraries cannot be fetched"
fi

cmake -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DQVM_TESTS=OFF -DQVM_LIBRARY=OFF \
    -DQVM_INTERPOSE=OFF -DQVM_STATIC_ENGINE=OFF -DCMAKE_TOOLCHAIN_FILE=cmake/Cross.cmake -DQVM_CROSS=$triplet \
    "-DQVM_CROSS_ROOT=$root"
cmake --build "$build"
printf '#!/bin/sh\nexec qemu-%s-static -L %s %s "$@"\n' "$name" "$root" "$PWD/$build/qvm" >"$build/qvm-here"
chmod +x "$build/qvm-here"
