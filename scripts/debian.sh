#!/usr/bin/env bash
# debian.sh [--no-install]: the guest of configs/debian-arm64.qvmconf; scripts/guests.sh debian runs it.
#   build/guests/debian-arm64/root.ext4        Debian with systemd on a disk of 2 GiB
#   build/guests/debian-arm64/initramfs.cpio   busybox-static, tests/guest/debian/init, and modules
#   build/guests/debian-arm64/Image            the kernel that they are of
#   build/guests/debian-arm64/mirror           a repository of one package, which is on the disk, too
# The packages come from the machine's own mirror. Their scripts are programs for arm64, so they run
# in a guest of this project's own build (QVM, by default build/release/qvm): no privilege is
# needed, no second emulator, and no support in the host's kernel. It takes ten minutes, once: what it
# gives is kept in the cache folder (QVM_CACHE). The disk is made of that with fixed identifiers and
# times, so it has the same bytes wherever it is made.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/private_apt.sh

suite="${QVM_GUEST_SUITE:-bookworm}"
qvm="${QVM:-build/release/qvm}"
cache="$QVM_CACHE/guests/debian-$suite-arm64"
busybox="$QVM_CACHE/guests/$suite-arm64/busybox"
guest=tests/guest/debian
out=build/guests/debian-arm64
log=build/logs/debian.log
export PATH="$PATH:/usr/sbin:/sbin" # mke2fs
modules="virtio_mmio virtio_blk crc16 mbcache jbd2 crc32c_generic ext4"
# Beside what every Debian has: dbus is for logind.
packages=systemd-sysv,udev,kmod,dbus,login,apt,procps,iproute2,busybox-static
# Of the kernel's drivers, those a virtual machine has devices for.
drivers="virtio block char/hw_random watchdog md"
# Nothing depends on it but that it is the same: file system, machine.
identity=7164656d-6269-616e-8000-71766d677565

fail() {
    echo "debian: $1 (details: $log)" >&2
    exit 1
}

# initramfs INIT OUT [NAME=FILE...]
initramfs() {
    local module programs=()
    for module in $modules; do
        programs+=("$module.ko=$files/modules/$module.ko")
    done
    python3 scripts/initramfs.py "$busybox" "$guest/$1" "$2" "${programs[@]}" "${@:3}"
}

# disk FOLDER FILE: its features are named, as every host's mke2fs has others by default.
disk() {
    printf '[fs_types]\n\text4 = {\n\t\tinode_size = 256\n\t}\n' >"$temporary/mke2fs.conf"
    rm -f "$2"
    MKE2FS_CONFIG="$temporary/mke2fs.conf" E2FSPROGS_FAKE_TIME="$(cat "$files/epoch")" mke2fs -q -t ext4 -b 4096 \
        -m 0 -N 131072 -J size=16 -U $identity -E "hash_seed=$identity,root_owner=0:0" \
        -O none,has_journal,ext_attr,filetype,extent,sparse_super,large_file,huge_file,flex_bg,dir_nlink,extra_isize,dir_index \
        -d "$1" "$2" 2G
}

# Inodes have the time at which this host made their files, too: those numbers are in a row.
same_times() {
    local inode last epoch
    epoch="@$(cat "$files/epoch")"
    last="$(dumpe2fs -h "$1" 2>/dev/null | awk '/^Inode count:/ { n = $3 } /^Free inodes:/ { print n - $3 }')"
    for inode in 2 $(seq 11 "$last"); do
        printf "sif <$inode> %s $epoch\n" atime ctime
        printf "sif <$inode> %s_extra 0\n" atime ctime
    done >"$temporary/times"
    E2FSPROGS_FAKE_TIME="${epoch#@}" debugfs -w -f "$temporary/times" "$1" >/dev/null
}

