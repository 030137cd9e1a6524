#!/usr/bin/env bash
# guests.sh [debian] [--no-install]: brings the guests' images into build/guests/, from Debian's arm64 packages:
#   linux-arm64/Image            the kernel of linux-image-arm64
#   linux-arm64/initramfs.cpio   busybox-static with tests/guest/linux/init
#   linux-arm64/virtio.cpio      busybox-static with tests/guest/linux/init-virtio and modules
#   linux-arm64/console.cpio     the same with tests/guest/linux/init-console
#   linux-arm64/disk.cpio        the same with tests/guest/linux/init-disk
#   linux-arm64/net.cpio         the same with tests/guest/linux/init-net
#   linux-arm64/smmu.cpio        the same with tests/guest/linux/init-smmu
#   linux-arm64/modules          those of the kernel that any initramfs has
#   linux-arm64/busybox          the same alone, for tests/guest/linux/build.sh
#   u-boot-arm64/u-boot.bin      U-Boot for QEMU's virt board
# With "debian", then Debian on a disk, too, in build/guests/debian-arm64 (scripts/debian.sh).
# What comes from packages is kept in the cache folder (QVM_CACHE), so that another clone of this
# project needs no network. Remove the cache's guests folder to get the packages' newest versions.
# With --no-install nothing is fetched: the cache must have them.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/private_apt.sh

# One suite for every host: the guest is an input of a deterministic run, so it should not change
# with the host's release.
suite="${QVM_GUEST_SUITE:-bookworm}"
cache="$QVM_CACHE/guests/$suite-arm64"
out=build/guests
log=build/logs/guests.log
# Initramfs by name: its first program, and its modules in the order in which they are loaded.
declare -A inits=([virtio]=init-virtio [console]=init-console [disk]=init-disk [net]=init-net [smmu]=init-smmu)
declare -A modules=(
    [virtio]="virtio_mmio virtio_console virtio-rng sp805_wdt"
    [console]="virtio_mmio virtio_console"
    [disk]="virtio_mmio virtio_blk crc16 mbcache jbd2 crc32c_generic ext4"
    [net]="virtio_mmio failover net_failover virtio_net"
    [smmu]="virtio_mmio virtio-rng virtio_blk failover net_failover virtio_net"
)

fail() {
    echo "guests: $1 (details: $log)" >&2
    exit 1
}

# Fills the cache, all of it or nothing.
fetch() {
    local temporary="$1" image package module files="$1/files"
    private_apt_begin "$temporary/apt" arm64 "$suite" || return 1
    # linux-image-arm64 is empty and depends on the package of the current kernel version.
    image="$(private_apt_show linux-image-arm64 |
        sed -n 's/^Depends:.*\(linux-image-[0-9][^ ,]*\).*/\1/p')"
    [ -n "$image" ] || return 1
    mkdir -p "$files/modules"
    for package in "$image" busybox-static u-boot-qemu; do
        private_apt_unpack "$package" "$temporary/root" || return 1
        echo "$package $(private_apt_show "$package" | sed -n 's/^Version: //p')" >>"$files/versions"
    done
    cp "$temporary"/root/boot/vmlinuz-* "$files/Image" &&
        cp "$temporary/root/usr/lib/u-boot/qemu_arm64/u-boot.bin" "$files/u-boot.bin" || return 1
    # shellcheck disable=SC2048,SC2086 # lists of words
    for module in ${modules[*]}; do
        find "$temporary/root" -name "$module.ko" -exec cp -t "$files/modules" {} + || return 1
    done
    # Releases after Debian 12 have no /bin in packages.
    cp "$temporary/root/bin/busybox" "$files/busybox" 2>/dev/null ||
        cp "$temporary/root/usr/bin/busybox" "$files/busybox" || return 1
    mkdir -p "$(dirname "$cache")"
    is_filled || rm -rf "$cache" # of an earlier version of this script
    # Another run may have been quicker: its files are as good.
    mv -T "$files" "$cache" 2>/dev/null || [ -e "$cache/versions" ]
}

# What build/guests would be made of, to compare with what it was made of.
state() {
    cat "$cache/versions"
    sha256sum tests/guest/linux/init* scripts/initramfs.py scripts/guests.sh
}

# Does the cache have what this version of the script wants of it?
is_filled() {
    local module
    [ -e "$cache/versions" ] || return 1
    # shellcheck disable=SC2048 # lists of words
    for module in ${modules[*]}; do
        [ -e "$cache/modules/$module.ko" ] || return 1
    done
}

make_initramfs() {
    local name="$1" module programs=()
    for module in ${modules[$name]}; do
        programs+=("$module.ko=$cache/modules/$module.ko")
    done
    python3 scripts/initramfs.py "$cache/busybox" "tests/guest/linux/${inits[$name]}" \
        "$out/linux-arm64/$name.cpio" "${programs[@]}"
}

debian=no options=()
for argument in "$@"; do
    case "$argument" in
    debian) debian=yes ;;
    --no-install) options=(--no-install) ;;
    *) echo "usage: scripts/guests.sh [debian] [--no-install]" >&2; exit 2 ;;
    esac
done

mkdir -p build/logs "$out"
: >"$log"
if ! is_filled; then
    [ ${#options[@]} = 0 ] ||
        fail "not fetched yet, and not fetched now because of --no-install"
    command -v apt-get >/dev/null ||
        fail "the guests come from Debian packages and this machine has no apt"
    find_debian_archive ||
        fail "no Debian archive (or no keyring for it) in this machine's apt configuration"
    echo "guests: fetching Linux, busybox and U-Boot for arm64"
    mkdir -p "$QVM_CACHE"
    temporary="$(mktemp -d "$QVM_CACHE/guests-tmp.XXXXXX")"
    trap 'rm -rf "$temporary"' EXIT
    fetch "$temporary" >"$log" 2>&1 ||
        fail "cannot fetch the guests' packages; is there a network?"
fi

if [ "$(state)" != "$(cat "$out/stamp" 2>/dev/null)" ]; then
    rm -f "$out/stamp"
    mkdir -p "$out/linux-arm64" "$out/u-boot-arm64"
    cp "$cache/Image" "$out/linux-arm64/Image"
    cp "$cache/busybox" "$out/linux-arm64/busybox"
    cp "$cache/u-boot.bin" "$out/u-boot-arm64/u-boot.bin"
    python3 scripts/initramfs.py "$cache/busybox" tests/guest/linux/init \
        "$out/linux-arm64/initramfs.cpio"
    rm -rf "$out/linux-arm64/modules"
    cp -r "$cache/modules" "$out/linux-arm64/modules" # for tests/guest/linux/build.sh
    for name in "${!inits[@]}"; do
        make_initramfs "$name"
    done
    state >"$out/stamp"
    echo "guests: ready in $out"
fi
[ $debian = no ] || scripts/debian.sh "${options[@]}"
