#!/usr/bin/env bash
# language.sh QVM: what the program says about its languages, and what of them only shows in an
# assembled VM: help, canonical forms, docs/vdevs.md, device trees that are merged. Prints each
# failure, and a count.
set -uo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"
[ $# = 1 ] || { echo "usage: language.sh QVM" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
cd "$repository" || exit 2
for tool in dtc fdtget python3; do
    command -v $tool >/dev/null || { echo "language.sh needs $tool" >&2; exit 2; }
done
. tests/support.sh
trap 'exit 1' HUP INT TERM

# run QVM_WORD...: leaves $status and the files out and err.
run() {
    { timeout -s KILL 30 "$qvm" "$@" >"$work/out" 2>"$work/err" </dev/null; } 2>/dev/null
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
    tail -n 1 "$work/out" | grep -q '^A question' || bad="the last line is '$(tail -n 1 "$work/out")'"
    verdict "the last line of set ?" "$bad"
    bad=
    while read -r name _; do
        grep -qE "^\|.*\`$name\`" docs/configuration.md || bad+="$name is not in docs/configuration.md "
        timeout -s KILL 30 "$qvm" set "$name" '?' 2>&1 | grep "^$name (.*): ." >/dev/null ||
            bad+="set $name ? says nothing "
    done < <(head -n -1 "$work/out")
    verdict "variables are documented" "$bad"
    bad=
    run '?'
    for name in $(grep -oE '^ {0,2}[a-z]+' "$work/out"); do
        [ "$name" = s ] || grep -qE "^\|.*\`(\[TYPE\] )?${name}[ \`]" docs/configuration.md ||
            bad+="$name is not in docs/configuration.md "
    done
    verdict "options are documented" "$bad"
    run board '?'
    for name in $(grep -oE '^ {0,2}[a-z]+' "$work/out"); do
        grep -qE "^\| \`$name " docs/boards.md || bad+="$name is not in docs/boards.md "
    done
    verdict "options of boards are documented" "$bad"
    run vdev '?'
    bad="$(grep -v '^not available' "$work/out" | while read -r name _; do
        timeout -s KILL 30 "$qvm" vdev "$name" '?' | grep "^vdev $name: ." >/dev/null || echo "$name "
    done)"
    verdict "vdev TYPE ?" "$bad"
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
    for file in configs/*.qvmconf configs/boards/*.board; do
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
    chosen { rng-seed = <1 2>; stdout-path = "/soc"; linux,initrd-start = <5>; };
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
            friend-supply = <&console>; cpu = <&boot>; pinctrl-0 = <&osc &gpio>; iommus = <&iommu 5>;
        };
        pci {
            #address-cells = <3>; #interrupt-cells = <1>;
            interrupt-map = <0 0 0 1 &gic 0 0 0 12 4>, <0 0 0 2 &gic 0 0 0 13 4>;
            iommu-map = <0 &iommu 0 8>, <8 &iommu 8 8>; msi-map = <0 &osc 0 8>;
        };
    };'
    merge all
    # What the VM's own tree says stays.
    is s / model QVM-v8A
    is x / interrupt-parent 1
    is x /memory@80000000 reg "0 80000000 0 4000000"
    is s /psci method hvc
    is s /chosen stdout-path /serial@1c090000
    is x /serial@1c090000 reg "0 1c090000 0 1000"
    absent /timer0
    absent /cpus/cpu@1
    # What it does not say is added.
    is s / serial-number 17
    is x /chosen rng-seed "1 2"
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
    is x /intc@2f000000 phandle 1
    is x /soc/gpio@20000000 interrupts-extended "1 0 9 4 1 0 a 4"
    is x /soc/pci interrupt-map "0 0 0 1 1 0 0 0 c 4 0 0 0 2 1 0 0 0 d 4"
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
    is x /soc/serial@20001000 pinctrl-0 "$osc $gpio"
    is x /soc/serial@20001000 iommus "$iommu 5"
    is x /soc/pci iommu-map "0 $iommu 0 8 8 $iommu 8 8"
    is x /soc/pci msi-map "0 $osc 0 8"
    is x /soc/gpio@20000000/hog gpios "3 0"
    is i /soc/gpio@20000000 ngpios 8
    # All different, and not those of the VM's own nodes.
    local numbers
    numbers="$(printf '%s\n' 1 2 "$osc" "$gpio" "$tty" "$cpu" "$iommu" | sort -u | wc -l)"
    [ "$numbers" = 7 ] && numbers= || numbers="$numbers instead of 7"
    verdict "different phandles" "$numbers"

    # An interrupt controller of the user's own: what its root says goes with its nodes.
    tree other 'interrupt-parent = <&pic>; pic: pic { #interrupt-cells = <1>; interrupt-controller; };
    dev { interrupts = <5>; }; both { interrupt-parent = <&gic>; }; gic: gic { qvm,vdev = "gic"; };'
    merge other
    is x / interrupt-parent 1
    is x /dev interrupt-parent "$(fdtget -t x "$work/out.dtb" /pic phandle)"
    is x /both interrupt-parent 1
    # Two trees, and the interrupt controller by another name.
    tree first 'a: a { }; b { memory-region = <&a>; };'
    tree second 'a: c { }; d { memory-region = <&a>; interrupt-parent = <&gic>; }; gic: g { qvm,vdev = "pic"; };'
    run run "$work/vm.qvmconf" vdev gic name pic fdt load "$work/first.dtb" fdt load 0x82000000,"$work/second.dtb" set fdt-dump-file "$work/out.dtb"
    is x /b memory-region "$(fdtget -t x "$work/out.dtb" /a phandle)"
    is x /d memory-region "$(fdtget -t x "$work/out.dtb" /c phandle)"
    is x /d interrupt-parent 1
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
    printf '/dts-v1/; / { #address-cells = <1>; #size-cells = <1>; };' | dtc -f -q -I dts -O dtb -o "$work/narrow.dtb"
    refused narrow "its root has #address-cells = <1>; the VM's has <2>, so its nodes would be misread"
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
    says 65 "[cmdline:3] 'acpi load' is for x86 guests; an Arm guest has a device tree ('fdt load')" \
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

help
vdevs
forms
good_trees
bad_trees
damaged_trees
finish
