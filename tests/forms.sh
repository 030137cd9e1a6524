#!/usr/bin/env bash
# forms.sh QVM: the forms that real configurations have (tests/forms/*.qvmconf), with their disks,
# images and peers. On AArch64 each runs a guest that uses what it has, Linux or a program of ours, and its
# recording replays; for x86 each is refused by one sentence. Only paths outside of the current folder
# are others here. Needs scripts/guests.sh.
set -uo pipefail
qvm="$(realpath -e "${1:?usage: tests/forms.sh QVM}")" || exit 2
cd "$(dirname "$0")/.." || exit 2
. tests/support.sh
trap 'exit 1' HUP INT TERM
root="$PWD"
export PATH="$PATH:/usr/sbin:/sbin" # mke2fs
guests="$root/build/guests/linux-arm64"
cd "$work" || exit 2

# Files that the forms name -----------------------------------------------------------------------

drivers=()
for module in "$guests"/modules/*.ko; do
    drivers+=("$(basename "$module")=$module")
done
at_least 12 ${#drivers[@]} "modules in $guests/modules"
python3 "$root/scripts/initramfs.py" "$guests/busybox" "$root/tests/guest/linux/init-forms" rootfs.cpio "${drivers[@]}"
for image in Image cockpit.ifs kernel.img; do
    ln -s "$guests/Image" $image
done
ln -s rootfs.cpio ramdisk.img
ln -s rootfs.cpio initrd.img
head -c 2000000 "$guests/Image" >data

# disk FILE SCRIPT: a file system with that as `work`, and with data.
disk() {
    mkdir tree
    cp data tree/data
    printf '%s\n' "$2" >tree/work
    truncate -s 16M "$1"
    mke2fs -q -t ext4 -d tree "$1" 2>err || verdict "mke2fs" "$(tail -n 1 err)"
    rm -r tree
}

# The page of registers of the shared memory: a name in two words, then its size in pages.
disk guestdisk0 '
word() { devmem $((0x1c050000 + $1)) 32 $2; }
is() { [ "$(($(devmem $(($1)) 32)))" = "$(($2))" ]; }
called() { word 0x1c $1; word 0x20 $2; word 0x18 $3; }
called 0x6d617266 0x7365 1
needs "frames are attached" is 0x1c050014 0
needs "and are of the size that they were made with" is 0x1c050018 0x200
control=$(devmem 0x1c050008 64)
needs "their first client is this" is $control 0x10000
called 0x6d617266 0x7a 1
needs "another name is refused" is 0x1c050014 5
needs "the watchdog" grep -q sp805-wdt /sys/class/watchdog/watchdog0/identity
exec 3>/dev/ttyAMA1
echo "from the guest" >&3
needs "its interrupts" grep -q " 46 Level.*uart-pl011" /proc/interrupts
exec 3>&-
needs "nobody at the next page" sh -c "! devmem 0xfd121000"
needs "link_a" grep -q 02:00:00:00:00:0a /sys/class/net/eth0/address
ifconfig eth1 up
needs "uplink" grep -q 1 /sys/class/net/eth1/carrier
ifconfig eth0 10.0.0.1 netmask 255.255.255.0 up
httpd -p 80 -h /disk
nc -l -p 5000 >/tmp/data
needs "the data is back" cmp /tmp/data /disk/data'
disk disk.img '
needs "cmdline of two lines" grep -q "root=/dev/vda rw" /proc/cmdline
ifconfig eth0 10.0.0.2 netmask 255.255.255.0 up
until ping -c 1 -W 1 10.0.0.1 >/dev/null; do :; done
needs "ping" ping -c 3 -i 0.1 10.0.0.1
until wget -q -O /disk/got http://10.0.0.1/data; do usleep 100000; done
fresh
needs "the data of the peer" cmp /disk/got /disk/data
until nc 10.0.0.1 5000 </disk/got; do usleep 100000; done'
disk userdata.img '
needs "two vCPUs" [ $(nproc) = 2 ]
needs "4 GiB" [ $(sed -n "s/MemTotal: *\(.*\)...... kB/\1/p" /proc/meminfo) -ge 3 ]
needs "the tree of the board" grep -q here /sys/firmware/devicetree/base/acme/says
echo kept >/disk/kept
fresh
needs "a write" grep -q kept /disk/kept
needs "the console" grep -q console=ttyAMA0 /proc/cmdline'
printf '/dts-v1/;\n/ { acme { says = "here"; }; };\n' | dtc -q -I dts -O dtb -o board.dtb
cat >app.S <<'ASM'
    .global _start
_start:
    ldr x1, =0x1c090000
    ldr w2, [x1, #0xfe0] /* UARTPeriphID0 */
    cmp w2, #0x11
    b.ne .
    mov w3, #'!'
    str w3, [x1]
    ldr w0, =0x84000008 /* PSCI SYSTEM_OFF */
    hvc #0