# The kernel, the modules the initramfs has, and those of the root file system, which are $root/lib/modules.
fetch_kernel() {
    local image kernel="$temporary/kernel" module driver chosen
    # linux-image-arm64 is empty and depends on the package of the current kernel version.
    image="$(private_apt_show linux-image-arm64 |
        sed -n 's/^Depends:.*\(linux-image-[0-9][^ ,]*\).*/\1/p')"
    private_apt_unpack "$image" "$kernel" || return 1
    echo "$image $(private_apt_show "$image" | sed -n 's/^Version: //p')" >>"$files/versions"
    cp "$kernel"/boot/vmlinuz-* "$files/Image" && mkdir "$files/modules" || return 1
    for module in $modules; do
        find "$kernel" -name "$module.ko" -exec cp -t "$files/modules" {} + || return 1
    done
    chosen="$(echo "$kernel"/lib/modules/*/kernel)"
    mv "$chosen/drivers" "$temporary/drivers" && mkdir -p "$chosen/drivers/net" && rm -r "$chosen/sound" || return 1
    cp "$temporary"/drivers/net/*.ko "$chosen/drivers/net"
    for driver in $drivers; do
        mkdir -p "$chosen/drivers/$driver" && cp -r "$temporary/drivers/$driver/." "$chosen/drivers/$driver" || return 1
    done
}

# A repository of one package, which no other needs, to show that apt installs it.
fetch_mirror() {
    mkdir "$files/mirror" && (cd "$files/mirror" && apt-get -c "$PRIVATE_APT/apt.conf" download hello) || return 1
    private_apt_show hello | sed "s|^Filename: .*/|Filename: |" >"$files/mirror/Packages"
}

