#!/usr/bin/env bash
# import.sh QVM: texts and cores as others write them are imported, judged, explained and compared;
# files that are none are refused with one sentence. Cores of QEMU and gdb on an imported machine are
# tried where those programs are. Prints failures, and a count.
set -uo pipefail
[ $# = 1 ] || { echo "usage: import.sh QVM" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
cd "$(dirname "$0")/.." || exit 2
tests/guest/build.sh build/guests/tests || exit 2
. tests/support.sh
conf=configs/test-arm64.qvmconf

# says STATUS LINE WORDS...: what it prints, or its messages, have that line.
says() {
    local wanted=$1 line=$2 status=0
    shift 2
    limited 100 "$qvm" "$@" >"$work/answer" 2>&1 </dev/null || status=$?
    if [ "$status" != "$wanted" ]; then
        verdict "$*" "status $status instead of $wanted: $(head -n 1 "$work/answer")"
    elif ! grep -qxF -- "$line" "$work/answer"; then
        verdict "$*" "does not say '$line' but: $(head -n 3 "$work/answer")"
    else
        verdict "$*" ""
    fi
}

# Linux, Arm: two vCPUs, a UART, RAM that is mapped when it is used, RAM where the board had a device.
cat >"$work/arm" <<'TEXT'
# tracer: nop
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
 vmm-4321    [002] d....   812.000101: kvm_entry: PC: 0xffff800008010d40
 vmm-4321    [002] .....   812.000345: kvm_exit: TRAP: HSR_EC: 0x0024 (DABT_LOW), PC: 0xffff8000086a1b2c
 vmm-4321    [002] .....   812.000346: kvm_guest_fault: ipa 0x9000000, hsr 0x93830047, hxfar 0xffff80000900d018, pc 0xffff8000086a1b2c
 vmm-4321    [002] .....   812.000350: sched_waking: comm=vmm
 vmm-4321    [002] .....   812.000360: kvm_mmio: mmio write len 4 gpa 0x9000018 val 0x41
 vmm-4321    [002] d....   812.000370: kvm_entry: PC: 0xffff8000086a1b30
 vmm-4321    [002] .....   812.000400: kvm_exit: IRQ: HSR_EC: 0x0000 (UNKNOWN), PC: 0xffff8000086a1b40
 vmm-4322    [003] .....   812.000500: kvm_exit: TRAP: HSR_EC: 0x0016 (HVC64), PC: 0xffff8000086a2004
 vmm-4322    [003] .....   812.000500: kvm_hvc_arm64: HVC at 0xffff8000086a2004 (r0: 0x0000000084000008, imm: 0x0)
 vmm-4322    [003] .....   812.000501: kvm_exit: TRAP: HSR_EC: 0x0024 (DABT_LOW), PC: 0xffff8000086a1b2c
 vmm-4322    [003] .....   812.000502: kvm_guest_fault: ipa 0x40800000, hsr 0x93830047, hxfar 0xffff800009000018, pc 0xffff8000086a1b2c
 vmm-4322    [003] .....   812.000503: kvm_exit: TRAP: HSR_EC: 0x0024 (DABT_LOW), PC: 0xffff8000086a1b2c
 vmm-4322    [003] .....   812.000503: kvm_guest_fault: ipa 0x40800000, hsr 0x93830047, hxfar 0xffff800009000018, pc 0xffff8000086a1b2c
 vmm-4322    [003] .....   812.000503: kvm_mmio: mmio write len 4 gpa 0x40800018 val 0x41
 vmm-4322    [003] .....   812.000504: kvm_exit: TRAP: HSR_EC: 0x0001 (WFI), PC: 0xffff8000086a1b50
 vmm-4322    [003] .....   812.000504: kvm_wfx_arm64: guest executed wfe at: 0xffff8000086a1b50
TEXT
says 0 "qvm: 6 exits (5 of them by the guest) in 18 lines of ftrace; '$work/arm.qtrace' holds them" \
    import "$work/arm" -o "$work/arm.qtrace" $conf cpu cpu
says 0 "qvm: [$work/arm:6] this line and 0 more say nothing about guest exits: skipped" \
    import "$work/arm" -o "$work/arm.qtrace" $conf cpu cpu
says 66 "exit 0 at 812.000345000 s, vcpu 0: your board: Data Abort from a lower Exception level, translation fault, level 3, write of 4 bytes, ipa 0x9000018, gva 0xffff80000900d018, PC 0xffff8000086a1b2c; the model: translation fault, level 1: vdev pl011 answers, register offset 0x18" \
    replay --exits "$work/arm.qtrace"
says 66 "exit 2 at 812.000500000 s, vcpu 1: your board: HVC #0, X0 0x84000008, PC 0xffff8000086a2000; the model: psci answers: SYSTEM_OFF" \
    replay --exits "$work/arm.qtrace"
says 66 "qvm: 6 exits of your board: under this configuration the model gives the same for 3, something else for 2; 1 not judged" \
    replay --exits "$work/arm.qtrace"
says 66 "qvm: first difference: exit 4 at 812.000503000 s, vcpu 1: your board: Data Abort from a lower Exception level, translation fault, level 3, write of 4 bytes, ipa 0x40800018, gva 0xffff800009000018, PC 0xffff8000086a1b2c; the model: no fault: RAM is mapped there (offset 0x800018): the board faulted, the model does not" \
    replay --exits "$work/arm.qtrace"
says 0 "  the model  RAM is mapped there; Linux maps memory when it is first used" \
    explain "$work/arm.qtrace" --exit 3
says 0 "  verdict    the board trapped WFE, the model does not" explain "$work/arm.qtrace" --exit 5
says 2 "qvm: there are 6 exits, from 0: none has number 6" explain "$work/arm.qtrace" --exit 6
says 2 "qvm: these are exits that were seen elsewhere, no recording: qvm replay --exits FILE says what the model gives for them" \
    replay "$work/arm.qtrace"
says 0 "imported-from ftrace arm" info "$work/arm.qtrace"
"$qvm" import "$work/arm" -o "$work/twice.qtrace" $conf cpu cpu 2>/dev/null
verdict "imported twice" "$(cmp "$work/arm.qtrace" "$work/twice.qtrace" 2>&1)"
# Another board: one exit of vCPU 1 differs.
sed 's/ipa 0x40800000, hsr 0x93830047/ipa 0x40900000, hsr 0x93830047/' "$work/arm" >"$work/other"
"$qvm" import "$work/other" -o "$work/other.qtrace" $conf cpu cpu 2>/dev/null
says 66 "first difference: exit 3 of A, vcpu 1: the guest-physical address: A 0x40800018, B 0x40900018" \
    diff "$work/arm.qtrace" "$work/other.qtrace"
says 0 "no difference: 6 exits in A, 6 in B, equal in what both know" \
    diff "$work/arm.qtrace" "$work/arm.qtrace"

# kvm_exit alone: the PC is behind an HVC.
echo " vmm-1 [000] 1.5: kvm_exit: TRAP: HSR_EC: 0x0016 (HVC64), PC: 0x40002000" >"$work/alone"
"$qvm" import "$work/alone" -o "$work/alone.qtrace" $conf 2>/dev/null
says 0 "exit 0 at 1.500000000 s, vcpu 0: your board: HVC, PC 0x40001ffc; the model: psci answers; the function (X0) is not known" \
    replay --exits "$work/alone.qtrace"

# Of two VMs the first.
"$qvm" record -o "$work/two.qtrace" configs/two-vms-a.qvmconf configs/two-vms-b.qvmconf >/dev/null 2>&1
"$qvm" export "$work/two.qtrace" --format ftrace -o "$work/two.txt" 2>/dev/null
"$qvm" import "$work/two.txt" -o "$work/one.qtrace" configs/two-vms-a.qvmconf >"$work/answer" 2>&1
verdict "ftrace of two VMs" "$(grep -q ' lines are about other VMs than the first: skipped' "$work/answer" ||
    cat "$work/answer")"
