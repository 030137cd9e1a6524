#!/usr/bin/env bash
# host.sh packages|build|test|pack: the steps of .github/workflows/ci.yml, on Linux, macOS, or Windows in a
# shell of MSYS2 (UCRT64).
#   packages   installs what building needs
#   build      build/release
#   test       unit tests; every recording of traces/ replays; the guest programs, if they are in
#              build/guests/tests (tests/guest/build.sh); the report of both is build/results.xml
#   pack       what others are given, into dist/
set -euo pipefail
cd "$(dirname "$0")/.."

packages_of_msys2() {
    local name list=(gcc cmake ninja pkgconf python unicorn capstone zstd zlib xxhash dtc check)
    for name in "${!list[@]}"; do
        list[name]="${MINGW_PACKAGE_PREFIX:?begin in a UCRT64 shell}-${list[name]}"
    done
    pacman -S --needed --noconfirm "${list[@]}"
}

packages() {
    case "$(uname -s)" in
    Linux) scripts/setup.sh --to-build ;;
    Darwin) brew install --quiet cmake ninja pkgconf unicorn capstone zstd xxhash dtc check ;;
    MINGW*) packages_of_msys2 ;;
    *) echo "host.sh: do not know the packages of $(uname -s)" >&2; exit 2 ;;
    esac
}

# On Linux scripts/setup.sh has brought an engine that is new enough.
build() {
    local options=()
    [ "$(uname -s)" = Linux ] || pkg-config --atleast-version=2.1.3 unicorn || options=(-DQVM_FETCH_UNICORN=ON)
    cmake --preset release ${options[@]+"${options[@]}"}
    cmake --build --preset release
}

test_all() {
    ctest --test-dir build/release --output-on-failure --no-tests=error -R '^test_'
    local what=(traces)
    if [ -d build/guests/tests ]; then
        what+=(tests/guest)
    else
        echo "host.sh: no guest programs in build/guests/tests: only recordings"
    fi
    build/release/qvm test --junit build/results.xml "${what[@]}"
}

# A program without libraries is for every Linux, the Debian package has manual pages in their place.
pack() {
    local generator=TGZ preset=release
    case "$(uname -s)" in
    Linux)
        preset=static
        cmake --preset static
        cmake --build --preset static
        cpack -G DEB --config build/release/CPackConfig.cmake -B dist
        ;;
    MINGW*) generator=ZIP ;;
    esac
    cpack -G $generator --config build/$preset/CPackConfig.cmake -B dist
    rm -rf dist/_CPack_Packages
}

case "${1:-}" in
packages) packages ;;
build) build ;;
test) test_all ;;
pack) pack ;;
*) sed -n '2,8s/^# //p' "$0" >&2; exit 2 ;;
esac
