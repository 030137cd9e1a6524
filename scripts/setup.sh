#!/usr/bin/env bash
# setup.sh [--no-install] [--to-build] [--bench] [--cross] [--mingw] [--musl] [--guests-tools] [--debian]: what building and checking needs.
# On Debian: installs the packages that are missing, and brings Unicorn >= 2.1.3 into the cache folder
# (QVM_CACHE), where cmake/Dependencies.cmake finds it: from a newer suite, or else upstream's pinned
# release, which is built.
#   --no-install     changes nothing; says what is missing
#   --to-build       only what building needs, and nothing for ./check
#   --bench          also the peer that is measured against (QEMU)
#   --cross          also compilers for other hosts (scripts/cross.sh), and what runs them here
#   --mingw          also the compiler for Windows (scripts/mingw.sh), and what runs its programs here
#   --musl           also the compiler for musl (scripts/musl.sh)
#   --guests-tools   also the cross compiler for guest user programs
#   --debian         also what makes a Debian on a disk (scripts/guests.sh debian)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/private_apt.sh

# libclang-rt-dev is the sanitizers' run time of whatever clang the release has.
to_build="gcc libc6-dev cmake ninja-build pkg-config libcapstone-dev libfdt-dev libzstd-dev
    zlib1g-dev libxxhash-dev libslirp-dev check python3"
to_check="clang libclang-rt-dev lld git ca-certificates cpio zstd cppcheck clang-tidy clang-format
    valgrind device-tree-compiler mandoc man-db shellcheck python3-yaml"
unicorn_minimum=2.1.3
log=build/logs/setup-apt.log
install=yes

for argument in "$@"; do
    case "$argument" in
    --no-install) install=no ;;
    --to-build) to_check="git ca-certificates" ;; # of upstream's release
    --bench) to_check="$to_check qemu-system-arm" ;;
    --cross)
        to_check="$to_check gcc-s390x-linux-gnu libc6-dev-s390x-cross gcc-aarch64-linux-gnu libc6-dev-arm64-cross
            qemu-user-static"
        ;;
    --mingw) to_check="$to_check gcc-mingw-w64-x86-64-win32 wine64" ;;
    --musl) to_check="$to_check musl-tools" ;;
    --guests-tools) to_check="$to_check gcc-aarch64-linux-gnu" ;;
    --debian) to_check="$to_check fakeroot e2fsprogs wget" ;;
    *)
        echo "usage: scripts/setup.sh [--no-install] [--to-build] [--bench] [--cross] [--mingw] [--musl] [--guests-tools] [--debian]" >&2
        exit 2
        ;;
    esac
done

fail() {
    echo "setup: $1 (details: $log)" >&2
    exit 1
}

# What apt (or another program) complained of since byte $1 of the log: the cause, not our guess.
said() {
    tail -c "+$(($1 + 1))" "$log" | grep -aiE '^(E:|Err:|W: .*(expired|not valid|sign)|fatal:|error:|CMake Error)' |
        sort -u | head -n 6 | sed 's/^/setup:   /' >&2
}
log_size() { stat -c %s "$log"; }

# Prints which of the given packages are not installed.
missing_packages() {
    local installed package
    # dpkg-query fails when it does not know some of them.
    # shellcheck disable=SC2016 # the braces are dpkg-query's
    installed=" $(dpkg-query -W -f '${db:Status-Status}/${Package} ' "$@" 2>/dev/null || true)"
    for package in "$@"; do
        case "$installed" in
        *" installed/$package "*) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "neither root nor sudo"
        return 1
    fi
}

install_packages() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

cached_unicorn_is_good() {
    local pc
    for pc in "$QVM_CACHE"/unicorn/usr/lib/{,*/}pkgconfig/unicorn.pc; do
        pkg-config --atleast-version=$unicorn_minimum "$pc" 2>/dev/null && return 0
    done
    return 1
}

unicorn_is_there() {
    pkg-config --atleast-version=$unicorn_minimum unicorn 2>/dev/null || cached_unicorn_is_good
}

# A newer suite's library may want a newer C library than this machine's: try it.
unicorn_works() {
    local root="$1/usr" library
    library="$(find "$root/lib" -name libunicorn.so.2 | head -n 1)"
    cat >"$1/try.c" <<'C'
#include <unicorn/unicorn.h>
int main(void)
{
    return uc_version(0, 0) >= UC_MAKE_VERSION(2, 1) ? 0 : 1;
}
C
    gcc -I"$root/include" "$1/try.c" "$library" -Wl,-rpath,"$(dirname "$library")" -o "$1/try" &&
        "$1/try" && rm "$1/try.c" "$1/try"
}