says 0 "no difference: 6 exits in A, 6 in B, equal in what both know" diff "$work/one.qtrace" "$work/two.qtrace"

# Linux, x86, as perf and ftrace print it.
cat >"$work/x86" <<'TEXT'
 CPU 0/KVM  2201 [001]  5021.123456789: kvm:kvm_exit: reason EPT_VIOLATION rip 0xffffffff8104b7d0 info 181 0
 CPU 0/KVM-2201 (2200) [001] d...  5021.123457: kvm_entry: vcpu 0, rip 0xffffffff8104b7d3
 CPU 1/KVM-2202 (2200) [001] d...  5021.123458: kvm_exit: vcpu 1 reason IO_INSTRUCTION rip 0x7c00 info1 0x3f80003 info2 0x0 intr_info 0x0 error_code 0x0
TEXT
says 0 "qvm: 2 exits (2 of them by the guest) in 3 lines of ftrace; '$work/x86.qtrace' holds them" \
    import "$work/x86" -o "$work/x86.qtrace" $conf
says 0 "qvm: 2 exits of your board: under this configuration the model gives the same for 0, something else for 0; 2 not judged" \
    replay --exits "$work/x86.qtrace"
says 0 '{"number":1,"line":3,"kind":"x86","reason":"IO_INSTRUCTION","vcpu":1,"ns":5021123458000,"pc":31744,"info1":66584579,"info2":0,"model":"nothing: x86 guests are not modelled yet","judged":false,"agrees":true,"differs":null}' \
    replay --exits "$work/x86.qtrace" --json