# debootstrap's first stage, which only unpacks, and a disk of it.
first_stage() {
    local root="$temporary/root"
    DEBOOTSTRAP_DIR="$temporary/tools/usr/share/debootstrap" sh "$temporary/tools/usr/sbin/debootstrap" --foreign \
        --arch=arm64 --variant=minbase --include=$packages --keyring="$DEBIAN_KEYRING" "$suite" "$root" "$DEBIAN_URI" ||
        return 1
    # In some containers it leaves links to the host's.
    rm -rf "$root/proc" && mkdir -p "$root/proc" "$root/lib/modules" &&
        cp -r "$temporary"/kernel/lib/modules/* "$root/lib/modules" && disk "$root" "$temporary/stage.ext4"
}

second_stage() {
    truncate -s 1G "$temporary/root.tar"
    initramfs make "$temporary/make.cpio" "epoch=$files/epoch" && "$qvm" run --no-record \
        ram 0x80000000,768M vdev pl011 loc 0x1c090000 intr gic:37 hostdev - vdev pl031 loc 0x1c170000 intr gic:36 \
        vdev virtio-blk loc 0x1c0d0000 intr gic:41 hostdev "$temporary/stage.ext4" \
        vdev virtio-blk loc 0x1c0e0000 intr gic:42 hostdev ">$temporary/root.tar" \
        load "$files/Image" initrd load "$temporary/make.cpio" cmdline "console=ttyAMA0 nokaslr quiet" \
        </dev/null >"$temporary/console" || return 1
    cat "$temporary/console"
    grep -q "the root file system is made" "$temporary/console" &&
        zstd -q -T0 "$temporary/root.tar" -o "$files/root.tar.zst"
}

# Fills the cache, all of it or nothing.
fetch() {
    files="$temporary/files"
    mkdir -p "$files"
    private_apt_begin "$temporary/apt" arm64 "$suite" || return 1
    # As new as the newest of the packages.
    date -d "$(sed -n 's/^Date: //p' "$temporary"/apt/lists/*_InRelease | head -n 1)" +%s >"$files/epoch"
    private_apt_unpack debootstrap "$temporary/tools" && fetch_kernel && fetch_mirror || return 1
    export temporary files DEBIAN_KEYRING DEBIAN_URI
    # Owners and device nodes are fakeroot's, as not even root may make nodes in every container.
    fakeroot "$BASH" "$0" --first-stage && second_stage || return 1
    echo "$packages" >>"$files/versions"
    rm -rf "$cache"
    mkdir -p "$(dirname "$cache")"
    mv -T "$files" "$cache"
}

# What this guest is beside its packages: it has a name, asks nobody for anything when it starts, and
# has no timers that would make a run depend on how long it takes.
settings() {
    local unit
    cd "$1"
    echo debian >etc/hostname
    echo "127.0.0.1 localhost debian" >etc/hosts
    echo "/dev/vda / ext4 defaults 0 0" >etc/fstab
    rm -f etc/resolv.conf # this machine's
    echo "nameserver 10.0.2.3" >etc/resolv.conf
    echo ${identity//-/} >etc/machine-id
    ln -sf /etc/machine-id var/lib/dbus/machine-id
    for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
        fstrim.timer systemd-tmpfiles-clean.timer; do
        ln -sf /dev/null "etc/systemd/system/$unit"
    done
    rm -f etc/systemd/system/getty.target.wants/getty@tty1.service # nobody sees it
    # Fewer escape sequences between what is typed and what is printed.
    echo "set enable-bracketed-paste off" >>etc/inputrc
    mkdir -p srv/mirror
    # The network, if there is a card.
    printf '[Match]\nType=ether\n[Network]\nDHCP=yes\n' >etc/systemd/network/card.network
    echo 'SUBSYSTEM=="net", KERNEL!="lo", TAG+="systemd", ENV{SYSTEMD_WANTS}+="systemd-networkd.service"' \
        >etc/udev/rules.d/80-card.rules
    # From /srv/mirror, when busybox serves it (docs/guests.md).
    echo "deb [trusted=yes] http://127.0.0.1/ ./" >etc/apt/sources.list
}

make_disk() {
    local root="$temporary/final"
    mkdir "$root"
    zstd -dcq "$files/root.tar.zst" | { tar -x --numeric-owner -C "$root" && cat >/dev/null; } && (settings "$root") &&
        cp "$files"/mirror/* "$root/srv/mirror" && find "$root" -newermt "@$(cat "$files/epoch")" \
        -exec touch -h -d "@$(cat "$files/epoch")" {} + && disk "$root" "$out/root.ext4" && same_times "$out/root.ext4"
}

# What the guest would be made of, to compare with what it was made of.
state() {
    cat "$cache/versions"
    sha256sum scripts/debian.sh scripts/initramfs.py $guest/*
}

case "${1:-}" in
--first-stage) first_stage; exit ;;
--make-disk) make_disk; exit ;;
esac

mkdir -p build/logs
: >"$log"
for tool in fakeroot mke2fs debugfs zstd wget; do
    command -v $tool >/dev/null || fail "no $tool: scripts/setup.sh --debian installs what this needs"
done
mkdir -p "$QVM_CACHE"
temporary="$(mktemp -d "$QVM_CACHE/debian-tmp.XXXXXX")"
trap 'rm -rf "$temporary"' EXIT
if [ ! -e "$cache/versions" ]; then
    [ "${1:-}" != --no-install ] || fail "not fetched yet, and not fetched now because of --no-install"
    [ -x "$qvm" ] || fail "no $qvm: cmake --preset release && cmake --build --preset release"
    find_debian_archive || fail "no Debian archive (or no keyring for it) in this machine's apt configuration"
    echo "debian: fetching packages, and configuring them in a guest: ten minutes"
    fetch >"$log" 2>&1 || fail "cannot make the root file system"
fi
if [ "$(state)" != "$(cat $out/stamp 2>/dev/null)" ]; then
    rm -rf $out
    mkdir -p $out
    files="$cache"
    export temporary files
    cp "$files/Image" $out/Image
    cp -r "$files/mirror" $out/mirror
    initramfs init $out/initramfs.cpio
    fakeroot "$BASH" "$0" --make-disk >>"$log" 2>&1 || fail "cannot make the disk"
    state >$out/stamp
    echo "debian: ready in $out"
fi
