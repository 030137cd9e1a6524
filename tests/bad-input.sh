#!/usr/bin/env bash
# bad-input.sh QVM [OTHER_QVM...]: what is wrong with the user's files and words is answered with
# one sentence and the documented exit status, and a guest that goes astray ends as documented;
# never with a signal, a sanitizer's report or not at all. Prints each failure, and a count.
set -uo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"
[ $# -ge 1 ] || { echo "usage: bad-input.sh QVM [OTHER_QVM...]" >&2; exit 2; }
binaries=()
for binary in "$@"; do
    binaries+=("$(realpath -e "$binary")") || exit 2
done
cd "$repository" || exit 2
command -v python3 >/dev/null || { echo "bad-input.sh needs python3" >&2; exit 2; }
tests/guest/build.sh build/guests/tests || exit 2

seconds=30 # how long a run may take
. tests/support.sh
trap 'exit 1' HUP INT TERM

# run COMMAND...: leaves $status and the files out and err.
run() {
    { limited $seconds "$@" >"$work/out" 2>"$work/err" </dev/null; } 2>/dev/null
    status=$?
}

# Why no program may ever end like this; empty if it is fine.
catastrophe() {
    if [ $status = 137 ]; then
        echo "it does not end (stopped after $seconds s)"
    elif [ $status -ge 128 ]; then
        echo "signal $((status - 128)): $(tail -n 1 "$work/err")"
    elif grep -aE 'ERROR: [A-Za-z]*Sanitizer|runtime error:|internal error' "$work/err" >"$work/report"; then
        echo "status $status: $(head -n 1 "$work/report")"
    elif [ $status = 1 ]; then
        echo "status 1, which means nothing: $(tail -n 1 "$work/err")"
    fi
}

# expect STATUS SENTENCE QVM_WORD...: standard error has this text in one line.
expect() {
    local expected="$1" sentence="$2" problem
    shift 2
    run "$qvm" "$@"
    problem="$(catastrophe)"
    if [ -z "$problem" ]; then
        if [ $status != "$expected" ]; then
            problem="status $status instead of $expected: $(tail -n 1 "$work/err")"
        elif ! grep -aF -- "$sentence" "$work/err" >"$work/found"; then
            problem="it does not say '$sentence' but '$(head -n 1 "$work/err")'"
        fi
    fi
    verdict "$*" "$problem"
}

# survives WHAT QVM_WORD...: any documented end will do.
survives() {
    local what="$1"
    shift
    run "$qvm" "$@"
    local problem
    problem="$(catastrophe)"
    if [ -z "$problem" ] && [ ! -s "$work/err" ]; then
        problem="status $status without a word"
    fi
    verdict "$what" "$problem"
}

board=configs/test-arm64.qvmconf
programs=build/guests/tests
files="$work/files"
mkdir -p "$files"

# config NAME TEXT: the file NAME.
config() {
    printf '%s\n' "$2" >"$files/$1"
}

# Files -------------------------------------------------------------------------------------------

make_files() {
    cp "$programs/hello.elf" "$files/good.elf"
    : >"$files/empty"
    gzip -9 -n -c "$programs/hello.elf" >"$files/good.gz"
    truncate -s 300M "$files/huge"
    truncate -s 10T "$files/endless"
    head -c 300 "$files/good.gz" >"$files/cut.gz"
    python3 - "$files" <<'PYTHON'
import struct, sys
folder = sys.argv[1]
elf = open(folder + '/good.elf', 'rb').read()
headers = struct.unpack_from('<Q', elf, 32)[0]
count = struct.unpack_from('<H', elf, 56)[0]
load = next(headers + 56 * i for i in range(count)
            if struct.unpack_from('<I', elf, headers + 56 * i)[0] == 1)

def write(name, data):
    open(folder + '/' + name, 'wb').write(data)

def patched(name, *patches):
    data = bytearray(elf)
    for form, at, value in patches:
        struct.pack_into(form, data, at, value)
    write(name, data)

for length in (1, 3, 4, 5, 16, 63, 64, 65, 100, load + 55, len(elf) // 2):
    write('cut-%d.elf' % length, elf[:length])
huge = (1 << 64) - 1
patched('headers-outside.elf', ('<Q', 32, len(elf)))
patched('headers-wrap.elf', ('<Q', 32, huge - 8))
patched('headers-many.elf', ('<H', 56, 0xffff))
patched('headers-small.elf', ('<H', 54, 8))
patched('headers-none.elf', ('<H', 56, 0))
patched('segment-offset.elf', ('<Q', load + 8, huge))
patched('segment-address.elf', ('<Q', load + 24, huge - 15))
patched('segment-hole.elf', ('<Q', load + 24, 0x1000))
patched('segment-size.elf', ('<Q', load + 32, huge))
patched('segment-memory.elf', ('<Q', load + 40, huge))
patched('segment-memory-large.elf', ('<Q', load + 40, 1 << 40))
patched('segment-memory-small.elf', ('<Q', load + 40, 1))
patched('entry-odd.elf', ('<Q', 24, 0x40080001))
patched('entry-far.elf', ('<Q', 24, huge))
patched('class32.elf', ('<B', 4, 1))
patched('big-endian.elf', ('<B', 5, 2))
patched('x86.elf', ('<H', 18, 62))

gz = bytearray(open(folder + '/good.gz', 'rb').read())
gz[len(gz) // 2] ^= 0x55
write('damaged.gz', gz)
write('only-magic.gz', b'\x1f\x8b')
linux = bytearray(4096)
linux[0x38:0x3c] = b'ARM\x64'
struct.pack_into('<QQ', linux, 8, 0, 1 << 40)
write('kernel-huge', linux)
struct.pack_into('<QQ', linux, 8, 1 << 63, 0x10000)
write('kernel-far', linux)
struct.pack_into('<QQ', linux, 8, 0, huge)
write('kernel-wrap', linux)

def tree(name, size):
    strings = name.encode() + b'\0'
    structure = struct.pack('>II', 1, 0) + struct.pack('>III', 3, size, 0) + bytes(size)
    structure += struct.pack('>II', 2, 9)
    head = 40 + 16
    return struct.pack('>10I', 0xd00dfeed, head + len(structure) + len(strings), head,
                       head + len(structure), 40, 17, 16, 0, len(strings), len(structure)) \
        + bytes(16) + structure + strings

for i in range(5):
    write('large-%d.dtb' % i, tree('p%d' % i, 500000))
zboot = bytearray(64)
zboot[0:8] = b'MZ\0\0zimg'
struct.pack_into('<II', zboot, 8, 60, 1 << 31)
zboot[24:29] = b'gzip\0'
write('zboot-outside', zboot)
struct.pack_into('<II', zboot, 8, 0, 64)
write('zboot-not-gzip', zboot)
zboot[24:29] = b'lzma\0'
write('zboot-lzma', zboot)
PYTHON
}

image() { # image STATUS SENTENCE FILE: what loading it ends with
    expect "$1" "$2" run $board load "$files/$3" --limit-insns 200000
}

images() {
    { printf 'MZ\0\0zimg\100\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\nxz'; head -c 100 /dev/zero; } >"$files/zboot"
    image 65 "the zboot payload is neither gzip nor zstd, but '?xz'" zboot
    expect 65 "[cmdline:2] cannot open '$files/none': No such file" run $board load "$files/none"
    config missing.qvmconf "ram 128M
load $files/none"
    expect 65 "[missing.qvmconf:2] cannot open '$files/none': No such file" \
        run "$files/missing.qvmconf"
    expect 65 "is a directory" run $board load "$files"
    image 65 "does not fit into guest memory" huge
    image 64 "the host has no room for the 10995116277760 bytes of '$files/endless'" endless
    expect 65 "more than the 2097152 of a guest's" run $board load "$files/good.elf" \
        $(printf "fdt load $files/large-%s.dtb " 0 1 2 3 4)
    expect 65 "is larger than guest RAM" run $board load "$files/good.elf" \
        initrd load "$files/huge"
    expect 65 "cannot open" run $board load "$files/good.elf" initrd load "$files/none"
    expect 65 "'$files/good.gz' is a second initrd, and the guest is told of one" run $board \
        load "$files/good.elf" initrd load "$files/good.elf" initrd load "$files/good.gz"
    for length in 4 5 16 63; do
        image 65 "the ELF header is truncated" "cut-$length.elf"
    done
    for length in 64 65 100; do
        image 65 "the ELF program headers are outside of the file" "cut-$length.elf"
    done
    image 65 "of the file, is outside of it" "cut-$(($(stat -c %s "$files/good.elf") / 2)).elf"
    # Not an ELF file any more: raw code.
    image 7 "takes the same exception for ever" cut-1.elf
    image 7 "takes the same exception for ever" cut-3.elf
    for name in outside wrap many small; do
        image 65 "the ELF program headers are outside of the file" "headers-$name.elf"
    done
    image 65 "the ELF file has nothing to load" headers-none.elf
    image 65 "bytes at 0xffffffffffffffff of the file, is outside of it" segment-offset.elf
    image 65 "bytes at guest-physical 0xfffffffffffffff0, does not fit into guest memory" segment-address.elf
    image 65 "bytes at guest-physical 0x1000, does not fit into guest memory" segment-hole.elf
    image 65 "an ELF segment, 0xffffffffffffffff bytes at 0x" segment-size.elf
    image 65 "an ELF segment, 0xffffffffffffffff bytes at guest-physical 0x" segment-memory.elf
    image 65 "an ELF segment, 0x10000000000 bytes at guest-physical 0x" segment-memory-large.elf
    image 65 "bytes in the file, which is more than the 0x1 it has in memory" segment-memory-small.elf
    image 7 "takes the same exception for ever" entry-odd.elf
    image 7 "takes the same exception for ever" entry-far.elf
    for name in class32 big-endian x86; do
        image 65 "not a 64-bit little-endian AArch64 ELF file" "$name.elf"
    done
    image 65 "the gzip data ends early" cut.gz
    image 65 "the gzip data is damaged" damaged.gz
    image 65 "the gzip data ends early" only-magic.gz
    image 65 "the file is empty" empty
    image 65 "the kernel (image_size in its header) does not fit" kernel-huge
    image 65 "does not fit into guest memory" kernel-far
    image 65 "the kernel (image_size in its header) does not fit" kernel-wrap
    image 65 "the zboot payload is outside of the file" zboot-outside
    image 65 "gzip" zboot-not-gzip
    image 65 "the zboot payload is neither gzip nor zstd" zboot-lzma
}

# Configurations ------------------------------------------------------------------------------------

conf() { # conf SENTENCE TEXT: a configuration that is refused
    config bad.qvmconf "$2"
    expect 65 "$1" run "$files/bad.qvmconf"
    expect 65 "$1" check "$files/bad.qvmconf"
}

# disk SENTENCE WORDS...: a disk that is refused when its VM is assembled.
disk() {
    local sentence="$1"
    shift
    expect 65 "$sentence" run configs/hello-arm64.qvmconf load "$files/good.elf" "$@"
}

disks() {
    local disk="vdev virtio-blk loc 0x1c0d0000 intr gic:41"
    mkfifo "$files/fifo"
    printf '%07d' 1 >"$files/disk.img"
    disk "[cmdline:4] vdev virtio-blk: hostdev FILE is missing" "$disk"
    disk "'$files/fifo' is no regular file" "$disk hostdev" "$files/fifo"
    disk "'/dev/zero' is no regular file" "$disk hostdev /dev/zero"
    disk "cannot open '$files/none.img'" "$disk hostdev" "$files/none.img"
    disk "hostdev - is no file that has a disk" "$disk hostdev -"
    disk "hostdev >|cat is no file that has a disk" "$disk hostdev" ">|cat"
    disk "delayed soon is neither seconds nor forever" "$disk delayed soon hostdev" "$files/disk.img"
    disk "two disks write to the file '$files/disk.img'" "$disk hostdev" ">$files/disk.img" \
        "vdev virtio-blk loc 0x1c0e0000 intr gic:42 hostdev" ">$files/disk.img"
    # Nor under another name, nor where nothing can be written.
    ln "$files/disk.img" "$files/hard.img"
    disk "another disk writes to '$files/hard.img', here or in another run" "$disk hostdev" ">$files/disk.img" \
        "vdev virtio-blk loc 0x1c0e0000 intr gic:42 hostdev" ">$files/hard.img"
    disk "cannot write to '$qvm': Text file busy" "$disk hostdev" ">$qvm"
    disk "that is where disks are kept" "$disk hostdev" "$files/disk.img" \
        "pass loc 0x50000000,0x1000,rw=0x800000000000"
}

configurations() {
    expect 65 "cannot open '$files/none.qvmconf'" run "$files/none.qvmconf"
    expect 65 "is a directory" run "$files"
    conf "[bad.qvmconf:3] unknown option 'lod'" "system a
ram 128M
lod x"
    conf "[bad.qvmconf:2] unknown vdev type 'nosuch'" "ram 128M
vdev nosuch loc 0x1000"
    conf "[bad.qvmconf:1] '12x' is not a length" "ram 12x"
    conf "does not fit in 64 bits" "ram 0x1ffffffffffffffff"
    conf "is not a multiple of the page size" "ram 1000"
    conf "[bad.qvmconf:1] the length is 0" "ram 0"
    conf "[bad.qvmconf:1] missing argument of 'ram'" "ram"
    conf "[bad.qvmconf:2] ram 0x44000000-0x4bffffff overlaps ram" "ram 0x40000000,128M
ram 0x44000000,128M"
    conf "overlaps ram 0x9000000-0x10ffffff [bad.qvmconf:1]" "ram 0x09000000,128M
vdev pl011 loc 0x09000000 intr gic:33"
    conf "[bad.qvmconf:3] vdev pl031 0x9000000-0x9000fff overlaps vdev pl011" "ram 128M
vdev pl011 loc 0x09000000 intr gic:33
vdev pl031 loc 0x09000000 intr gic:34"
    conf "interrupt line 33 belongs to vdev pl011 already" "ram 128M
vdev pl011 loc 0x09000000 intr gic:33
vdev pl031 loc 0x09010000 intr gic:33"
    conf "[bad.qvmconf:2] unknown interrupt controller 'pic'" "ram 128M
vdev pl011 loc 0x09000000 intr pic:33"
    conf "[bad.qvmconf:2] interrupt line '3' is not in the range" "ram 128M
vdev pl011 loc 0x09000000 intr gic:3"
    conf "[bad.qvmconf:2] vdev pl011 needs 'intr PIC:LINE'" "ram 128M
vdev pl011 loc 0x09000000"
    conf "[bad.qvmconf:1] 'load' before any 'ram' or 'rom'" "load $files/good.elf
ram 0x40000000,128M"
    conf "[bad.qvmconf:2] 'system' must be the first option" "ram 128M
system late"
    conf "[bad.qvmconf:2] more than 8 vCPUs" "ram 128M
cpu cpu cpu cpu cpu cpu cpu cpu cpu"
    conf "[bad.qvmconf:2] priority '0' is not in the range 1 to 255" "ram 128M
cpu sched 0"
    conf "[bad.qvmconf:2] unknown CPU model 'z80'" "ram 128M
set cpu-model z80"
    conf "[bad.qvmconf:2] unknown variable 'nosuch'" "ram 128M
set nosuch on"
    conf "[bad.qvmconf:2]" "ram 128M
set pointer-authentication maybe"
    conf "[bad.qvmconf:1] missing closing double quote" 'cmdline "open'
    conf "[bad.qvmconf:1] environment variable 'QVM_NO_SUCH_VARIABLE' is not set" 'cmdline "$env{QVM_NO_SUCH_VARIABLE}"'
    conf "[bad.qvmconf:2] unknown action 'explode'" "ram 128M
unsupported instruction explode"
    conf "[bad.qvmconf:2] unknown severity 'loud'" "ram 128M
logger loud stderr"
    conf "[bad.qvmconf:1] unknown option 'xxxx" "$(head -c 200000 /dev/zero | tr '\0' 'x')"
    conf "[bad.qvmconf:2] unknown option" "$(printf 'ram 128M\n\x01\xff\xfe')"
    conf "[bad.qvmconf:2] ram 0x100000000000-0x1000000fffff is beyond the 44-bit physical addresses of cpu-model a57" "
ram 0x100000000000,1M"
    conf "[bad.qvmconf:1] ram 0x10000000000-0x100000fffff is beyond the 40-bit physical addresses of cpu-model a53" \
        "ram 0x10000000000,1M set cpu-model a53"
    expect 65 "[cmdline:1] 'traces/hello.qtrace' is no configuration but a trace or snapshot (qvm replay" run traces/hello.qtrace
    expect 65 "good.elf' is no configuration but an ELF file (write \`load FILE\`" run "$files/good.elf"
    config noload.qvmconf "ram 128M"
    expect 65 "nothing to run" run "$files/noload.qvmconf"
    config noram.qvmconf "load $files/good.elf"
    expect 65 "[noram.qvmconf:1] 'load' before any 'ram' or 'rom'" run "$files/noram.qvmconf"
    config muchram.qvmconf "ram 0x40000000,0xf0000000000
load $files/good.elf"
    expect 64 "the host has no room" run "$files/muchram.qvmconf"
}

# Commands ------------------------------------------------------------------------------------------

commands() {
    local port
    expect 2 "usage:"
    expect 2 "unknown command 'nosuch'" nosuch
    expect 2 "unknown option '--nosuch' (qvm --help lists them)" --nosuch
    expect 2 "unknown option '--nosuch'" run $board --nosuch
    expect 2 "unknown option '--nosuch'" run $board --nosuch 1
    expect 2 "--limit-insns wants an argument" run $board --limit-insns
    expect 2 "--limit-insns wants a number, not 'x'" run $board --limit-insns x
    expect 2 "--limit-insns wants a number" run $board --limit-insns -1
    expect 2 "--limit-insns wants a number" run $board --limit-insns 99999999999999999999999
    for port in 0:80 8080:0 8080:70000; do
        expect 2 "--net wants user" run $board --net user,forward=tcp:$port
    done
    expect 2 "--log: 'loud' is not one of" run $board --log loud
    expect 2 "run wants a configuration" run
    expect 2 "record wants -o TRACE" record $board
    expect 2 "record wants a configuration" record -o "$files/x.qtrace"
    expect 2 "replay wants one trace file" replay
    expect 2 "replay wants one trace file" replay a b
    expect 64 "cannot open '$files/none/x.qtrace'" record -o "$files/none/x.qtrace" $board \
        load "$files/good.elf"
    expect 64 "cannot open '$files'" record -o "$files" $board load "$files/good.elf"
    expect 67 "instruction limit reached, vCPU 0 at PC 0x40080008 (vCPU 0 in start+0x8); 100 instr" run $board load $programs/endless.elf \
        --limit-insns 100
    expect 67 "; 1 instruction, 0.000000001 s" run $board load $programs/endless.elf \
        --limit-insns 1
    expect 67 "vCPU 0 at PC 0x40080008 (vCPU 0 in start+0x8 reads pl011 at offset 0x3c again and again); 200 instr" \
        run $board load $programs/poll.elf --limit-insns 200
    expect 67 "(vCPU 0 in start+0x14); 2000000 instr" \
        run $board load $programs/polled.elf --limit-insns 2000000
    expect 67 "time limit reached" run $board load $programs/endless.elf --limit-ns 5000
    expect 67 "limit reached" run $board load $programs/endless.elf --limit-insns 0
    for rate in 1000000 1000000000; do
        expect 67 "virtual time is at its end" \
            run $board load $programs/century.elf set clock-rate $rate
    done
    expect 67 "limit reached" run $board load $programs/endless.elf --limit-ns 0
    expect 2 "'$files/good.elf' exists and is not a trace" record -o "$files/good.elf" $board \
        load "$files/good.elf"
    expect 2 "-o is for record" run -o "$files/new.qtrace" $board load "$files/good.elf"
    if [ -e /dev/full ]; then
        expect 64 "cannot write '/dev/full'" record -o /dev/full $board load "$files/good.elf"
    fi
}

# Whoever asks for a file and does not get all of it is told, and the run goes on.
no_room() {
    printf '#!/bin/sh\nulimit -f 8\nexec %s "$@"\n' "$qvm" >"$files/small"
    chmod +x "$files/small"
    local qvm="$files/small"
    expect 2 "the trace '$files/no-room.qtrace' is not complete" record -o "$files/no-room.qtrace" \
        $board load $programs/exceptions.elf
    expect 67 ".qtrace' is not complete" run $board load $programs/exceptions.elf --limit-insns 1000
    # A disk whose file takes no more is not the end of another's.
    truncate -s 128K "$files/full.img" "$files/other.img"
    expect 2 "'$files/full.img' is not what the guest's disk is" run $board load $programs/vms/disk.elf \
        vdev virtio-blk loc 0x0a003e00 intr gic:79 hostdev ">$files/full.img" \
        vdev virtio-blk loc 0x0a003c00 intr gic:78 hostdev ">$files/other.img" \
        cmdline "at 0x0a003e00 write 128 8 65 at 0x0a003c00 write 0 8 66"
    check "the other disk's file" [ "$(head -c 1 "$files/other.img")" = B ]
    if [ -e /dev/full ]; then
        expect 2 "'/dev/full' is not complete" run ram 0x40000000,4M \
            vdev gic gicd 0x08000000 gicr 0x080a0000 \
            vdev pl011 loc 0x09000000 intr gic:33 hostdev ">/dev/full" load $programs/hello.elf
    fi
}

# Without descriptors 0 to 2 no file of ours becomes one of them.
closed() {
    local trace="$files/closed.qtrace" how
    for how in '>&-' '2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
        printf '#!/bin/sh\nexec %s "$@" %s\n' "$qvm" "$how" >"$files/closed"
        chmod +x "$files/closed"
        rm -f "$trace"
        run "$files/closed" record -o "$trace" $board load $programs/hello.elf
        verdict "recording with $how" "$(catastrophe)"
        expect 0 "powered off" replay "$trace"
        run "$files/closed" run $board load $programs/hello.elf vdev pl011 loc 0x09020000 \
            intr gic:40 hostdev ">$files/device"
        check "a device's file with $how" [ -e "$files/device" -a ! -s "$files/device" ]
    done
}

# What is there already under the name of a file that nobody asked for is left alone.
planted() {
    local folder="$work/planted" now second
    mkdir -p "$folder"
    sed 's/loc 0x09030000/& action dump,terminate/' configs/watchdog-arm64.qvmconf \
        >"$files/biting.qvmconf"
    now="$(date +%s)"
    for second in $(seq $((now - 2)) $((now + 20))); do
        second="watchdog-$(date -d "@$second" +%Y%m%d-%H%M%S)"
        ln -sf "$folder/target" "$folder/$second-0.qtrace"
        ln -sf "$folder/target" "$folder/$second.gcore"
    done
    TMPDIR="$folder" expect 4 "qvm replay $folder/watchdog-" run "$files/biting.qvmconf" \
        dump "$folder"
    check "a trace beside a planted link" [ -n "$(compgen -G "$folder/watchdog-*-1.qtrace")" ]
    check "a dump beside a planted link" [ -n "$(compgen -G "$folder/watchdog-*-1.gcore")" ]
    check "a planted link is not followed" [ ! -e "$folder/target" ]
    rm -rf "$folder"
}

# As little memory as it takes to start, and a bit more, and so on: it runs, or says what is missing.
shortages() {
    local limit
    for limit in 30 45 60 90 120 150 180 210 240 400; do
        printf '#!/bin/sh\nulimit -v %s\nexec %s "$@"\n' $((limit * 1024)) "$qvm" >"$files/short"
        chmod +x "$files/short"
        run "$files/short" --version
        [ $status = 0 ] || continue # not even its libraries are there
        run "$files/short" run $board load $programs/hello.elf
        if [ $status != 0 ]; then
            check "$limit MiB: status $status" [ $status = 64 ]
            check "$limit MiB" grep -q 'the host has no' "$work/err"
        fi
    done
}

# A stranger's machine writes nothing here unless that is allowed.
trust() {
    local word snapshot="$files/stranger.qtrace"
    config stranger.qvmconf "system stranger
ram 0x40000000,4M
vdev gic gicd 0x08000000 gicr 0x080a0000
set semihosting on
load $programs/hello.elf"
    mkdir -p "$files/box"
    for word in "dump $files/box" "dump |cat" "set semihosting $files/box" \
        "set fdt-dump-file $files/box/fdt" \
        "vdev pl011 loc 0x09000000 intr gic:33 hostdev >$files/box/console" \
        "vdev pl011 loc 0x09000000 intr gic:33 hostdev >|cat"; do
        config word.qvmconf "$word"
        run "$qvm" run "$files/stranger.qvmconf" @"$files/word.qvmconf" \
            --save-at insn=20 "$snapshot"
        rm -f "$files/box"/*
        expect 2 "': --trust allows that" run --from "$snapshot"
        check "nothing was written for '$word'" [ -z "$(ls "$files/box")" ]
        expect 0 "powered off" run --from "$snapshot" --trust
    done
}

# Guests --------------------------------------------------------------------------------------------

guests() {
    expect 67 "); 300000 instr" run $board load $programs/endless.elf \
        --limit-insns 300000
    expect 5 "unsupported reference: fetch at PC 0xa800000" run $board unsupported reference abort load $programs/jump.elf \
        --limit-insns 300000
}

# Whatever a guest finds or makes up below its folder: no link is followed, nothing waits, nothing
# large is read.
semihosting() {
    local box="$work/box" outside="$work/outside"
    rm -rf "$box" "$outside"
    mkdir -p "$box/folder" "$outside"
    printf secret >"$outside/secret"
    printf inside >"$box/file"
    printf below >"$box/folder/file"
    truncate -s 100G "$box/sparse"
    mkfifo "$box/fifo"
    ln -s "$outside/secret" "$box/link"
    ln -s "$outside" "$box/way"
    ln -s "$outside/new" "$box/dangling"
    ln -s /dev/zero "$box/zero"
    expect 0 "the guest" record -o "$files/box.qtrace" $board set semihosting "$box" \
        load $programs/vms/opener.elf cmdline "file folder/file none folder link way/secret zero \
fifo sparse +link +way/new +dangling +fifo +folder/new &link &sparse &fifo"
    cat >"$work/wanted" <<'SAID'
file reads inside
folder/file reads below
none: error 02
folder: error 13
link: error 13
way/secret: error 13
zero: error 13
fifo: error 13
sparse: error 27
link is written
way/new is written
dangling is written
fifo is written
folder/new is written
link: error 13
sparse: error 27
fifo: error 13
0 checks passed, 0 failed
SAID
    check "what a guest gets of its folder" diff "$work/wanted" "$work/out"
    check "nothing outside was written" [ "$(cat "$outside"/*)" = secret ]
    check "a large file is left alone" [ "$(stat -c %s "$box/sparse")" = $((100 << 30)) ]
    check "a new file below a folder" [ "$(cat "$box/folder/new")" = "by the guest" ]
    rm -rf "$box"
    expect 0 "the guest" replay "$files/box.qtrace"
    # More files than the first traces could hold.
    mkdir "$box"
    expect 0 "the guest" record -o "$files/box.qtrace" $board set semihosting "$box" \
        load $programs/vms/pulls.elf cmdline 4200
    rm -rf "$box"
    expect 0 "the guest" replay --verify "$files/box.qtrace"
}

# Traces --------------------------------------------------------------------------------------------

traces() {
    local trace="$files/good.qtrace" size
    expect 0 "powered off" record -o "$trace" $board load "$files/good.elf" --digest-every 13
    expect 0 "powered off" replay "$trace"
    size=$(stat -c %s "$trace")
    expect 2 "cannot open '$files/none'" replay "$files/none"
    expect 2 "is a directory" replay "$files"
    expect 2 "this is not a trace file" replay "$files/good.elf"
    expect 2 "this is not a trace file" replay "$files/empty"
    for length in 1 15 16 17 40 100; do
        head -c $length "$trace" >"$files/cut.qtrace"
        expect 2 "trace" replay "$files/cut.qtrace"
    done
    # The prefix that a killed recorder leaves is replayed, as far as it goes.
    for length in $((size - 1)) $((size - 60)) $((size - 200)); do
        head -c $length "$trace" >"$files/cut.qtrace"
        survives "trace cut after $length of $size" replay "$files/cut.qtrace" --limit-insns 200000
    done
    # Nothing was noted yet: neither for ever nor in silence.
    head -c "$(grep -abo DIGS "$trace" | head -n 1 | cut -d : -f 1)" "$trace" >"$files/cut.qtrace"
    expect 67 "it ends where it begins" replay "$files/cut.qtrace"
    expect 0 "powered off" replay "$files/cut.qtrace" --limit-insns 200000
    head -c "$(grep -abo PULL "$trace" | head -n 1 | cut -d : -f 1)" "$trace" >"$files/cut.qtrace"
    expect 2 "the trace ends before the first input of the run" replay "$files/cut.qtrace"
    { cat "$trace"; echo; } >"$files/longer.qtrace"
    expect 2 "trace" replay "$files/longer.qtrace"
    expect 0 "powered off" record --no-images -o "$files/refers.qtrace" $board \
        load "$files/good.elf"
    expect 0 "powered off" replay "$files/refers.qtrace"
    mv "$files/good.elf" "$files/aside.elf"
    survives "trace without its image" replay "$files/refers.qtrace"
    mkfifo "$files/good.elf"
    survives "trace whose image is a FIFO now" replay "$files/refers.qtrace"
    rm "$files/good.elf"
    mv "$files/aside.elf" "$files/good.elf"
}

# A trace that is cut short while its snapshots are read: the dump waits for its reader meanwhile.
cut_short() {
    local trace="$files/cut-short.qtrace" core="$files/core-pipe" dump
    "$qvm" record -o "$trace" --snapshot-every 20000 $board load $programs/exceptions.elf \
        --limit-insns 50000 >/dev/null 2>&1
    rm -f "$core"
    mkfifo "$core"
    { ASAN_OPTIONS="$ASAN_OPTIONS:handle_sigbus=0" limited $seconds "$qvm" dump "$trace" --at 40000 -o "$core" 2>"$work/err" & } 2>/dev/null
    dump=$!
    exec 3<"$core" # it has begun
    : >"$trace"
    cat <&3 >/dev/null
    exec 3<&-
    { wait $dump; } 2>/dev/null
    status=$?
    check "a trace cut short in use: status $status" [ $status = 64 ]
    check "a trace cut short in use" grep -q 'a file was cut short while it was in use' "$work/err"
}

# Every file below is the good one with one byte changed; the places and values are always the same.
corruptions() { # corruptions FILE COUNT SEED
    python3 - "$@" "$files/corrupt" <<'PYTHON'
import random, sys
name, count, seed, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
good, chosen = open(name, 'rb').read(), random.Random(seed)
for i in range(count):
    data = bytearray(good)
    # Half of them where the headers are.
    at = chosen.randrange(min(256, len(data)) if i % 2 else len(data))
    data[at] ^= chosen.randrange(1, 256)
    open('%s-%d' % (out, i), 'wb').write(data)
PYTHON
}

# The same of a trace whose checksums are right again, so that what is inside is believed: bytes of
# chunks that are not compressed.
lies() { # lies TRACE COUNT SEED
    python3 - "$@" "$files/corrupt" <<'PYTHON'
import random, struct, sys, zlib
name, count, seed, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
good, chosen = open(name, 'rb').read(), random.Random(seed)
chunks, at = [], 16
while at < len(good):
    flags, raw, stored = struct.unpack_from('<IQQ', good, at + 4)
    if not flags & 1 and stored and good[at:at + 4] != b'INDX':
        chunks.append((at, stored))
    at += 32 + stored
assert len(chunks) >= 4, 'nothing to lie about'
for i in range(count):
    data = bytearray(good)
    at, stored = chunks[i % len(chunks)]
    data[at + 32 + chosen.randrange(min(stored, 40 if i & 32 else stored))] ^= chosen.randrange(1, 256)
    struct.pack_into('<I', data, at + 24, zlib.crc32(data[at + 32:at + 32 + stored]))
    struct.pack_into('<I', data, at + 28, zlib.crc32(data[at:at + 28]))
    open('%s-%d' % (out, i), 'wb').write(data)
PYTHON
}

random_damage() {
    local i
    # One with inputs: bytes for the UART.
    echo typed | limited $seconds "$qvm" record -o "$files/typed.qtrace" $board \
        load "$files/good.elf" --digest-every 13 >/dev/null 2>&1
    lies "$files/typed.qtrace" 80 5 || verdict "trace with lies" "not made"
    for i in $(seq 0 79); do
        survives "trace, lie $i" replay "$files/corrupt-$i" --limit-insns 200000
    done
    corruptions "$files/good.qtrace" 40 1
    for i in $(seq 0 39); do
        survives "trace, damage $i" replay "$files/corrupt-$i" --limit-insns 200000
    done
    # What is executed of a small file without the ELF format's empty pages.
    corruptions "$files/good.elf" 40 2
    for i in $(seq 0 39); do
        survives "ELF, damage $i" run $board load "$files/corrupt-$i" --limit-insns 200000
    done
    corruptions "$files/good.gz" 20 3
    for i in $(seq 0 19); do
        survives "gzip, damage $i" run $board load "$files/corrupt-$i" --limit-insns 200000
    done
    corruptions $board 40 4
    for i in $(seq 0 39); do
        survives "configuration, damage $i" run "$files/corrupt-$i" load "$files/good.elf" \
            --limit-insns 200000
    done
}

make_files
for qvm in "${binaries[@]}"; do
    images
    configurations
    disks
    commands
    guests
    no_room
    closed
    planted
    shortages
    trust
    semihosting
    traces
    cut_short
    random_damage
done
finish