# traceprinter: cycles, other blanks, another order, numbers for names.
cat >"$work/qnx" <<'TEXT'
TRACEPRINTER version 1.02
TRACE_CYCLES_PER_SEC:: 62500000
t:0x03b9aca0 CPU:00 QVM :GUEST_EXIT  hw_payload:0x0a000000 guest_ip:0xffff000040080238 reason:0x24 status:0
t:0x03b9aca1 CPU:01 CLASS:10 EVENT:1 reason = 0x16 hw_payload = 0x0 guest_ip = 0x4000
TEXT
says 0 "qvm: 2 exits (2 of them by the guest) in 4 lines of traceprinter; '$work/qnx.qtrace' holds them" \
    import "$work/qnx" -o "$work/qnx.qtrace" $conf
says 0 "exit 0 at 1.000000000 s, vcpu 0: your board: Data Abort from a lower Exception level, ipa 0xa000000, PC 0xffff000040080238; the model: translation fault, level 1: nothing is there: unsupported reference ignore" \
    replay --exits "$work/qnx.qtrace"
says 0 "exit 1 at 1.000000016 s, vcpu 0: your board: HVC #0, PC 0x4000; the model: psci answers; the function (X0) is not known" \
    replay --exits "$work/qnx.qtrace"

# The lines name physical CPUs: of a VM with one vCPU every exit is its own.
says 0 "qvm: the lines name physical CPUs, and a vCPU may be on any: CPU N is taken for vCPU N" \
    import "$work/qnx" -o "$work/qnx.qtrace" $conf cpu cpu
says 0 "exit 1 at 1.000000016 s, vcpu 1: your board: HVC #0, PC 0x4000; the model: psci answers; the function (X0) is not known" \
    replay --exits "$work/qnx.qtrace"
sed 's/CPU:01/CPU:05/' "$work/qnx" >"$work/far"
says 0 "qvm: 1 exit is of vCPUs that the VM has not: it has 2 (one \`cpu\` each)" \
    import "$work/far" -o "$work/qnx.qtrace" $conf cpu cpu

