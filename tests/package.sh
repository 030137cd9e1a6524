#!/usr/bin/env bash
# package.sh BUILD: makes a Debian package of it and installs that in a new Debian of this machine's release
# (debootstrap), where nothing else of ours is: hello ends with the digest that it has here, a recording
# replays, the manual is complete, and nothing is left behind when it is removed. Needs root, the Debian
# archive, and 400 MB below $TMPDIR. Status 77, and the reason, where that cannot be had.
set -uo pipefail
[ $# = 1 ] || { echo "usage: package.sh BUILD" >&2; exit 2; }
build="$(realpath -e "$1")" || exit 2
cd "$(dirname "$0")/.." || exit 2
. scripts/private_apt.sh
. tests/support.sh

without() {
    echo "package: $1" >&2
    exit 77
}
[ "$(id -u)" = 0 ] || without "only root can change into another root"
command -v debootstrap dpkg-shlibdeps >"$work/tools" || without "there is no debootstrap, or no dpkg-dev"
find_debian_archive || without "no Debian archive (or no keyring for it) in apt's configuration"
tests/guest/build.sh build/guests/tests >"$work/guest.log" 2>&1 || without "hello cannot be built: $(tail -n 1 "$work/guest.log")"
root="$work/debian"

# What debootstrap or a package has mounted there goes before the folder does.
clean() {
    local place
    while read -r place; do
        umount "$place"
    done < <(awk -v root="$root/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r)
    rm -rf --one-file-system "$work"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

run() {
    "$@" >"$work/out" 2>"$work/err" </dev/null
}

inside() {
    run env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}

# files: those of the new Debian, but for the records of packages and caches.
files() {
    (cd "$root" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \
        -o -path ./tmp -o -path ./proc -o -path ./sys -o -path ./dev \) -prune -o -print | sort)
}

digest() {
    sed -nE 's/.*digest ([0-9a-f]{64}).*/\1/p' "$1" | tail -n 1
}

make_package() {
    check "cpack" run env -C "$work" cpack -G DEB --config "$build/CPackConfig.cmake" -B "$work/package"
    package="$(find "$work/package" -maxdepth 1 -name '*.deb')"
    check "one package" test -s "$package"
}

new_debian() {
    local suite
    suite="$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")"
    check "debootstrap $suite" run debootstrap --variant=minbase "--keyring=$DEBIAN_KEYRING" "$suite" "$root" "$DEBIAN_URI"
    check "lists of packages" inside apt-get update
    [ $failed = 0 ] || { finish; exit 1; }
    # A small Debian leaves manual pages out only if it is told to.
    rm -f "$root"/etc/dpkg/dpkg.cfg.d/*
    mkdir "$root/tmp/here"
    cp --parents build/guests/tests/hello.elf traces/hello.qtrace "$root/tmp/here"
    cp "$package" "$root/tmp/qvm.deb"
    files >"$work/before"
}

works() {
    local here file
    check "it is installed" inside apt-get install -y --no-install-recommends /tmp/qvm.deb
    check "all that it needs is there" inside dpkg --audit
    check "it says its version" inside qvm --version
    check "a recording replays" inside qvm replay /tmp/here/traces/hello.qtrace
    run "$build/qvm" run configs/hello-arm64.qvmconf
    here="$(digest "$work/err")"
    inside sh -c 'cd /tmp/here && exec qvm run /usr/share/qvm/configs/hello-arm64.qvmconf'
    check "hello" grep -q '^Hello' "$work/out"
    check "hello's digest $here" test -n "$here" -a "$(digest "$work/err")" = "$here"
    for file in man1/qvm.1 man5/qvmconf.5 man5/qvmtest.5; do
        check "$file" test -s "$root/usr/share/man/$file"
    done
    check "it is of this package" inside dpkg --verify qvm
}

leaves_nothing() {
    check "it is removed" inside apt-get purge -y --autoremove qvm
    files >"$work/after"
    verdict "nothing is left" "$(diff "$work/before" "$work/after" | head -n 3)"
}

make_package
new_debian
works
leaves_nothing
finish " ($(basename "$package"))"
