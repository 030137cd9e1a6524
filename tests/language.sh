#!/usr/bin/env bash
# language.sh QVM: what the program says about its languages, and what of them only shows in an
# assembled VM: help, canonical forms, docs/vdevs.md, device trees that are merged. Prints each
# failure, and a count.
set -uo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"
[ $# = 1 ] || { echo "usage: language.sh QVM" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
cd "$repository" || exit 2
for tool in dtc fdtget python3 zstd; do
    command -v $tool >/dev/null || { echo "language.sh needs $tool" >&2; exit 2; }
done
. tests/support.sh
trap 'exit 1' HUP INT TERM

# run QVM_WORD...: leaves $status and the files out and err.
run() {
    { limited 30 "$qvm" "$@" >"$work/out" 2>"$work/err" </dev/null; } 2>/dev/null
    status=$?
}

# says STATUS LINE QVM_WORD...: this line is on standard output (status 0) or in standard error.
says() {
    local expected="$1" line="$2" problem=
    shift 2
    run "$@"
    if [ $status != "$expected" ]; then
        problem="status $status instead of $expected: $(tail -n 1 "$work/err")"
    elif [ "$expected" = 0 ] && ! grep -qxF -- "$line" "$work/out"; then
        problem="no line '$line'"
    elif [ "$expected" != 0 ] && ! grep -qF -- "$line" "$work/err"; then
        problem="it does not say '$line' but '$(head -n 1 "$work/err")'"
    fi
    verdict "$*" "$problem"
}

# Help ---------------------------------------------------------------------------------------------

help() {
    local bad name
    run set '?'
    bad="$(head -n -1 "$work/out" | grep -vxE '[a-z0-9-]+ \((boolean|tristate|number|address|string), (global|vdev)\)')"
    [ $status = 0 ] || bad="status $status"
    verdict "set ?" "$bad"
    at_least 15 "$(wc -l <"$work/out")" "variables"
    tail -n 1 "$work/out" | grep -q '^A question' || bad="the last line is '$(tail -n 1 "$work/out")'"
    verdict "the last line of set ?" "$bad"
    bad=
    while read -r name _; do
        grep -qE "^\|.*\`$name\`" docs/configuration.md || bad+="$name is not in docs/configuration.md "
        limited 30 "$qvm" set "$name" '?' 2>&1 | grep "^$name (.*): ." >/dev/null ||
            bad+="set $name ? says nothing "
    done < <(head -n -1 "$work/out")
    verdict "variables are documented" "$bad"
    bad=
    run '?'
    at_least 30 "$(grep -cE '^ {0,2}[a-z]+' "$work/out")" "options"
    for name in $(grep -oE '^ {0,2}[a-z]+' "$work/out"); do
        [ "$name" = s ] || grep -qE "^\|.*\`(\[TYPE\] )?${name}[ \`]" docs/configuration.md ||
            bad+="$name is not in docs/configuration.md "
    done
    verdict "options are documented" "$bad"
    run board '?'
    at_least 12 "$(grep -cE '^ {0,2}[a-z]+' "$work/out")" "options of boards"
    for name in $(grep -oE '^ {0,2}[a-z]+' "$work/out"); do
        grep -qE "^\| \`$name " docs/boards.md || bad+="$name is not in docs/boards.md "
    done
    verdict "options of boards are documented" "$bad"
    run vdev '?'
    bad="$(grep -v '^not available' "$work/out" | while read -r name _; do
        limited 30 "$qvm" vdev "$name" '?' | grep "^vdev $name: ." >/dev/null || echo "$name "
    done)"
    verdict "vdev TYPE ?" "$bad"
    at_least 12 "$(grep -vc '^not available' "$work/out")" "types of devices"
    says 2 "there is no option 'cpux' (did you mean 'cpu'?)" cpux '?'
    says 2 "there is no variable 'cpu-mode' (did you mean 'cpu-model'?)" set cpu-mode '?'
    says 2 "there is no vdev type 'pl01' (did you mean 'pl011'?)" vdev pl01 '?'
    says 2 "vdev type 'hpet' is not available in this version (x86 guests only)" vdev hpet '?'
    says 2 "'?' explains an option" cpu sched '?'
}

vdevs() {
    run vdev '?' --markdown
    local problem
    problem="$(diff -u docs/vdevs.md "$work/out" | head -n 20)"
    [ -z "$problem" ] || problem="it differs from what 'qvm vdev ? --markdown >docs/vdevs.md' makes:
$problem"
    verdict docs/vdevs.md "$problem"
}

# Canonical forms ----------------------------------------------------------------------------------