# As traceprinter prints it: the whole syndrome, on one line or on several; an exit without one is
# the host's doing, and the address of an abort is not known.
cat >"$work/printed" <<'TEXT'
TRACE_CYCLES_PER_SEC:: 31250000
t:0x4a0f2c10 CPU:00 QVM     :GUEST_ENTER guest_ip:0x0000000080100340
t:0x4a0f2c5a CPU:00 QVM     :CYCLES at_entry:0x000000001203aa00 at_exit:0x000000001203aa48
t:0x4a0f2c60 CPU:00 QVM     :GUEST_EXIT status:0x00000000 hw_reason:0x07e00000 clockcycles_offset:0xffffffffb7f4dda8 guest_ip:0x0000000080100388 payload:0x0000000000000000
t:0x4a0f2d5a CPU:03 QVM     :CYCLES
at_entry:0x000000001203ab00
at_exit:0x000000001203ab48
t:0x4a0f2d60 CPU:03 QVM     :GUEST_EXIT
status:0x00000000
hw_reason:0x623a3016
clockcycles_offset:0xffffffffb7f4dda8
guest_ip:0x0000000080100400
payload:0x0000000000000000
t:0x4a0f2e60 CPU:03 QVM     :GUEST_EXIT status:0x0 hw_reason:0x0 guest_ip:0x80100404 payload:0x0
t:0x4a0f2f60 CPU:03 QVM     :GUEST_EXIT status:0x0 hw_reason:0x93890045 guest_ip:0x80100408 payload:0x8000000
TEXT
says 0 "qvm: 4 exits (3 of them by the guest) in 15 lines of traceprinter; '$work/printed.qtrace' holds them" \
    import "$work/printed" -o "$work/printed.qtrace" $conf
says 0 "exit 0 at 39.760268288 s, vcpu 0: your board: trapped WFI or WFE, PC 0x80100388; the model: WFI: the vCPU waits for an interrupt" \
    replay --exits "$work/printed.qtrace"
says 0 "exit 1 at 39.760276480 s, vcpu 0: your board: trapped MSR, MRS or system instruction, write of S3_0_C12_C11_5, PC 0x80100400; the model: gic answers: S3_0_C12_C11_5" \
    replay --exits "$work/printed.qtrace"
says 0 "qvm: 4 exits of your board: under this configuration the model gives the same for 2, something else for 0; 2 not judged" \
    replay --exits "$work/printed.qtrace"
sed 's/hw_reason:0x07e00000/hw_reason:0x107e00000/' "$work/printed" >"$work/bad"
says 2 "[$work/bad:4] hw_reason 0x107e00000 of a guest exit is no syndrome of Arm (32 bits)" \
    import "$work/bad" -o "$work/no.qtrace" $conf

# Exits that only events of their own show; a wait that may be WFE; an abort without a syndrome.
cat >"$work/own" <<'TEXT'
 <...>-16291 [015] .... 780932.836905: kvm_hvc_arm64: HVC at 0x4098e46c (r0: 0x34f5d91d, imm: 0x5)
 <...>-16291 [015] .... 780932.836929: kvm_hvc_arm64: HVC at 0x4098e2f4 (r0: 0x34f5d91d, imm: 0x3)
 <...>-16291 [015] .... 780932.836932: kvm_hvc_arm64: HVC at 0x4098e31c (r0: 0x84000003, imm: 0x0)
 <...>-16291 [015] .... 780932.836933: kvm_wfx_arm64: guest executed wfi at: 0x4098e320
 <...>-16291 [015] .... 780932.836934: kvm_wfx_arm64: guest executed wfi at: 0x4098e320
 <...>-16291 [015] .... 780932.836935: kvm_mmio: mmio write len 4 gpa 0x9000000 val 0x41
 <...>-16291 [015] .... 780932.836936: kvm_mmio: mmio unsatisfied-read len 4 gpa 0x9000018 val 0x0
 <...>-16291 [015] .... 780932.836937: kvm_mmio: mmio read len 4 gpa 0x9000018 val 0x90
 <...>-16291 [015] .... 780932.836938: kvm_handle_sys_reg: HSR 0x623a3016
 <...>-16291 [015] .... 780932.836939: kvm_exit: TRAP: HSR_EC: 0x0001 (WFx), PC: 0xffff800081070000
TEXT
says 0 "qvm: 9 exits (9 of them by the guest) in 10 lines of ftrace; '$work/own.qtrace' holds them" \
    import "$work/own" -o "$work/own.qtrace" $conf
says 0 "exit 2 at 780932.836932000 s, vcpu 0: your board: HVC #0, X0 0x84000003, PC 0x4098e318; the model: psci answers: CPU_ON" \
    replay --exits "$work/own.qtrace"
