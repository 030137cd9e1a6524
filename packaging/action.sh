#!/usr/bin/env bash
# action.sh VERSION REPOSITORY: what action.yml runs: brings `qvm` onto the PATH of the steps that follow, of
# the release VERSION of REPOSITORY (OWNER/NAME), or built from the sources beside this file (`source`).
set -euo pipefail
[ $# = 2 ] || { echo "usage: action.sh VERSION REPOSITORY" >&2; exit 2; }
version="$1" repository="$2"
sources="$(cd "$(dirname "$0")/.." && pwd)"

fail() {
    echo "::error::$1"
    exit 1
}

# Leaves the name of a release's file for this host (cmake/Package.cmake) in $name and $suffix.
name_of_release() {
    local system processor
    suffix=tar.gz
    case "${RUNNER_OS:?}" in
    Linux) system=linux ;;
    macOS) system=macos ;;
    Windows) system=windows suffix=zip ;;
    *) fail "no release is for $RUNNER_OS" ;;
    esac
    case "${RUNNER_ARCH:?}" in
    X64) processor=x86-64 ;;
    ARM64) processor=arm64 ;;
    *) fail "no release is for $RUNNER_ARCH" ;;
    esac
    name="qvm-${version#v}-$system-$processor"
}

install_release() {
    local folder="${RUNNER_TEMP:?}/qvm" name suffix
    name_of_release
    gh release download "$version" --repo "$repository" --pattern "$name.$suffix" --dir "$folder" --clobber ||
        fail "release $version of $repository has no $name.$suffix"
    case "$suffix" in
    zip) unzip -q -o "$folder/$name.zip" -d "$folder" ;;
    *) tar -xzf "$folder/$name.tar.gz" -C "$folder" ;;
    esac
    # Programs for macOS use the libraries of Homebrew.
    [ "$RUNNER_OS" != macOS ] || brew install --quiet unicorn capstone zstd xxhash dtc
    program="$folder/$name/bin"
}

build_sources() {
    [ "${RUNNER_OS:?}" != Windows ] || fail "on Windows the action wants the version of a release"
    "$sources/scripts/host.sh" packages
    "$sources/scripts/host.sh" build
    program="$sources/build/release"
}

case "$version" in
source) build_sources ;;
*) install_release ;;
esac
"$program/qvm" --version
echo "$program" >>"${GITHUB_PATH:?}"
