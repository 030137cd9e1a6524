#!/usr/bin/env bash
# contained.sh QVM: DMA of devices that guests have of the board. A guest that means ill gets nothing
# through, and the VM beside it is what it would be without it; the rules for `pass` of such devices;
# smmuman's own language. Prints failures, and a count.
set -uo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"
[ $# = 1 ] || { echo "usage: contained.sh QVM" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
cd "$repository" || exit 2
tests/guest/build.sh build/guests/tests || exit 2
. tests/support.sh
trap 'exit 1' HUP INT TERM
guests=build/guests/tests
dma=configs/boards/dma.board
passed_devices=(pass loc "0x0a100000,0x1000,rwd" loc "0x0a200000,0x1000,rwd")

# says STATUS TEXT COMMAND...: ends with it, and says that.
says() {
    local wanted="$1" text="$2" status=0
    shift 2
    limited 60 "$qvm" "$@" >"$work/out" 2>&1 </dev/null || status=$?
    if [ $status != "$wanted" ]; then
        verdict "$*" "status $status instead of $wanted: $(tail -n 1 "$work/out")"
    elif ! grep -qF -- "$text" "$work/out"; then
        verdict "$*" "it does not say '$text' but '$(head -n 3 "$work/out")'"
    else
        verdict "$*" ""
    fi
}

# A guest that means ill, and the one beside it --------------------------------------------------------

cat >"$work/victim.qvmconf" <<END
system victim
ram 0x40000000,16M
set semihosting on
vdev gic gicd 0x08000000 gicr 0x080a0000
load $guests/vms/victim.elf
END

# beside PROGRAM: records it with the victim, and keeps what the victim is at the end.
beside() {
    local end
    says 0 'checks passed, 0 failed' record --exits -o "$work/$1.qtrace" --board $dma \
        configs/test-arm64.qvmconf load "$guests/$1.elf" cpu "${passed_devices[@]}" "$work/victim.qvmconf"
    end="$("$qvm" info --json "$work/$1.qtrace" | sed 's/.*"end":{"instruction":\([0-9]*\).*/\1/')"
    says 0 dumped dump "$work/$1.qtrace" --at "$end" --vm victim -o "$work/$1.core"
}

beside hello
beside attack
says 0 '' replay "$work/attack.qtrace"
says 0 '' replay --exits "$work/attack.qtrace"
# Registers (the two notes of CORE) and memory: notes of ours say when it ran.
for part in 'head -c 1200' 'tail -c +8193'; do
    check "the victim's $part" cmp -s <($part "$work/hello.core") <($part "$work/attack.core")
done
says 0 'smmuman: 3174 accesses of the device at 0xa100000, stream 5, are recorded as refused; the first: F_TRANSLATION: stage 2: write of 0x80000000' \
    replay "$work/attack.qtrace"
says 0 'smmuman: 16 accesses of the device at 0xa200000, stream 6, are recorded as refused; the first: F_TRANSLATION: stage 2: write of 0x80000000' \
    replay "$work/attack.qtrace"

# Explained: where the SMMU's own stream table is, and what stage 2 of the master says to that.
says 0 "smmu0: SMMU_STRTAB_BASE=0x80000000" \
    explain "$work/attack.qtrace" --at 200000 0x80000000 --vm test --stream master
says 0 'refused: F_TRANSLATION: stage 2 level 1: read of 0x80000000' \
    explain "$work/attack.qtrace" --at 200000 0x80000000 --vm test --stream master

# The rules for `pass` ----------------------------------------------------------------------------------

# board NAME WORDS...
board() {
    printf '%s\n' "board $1" 'cpus 2' 'ram 0x80000000,512M' "${@:2}" >"$work/$1.board"
}

# starts STATUS TEXT BOARD WORDS...: the smallest VM with these words, too.
starts() {
    says "$1" "$2" run --board "$work/$3.board" --limit-insns 100000 system one ram 0x40000000,16M \
        vdev gic gicd 0x08000000 gicr 0x080a0000 vdev pl011 loc 0x09000000 intr gic:33 hostdev '>-' \
        load $guests/hello.elf "${@:4}"
}

device='device dma-master name master loc 0x0a100000 intr 80 stream 5 dma on'
smmu='smmu smmu0 loc 0x2b400000 streams 0,256'
alone='device dma-master name master loc 0x0a100000 intr 80 dma on'
uart='device pl011 name uart1 loc 0x1c0a0000 intr 38 hostdev >-'
board plain "$device" "$uart" "$smmu"
board none "$alone" "$uart"
board unknown "$alone" "$smmu"
board used "$device" "$uart" "$smmu" 'smmuman foreground'
# 1: each says whether its devices do DMA, where smmuman is used; and says what is so.
starts 65 "with smmuman it says whether the devices there do DMA: attribute 'd' or 'n'" used \
    pass loc 0x1c0a0000,0x1000,rw
starts 0 'Hello from EL1' used pass loc 0x1c0a0000,0x1000,rwn
starts 0 'Hello from EL1' plain pass loc 0x1c0a0000,0x1000,rw
starts 65 "the device there does DMA: attribute 'd' says that it may" plain pass loc 0x0a100000,0x1000,rw
starts 65 "the device there does no DMA: attribute 'n', not 'd'" plain pass loc 0x1c0a0000,0x1000,rwd
# 2: nothing contains it.
starts 65 'the device there does DMA, and the board has no SMMU to contain it' none \
    pass loc 0x0a100000,0x1000,rwd
# 3: it is not known.
starts 65 'the device there does DMA, and smmuman does not know it: no SMMU of the board has a stream of it' \
    unknown pass loc 0x0a100000,0x1000,rwd
# 4: but for guests that are mapped one to one.
printf '%s\n' 'board unity' 'ram 0x40000000,512M' "$alone" 'region high 0x48000000,64M' \
    'region low 0x40000000,64M' >"$work/unity.board"
unity=(run --board "$work/unity.board" system one vdev gic gicd 0x08000000 gicr 0x080a0000
    vdev pl011 loc 0x09000000 intr gic:33 hostdev '>-')
says 0 'the board has no SMMU to contain it; VM one is mapped one to one and starts all the same' \
    "${unity[@]}" pass loc 0x40000000,16M,rwxm loc 0x0a100000,0x1000,rwd load $guests/hello.elf
check 'it is said once' [ "$(grep -c 'mapped one to one' "$work/out")" = 1 ]
check 'and starts' grep -q 'Hello from EL1' "$work/out"
says 65 'the board has no SMMU to contain it' "${unity[@]}" pass loc 0x40000000,16M,rwxm=0x48000000 \
    loc 0x0a100000,0x1000,rwd load $guests/hello.elf
# 5: the whole RAM of the VM is tests/guest/passed.qvmtest's. 6: one VM has it, and its stream.
says 65 'the device there belongs to VM test: VM victim cannot have it, too' run --board $dma \
    configs/test-arm64.qvmconf load $guests/hello.elf cpu "${passed_devices[@]}" \
    "$work/victim.qvmconf" "${passed_devices[@]}"

# smmuman's language ------------------------------------------------------------------------------------

# told TEXT WORDS...: a board whose *.smmu file has these lines is refused so, at the file's line 2.
told() {
    printf '# line 1\n%s\n' "$2" >"$work/a.smmu"
    board told "$device" 'region frames 0x90000000,16M' "$smmu" "smmuman @$work/a.smmu"
    starts 65 "[a.smmu:2] $1" told
}
told "there is no PCI bus in this version: a device is mmio:ADDR,LEN" 'device pci:0:18.0 foo'
told "'0x0a100000,0x1000' is not mmio:ADDR,LEN" 'device 0x0a100000,0x1000 foo'
told "smmuman: no 'allow' has a set 'foo'" 'device mmio:0x0a100000,0x1000 foo'
told "smmuman: the board has no device with 'dma on' of 0x1000 bytes at 0xa101000" \
    'allow foo 0x90000000,4K device mmio:0x0a101000,0x1000 foo'
told "smmuman: 0x8f000000 to 0x8f000fff is in no 'region' of the board's memory" 'allow foo 0x8f000000,4K'
told "unknown permission 'q' in '0x90000000,4K,rq' (r, w and x)" 'allow foo 0x90000000,4K,rq'
told "the length 0x800 is not a multiple of the page size 0x1000" 'allow foo 0x90000000,2K'
told "missing argument of 'allow' (NAME START,LEN[,PERMS])" 'allow foo'
told "debug level '3' is not in the range 1 to 2" 'debug 3'
told "there is no support for SMMUs of 'smmu-rcar3.so': boards have smmuv3" 'smmu smmu-rcar3.so'
for word in user set use foreach safety; do
    told "'$word' is known by its name alone: what it does is not documented" $word
done
told "unknown option 'alow' (did you mean 'allow'?)" 'alow'
board missing "$smmu" "smmuman @$work/none.smmu"
starts 65 'none.smmu' missing

cat >"$work/b.smmu" <<'END'
foreground smmu smmu-smmuv3.so debug 1 debug 2   # the last one counts
allow frames 0x90000000,64K
allow frames 0x90020000,64K,r
device mmio:0x0a100000,0x1000 frames
reserved mmio:0x0a100000,0x1000 0x90040000,4K
END
board told "$device" "$uart" 'region frames 0x90000000,16M' "$smmu" "smmuman @$work/b.smmu"
says 0 'smmuman "allow frames 0x90020000,0x10000,r"' fmt "$work/told.board"
says 0 'smmuman "foreground smmu smmuv3 debug 2"' fmt "$work/told.board"
cp "$work/out" "$work/again.board"
says 0 'smmuman "reserved mmio:0xa100000,0x1000 0x90040000,0x1000,rw"' fmt "$work/again.board"
check 'it is the same again' cmp "$work/out" "$work/again.board"

# What it lets a device reach: of the frames, what the VM has.
says 0 'checks passed, 0 failed' run --board "$work/told.board" configs/test-arm64.qvmconf cpu \
    load $guests/wider.elf pass loc 0x0a100000,0x1000,rwd loc 0x50000000,4M,rwxm=0x90000000 vdev smmu

finish