ASM
cat >forms.board <<'BOARD'
board forms
cpus 4
ram 0x80000000,1G
ram 0x880000000,1G
device pl011 name uart loc 0xfd120000 intr 112 hostdev >passed.txt
device none name beside loc 0xfd121000
BOARD
before="$(sha256sum guestdisk0 disk.img userdata.img)"

# Runs --------------------------------------------------------------------------------------------

# form NAME: the form, with paths of this folder.
form() {
    sed "s|/dev/guestdisk|guestdisk|g; s|/dev/shmem/||g; s|/data/||g" \
        "$root/tests/forms/$1.qvmconf" >"$1.qvmconf"
}

# runs WHAT WORD...: recorded; the guests power off, and the recording replays.
runs() {
    local what="$1" status
    shift
    limited 120 "$qvm" record -o run.qtrace --limit-ns 60000000000 "$@" >out 2>err </dev/null
    status=$?
    verdict "$what" "$([ $status = 0 ] && ! grep -q 'asked for a reset' err || tail -n 3 out err)"
    limited 120 "$qvm" replay --verify run.qtrace >again 2>err.again </dev/null
    verdict "$what replays" "$([ $? = 0 ] || tail -n 1 err.again)"
}

# said FILE TEXT...
said() {
    local file="$1" text
    shift
    for text in "$@"; do
        verdict "$text" "$(grep -qF -- "$text" "$file" || echo "$file does not have it")"
    done
}

form cockpit
form media
rootfs=(initrd load rootfs.cpio)
runs "cockpit and media" --board forms.board --exits @cockpit.qvmconf "${rootfs[@]}" + @media.qvmconf "${rootfs[@]}"
said out "[cockpit] qvm: workload done" "[media] qvm: workload done" "[media] 3 packets transmitted, 3 packets received" \
    "[cockpit] qvm: another name is refused" "[cockpit] qvm: the data is back"
said passed.txt "from the guest"
verdict "exits of cockpit and media" "$(limited 60 "$qvm" replay --exits run.qtrace 2>&1 >/dev/null |
    grep -q 'all as recorded' || echo "they differ")"

form droid
runs droid @droid.qvmconf
verdict "droid's console goes nowhere, its log to stdout" "$(grep -q 'qvm: ' out && ! grep -q userspace out || head -n 3 out)"

# A terminal, of which this script is the other end: the guest asks, and is answered.
limited 120 python3 - "$qvm" "$root/tests/forms/worker.qvmconf" >out 2>err <<'PYTHON'
import os, subprocess, sys
ours, theirs = os.openpty()
with open('worker.qvmconf', 'w') as to:
    to.write(open(sys.argv[2]).read().replace('/dev/ptyp0', os.ttyname(theirs)))
run = subprocess.Popen([sys.argv[1], 'record', '-o', 'run.qtrace', '@worker.qvmconf'], stdin=subprocess.DEVNULL)
said = b''
while b'who is there?' not in said:
    said += os.read(ours, 4096)
os.write(ours, b'tester\n')
while b'workload done' not in said:
    said += os.read(ours, 4096)
print(said.decode(errors='replace'))
sys.exit(run.wait())
PYTHON
verdict worker "$([ $? = 0 ] || tail -n 3 out err)"
said out "3 vCPUs" "hello tester"
limited 120 "$qvm" replay --verify run.qtrace >again 2>err </dev/null
verdict "worker replays" "$([ $? = 0 ] || tail -n 1 err)"

form old
runs old @old.qvmconf
said console.log "1 vCPUs" "workload done"

clang --target=aarch64-none-elf -nostdlib -fuse-ld=lld -Wl,--image-base=0x80000000 app.S -o app.elf 2>err ||
    verdict app.elf "$(tail -n 1 err)"
form elf
runs elf @elf.qvmconf

# What is refused ---------------------------------------------------------------------------------

# refused NAME WORD...: status 65, and this one sentence.
refused() {
    local sentence="$1" status
    shift
    limited 30 "$qvm" check "$@" >out 2>err </dev/null
    status=$?
    verdict "$sentence" "$([ $status = 65 ] && [ "$(cat err)" = "$sentence" ] || echo "status $status: $(cat err)")"
}

refused "[gateway.qvmconf:3] vdev type 'ioapic' is not available in this version (x86 guests only)" \
    "$root/tests/forms/x86/gateway.qvmconf"
refused "[lx86.qvmconf:2] vdev type 'ioapic' is not available in this version (x86 guests only)" \
    "$root/tests/forms/x86/lx86.qvmconf"
# Mistakes of the language are said beside it.
sed 's/ram 512M/rom 512X/' "$root/tests/forms/x86/lx86.qvmconf" >lx86.qvmconf
refused "[lx86.qvmconf:2] '512X' is not a length
[lx86.qvmconf:2] vdev type 'ioapic' is not available in this version (x86 guests only)" lx86.qvmconf
# Without a board that has them there is nothing to pass.
limited 30 "$qvm" run @cockpit.qvmconf dryrun >out 2>err </dev/null
said err "pass of host address 0xfd120000: board default has nothing there (--board FILE)"
finish