says 0 "qvm: 9 exits of your board: under this configuration the model gives the same for 8, something else for 0; 1 not judged" \
    replay --exits "$work/own.qtrace"
says 0 "  the model  nothing: whether it was WFI or WFE is not known" explain "$work/own.qtrace" --exit 8
cat >"$work/nisv" <<'TEXT'
 CPU 0/KVM-3120 [004] ...1. 951.204431: kvm_exit: TRAP: HSR_EC: 0x0024 (DABT_LOW), PC: 0x0000000040086078
 CPU 0/KVM-3120 [004] ....1 951.204432: kvm_guest_fault: ipa 0x9000000, hsr 0x92000045, hxfar 0x9000000, pc 0x0000000040086078
TEXT
"$qvm" import "$work/nisv" -o "$work/nisv.qtrace" $conf 2>/dev/null
says 0 "  the model  translation fault, level 1: vdev pl011 is there (register offset 0x0), and without a syndrome (ISV=0) the instruction decides: it answers loads and stores of general-purpose registers; any other: unsupported instruction fail" \
    explain "$work/nisv.qtrace" --exit 0

# What is none of this.
says 2 "qvm: its first 200 lines are neither of traceprinter nor of ftrace, and it is no ELF core: --format says what it is" \
    import README.md -o "$work/no.qtrace" $conf
says 2 "[README.md:1] no guest exit of format traceprinter in $(wc -l <README.md) lines; this is the first line that says nothing about any" \
    import README.md --format traceprinter -o "$work/no.qtrace" $conf
sed 's/HSR_EC: 0x0016/HSR_EC: 0x/' "$work/arm" >"$work/bad"
says 2 "[$work/bad:10] kvm_exit wants \`TRAP: HSR_EC: 0x.. (NAME), PC: 0x...\`, or x86's \`reason NAME rip 0x...\`" \
    import "$work/bad" -o "$work/no.qtrace" $conf
sed 's/reason:0x24//' "$work/qnx" >"$work/bad"
says 2 "[$work/bad:3] a guest exit wants reason:NUMBER (or hw_reason:NUMBER) and guest_ip:NUMBER" \
    import "$work/bad" -o "$work/no.qtrace" $conf
says 2 "qvm: import wants a configuration behind the file: the one by which the model judges these exits" \
    import "$work/arm" -o "$work/no.qtrace"
says 2 "qvm: --format wants traceprinter, ftrace or core, not 'pcap'" \
    import "$work/arm" --format pcap -o "$work/no.qtrace" $conf
verdict "nothing is left of a refused import" "$(ls "$work/no.qtrace" 2>/dev/null)"

# A core of ours: the machine goes on as the recording did, and dumps again as it was.
says 0 "qvm: vm test after instruction 345000 dumped to '$work/core'" \
    dump traces/translation.qtrace --at 345000 -o "$work/core"
says 0 "qvm: '$work/core.qtrace' holds the guest with 1 vCPU; vcpu 0 is at PC 0x40080d84 (qvm explain, qvm gdb, qvm run --from)" \
    import "$work/core" -o "$work/core.qtrace" $conf
says 0 "  next PC   0x40080d88" explain "$work/core.qtrace" --next
says 2 "qvm: this is a snapshot, no recording: qvm run --from FILE goes on from it" \
    explain "$work/core.qtrace" --exit 0
# The recording is of an older machine, which has less state than what is imported: that goes round.
"$qvm" dump "$work/core.qtrace" --at 345000 -o "$work/now" 2>/dev/null
"$qvm" import "$work/now" -o "$work/now.qtrace" $conf 2>/dev/null
"$qvm" dump "$work/now.qtrace" --at 345000 -o "$work/again" 2>/dev/null
"$qvm" import "$work/core" -o "$work/twice.qtrace" $conf 2>/dev/null
verdict "a core imported twice" "$(cmp "$work/core.qtrace" "$work/twice.qtrace" 2>&1)"
verdict "the core again" "$(cmp "$work/now" "$work/again" 2>&1)"
verdict "explain by the core" "$(diff \
    <("$qvm" explain traces/translation.qtrace --at 345000 0x80002000 --write |
        sed 's/ <memset+0xc>:/:/') \
    <("$qvm" explain "$work/core.qtrace" 0x80002000 --write) | head -n 3)"