bring_unicorn_from() {
    local suite="$1" folder="$2/$1" version
    private_apt_begin "$folder/apt" "$(dpkg --print-architecture)" "$suite" || return 1
    version="$(private_apt_show libunicorn-dev | sed -n 's/^Version: //p')"
    dpkg --compare-versions "$version" ge $unicorn_minimum || return 1
    private_apt_unpack libunicorn2t64 "$folder/root" &&
        private_apt_unpack libunicorn-dev "$folder/root" &&
        unicorn_works "$folder/root" || return 1
    keep_unicorn "$folder/root"
}

# Whole or not at all; a concurrent run may have been quicker.
keep_unicorn() {
    rm -rf "$QVM_CACHE/unicorn"
    mv -T "$1" "$QVM_CACHE/unicorn" || cached_unicorn_is_good
}

bring_unicorn() {
    find_debian_archive || { echo "E: no Debian archive (or no keyring for it) in apt's configuration"; return 1; }
    bring_unicorn_from testing "$1" || bring_unicorn_from unstable "$1"
}

# Upstream's release that cmake/Dependencies.cmake has pinned, by its commit.
build_unicorn() {
    local folder="$1/upstream" address commit
    address="$(sed -n 's/.*GIT_REPOSITORY *//p' cmake/Dependencies.cmake)"
    commit="$(sed -n 's/.*GIT_TAG *\([0-9a-f]*\).*/\1/p' cmake/Dependencies.cmake)"
    git init -q "$folder/source" &&
        git -C "$folder/source" fetch -q --depth 1 "$address" "$commit" &&
        git -C "$folder/source" checkout -q FETCH_HEAD &&
        cmake -S "$folder/source" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
            -DCMAKE_INSTALL_PREFIX=/usr "-DUNICORN_ARCH=aarch64;x86" -DUNICORN_BUILD_TESTS=OFF &&
        cmake --build "$folder/build" &&
        DESTDIR="$folder/root" cmake --install "$folder/build" &&
        unicorn_works "$folder/root" || return 1
    keep_unicorn "$folder/root"
}

mkdir -p build/logs
: >"$log"

missing='' missing_to_check=''
if command -v dpkg-query >/dev/null; then
    # shellcheck disable=SC2086 # lists of words
    missing="$(missing_packages $to_build)" missing_to_check="$(missing_packages $to_check)"
elif [ $install = yes ]; then
    fail "this machine is not a Debian: install the tools by hand and give --no-install"
else
    # CMake will say which library it does not find.
    for tool in gcc cmake ninja pkg-config python3; do
        command -v $tool >/dev/null || missing="$missing$tool "
    done
fi

if [ $install = no ]; then
    unicorn_is_there || missing="${missing}unicorn>=$unicorn_minimum "
    [ -z "$missing$missing_to_check" ] ||
        echo "setup: missing, and not installed because of --no-install: $missing$missing_to_check" >&2
    # Without the rest one can still build.
    [ -z "$missing" ]
    exit
fi

missing="$missing$missing_to_check"
if [ -n "$missing" ]; then
    echo "setup: installing $missing"
    # The lists are renewed only if the ones that are there do not lead to the packages.
    # shellcheck disable=SC2086
    install_packages $missing >>"$log" 2>&1 || {
        from=$(log_size)
        # A mirror that lacks one list may still have the packages.
        as_root apt-get update >>"$log" 2>&1 || true
        # shellcheck disable=SC2086
        install_packages $missing >>"$log" 2>&1 || {
            said "$from"
            fail "cannot install $missing"
        }
    }
fi

if ! unicorn_is_there; then
    echo "setup: bringing Unicorn into $QVM_CACHE/unicorn"
    mkdir -p "$QVM_CACHE"
    temporary="$(mktemp -d "$QVM_CACHE/unicorn-tmp.XXXXXX")"
    trap 'rm -rf "$temporary"' EXIT
    from=$(log_size)
    if ! bring_unicorn "$temporary" >>"$log" 2>&1; then
        echo "setup: Debian testing and unstable do not serve Unicorn >= $unicorn_minimum:" >&2
        said "$from"
        echo "setup: building upstream's release instead (some minutes)"
        from=$(log_size)
        build_unicorn "$temporary" >>"$log" 2>&1 || {
            said "$from"
            fail "cannot bring Unicorn >= $unicorn_minimum: neither from Debian testing or unstable nor from upstream"
        }
    fi
fi