idempotent() { # idempotent FILE
    run fmt "$1"
    local suffix="${1##*.}" problem=
    cp "$work/out" "$work/first.$suffix"
    [ $status = 0 ] || problem="status $status: $(head -n 1 "$work/err")"
    run fmt "$work/first.$suffix"
    cmp -s "$work/out" "$work/first.$suffix" || problem="${problem:-fmt of the canonical form differs}"
    verdict "fmt $1" "$problem"
}

forms() {
    local file
    local files=(configs/*.qvmconf configs/boards/*.board tests/forms/*.qvmconf)
    at_least 25 ${#files[@]} "configurations"
    for file in "${files[@]}"; do
        idempotent "$file"
    done
    says 2 "fmt wants a configuration file" fmt
    says 65 "unknown option 'rum'" fmt configs/test-arm64.qvmconf rum
    printf 'ram 0x40000000,64M pass loc $asinfo_start{uart1},$asinfo_length{uart1},rwn\n' >"$work/a.qvmconf"
    says 0 "pass loc mem:0x1c0a0000,0x1000,rwn" fmt --board configs/boards/two-clusters.board "$work/a.qvmconf"
    says 65 "board 'x86' has no asinfo entry 'uart1' (it has guestmem1)" fmt --board configs/boards/x86.board "$work/a.qvmconf"
    says 65 "no asinfo entry 'uart1': there is no board file" fmt "$work/a.qvmconf"
    # A VM without a file.
    says 65 "nothing to run" ram 0x40000000,64M
    says 65 "nothing to run" run 'ram 0x40000000,64M cpu'
}

# Device trees -------------------------------------------------------------------------------------

cat >"$work/vm.qvmconf" <<'QVMCONF'
ram 0x80000000,64M
vdev pl011 loc 0x1c090000 intr gic:37 name tty
vdev exit loc 0x1c0b0000 name end
dryrun
QVMCONF

# tree NAME TEXT: the file NAME.dtb with this below the root.
tree() {
    printf '/dts-v1/;\n/ {\n#address-cells = <2>;\n#size-cells = <2>;\n%s\n};\n' "$2" >"$work/$1.dts"
    dtc -f -q -I dts -O dtb -o "$work/$1.dtb" "$work/$1.dts" 2>/dev/null || verdict "$1.dts" "dtc refuses it"
}

merge() { # merge NAME: the file out.dtb
    rm -f "$work/out.dtb"
    run run "$work/vm.qvmconf" fdt load "$work/$1.dtb" set fdt-dump-file "$work/out.dtb"
    [ $status = 0 ] || verdict "fdt load $1.dtb" "status $status: $(head -n 1 "$work/err")"
}

is() { # is TYPE NODE PROPERTY VALUE: in out.dtb
    local got
    got="$(fdtget -t "$1" "$work/out.dtb" "$2" "$3" 2>&1)"
    [ "$got" = "$4" ] && got= || got="'$got' instead of '$4'"
    verdict "$2 $3" "$got"
}

absent() { # absent NODE
    fdtget -p "$work/out.dtb" "$1" >/dev/null 2>&1 && verdict "$1" "it is still there" || verdict "$1" ""
}

refused() { # refused NAME SENTENCE
    says 65 "$2" run "$work/vm.qvmconf" fdt load "$work/$1.dtb"
}

good_trees() {
    tree all '
    model = "A board";
    serial-number = "17";
    interrupt-parent = <&gic>;
    aliases { serial9 = &uart; intc = "/interrupt-controller@8000000"; core = "/cpus/cpu@1"; };
    chosen { rng-seed = <1 2>; acme,note = <1 2>; stdout-path = "/soc"; linux,initrd-start = <5>; };
    cpus { #address-cells = <1>; #size-cells = <0>; boot: cpu@0 { reg = <0>; }; cpu@1 { reg = <1>; }; };
    psci { compatible = "arm,psci"; method = "smc"; };
    memory@80000000 { device_type = "memory"; reg = <0 0x80000000 0 0x1000>; };
    timer0 { compatible = "x", "arm,armv8-timer"; };
    gic: interrupt-controller@8000000 { qvm,vdev = "gic"; #interrupt-cells = <3>; its: its { }; };
    osc: osc { compatible = "fixed-clock"; #clock-cells = <0>; clock-frequency = <1000>; };
    iommu: iommu { #iommu-cells = <1>; };
    serial@1c090000 { clock-frequency = <7>; reg = <0 0 0 0>; inner { }; };
    soc {
        #address-cells = <2>; #size-cells = <2>; ranges;
        gpio: gpio@20000000 {
            #gpio-cells = <2>; gpio-controller; ngpios = <8>;
            interrupts-extended = <&gic 0 9 4>, <&gic 0 10 4>;
            hog { gpio-hog; gpios = <3 0>; };
            console: console { qvm,vdev = "tty"; child { }; };
        };
        uart: serial@20001000 {
            clocks = <&osc>, <&osc>; reset-gpios = <&gpio 4 1>, <0>; vcc-supply = <&osc>;
            friend-supply = <&console>; acme,own = <&gic &osc &gpio &console>; cpu = <&boot>; pinctrl-0 = <&osc &gpio>; iommus = <&iommu 5>;
        };
        pci {
            #address-cells = <3>; #interrupt-cells = <1>;
            interrupt-map = <0 0 0 1 &gic 0 0 0 12 4>, <0 0 0 2 &gic 0 0 0 13 4>;
            iommu-map = <0 &iommu 0 8>, <8 &iommu 8 8>; msi-map = <0 &osc 0 8>;
        };
    };'
    merge all
    local gic clock
    gic="$(fdtget -t x "$work/out.dtb" /intc@2f000000 phandle)"
    clock="$(fdtget -t x "$work/out.dtb" /apb-pclk phandle)"
    # What the VM's own tree says stays.
    is s / model QVM-v8A
    is x / interrupt-parent "$gic"
    is x /serial@1c090000 clocks "$clock $clock"
    is x /memory@80000000 reg "0 80000000 0 4000000"
    is s /psci method hvc
    is s /chosen stdout-path /serial@1c090000
    is x /serial@1c090000 reg "0 1c090000 0 1000"
    absent /timer0
    absent /cpus/cpu@1
    # What it does not say is added.
    is s / serial-number 17
    is x /chosen acme,note "1 2"
    is x /serial@1c090000 clock-frequency 7
    is s /osc compatible fixed-clock
    is s /aliases serial9 /soc/serial@20001000
    is s /aliases intc /intc@2f000000
    fdtget "$work/out.dtb" /chosen linux,initrd-start >/dev/null 2>&1 &&
        verdict "linux,initrd-start of a board" "it is still there"
    fdtget "$work/out.dtb" /aliases core >/dev/null 2>&1 &&
        verdict "an alias of a replaced node" "it is still there"
    # Aliases of vdevs are gone, and references to them are to the VM's nodes.
    absent /interrupt-controller@8000000
    absent /soc/gpio@20000000/console
    is x /soc/gpio@20000000 interrupts-extended "$gic 0 9 4 $gic 0 a 4"
    is x /soc/pci interrupt-map "0 0 0 1 $gic 0 0 0 c 4 0 0 0 2 $gic 0 0 0 d 4"
    local osc gpio tty cpu iommu
    osc="$(fdtget -t x "$work/out.dtb" /osc phandle)"
    gpio="$(fdtget -t x "$work/out.dtb" /soc/gpio@20000000 phandle)"
    tty="$(fdtget -t x "$work/out.dtb" /serial@1c090000 phandle)"
    cpu="$(fdtget -t x "$work/out.dtb" /cpus/cpu@0 phandle)"
    iommu="$(fdtget -t x "$work/out.dtb" /iommu phandle)"
    is x /soc/serial@20001000 clocks "$osc $osc"
    is x /soc/serial@20001000 reset-gpios "$gpio 4 1 0"
    is x /soc/serial@20001000 vcc-supply "$osc"
    is x /soc/serial@20001000 friend-supply "$tty"
    is x /soc/serial@20001000 cpu "$cpu"
    is x /soc/serial@20001000 acme,own "$gic $osc $gpio $tty"
    is x /soc/serial@20001000 pinctrl-0 "$osc $gpio"
    is x /soc/serial@20001000 iommus "$iommu 5"
    is x /soc/pci iommu-map "0 $iommu 0 8 8 $iommu 8 8"
    is x /soc/pci msi-map "0 $osc 0 8"
    is x /soc/gpio@20000000/hog gpios "3 0"
    is i /soc/gpio@20000000 ngpios 8
    # All different, and not those of the VM's own nodes.
    local numbers
    numbers="$(printf '%s\n' "$gic" "$clock" "$osc" "$gpio" "$tty" "$cpu" "$iommu" | sort -u | wc -l)"
    [ "$numbers" = 7 ] && numbers= || numbers="$numbers instead of 7"
    verdict "different phandles" "$numbers"

    # An interrupt controller of the user's own: what its root says goes with its nodes.
    tree other 'interrupt-parent = <&pic>; pic: pic { #interrupt-cells = <1>; interrupt-controller; };
    dev { interrupts = <5>; }; both { interrupt-parent = <&gic>; }; gic: gic { qvm,vdev = "gic"; };'
    merge other
    is x / interrupt-parent "$(fdtget -t x "$work/out.dtb" /intc@2f000000 phandle)"
    is x /dev interrupt-parent "$(fdtget -t x "$work/out.dtb" /pic phandle)"
    is x /both interrupt-parent "$(fdtget -t x "$work/out.dtb" /intc@2f000000 phandle)"
    # Two trees, and the interrupt controller by another name.
    tree first 'a: a { }; b { memory-region = <&a>; };'
    tree second 'a: c { }; d { memory-region = <&a>; interrupt-parent = <&gic>; }; gic: g { qvm,vdev = "pic"; };'
    run run "$work/vm.qvmconf" vdev gic name pic fdt load "$work/first.dtb" fdt load 0x82000000,"$work/second.dtb" set fdt-dump-file "$work/out.dtb"
    is x /b memory-region "$(fdtget -t x "$work/out.dtb" /a phandle)"
    is x /d memory-region "$(fdtget -t x "$work/out.dtb" /c phandle)"
    is x /d interrupt-parent "$(fdtget -t x "$work/out.dtb" /intc@2f000000 phandle)"
    # Numbers stay in the first tree, those of the VM get out of the way; the second gives way, too.
    tree high 'a { phandle = <1>; }; b { phandle = <2>; }; c { phandle = <0x10>; acme,own = <1 2 0x10>; };'
    tree same 'd: d { phandle = <1>; }; e { memory-region = <&d>; };'
    run run "$work/vm.qvmconf" fdt load "$work/high.dtb" fdt load "$work/same.dtb" set fdt-dump-file "$work/out.dtb"
    is x /a phandle 1
    is x /c phandle 10
    is x /e memory-region "$(fdtget -t x "$work/out.dtb" /d phandle)"
    local all
    all="$(for node in $(fdtget -l "$work/out.dtb" /); do fdtget -t x "$work/out.dtb" "/$node" phandle 2>/dev/null; done)"
    verdict "all numbers differ" "$(sort <<<"$all" | uniq -d)"
    is x / interrupt-parent "$(fdtget -t x "$work/out.dtb" /intc@2f000000 phandle)"
    # A root that counts cells otherwise.
    printf '%s\n' '/dts-v1/; / { #address-cells = <1>; #size-cells = <1>; x@5000 { reg = <0x5000 0x100 0x6000 0x10>; };
        bus { #address-cells = <1>; #size-cells = <1>; ranges = <0x7000 0xf000 0x1000>; dma-ranges = <0 0x8000 0x10>;
            y@7000 { reg = <0x7000 1>; }; };
        plain { ranges; };
        reserved-memory { #address-cells = <1>; #size-cells = <1>; ranges; r@9000 { reg = <0x9000 0x1000>; };
            pool { size = <0x2000>; alignment = <0x1000>; alloc-ranges = <0x80000000 0x10000>; }; }; };' |
        dtc -f -q -I dts -O dtb -o "$work/one.dtb"
    merge one
    is x /x@5000 reg "0 5000 0 100 0 6000 0 10"
    is x /bus ranges "7000 0 f000 1000"
    is x /bus dma-ranges "0 0 8000 10"
    is x /bus/y@7000 reg "7000 1"
    is x /reserved-memory "#size-cells" 2
    is x /reserved-memory/r@9000 reg "0 9000 0 1000"
    is x /reserved-memory/pool size "0 2000"
    is x /reserved-memory/pool alloc-ranges "0 80000000 0 10000"
    printf '%s\n' '/dts-v1/; / { #address-cells = <2>; #size-cells = <1>; x@5000 { reg = <1 0x5000 0x100>; };
        bus { #address-cells = <1>; #size-cells = <1>; ranges = <0x7000 0 0xf000 0x1000>; }; };' |
        dtc -f -q -I dts -O dtb -o "$work/one.dtb"
    merge one
    is x /x@5000 reg "1 5000 0 100"
    is x /bus ranges "7000 0 f000 1000"
    # A device of the board is described by the user's tree, or else by its model.
    local words=(run --board configs/boards/two-clusters.board "$work/vm.qvmconf"
        pass loc 0x1c0a0000,0x1000,rwn intr gic:38 set fdt-dump-file "$work/out.dtb")
    run "${words[@]}"
    is x /serial@1c0a0000 interrupts "0 6 4"
    tree uart 'soc { uart@1c0a0000 { clock-frequency = <9>; }; };'
    run "${words[@]}" fdt load "$work/uart.dtb"
    is i /soc/uart@1c0a0000 clock-frequency 9
    absent /serial@1c0a0000
}

bad_trees() {
    tree no-vdev 'x { qvm,vdev = "nosuch"; };'
    refused no-vdev "[cmdline:3] '$work/no-vdev.dtb': 'qvm,vdev' of node '/x': the VM has no vdev of the name 'nosuch'"
    tree unnamed 'x { qvm,vdev = "pl011"; };'
    refused unnamed "the VM has no vdev of the name 'pl011'"
    tree no-node 'x { qvm,vdev = "end"; };'
    run run "$work/vm.qvmconf" fdt load "$work/no-node.dtb"
    [ $status = 0 ] || refused no-node "vdev 'end' has no node in the VM's tree"
    tree no-string 'x { qvm,vdev = <1 2>; };'
    refused no-string "'qvm,vdev' of node '/x' is not a string"
    tree cells 'gic: x { qvm,vdev = "gic"; #interrupt-cells = <1>; }; d { interrupts-extended = <&gic 5>; };'
    refused cells "'interrupts-extended' of node '/d' refers to a node with #interrupt-cells = <1>, which is 3 in the VM"
    tree no-cells 'o: x { }; d { clocks = <&o>; };'
    refused no-cells "'clocks' of node '/d' refers to a node without #clock-cells"
    tree short 'gic: x { qvm,vdev = "gic"; }; d { interrupts-extended = <&gic 0 5>; };'
    refused short "'interrupts-extended' of node '/d' ends in the middle of an entry"
    tree nobody 'd { interrupt-parent = <77>; };'
    refused nobody "'interrupt-parent' of node '/d' refers to phandle 0x4d, which no node has"
    tree replaced 'cpus { one: cpu@100 { }; }; d { interrupt-affinity = <&one>; };'
    refused replaced "'interrupt-affinity' of node '/d' refers to node '/cpus/cpu@100', which the VM's own tree replaces"
    tree odd 'd { clocks = [01 02 03]; };'
    refused odd "'clocks' of node '/d' is not a list of cells"
    tree twice 'a { phandle = <5>; }; b { linux,phandle = <5>; };'
    refused twice "have the same phandle"
    tree nothing 'a { phandle = <0>; };'
    refused nothing "the phandle of node '/a' is not one"
    tree overlay '__fixups__ { };'
    refused overlay "it is an overlay (it has __fixups__); a complete tree is needed"
    printf '/dts-v1/; /plugin/; &{/} { acme { status = "okay"; }; };' | dtc -f -q -I dts -O dtb -o "$work/plugin.dtb"
    refused plugin "it is an overlay (it has __overlay__); a complete tree is needed"
    tree fit 'images { }; configurations { };'
    refused fit "it is a FIT image of U-Boot"
    tree last 'a { phandle = <0xfffffffe>; }; b { phandle = <1>; };'
    refused last "its phandles leave no numbers for those of the VM's nodes"
    printf '/dts-v1/; / { #address-cells = <3>; #size-cells = <1>; };' | dtc -f -q -I dts -O dtb -o "$work/wide.dtb"
    refused wide "its root has #address-cells = <3>, #size-cells = <1>: the VM's has room for 2 and 2"
    printf '/dts-v1/; / { #address-cells = <1>; #size-cells = <1>; x { reg = <1>; }; };' | dtc -f -q -I dts -O dtb -o "$work/odd-reg.dtb"
    refused odd-reg "'reg' of node '/x' is no list of entries of 8 bytes"
    python3 -c 'print("a { " * 70 + "};" * 70)' >"$work/deep"
    tree deep "$(cat "$work/deep")"
    refused deep "its nodes are nested deeper than 63"
    python3 -c 'print("d { x = [%s]; };" % ("00" * 600000))' >"$work/large"
    tree large "$(cat "$work/large")"
    refused large "larger than 512 KiB"
    : >"$work/empty.dtb"
    refused empty "not a flattened device tree of version 17 (FDT_ERR_TRUNCATED)"
    head -c 300 "$work/all.dtb" >"$work/cut.dtb"
    refused cut "not a flattened device tree of version 17 (FDT_ERR_"
    # What libfdt itself does not survive: a length that leads back to itself, and an old version.
    python3 - "$work" <<'PYTHON'
import struct, sys
folder = sys.argv[1]
data = bytearray(open(folder + '/other.dtb', 'rb').read())
at = data.index(struct.pack('>II', 3, 4)) + 4
struct.pack_into('>I', data, at, 0xfffffff4)
open(folder + '/back.dtb', 'wb').write(data)
data = bytearray(open(folder + '/other.dtb', 'rb').read())
struct.pack_into('>II', data, 0x14, 2, 1)
open(folder + '/old.dtb', 'wb').write(data)
PYTHON
    refused back "not a flattened device tree of version 17 (FDT_ERR_BADSTRUCTURE)"
    refused old "not a flattened device tree of version 17 (FDT_ERR_BADVERSION)"
    refused none "cannot open '$work/none.dtb'"
    says 65 "does not fit at 0x83fffff0" run "$work/vm.qvmconf" fdt load "0x83fffff0,$work/all.dtb"
    says 65 "[cmdline:3] 'acpi load' is for x86 guests; this one has a device tree ('fdt load')" \
        run "$work/vm.qvmconf" acpi load "$work/all.dtb"
}

# One byte changed, always the same ones: a tree or a sentence, and never a signal.
damaged_trees() {
    python3 - "$work/all.dtb" "$work/damaged" 150 <<'PYTHON'
import random, sys
good, chosen = open(sys.argv[1], 'rb').read(), random.Random(7)
for i in range(int(sys.argv[3])):
    data = bytearray(good)
    data[chosen.randrange(64 if i % 5 == 0 else len(data))] ^= 1 << chosen.randrange(8)
    open('%s-%d.dtb' % (sys.argv[2], i), 'wb').write(data)
PYTHON
    local i problem
    for i in $(seq 0 149); do
        run run "$work/vm.qvmconf" fdt load "$work/damaged-$i.dtb"
        problem=
        [ $status = 0 ] || { [ $status = 65 ] && [ "$(wc -l <"$work/err")" = 1 ]; } ||
            problem="status $status: $(tail -n 1 "$work/err")"
        verdict "damaged tree $i" "$problem"
    done
}

# Images -------------------------------------------------------------------------------------------

# where: an arm64 Image that prints its own address and powers off; code: the same without a header.
make_images() {
    python3 - "$work" <<'PYTHON'
import bz2, gzip, lzma, struct, sys
folder = sys.argv[1]

def write(name, data):
    open(folder + '/' + name, 'wb').write(data)

# adr x5,_start; movz x1,#0x900,lsl #16; mov x6,#60
# 1: lsr x7,x5,x6; and x7,x7,#15; cmp x7,#10; add x8,x7,#48; add x9,x7,#87; csel x8,x8,x9,lo
#    str w8,[x1]; subs x6,x6,#4; b.ge 1b
# mov w2,#10; str w2,[x1]; movz w0,#0x8400,lsl #16; movk w0,#8; hvc #0
words = bytes.fromhex('10fffe05 d2a12001 d2800786 9ac624a7 92400ce7 f10028ff 9100c0e8 91015ce9 '
    '9a893108 b9000028 f10010c6 54ffff0a 52800142 b9000022 52b08000 72800100 d4000002')
words = b''.join(words[i:i + 4][::-1] for i in range(0, len(words), 4))

def image(flags=0, pe=0, size=0):
    header = struct.pack('<IIQQQQQQ', 0x14000010, 0, 0, size, flags, 0, 0, 0) + b'ARM\x64'
    return header + struct.pack('<I', pe) + words

write('where', image())
code = bytearray(image())
code[0x38:0x3c] = bytes(4)
write('code', code)
write('where.gz', gzip.compress(image()))
for name, flags in (('4k', 2), ('16k', 4), ('64k', 6)):
    write('where-' + name, image(flags))
write('where.xz', lzma.compress(image()))
write('where.lzma', lzma.compress(image(), format=lzma.FORMAT_ALONE))
write('where.bz2', bz2.compress(image()))
write('where.lz4', bytes.fromhex('04224d18') + bytes(60))
write('where-l.lz4', bytes.fromhex('02214c18') + bytes(60))
write('uimage', bytes.fromhex('27051956') + bytes(60) + image())
write('android', b'ANDROID!' + bytes(4096))
write('rootfs', b'070701' + bytes(200))
write('zimage', bytes(0x24) + bytes.fromhex('18286f01') + bytes(100))
write('zeros', bytes(16 << 20))
write('text', b'#!/bin/sh\nexec true\n')
# A PE header at 256 whose only section ends at 1 MiB.
header = bytearray(image(pe=256, size=1 << 20).ljust(256, b'\0'))
header[0:2] = b'MZ'
header += b'PE\0\0' + struct.pack('<HHIIIHH', 0xaa64, 1, 0, 0, 0, 0, 0)
header += b'.text\0\0\0' + struct.pack('<IIIIIIHHI', 0, 0, (1 << 20) - 512, 512, 0, 0, 0, 0, 0)
write('cut', header.ljust(1 << 19, b'\0'))
header[0x38:0x3c] = bytes(4)
write('efi', header)
PYTHON
    zstd -q -c "$work/where" >"$work/where.zst"
}

cat >"$work/board.qvmconf" <<'QVMCONF'
ram 0x40000000,16M
vdev gic gicd 0x08000000 gicr 0x080a0000
vdev pl011 loc 0x09000000 intr gic:33 hostdev >-
QVMCONF

# starts ADDRESS WORD...: the guest image of this VM prints that it is there.
starts() {
    local line
    line="$(printf '%016x' "$1")"
    shift
    says 0 "$line" run --limit-insns 100000 "$work/board.qvmconf" "$@"
}

images() {
    local file
    make_images
    starts 0x40080000 load "$work/where"
    starts 0x40080000 load "$work/where.gz"
    starts 0x40080000 load "$work/where.zst"
    starts 0x40000000 load "$work/code"
    starts 0x40010000 load "0x40010000,$work/code"
    # A second raw file and a tree do not go over the first; a kernel goes behind what is there.
    starts 0x40000000 load "$work/code" load "$work/first.dtb" load "$work/code" data load "$work/rootfs"
    starts 0x40280000 data load "0x40080000,$work/code" load "$work/where"
    starts 0x40080000 load "$work/where" load "$work/first.dtb" set fdt-dump-file "$work/out.dtb"
    is x /b memory-region "$(fdtget -t x "$work/out.dtb" /a phandle)"
    says 65 "does not fit into guest memory beside what was loaded before" run "$work/board.qvmconf" \
        load "$work/code" load "$work/zeros"
    # Memory that is passed.
    printf 'board b\ncpus 8\nram 0x80000000,1G\nregion a 0xa0000000,64M\nregion b 0x90000000,32M\n' >"$work/b.board"
    says 0 00000000a0080000 run --limit-insns 100000 --board "$work/b.board" \
        vdev gic gicd 0x08000000 gicr 0x080a0000 vdev pl011 loc 0x09000000 intr gic:33 hostdev '>-' \
        pass loc 0xa0000000,64M,rwcxm loc '0x90000000,32M,rwcxm' load "$work/where" initrd load "$work/rootfs" \
        ram 0xd1c30000,4K data load "0xd1c30000,$work/code" set fdt-dump-file "$work/out.dtb"
    is x /memory@a0000000 reg "0 a0000000 0 4000000"
    is x /memory@90000000 reg "0 90000000 0 2000000"
    is x /chosen linux,initrd-start "0 a3fff000"
    # The guest is told of one initrd, wherever another one goes.
    for address in 0x40400000, ''; do
        says 65 "'$work/code' is a second initrd, and the guest is told of one ('data load' copies a file)" \
            run "$work/board.qvmconf" load "$work/where" initrd load "$address$work/rootfs" \
            initrd load "0x40500000,$work/code"
    done
    # What is none.
    while read -r file line; do
        says 65 "'$work/$file': $line" run "$work/board.qvmconf" load "$work/$file"
        says 65 "'$work/$file': $line" run "$work/board.qvmconf" guest load "$work/$file" dryrun
    done <<'ROWS'
where.xz it is compressed by xz: `xz -dc` unpacks it (`data load` copies a file as it is)
where.lzma it is compressed by lzma: `xz --format=lzma -dc` unpacks it
where.bz2 it is compressed by bzip2: `bzip2 -dc` unpacks it
where.lz4 it is compressed by lz4: `lz4 -dc` unpacks it
where-l.lz4 it is compressed by lz4, as `lz4 -l` does: `lz4 -dc` unpacks it
uimage it is a legacy uImage of U-Boot: behind its first 64 bytes (`tail -c +65`) is the image
android it is an Android boot image: `unpack_bootimg` takes kernel and ramdisk out
rootfs it is a cpio archive: `initrd load` hands it to the guest
zimage it is a zImage of 32-bit Arm: the vCPUs have AArch64
efi it is a program for UEFI or Windows (PE): firmware that runs it is wanted
cut the kernel was cut short: its header says at least 1048576 bytes, the file has 524288
where-16k the kernel has pages of 16 KiB, which cpu-model a57 has not (set cpu-model)
ROWS
    says 65 "'$work/all.dtb': it is a device tree, no guest image: 'fdt load'" \
        run "$work/board.qvmconf" guest load "$work/all.dtb"
    starts 0x40080000 load "$work/where-4k"
    starts 0x40080000 load "$work/where-64k"
    tail -c +65 "$work/uimage" >"$work/unpacked"
    starts 0x40080000 load "$work/unpacked"
    run run --limit-insns 1000 "$work/board.qvmconf" load "$work/text"
    verdict "a text as instructions" "$(grep -q "'$work/text' looks like text, and is loaded as instructions" \
        "$work/err" || head -n 1 "$work/err")"
}

# check --------------------------------------------------------------------------------------------

checks() {
    says 65 "vdev virtio-console: delayed 5x is neither seconds nor forever" check "$work/board.qvmconf" \
        vdev virtio-console loc 0x20000000 intr gic:42 delayed 5x
    says 65 "vdev pl011: delayed x is neither seconds nor forever" check "$work/board.qvmconf" \
        vdev pl011 loc 0x20000000 intr gic:42 delayed x
    says 64 "KiB left for ram" check --board "$work/b.board" ram 0x40000000,2G
    says 65 "both called 'a'" check system a ram 1M + system a ram 1M
    says 0 "  [cmdline:3] debug" check ram 1M debug cpu
    says 0 "  [cmdline:5] pass loc 0xe6055400,0x050,rwn: the guest gets whole pages, 0x1000 bytes at 0xe6055000" \
        check ram 1M pass loc 0xe6055400,0x050,rwn
    says 0 "  [cmdline:2] ram 64M,0x8000000: it starts at 0x4000000 and has 0x8000000 bytes (START is first)" \
        check ram 64M,0x8000000
    run check ram 1M load "$work/nothing"
    verdict "check of an image that is not there" "$([ $status = 0 ] &&
        grep -qxF "[cmdline:3] '$work/nothing' is not there now" "$work/err" || cat "$work/err")"
    says 64 "[cmdline:1] ram of 0xfa000000000 bytes is too much for this host: memory at 0x880000000, 0x7d000800000 bytes: the host has no room" run ram 0x80000000,16000G load x
    says 2 "--entropy wants a number or 'host', not 'foo'" run ram 1M --entropy foo
}

# Misspelt words --------------------------------------------------------------------------------------

# What was meant, of commands and options; words of the language are in tests/unit/test_config_parse.c.
misspelt() {
    while IFS='|' read -r line words; do
        # shellcheck disable=SC2086 # words
        says 2 "qvm: unknown $line" $words
    done <<'ROWS'
command 'rn' (did you mean 'run'?)|rn
command 'reply' (did you mean 'replay'?)|reply
command 'explian' (did you mean 'explain'?)|explian x
command 'fnt' (did you mean 'fmt'?)|fnt
command 'hepl' (did you mean 'help'?)|hepl
command 'zzz' (qvm --help lists them)|zzz
command 'a.qvmconf' (qvm --help lists them): qvm run FILE runs a configuration|a.qvmconf
option '--hepl' (did you mean '--help'?)|--hepl
option '--verison' (did you mean '--version'?)|--verison
option '--hepl' (did you mean '--help'?)|run --hepl
option '--limit-insn' (did you mean '--limit-insns'?)|run ram 1M --limit-insn 5
option '--stat' (did you mean '--stats'?)|replay x --stat
option '--zzz' (qvm --help lists them)|run ram 1M --zzz
ROWS
}

# The recipe of README -------------------------------------------------------------------------------

# block TEXT: the block of README.md that has it.
block() {
    awk -v text="$1" '/^```/ { if (inside && index(all, text)) printf "%s", all; inside = !inside; all = ""; next }
        inside { all = all $0 "\n" }' README.md
}

recipe() {
    mkdir "$work/recipe" "$work/bin"
    block "// hello.c" >"$work/recipe/hello.c"
    block "# hello.qvmconf" >"$work/recipe/hello.qvmconf"
    block "clang --target" >"$work/commands"
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$qvm" >"$work/bin/qvm"
    chmod +x "$work/bin/qvm"
    (cd "$work/recipe" && PATH="$work/bin:$PATH" limited 60 sh -e ../commands) >"$work/out" 2>"$work/err" </dev/null
    verdict "the recipe of README" "$(grep -qx Hello "$work/out" && grep -q '^qvm: the guest powered off;' "$work/err" ||
        tail -n 1 "$work/err")"
}

help
vdevs
forms
good_trees
bad_trees
damaged_trees
images
checks
misspelt
recipe
finish