"$qvm" run --from "$work/core.qtrace" >"$work/end" 2>&1 </dev/null
verdict "the core goes on" "$(grep -q '^qvm: the guest exited with code 0; 350580 instructions' \
    "$work/end" || tail -n 1 "$work/end")"
says 0 "  FAR_EL1=0x80002000" explain "$work/core.qtrace" 0x80002000 --write
"$qvm" import "$work/core" -o "$work/pc.qtrace" $conf --sysreg PC=0x80000000 2>/dev/null
says 0 "  ELR_EL1   0x80000000" explain "$work/pc.qtrace" --next
"$qvm" import "$work/core" -o "$work/zen.qtrace" $conf set cpu-model max --sysreg CPACR_EL1=0x30000 2>/dev/null
"$qvm" run --from "$work/zen.qtrace" >"$work/end" 2>&1 </dev/null
verdict "CPACR_EL1.ZEN of an import" "$(grep -q '^qvm: the guest exited with code 0; 350580 instructions' \
    "$work/end" || tail -n 1 "$work/end")"
says 2 "qvm: there is no register TTBR7_EL1 of 64 bits" \
    import "$work/core" -o "$work/no.qtrace" $conf --sysreg TTBR7_EL1=1
head -c 8000 "$work/core" >"$work/cut"
says 2 "qvm: '$work/cut' is cut off: its segment 1 ends at byte $(($(stat -c %s "$work/core") - 65536)) of 8000" \
    import "$work/cut" -o "$work/no.qtrace" $conf
says 2 "qvm: '$qvm' is no little-endian ELF64 core" import "$qvm" -o "$work/no.qtrace" $conf
if command -v gdb-multiarch >/dev/null; then
    gdb-multiarch -nx -batch -ex "core $work/core" -ex 'p/x $pc' >"$work/gdb" 2>&1
    verdict "gdb reads the core" "$(grep -qx '$1 = 0x40080d84' "$work/gdb" || tail -n 2 "$work/gdb")"
    gdb-multiarch -nx -batch -ex "target remote | $qvm gdb --pipe $work/core.qtrace" \
        -ex stepi -ex 'p/x $pc' >"$work/gdb" 2>&1
    verdict "gdb on the import" "$(grep -qx '$1 = 0x40080d88' "$work/gdb" || tail -n 2 "$work/gdb")"
fi

# A core of QEMU's, in the middle of a run: registers as its monitor says, no system registers.
if command -v qemu-system-aarch64 >/dev/null; then
    { sleep 0.3; printf 'stop\ninfo registers\ndump-guest-memory %s\nquit\n' "$work/qemu"; } |
        limited 60 qemu-system-aarch64 -M virt,gic-version=3 -nodefaults -cpu cortex-a57 \
            -m 16 -display none -monitor stdio -kernel build/guests/tests/faults.elf \
            >"$work/monitor" 2>&1
    pc="$(grep -ao 'PC=[0-9a-f]*' "$work/monitor" | head -n 1 | sed 's/PC=0*//')"
    says 0 "qvm: '$work/qemu.qtrace' holds the guest with 1 vCPU; vcpu 0 is at PC 0x$pc (qvm explain, qvm gdb, qvm run --from)" \
        import "$work/qemu" -o "$work/qemu.qtrace"
    says 0 "qvm: the core has no system registers: stage 1 is off; --sysreg SCTLR_EL1=0x... and others set them" \
        import "$work/qemu" -o "$work/qemu.qtrace"
    says 0 "    ram 0x40000000,0x1000000" info "$work/qemu.qtrace"
    "$qvm" explain "$work/qemu.qtrace" --next >"$work/next" 2>&1
    verdict "the next instruction of QEMU's core" "$(grep -q "^  executed  0x$pc: " "$work/next" ||
        echo "not at 0x$pc but $(tail -n 2 "$work/next")")"
fi

finish
