#!/usr/bin/env bash
# questions.sh QVM: asks about the recordings in traces/ (and two of its own) and compares answers.
# Prints failures, and a count. Whoever records traces/ again from other programs has to look here.
set -uo pipefail
[ $# = 1 ] || { echo "usage: questions.sh QVM" >&2; exit 2; }
qvm="$(realpath -e "$1")" || exit 2
cd "$(dirname "$0")/.." || exit 2
tests/guest/build.sh build/guests/tests || exit 2
. tests/support.sh

# WORDS...: output and messages in $work/answer, the exit status in $status. On a slow machine some
# say how far they are.
ask() {
    status=0
    limited 100 "$qvm" "$@" >"$work/answer" 2>&1 </dev/null || status=$?
    sed -i '/^qvm: [a-z]*: at instruction [0-9]*/d' "$work/answer"
}

# answers STATUS WORDS...: the whole answer is what comes in on standard input.
answers() {
    local wanted=$1
    shift
    cat >"$work/wanted"
    ask "$@"
    if [ "$status" != "$wanted" ]; then
        verdict "$*" "status $status instead of $wanted: $(head -n 1 "$work/answer")"
    else
        verdict "$*" "$(diff "$work/wanted" "$work/answer" | head -n 6)"
    fi
}

# says STATUS LINE WORDS...: the answer has that line.
says() {
    local wanted=$1 line=$2
    shift 2
    ask "$@"
    if [ "$status" != "$wanted" ]; then
        verdict "$*" "status $status instead of $wanted: $(head -n 1 "$work/answer")"
    elif ! grep -qxF -- "$line" "$work/answer"; then
        verdict "$*" "does not say '$line' but: $(head -n 3 "$work/answer")"
    else
        verdict "$*" ""
    fi
}

# matches STATUS PATTERN WORDS...: the answer is one such line.
matches() {
    local wanted=$1 pattern=$2
    shift 2
    ask "$@"
    if [ "$status" != "$wanted" ]; then
        verdict "$*" "status $status instead of $wanted: $(head -n 1 "$work/answer")"
    else
        verdict "$*" "$(grep -vx -- "$pattern" "$work/answer" | head -n 3)"
    fi
}

# counts LINES WORDS...
counts() {
    local wanted=$1
    shift
    ask "$@"
    local lines
    lines=$(wc -l <"$work/answer")
    verdict "$*" "$([ "$lines" = "$wanted" ] || echo "$lines lines instead of $wanted")"
}

mmio=traces/mmio.qtrace
at=traces/translation.qtrace
ipi=traces/ipi.qtrace

# What a recording holds.
says 0 "    vdev pl011 loc 0x9000000 intr gic:33 hostdev -" info $mmio
says 0 "pulled wall clock 'wall clock': 1704067200 s since 1970" info $mmio
says 0 "digests: 15, from instruction 10007 to 150105" info $mmio
says 0 "end at instruction 150156, tick 150156, exit status 0: the guest exited with code 0" info $mmio
ask info --json $mmio
verdict "info --json" "$(python3 - "$work/answer" <<'PYTHON'
import json, sys
x = json.load(open(sys.argv[1]))
assert x['end']['instruction'] == 150156 and len(x['digests']) == 15 and not x['truncated']
assert [image['here'] for image in x['images']] == [True]
assert [pull['kind'] for pull in x['pulled']] == ['wall clock', 'file'] and x['pushed'] == []
PYTHON
)" 2>&1

# Guest exits and conditions.
answers 0 exits $mmio --where "handler == gic and write == 1" <<'TEXT'
number=0 insn=48795 vm=test vcpu=0 reason=mmio pc=0x40081450 syndrome=0x93890045 gva=0x8000000 gpa=0x8000000 size=4 write=1 value=0x10 register=none handler=gic result=done
number=1 insn=48797 vm=test vcpu=0 reason=mmio pc=0x40081458 syndrome=0x938a0045 gva=0x8000000 gpa=0x8000000 size=4 write=1 value=0x12 register=none handler=gic result=done
number=38 insn=88212 vm=test vcpu=0 reason=mmio pc=0x4008091c syndrome=0x93880045 gva=0x800043c gpa=0x800043c size=4 write=1 value=0xf0803010 register=none handler=gic result=done
number=45 insn=94393 vm=test vcpu=0 reason=mmio pc=0x400809f8 syndrome=0x93880045 gva=0x800043c gpa=0x800043c size=4 write=1 value=0x0 register=none handler=gic result=done
number=46 insn=94399 vm=test vcpu=0 reason=mmio pc=0x40080a10 syndrome=0x93c98045 gva=0x80061e0 gpa=0x80061e0 size=8 write=1 value=0x80000000 register=none handler=gic result=done
number=51 insn=98515 vm=test vcpu=0 reason=mmio pc=0x40080a90 syndrome=0x93d38045 gva=0x80061e0 gpa=0x80061e0 size=8 write=1 value=0x0 register=none handler=gic result=done
number=100 insn=115738 vm=test vcpu=0 reason=mmio pc=0x40080da4 syndrome=0x93950045 gva=0x800043c gpa=0x800043c size=4 write=1 value=0x0 register=none handler=gic result=done
number=101 insn=116656 vm=test vcpu=0 reason=mmio pc=0x400801ec syndrome=0x93010045 gva=0x800043e gpa=0x800043e size=1 write=1 value=0x80 register=none handler=gic result=done
number=103 insn=118874 vm=test vcpu=0 reason=mmio pc=0x40080244 syndrome=0x93014045 gva=0x800043f gpa=0x800043f size=1 write=1 value=0x40 register=none handler=gic result=done
number=105 insn=121093 vm=test vcpu=0 reason=mmio pc=0x40080254 syndrome=0x93010045 gva=0x7f00043c gpa=0x800043c size=1 write=1 value=0xf0 register=none handler=gic result=done
number=107 insn=122399 vm=test vcpu=0 reason=mmio pc=0x40080e98 syndrome=0x93950045 gva=0x800043c gpa=0x800043c size=4 write=1 value=0x0 register=none handler=gic result=done
number=108 insn=123316 vm=test vcpu=0 reason=mmio pc=0x400801f4 syndrome=0x93c18045 gva=0x80061e0 gpa=0x80061e0 size=8 write=1 value=0x80000000 register=none handler=gic result=done
number=110 insn=124618 vm=test vcpu=0 reason=mmio pc=0x40080ee4 syndrome=0x93d38045 gva=0x80061e0 gpa=0x80061e0 size=8 write=1 value=0x0 register=none handler=gic result=done
TEXT
says 0 'number=0 insn=48795 vm=test vcpu=0 reason=mmio pc=0x40081450 syndrome=0x93890045 gva=0x8000000 gpa=0x8000000 size=4 write=1 value=0x10 register=none handler=gic result=done' exits $mmio
counts 137 exits $mmio
counts 24 exits $mmio --where "handler == 'unsupported reference' or result != done"
counts 28048 exits $ipi
answers 0 exits $ipi --where "reason == sysreg and vcpu == 3 and insn < 110000 or number == 1" <<'TEXT'
number=1 insn=42337 vm=test vcpu=0 reason=mmio pc=0x40081e6c syndrome=0x938a0045 gva=0x8000000 gpa=0x8000000 size=4 write=1 value=0x12 register=none handler=gic result=done
number=125 insn=101024 vm=test vcpu=3 reason=sysreg pc=0x40081ed0 syndrome=0x623a3198 gva=0x0 gpa=0x0 size=0 write=1 value=0x1 register=S3_0_C12_C12_5 handler=gic result=done
number=126 insn=101026 vm=test vcpu=3 reason=sysreg pc=0x40081ed8 syndrome=0x6230110c gva=0x0 gpa=0x0 size=0 write=1 value=0xff register=S3_0_C4_C6_0 handler=gic result=done
number=127 insn=101028 vm=test vcpu=3 reason=sysreg pc=0x40081ee0 syndrome=0x62363138 gva=0x0 gpa=0x0 size=0 write=1 value=0x0 register=S3_0_C12_C12_3 handler=gic result=done
number=128 insn=101030 vm=test vcpu=3 reason=sysreg pc=0x40081ee8 syndrome=0x62383138 gva=0x0 gpa=0x0 size=0 write=1 value=0x0 register=S3_0_C12_C12_4 handler=gic result=done
number=129 insn=101032 vm=test vcpu=3 reason=sysreg pc=0x40081ef0 syndrome=0x623e3198 gva=0x0 gpa=0x0 size=0 write=1 value=0x1 register=S3_0_C12_C12_7 handler=gic result=done
TEXT
answers 0 exits $mmio --where "number == 34" --json <<'TEXT'
{"number":34,"insn":81660,"vm":"test","vcpu":0,"reason":"mmio","pc":1074266556,"syndrome":2480898053,"gva":150999024,"gpa":150999024,"size":8,"write":0,"value":18446744073709551615,"register":"none","handler":"unsupported reference","result":"done"}
TEXT
answers 2 exits $mmio --where "handler = pl011" <<'TEXT'
qvm: --where: behind 'handler' belongs ==, !=, <, <=, > or >=, not '='
TEXT

# Why.
answers 0 explain traces/timers.qtrace --exit 20 <<'TEXT'
exit 20 at instruction 2685712, vm test, vcpu 0
  executed  0x400810c0 <on_irq+0x74>: msr icc_eoir1_el1, x8
  reason    sysreg: a system register of the interrupt controller
  access    write of S3_0_C12_C12_1
  ESR_EL2   0x62323118: EC=0x18 (trapped MSR, MRS or system instruction) IL=1 Op0=0x3 Op2=0x1 Op1=0 CRn=0xc Rt=0x8 CRm=0xc read=0
  decided   by gic
  value     0x1b
  result    done: the instruction is complete, the guest goes on behind it
  changed   vdev gic: active[0]: 0x8000000 to 0x0
  changed   vdev gic: active_priorities1[0]: 0x10000 to 0x0
  changed   vm test, vcpu 0: IRQ: 0x0 to 0x1
TEXT
answers 0 explain $mmio --exit 34 <<'TEXT'
exit 34 at instruction 81660, vm test, vcpu 0
  executed  0x400801bc <ldr_x_zero+0>: ldr xzr, [x0]
  reason    mmio: a load or store that stage 2 does not map
  access    read of 8 bytes, gva 0x9000ff0, gpa 0x9000ff0
  ESR_EL2   0x93df8005: EC=0x24 (Data Abort from a lower Exception level) IL=1 ISV=0x1 SAS=0x3 SSE=0 SRT=0x1f SF=0x1 AR=0 CM=0 S1PTW=0 WnR=0 DFSC=0x05 (translation fault, level 1)
  HPFAR_EL2 0x90000
  decided   by policy: unsupported reference ignore; not by vdev pl011, register offset 0xff0
  value     0xffffffffffffffff
  result    done: the instruction is complete, the guest goes on behind it
  changed   nothing in devices and interrupt lines
TEXT
answers 0 explain $ipi --exit 125 <<'TEXT'
exit 125 at instruction 101024, vm test, vcpu 3
  executed  0x40081ed0 <gic_start_cpu+0x54>: msr icc_sre_el1, x12
  reason    sysreg: a system register of the interrupt controller
  access    write of S3_0_C12_C12_5
  ESR_EL2   0x623a3198: EC=0x18 (trapped MSR, MRS or system instruction) IL=1 Op0=0x3 Op2=0x5 Op1=0 CRn=0xc Rt=0xc CRm=0xc read=0
  decided   by gic
  value     0x1
  result    done: the instruction is complete, the guest goes on behind it
  changed   nothing in devices and interrupt lines
TEXT
answers 0 explain $ipi --exit 21 <<'TEXT'
exit 21 at instruction 42485, vm test, vcpu 0
  executed  0x400824ec <hvc+0x4>: hvc #0
  reason    hvc: HVC
  ESR_EL2   0x5a000000: EC=0x16 (HVC) IL=1 imm16=0
  decided   by psci
  value     0x0
  result    done: the instruction is complete, the guest goes on behind it
  changed   nothing in devices and interrupt lines
TEXT
answers 0 explain $mmio --at 48794 0x8000000 --write <<'TEXT'
instruction 48794, vm test, vcpu 0 at EL1, next 0x40081450 <gic_start_distributor+0x8>: str w9, [x8]
write of gva 0x8000000
stage 1: SCTLR_EL1.M=1 WXN=0 EE=0; TTBR0_EL1=0x400c0000; TCR_EL1=0x200803519 T0SZ=25 TG0=4K EPD0=0 TBI0=0 HPD0=0 IPS=2 HA=0 HD=0
stage 2: VTTBR_EL2=0x880000000; VTCR_EL2=0x80053558 T0SZ=24 SL0=1 TG0=4K PS=5 HA=0 HD=0
  stage 1 level 1 index 0 [38:30] at gpa 0x400c0000 hpa 0x8804c0000: 0x00000000400c3003 table -> gpa 0x400c3000 NSTable=0 APTable=0(forbids nothing) UXNTable=0 PXNTable=0
    stage 2 level 1 index 1 [39:30] at hpa 0x880000008: 0x0000000880002003 table -> hpa 0x880002000
    stage 2 level 2 index 0 [29:21] at hpa 0x880002000: 0x00000008804007fd block -> hpa 0x880400000 MemAttr=0xf S2AP=0x3(RW) SH=0x3(inner shareable) AF=0x1 DBM=0 Contiguous=0 XN=0
  stage 1 level 2 index 64 [29:21] at gpa 0x400c3200 hpa 0x8804c3200: 0x0060000008000405 block -> gpa 0x8000000 AttrIndx=0x1 NS=0 AP[2:1]=0(EL1 RW) SH=0(non-shareable) AF=0x1 nG=0 DBM=0 Contiguous=0 PXN=0x1 UXN=0x1
    stage 2 level 1 index 1 [39:30] at hpa 0x880000008: 0x0000000880002003 table -> hpa 0x880002000
    stage 2 level 2 index 0 [29:21] at hpa 0x880002000: 0x00000008804007fd block -> hpa 0x880400000 MemAttr=0xf S2AP=0x3(RW) SH=0x3(inner shareable) AF=0x1 DBM=0 Contiguous=0 XN=0
stage 2 of gpa 0x8000000
  stage 2 level 1 index 0 [39:30] at hpa 0x880000000: 0x0000000000000000 invalid
stage 1 permits EL1=rw- EL0=---, Device-nGnRE (MAIR attribute 0x04), global
fault: stage 2 translation fault, level 1: guest exit
  ESR_EL2=0x92000045: EC=0x24 (Data Abort from a lower Exception level) IL=1 ISV=0 SAS=0 SSE=0 SRT=0 SF=0 AR=0 CM=0 S1PTW=0 WnR=0x1 DFSC=0x05 (translation fault, level 1)
  FAR_EL2=0x8000000
  HPFAR_EL2=0x80000
gpa 0x8000000: vdev gic, offset 0x0
TEXT
answers 0 explain $at --at 345000 0x80002000 --write <<'TEXT'
instruction 345000, vm test, vcpu 0 at EL1, next 0x40080d84 <memset+0xc>: strb w1, [x8], #1
write of gva 0x80002000
stage 1: SCTLR_EL1.M=1 WXN=0 EE=0; TTBR0_EL1=0x400c0000; TCR_EL1=0x200803519 T0SZ=25 TG0=4K EPD0=0 TBI0=0 HPD0=0 IPS=2 HA=0 HD=0
stage 2: VTTBR_EL2=0x880000000; VTCR_EL2=0x80053558 T0SZ=24 SL0=1 TG0=4K PS=5 HA=0 HD=0
  stage 1 level 1 index 2 [38:30] at gpa 0x400c0010 hpa 0x8804c0010: 0x00000000400c4003 table -> gpa 0x400c4000 NSTable=0 APTable=0(forbids nothing) UXNTable=0 PXNTable=0
    stage 2 level 1 index 1 [39:30] at hpa 0x880000008: 0x0000000880002003 table -> hpa 0x880002000
    stage 2 level 2 index 0 [29:21] at hpa 0x880002000: 0x00000008804007fd block -> hpa 0x880400000 MemAttr=0xf S2AP=0x3(RW) SH=0x3(inner shareable) AF=0x1 DBM=0 Contiguous=0 XN=0
  stage 1 level 2 index 0 [29:21] at gpa 0x400c4000 hpa 0x8804c4000: 0x00000000400c5003 table -> gpa 0x400c5000 NSTable=0 APTable=0(forbids nothing) UXNTable=0 PXNTable=0
    stage 2 level 1 index 1 [39:30] at hpa 0x880000008: 0x0000000880002003 table -> hpa 0x880002000
    stage 2 level 2 index 0 [29:21] at hpa 0x880002000: 0x00000008804007fd block -> hpa 0x880400000 MemAttr=0xf S2AP=0x3(RW) SH=0x3(inner shareable) AF=0x1 DBM=0 Contiguous=0 XN=0
  stage 1 level 3 index 2 [20:12] at gpa 0x400c5010 hpa 0x8804c5010: 0x0060000042006783 page -> gpa 0x42006000 AttrIndx=0 NS=0 AP[2:1]=0x2(EL1 RO) SH=0x3(inner shareable) AF=0x1 nG=0 DBM=0 Contiguous=0 PXN=0x1 UXN=0x1
    stage 2 level 1 index 1 [39:30] at hpa 0x880000008: 0x0000000880002003 table -> hpa 0x880002000
    stage 2 level 2 index 0 [29:21] at hpa 0x880002000: 0x00000008804007fd block -> hpa 0x880400000 MemAttr=0xf S2AP=0x3(RW) SH=0x3(inner shareable) AF=0x1 DBM=0 Contiguous=0 XN=0
stage 2 of gpa 0x42006000
  stage 2 level 1 index 1 [39:30] at hpa 0x880000008: 0x0000000880002003 table -> hpa 0x880002000
  stage 2 level 2 index 16 [29:21] at hpa 0x880002080: 0x0000000880a007fd block -> hpa 0x880a00000 MemAttr=0xf S2AP=0x3(RW) SH=0x3(inner shareable) AF=0x1 DBM=0 Contiguous=0 XN=0
stage 1 permits EL1=r-- EL0=---, Normal, write-back (MAIR attribute 0xff), global
stage 2 permits EL1=rwx EL0=rwx, Normal, write-back
together EL1=r-- EL0=---, Normal, write-back
fault: stage 1 permission fault, level 3: exception at EL1
  ESR_EL1=0x9600004f: EC=0x25 (Data Abort from the same Exception level) IL=1 ISV=0 SAS=0 SSE=0 SRT=0 SF=0 AR=0 CM=0 S1PTW=0 WnR=0x1 DFSC=0x0f (permission fault, level 3)
  FAR_EL1=0x80002000
gpa 0x42006000, hpa 0x880a06000: RAM, offset 0x2006000
TEXT
ask explain $at --at 345000 0x80002000 --json
verdict "explain --json" "$(python3 - "$work/answer" <<'PYTHON'
import json, sys
x = json.load(open(sys.argv[1]))
first = [step for step in x['steps'] if step['stage'] == 1]
assert [step['level'] for step in first] == [1, 2, 3]
assert first[2]['fields']['AP[2:1]'] == 2 and first[2]['output'] == x['gpa'] == 0x42006000
assert [step['level'] for step in x['steps'] if not step['of_table']] == [1, 2, 3, 1, 2]
assert x['fault'] is None and x['place'] == 'RAM' and x['el1'] == 'r--' and x['hpa'] == 0x880a06000
PYTHON
)" 2>&1
says 0 'fault: stage 1 access flag fault, level 3: exception at EL1' explain $at --at 345000 0x80005000
says 0 'together EL1=rw- EL0=---, Device-nGnRE' explain $at --at 345000 0x80006000
says 0 'fault: stage 1 address size fault, level 3: exception at EL1' explain $at --at 345000 0x80008000
answers 0 explain $at --at 1000 0x60000000 --write --gpa <<'TEXT'
instruction 1000, vm test, vcpu 0 at EL1, next 0x40081548 <trap_el1+0x24>: movz w2, #0x120
write of gpa 0x60000000
stage 2: VTTBR_EL2=0x880000000; VTCR_EL2=0x80053558 T0SZ=24 SL0=1 TG0=4K PS=5 HA=0 HD=0
stage 2 of gpa 0x60000000
  stage 2 level 1 index 1 [39:30] at hpa 0x880000008: 0x0000000880002003 table -> hpa 0x880002000
  stage 2 level 2 index 256 [29:21] at hpa 0x880002800: 0x0000000880003003 table -> hpa 0x880003000
  stage 2 level 3 index 0 [20:12] at hpa 0x880003000: 0x000000088000477f page -> hpa 0x880004000 MemAttr=0xf S2AP=0x1(RO) SH=0x3(inner shareable) AF=0x1 DBM=0 Contiguous=0 XN=0
stage 2 permits EL1=r-x EL0=r-x, Normal, write-back
together EL1=r-x EL0=r-x, Normal, write-back
fault: stage 2 permission fault, level 3: guest exit
  ESR_EL2=0x9200004f: EC=0x24 (Data Abort from a lower Exception level) IL=1 ISV=0 SAS=0 SSE=0 SRT=0 SF=0 AR=0 CM=0 S1PTW=0 WnR=0x1 DFSC=0x0f (permission fault, level 3)
  HPFAR_EL2=0x600000
gpa 0x60000000, hpa 0x880004000: ROM, offset 0x0
TEXT
answers 0 explain $at --at 0 0xa0000000 <<'TEXT'
instruction 0, vm test, vcpu 0 at EL1, next 0x40080000 <start+0>: msr daifset, #0xf
read of gva 0xa0000000
stage 1 is off (SCTLR_EL1.M=0): gpa = gva
stage 2: VTTBR_EL2=0x880000000; VTCR_EL2=0x80053558 T0SZ=24 SL0=1 TG0=4K PS=5 HA=0 HD=0
stage 2 of gpa 0xa0000000
  stage 2 level 1 index 2 [39:30] at hpa 0x880000010: 0x0000000000000000 invalid
stage 1 permits EL1=rwx EL0=rwx, Device-nGnRnE
fault: stage 2 translation fault, level 1: guest exit
  ESR_EL2=0x92000005: EC=0x24 (Data Abort from a lower Exception level) IL=1 ISV=0 SAS=0 SSE=0 SRT=0 SF=0 AR=0 CM=0 S1PTW=0 WnR=0 DFSC=0x05 (translation fault, level 1)
  FAR_EL2=0xa0000000
  HPFAR_EL2=0xa00000
gpa 0xa0000000: nothing: unsupported reference ignore
TEXT

# When.
answers 0 when $mmio --exec 0x400800b0 <<'TEXT'
insn=49740 vm=test vcpu=0 0x400800b0 <ldrb+0>: ldrb w1, [x0]
insn=92233 vm=test vcpu=0 0x400800b0 <ldrb+0>: ldrb w1, [x0]
insn=127730 vm=test vcpu=0 0x400800b0 <ldrb+0>: ldrb w1, [x0]
TEXT
answers 0 when $mmio --write 0x8000000 <<'TEXT'
insn=48795 vm=test vcpu=0 0x40081450 <gic_start_distributor+0x8>: str w9, [x8] (exit 0: mmio write gpa 0x8000000 value 0x10 by gic)
insn=48797 vm=test vcpu=0 0x40081458 <gic_start_distributor+0x10>: str w10, [x8] (exit 1: mmio write gpa 0x8000000 value 0x12 by gic)
TEXT
answers 0 when $mmio --write 0x8000000 --gpa --last <<'TEXT'
insn=48797 vm=test vcpu=0 0x40081458 <gic_start_distributor+0x10>: str w10, [x8] (exit 1: mmio write gpa 0x8000000 value 0x12 by gic)
TEXT
answers 0 when $mmio --exit semihosting --last <<'TEXT'
insn=150156 vm=test vcpu=0 0x40081968 <semihost+0>: hlt #0xf000 (exit 136: semihosting by semihosting)
TEXT
matches 0 'insn=[0-9]* vm=test vcpu=0 0x40081b60 <suspend+0x110>: mrs x8, cntvct_el0' when $ipi --exec 0x40081b60
answers 0 when $at --write 0x404c7fe0,16 --last <<'TEXT'
insn=979 vm=test vcpu=0 0x40080124 <main+0x24>: stp x22, x21, [sp, #0x180] (gva 0x404c7fe0)
TEXT
answers 1 when $mmio --exec 0x40000000 <<'TEXT'
qvm: never
TEXT
answers 1 when $mmio --write 0x40000000 --gpa <<'TEXT'
qvm: never
TEXT
# Memory by another address than that of the write, at its place; the way from an address to it is that
# of the instruction.
answers 0 when $ipi --write 0x4009003c,4 --gpa --last <<'TEXT'
insn=51312555 vm=test vcpu=0 0x400801c4 <on_irq+0x8c>: str w10, [x9, #0x3c] (gva 0x4009003c)
TEXT
answers 2 when $mmio --exec 0x40000000 --at 5 <<'TEXT'
qvm: --at is for --write
TEXT
answers 2 when $mmio --write 0xa0000000 --at 5 <<'TEXT'
qvm: gva 0xa0000000 is no memory
TEXT

# Why: the last write, or where it never was; of memory, a device, registers.
answers 0 why $ipi 0x4009003c,4 <<'TEXT'
0x4009003c (4 bytes) was last written by instruction 51312555: VM test, vCPU 0, 0x400801c4 <on_irq+0x8c>: str w10, [x9, #0x3c]
  before 0x000003e7, after 0x000003e8
  monitor seek 51312554 goes to it
TEXT
answers 0 why $ipi 0x4009003c,4 --gpa --at 1000000 <<'TEXT'
0x4009003c (4 bytes) was last written by instruction 22: VM test, vCPU 0, 0x40080024 <start+0x24>: stp xzr, xzr, [x0], #0x10
  by its virtual address 0x4009003c
  before 0x00000000, after 0x00000000
  monitor seek 21 goes to it
TEXT
answers 0 why $mmio 0x8000000 <<'TEXT'
0x8000000 (1 byte) was last written by instruction 48797: VM test, vCPU 0, 0x40081458 <gic_start_distributor+0x10>: str w10, [x8]
  value 0x12, to gic
  monitor seek 48796 goes to it
TEXT
answers 0 why $mmio VBAR_EL1 --at 5000 <<'TEXT'
VBAR_EL1 was last written by instruction 52: VM test, vCPU 0, 0x40080050 <cpu_enter+0x10>: msr vbar_el1, x1
  before 0x0000000000000000, after 0x0000000040083000
  monitor seek 51 goes to it
TEXT
says 2 "qvm: why wants ADDR[,LEN], a symbol of a loaded ELF file, or a register of gdb's target description, not 'zr'" why $mmio zr
says 2 "qvm: the recording ends at instruction 150156" why $mmio x0 --at 150157
says 2 "qvm: VM test has no vCPU 1" why $mmio x0 --vcpu 1

# The same exits in every form; counts agree with a replay's.
"$qvm" export $mmio --format events >"$work/events" 2>/dev/null
verdict "events" "$(limited 100 "$qvm" replay --events "$work/replayed" $mmio >/dev/null 2>&1
    diff "$work/events" "$work/replayed" | head -n 2)"
for format in text json; do
    "$qvm" export $ipi --format $format >"$work/$format" 2>/dev/null
done
verdict "JSON lines are JSON" "$(python3 - "$work/json" "$work/text" <<'PYTHON'
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
texts = open(sys.argv[2]).read().splitlines()
if len(events) != len(texts) or not events:
    print('%d lines of JSON, %d of text' % (len(events), len(texts)))
for event, text in zip(events, texts):
    if not text.startswith('ns=%d event=%s ' % (event['ns'], event['event'])):
        print('%s\n%s' % (event, text))
        break
PYTHON
)"
# A part of it is that part of the whole.
for format in text json ftrace events; do
    "$qvm" export $ipi --format $format >"$work/whole" 2>/dev/null
    "$qvm" export $ipi --format $format --from 3000 --to 60000 >"$work/part" 2>/dev/null
    "$qvm" export $ipi --format $format --to 2999 >"$work/before" 2>/dev/null
    verdict "a part in $format" "$(lines=$(wc -l <"$work/part")
        [ "$lines" -gt 10 ] || echo "$lines lines"
        cat "$work/before" "$work/part" | cmp - <(head -n "$(cat "$work/before" "$work/part" | wc -l)" "$work/whole") 2>&1)"
done
says 2 "qvm: --from 3 is behind --to 2" export $ipi --format text --from 3 --to 2
says 2 "qvm: --format wants text, json, events, traceprinter, ftrace or perfetto, not svg" export $mmio --format svg

# Perfetto's encoding, read again by a decoder that knows nothing of the writer.
"$qvm" export $ipi --format perfetto -o "$work/ipi.pftrace" 2>/dev/null
verdict "perfetto" "$(python3 - "$work/ipi.pftrace" "$work/json" <<'PYTHON'
import json, sys


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def message(data):
    """Every field: number to list of values."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            assert len(value) == size, 'a field ends behind its message'
        else:
            raise ValueError('wire type %d' % (key & 7))
        fields.setdefault(key >> 3, []).append(value)
    return fields


tracks, parents, depth, slices, last, instants = {}, {}, {}, {}, 0, {}
for packet in message(open(sys.argv[1], 'rb').read())[1]:
    packet = message(packet)
    assert packet[10] == [1], 'sequence'
    assert packet[8][0] >= last, 'time goes back'
    last = packet[8][0]
    if 60 in packet:
        track = message(packet[60][0])
        uuid = track[1][0]
        assert uuid not in tracks, 'a track twice'
        name = track.get(2) or (message(track[3][0])[6] if 3 in track else message(track[4][0])[5])
        tracks[uuid] = name[0].decode()
        parents[uuid] = track.get(5, [0])[0]
        depth[uuid] = 0
        continue
    event = message(packet[11][0])
    kind, uuid = event[9][0], event[11][0]
    assert uuid in tracks, 'no such track'
    if kind == 1:
        depth[uuid] += 1
        slices[event[23][0].decode()] = slices.get(event[23][0].decode(), 0) + 1
    elif kind == 2:
        depth[uuid] -= 1
    else:
        assert kind == 3
        instants[tracks[uuid]] = instants.get(tracks[uuid], 0) + 1
    assert depth[uuid] in (0, 1), 'slices do not nest'
assert not any(depth.values()), 'a slice does not end'
assert sorted(tracks.values()) == ['gic', 'pl011', 'pl031', 'test', 'vCPU 0', 'vCPU 1', 'vCPU 2',
                                   'vCPU 3'], sorted(tracks.values())
test = [uuid for uuid in tracks if tracks[uuid] == 'test'][0]
assert all(parents[uuid] == test for uuid in tracks if uuid != test)
wanted = {}
gic = 0
for line in open(sys.argv[2]):
    event = json.loads(line)
    if event['event'] == 'guest-exit':
        wanted[event['reason']] = wanted.get(event['reason'], 0) + 1
        gic += event.get('handler') == 'gic'
    elif event['event'] == 'guest-entry':
        wanted['guest'] = wanted.get('guest', 0) + 1
assert slices == wanted, (slices, wanted)
assert instants['gic'] == gic, (instants, gic)
PYTHON
)" 2>&1

# A core file is where the explanation is.
ask dump $at --at 200000 -o "$work/core"
verdict "dump" "$(python3 - "$work/core" <<'PYTHON'
import struct, sys
data = open(sys.argv[1], 'rb').read(65536)
assert data[:4] == b'\x7fELF' and struct.unpack_from('<H', data, 16)[0] == 4
at = struct.unpack_from('<Q', data, 32)[0]
kind, flags, offset = struct.unpack_from('<IIQ', data, at)
assert kind == 4
pc = struct.unpack_from('<Q', data, offset + 20 + 112 + 32 * 8)[0]
assert pc == 0x40080d84, hex(pc)
PYTHON
)" 2>&1
says 2 "qvm: the recording ends at instruction 350580" dump $at --at 350581 -o "$work/core"

# Differences: of two recordings that are equal, that were told another time, another policy.
record() { # NAME WORDS...
    local name=$1
    shift
    limited 100 "$qvm" record -o "$work/$name.qtrace" --digest-every 10007 \
        @configs/test-arm64.qvmconf "$@" load build/guests/tests/mmio.elf cpu >/dev/null 2>&1 </dev/null
}
record mmio
record clock --wall-clock 5
record fail unsupported reference fail
matches 0 'no difference: [0-9]* instructions, equal final states' diff $ipi $ipi
answers 66 diff "$work/clock.qtrace" "$work/mmio.qtrace" <<'TEXT'
pulled input 0 differs:
  A: wall clock 'wall clock', 5 s since 1970
  B: wall clock 'wall clock', 1704067200 s since 1970
the machines differ from the start: vm test, vdev pl031: offset: A 0x5, B 0x65920080
TEXT
# The first access that the policy is asked about, wherever the compiler puts it.
first=$("$qvm" exits "$work/mmio.qtrace" --where "handler == 'unsupported reference'" |
    sed -n '1s/.* insn=\([0-9]*\) .*/\1/p')
says 66 "states are equal after instruction $((first - 1)) and differ after $first" \
    diff "$work/mmio.qtrace" "$work/fail.qtrace"
says 66 "  B: unsupported reference fail" diff "$work/mmio.qtrace" "$work/fail.qtrace"
verdict "first difference" "$(grep -q '^first difference: vm test, vcpu 0: PC: A 0x[0-9a-f]*, B 0x[0-9a-f]*$' \
    "$work/answer" || cat "$work/answer")"

# One was stopped early: no difference but that.
record short --limit-insns 100000
says 66 "states are equal up to instruction 100000" diff "$work/short.qtrace" "$work/mmio.qtrace"
verdict "where the shorter one ends" "$(grep -qx '  A ends at instruction 100000: instruction limit reached, vCPU 0 at PC 0x[0-9a-f]*' \
    "$work/answer" || cat "$work/answer")"

# And where the recorder was killed: nothing says how it ended.
head -c "$(grep -abo ENDV "$work/mmio.qtrace" | head -n 1 | cut -d : -f 1)" "$work/mmio.qtrace" >"$work/cut.qtrace"
ask diff "$work/cut.qtrace" "$work/cut.qtrace"
verdict "both are cut off" "$([ $status = 0 ] && grep -qx 'no difference up to instruction [1-9][0-9]*, where both recordings are cut off' "$work/answer" || cat "$work/answer")"
ask diff "$work/cut.qtrace" "$work/mmio.qtrace"
verdict "one was cut off" "$([ $status = 66 ] && grep -q '^  A is cut off at instruction [1-9]' "$work/answer" || cat "$work/answer")"

# Several VMs on one board.
for vm in a b; do
    sed "s/^system test/system $vm/" configs/test-arm64.qvmconf >"$work/$vm.qvmconf"
done
limited 100 "$qvm" record -o "$work/two.qtrace" --limit-insns 400000 \
    "$work/a.qvmconf" load build/guests/tests/ipi.elf cpu cpu + \
    "$work/b.qvmconf" load build/guests/tests/mmio.elf cpu >/dev/null 2>&1 </dev/null
says 2 "qvm: --vm NAME says which VM: a, b" explain "$work/two.qtrace" --at 200000 0x40080000
says 0 "fetch of gva 0x40080000" explain "$work/two.qtrace" --at 200000 0x40080000 --fetch --vm a
verdict "exits of one VM" "$("$qvm" exits "$work/two.qtrace" --where 'vm == b' 2>&1 |
    grep -v ' vm=b ' | head -n 2)"
says 66 "number of VMs differs: A has 2, B has 1" diff "$work/two.qtrace" $ipi

# A replay that diverges: a recording under the configuration of another one.
offset() { # NAME WORDS...
    local name=$1
    shift
    limited 100 "$qvm" record -o "$work/$name.qtrace" --digest-every 10007 \
        --snapshot-every 40000 @configs/test-arm64.qvmconf "$@" load build/guests/tests/timers.elf \
        cpu >/dev/null 2>&1 </dev/null
}
# A stranger's names are on somebody's terminal.
python3 - traces/hello.qtrace "$work/escape.qtrace" <<'PYTHON'
import struct, sys, zlib
data = bytearray(open(sys.argv[1], 'rb').read())
at = data.index(b'PULL')
size = struct.unpack_from('<Q', data, at + 16)[0]
name = data.index(b'hello.elf', at)
assert name < at + 32 + size
data[name:name + 5] = b'\33[31m'
struct.pack_into('<I', data, at + 24, zlib.crc32(data[at + 32:at + 32 + size]))
struct.pack_into('<I', data, at + 28, zlib.crc32(data[at:at + 28]))
open(sys.argv[2], 'wb').write(data)
PYTHON
says 0 "pulled file 'build/guests/tests/?[31m.elf'" info "$work/escape.qtrace"

offset plain
offset other set counter-offset 7
python3 - "$work" <<'PYTHON'
import struct, sys


def chunks(name):
    data, at = open('%s/%s.qtrace' % (sys.argv[1], name), 'rb').read(), 16
    yield b'', data[:16]
    while at < len(data):
        size = 32 + struct.unpack_from('<Q', data, at + 16)[0]
        yield data[at:at + 4], data[at:at + size]
        at += size


conf = dict(chunks('other'))[b'CONF']
with open('%s/mixed.qtrace' % sys.argv[1], 'wb') as mixed:
    for kind, chunk in chunks('plain'):
        if kind != b'INDX':
            mixed.write(conf if kind == b'CONF' else chunk)
PYTHON
ask replay --verify "$work/mixed.qtrace"
verdict "replay --verify" "$([ $status = 66 ] && grep -q '^qvm: the replay diverged: machine states are equal at instruction [0-9]* and differ at [0-9]* (vm test, vcpu 0, next 0x' "$work/answer" &&
    grep -q "^qvm: at the recording's snapshot of instruction [0-9]* differs: .*: recorded 0x[0-9a-f]*, now 0x[0-9a-f]*$" "$work/answer" ||
    tail -n 4 "$work/answer")"
says 0 "Hello from EL1" replay --verify traces/hello.qtrace

# Devices behind SMMUs: a guest's own, and the board's.
smmu=traces/smmu.qtrace
contained=traces/contained.qtrace
answers 0 explain $smmu --at 54000 0x7654322000 --stream dma-master <<'END'
instruction 54000, vm test
read of iova 0x7654322000, stream 0x5, of dma-master, behind smmuv3
smmuv3: SMMU_STRTAB_BASE=0x40098000 SMMU_STRTAB_BASE_CFG=0x6 SMMU_CR0=0xd
STE at 0x40098140: V=0x1 Config=0x5 (stage 1) S1ContextPtr=0x40097000 S1Fmt=0 S1CDMax=0 S1DSS=0 S1STALLD=0 PRIVCFG=0 INSTCFG=0
CD at 0x40097000: V=0x1 AA64=0x1 ASID=0x3 IPS=0x2 T0SZ=0x19 TG0=0 EPD0=0 TBI0=0 HAD0=0 T1SZ=0 TG1=0 EPD1=0x1 TBI1=0 HAD1=0 ENDI=0 HA=0 HD=0 AFFD=0 WXN=0 PAN=0 A=0x1 R=0x1 S=0 TTB0=0x40095000 TTB1=0 MAIR=0xff
  stage 1 level 1 of 0x7654322000 index 473 [38:30] at 0x40095ec8: 0x0000000040094003 table -> 0x40094000 NSTable=0 APTable=0 UXNTable=0 PXNTable=0
  stage 1 level 2 of 0x7654322000 index 161 [29:21] at 0x40094508: 0x0000000040096003 table -> 0x40096000 NSTable=0 APTable=0 UXNTable=0 PXNTable=0
  stage 1 level 3 of 0x7654322000 index 290 [20:12] at 0x40096910: 0x0000000000000000 invalid
refused: F_TRANSLATION: stage 1 level 3: read of 0x7654322000
  event record: 0000000500000010 0000020800000000 0000007654322000 0000000000000000
  the transaction is terminated with an abort
kept: the STE, no such translation
END
answers 0 explain $contained --at 100000 0x40001234 --stream master --write <<'END'
instruction 100000, vm test
write of iova 0x40001234, stream 0x5, of master, behind the board's smmu0
smmu0: SMMU_STRTAB_BASE=0x80000000 SMMU_STRTAB_BASE_CFG=0x8 SMMU_CR0=0xd
STE at 0x80000140: V=0x1 Config=0x6 (stage 2) S2TTB=0x8000c000 S2VMID=0x1 S2T0SZ=0x18 S2SL0=0x1 S2TG=0 S2PS=0x5 S2AA64=0x1 S2ENDI=0 S2AFFD=0 S2PTW=0 S2FWB=0 S2HD=0 S2HA=0 S2S=0 S2R=0x1
  stage 2 level 1 of 0x40001234 index 1 [39:30] at 0x8000c008: 0x000000008000e003 table -> 0x8000e000
  stage 2 level 2 of 0x40001234 index 0 [29:21] at 0x8000e000: 0x00400000804007fd block -> 0x80400000 MemAttr=0xf S2AP=0x3 SH=0x3 AF=0x1 DBM=0 Contiguous=0 XN=0x2
leads to 0x80401234
kept: the STE, no such translation
hpa 0x80401234: RAM of vm test, gpa 0x40001234, offset 0x1234
END
says 0 "refused: F_TRANSLATION: stage 2 level 1: read of 0xa800000, IPA 0xa800000" \
    explain $contained --at 100000 0xa800000 --stream smmu0:5
says 0 "read of iova 0xa800000, stream 0x5, of master, behind the board's smmu0" \
    explain $contained --at 100000 0xa800000 --stream smmu0:5
says 0 "refused: C_BAD_STE" explain $contained --at 100000 0xa800000 --stream pl330
says 0 "  not recorded, it would be: 0000012c00000002 0000000000000000 0000000000000000 0000000000000000" \
    explain $contained --at 100000 0xa800000 --stream smmu0:300
says 2 "qvm: VM 'test' has no vdev 'nobody' with a stream, and the board has no such device whose stream goes through an SMMU" \
    explain $contained --at 100000 0xa800000 --stream nobody
ask explain $contained --at 100000 0x40001234 --stream master --json
verdict "explain --stream --json" "$(python3 - "$work/answer" <<'PYTHON'
import json, sys
x = json.load(open(sys.argv[1]))
ste, = x['structures']
wanted = {'instruction': 100000, 'vm': 'test', 'device': 'master', 'device_vm': 'test', 'smmu': 'smmu0',
          'smmu_of_board': True, 'stream': 5, 'substream': None, 'access': 'read',
          'asked_iova': 0x40001234, 'event': None, 'outcome': 'passed', 'hpa': 0x80401234,
          'place': 'RAM', 'place_vm': 'test', 'gpa': 0x40001234, 'offset': 0x1234}
print(*(f'{k}: {x.get(k)}' for k, v in wanted.items() if x.get(k) != v), sep='\n', end='')
if (ste['name'], ste['at'], ste['fields']['S2TTB']) != ('STE', 0x80000140, 0x8000c000):
    print(ste)
if [(s['stage'], s['level'], s['class'], s['at']) for s in x['steps']] != \
        [(2, 1, 'IN', 0x8000c008), (2, 2, 'IN', 0x8000e000)]:
    print(x['steps'])
PYTHON
)"
ask explain $contained --at 100000 0xa800000 --stream smmu0:5 --write --json
verdict "explain --stream --json, refused" "$(python3 - "$work/answer" <<'PYTHON'
import json, sys
x = json.load(open(sys.argv[1]))
event = {'name': 'F_TRANSLATION', 'type': 16, 'stage': 2, 'class': 'IN', 'level': 1, 'recorded': True,
         'text': 'F_TRANSLATION: stage 2 level 1: write of 0xa800000, IPA 0xa800000',
         'record': [0x500000010, 0x28000000000, 0xa800000, 0xa800000]}
if x['event'] != event or x['outcome'] != 'aborted' or 'hpa' in x:
    print(x)
PYTHON
)"

# What was refused to them is no exit, and is listed, exported and drawn.
says 0 "qvm: 3 accesses of devices were refused: --dma lists them" exits $smmu --where 'number == 0'
answers 0 exits $smmu --dma <<'END'
number=0 insn=54142 vm=test vcpu=0 device=dma-master smmu=smmuv3 stream=5 substream=none iova=0x7654322000 write=0 by='stage 1 of the SMMU' reason='does not map it' record=F_TRANSLATION
number=1 insn=54602 vm=test vcpu=0 device=dma-master smmu=smmuv3 stream=5 substream=none iova=0x7654323000 write=1 by='stage 1 of the SMMU' reason='does not permit it' record=F_PERMISSION
number=2 insn=55616 vm=test vcpu=0 device=dma-master smmu=smmuv3 stream=5 substream=none iova=0x7654321080 write=0 by='the stream table of the SMMU' reason='does not map it' record=C_BAD_STE
END
counts 1004 exits $contained --dma --where 'device == master and smmu == smmu0 and stream == 5'
answers 0 exits traces/pl330.qtrace --dma --json <<'END'
{"number":0,"insn":314883,"vm":"test","vcpu":0,"device":"pl330","smmu":"none","stream":null,"substream":null,"iova":176160768,"write":1,"by":"stage 2","reason":"does not map it","record":"none"}
END
for format in text json events; do
    case $format in
    text) wanted=' event=dma-refused number=0 insn=54602 .*smmu=smmuv3 stream=5 .*iova=0x7654323000 .*F_PERMISSION$' ;;
    json) wanted='"event":"dma-refused","number":0,"insn":54602,.*"stream":5,.*"record":"F_PERMISSION"}$' ;;
    events) wanted='QVM:DMA_REFUSED device:dma-master smmu:smmuv3 stream:5 iova:0x7654323000 access:write by:stage_1_of_the_SMMU reason:F_PERMISSION vm:test vcpu:0 insn:54602$' ;;
    esac
    ask export $smmu --format $format --from 54602 --to 54602
    lines="$(grep -c -- "$wanted" "$work/answer")"
    verdict "export --format $format, refused" "$([ "$lines" = 1 ] || echo "$lines lines")"
done
ask export $smmu --format perfetto -o "$work/refused.pftrace"
for word in 'refused write' stream iova F_PERMISSION 'stage 1 of the SMMU'; do
    check "export --format perfetto says $word" grep -qaF "$word" "$work/refused.pftrace"
done

# Words.
says 2 "qvm: qvm info TRACE [--json]" info
says 2 "qvm: unknown option '--all': qvm info TRACE [--json]" info --all $mmio
says 2 "qvm: explain wants --at N ADDR or --exit N: qvm explain TRACE --at N ADDR [--vm NAME] [--vcpu I] [--gpa] [--read|--write|--fetch] [--json], or qvm explain TRACE --at N IOVA --stream DEVICE|SMMU:NUMBER [--substream N] [--vm NAME] [--read|--write] [--json], or qvm explain TRACE --at N --next [--json], or qvm explain TRACE --exit N [--json]" explain $mmio 5
says 2 "qvm: --where: 'zzz' is no reason: mmio, mmio-opaque, fetch, stage2, hvc, smc, wfi, sysreg, sysreg-unknown, semihosting, pass-through" exits $mmio --where 'reason == zzz'
says 2 "qvm: --at and --exit exclude each other" explain $mmio --exit 5 --at 7
says 2 "qvm: --read, --write and --fetch exclude each other" explain $mmio --at 7 0 --read --write
says 2 "qvm: --stream excludes --gpa, --fetch, --vcpu and --next" explain $smmu --at 7 0 --stream a --gpa
says 2 "qvm: VM 'test' has 4 vCPUs: there is no number 4" explain $ipi --at 7 0 --vcpu 4
says 2 "qvm: there is no VM 'guest' (test)" explain $ipi --at 7 0 --vm guest
says 2 "qvm: there are 137 guest exits, from 0: none has number 137" explain $mmio --exit 137
says 2 "qvm: the recording ends at instruction 150156" explain $mmio --at 150157 0
says 2 "qvm: when wants one of --write, --exec and --exit: qvm when TRACE --write ADDR[,LEN] [--at N] | --exec ADDR | --exit REASON [--vm NAME] [--gpa] [--last]" when $mmio
says 2 "qvm: --exit 'io' is none of mmio, mmio-opaque, fetch, stage2, hvc, smc, wfi, sysreg, sysreg-unknown, semihosting" when $mmio --exit io
says 2 "qvm: --write '0x10,0' is no range of addresses" when $mmio --write 0x10,0

# A branch to where nothing is, and a vector where nothing is: an attempt each.
"$qvm" record -o "$work/jump.qtrace" configs/test-arm64.qvmconf load build/guests/tests/jump.elf >/dev/null 2>&1
says 0 "  next PC   0xa800000" explain "$work/jump.qtrace" --at 3 --next
says 0 "  exception at EL1, vector VBAR_EL1 + 0x200" explain "$work/jump.qtrace" --at 4 --next
says 0 "  ELR_EL1   0xa800000" explain "$work/jump.qtrace" --at 4 --next
says 0 "insn=6 vm=test vcpu=0 0x200: not readable" when "$work/jump.qtrace" --exec 0x200
says 0 "insn=1 vm=test vcpu=0 0x40080000 <start+0>: msr vbar_el1, xzr" when "$work/jump.qtrace" --exec start
says 0 "insn=4 vm=test vcpu=0 0x4008000c <start+0xc>: br x0" when "$work/jump.qtrace" --exec start+0xc
says 1 "qvm: 40080000 is decimal, and nothing is there; 0x40080000 is in the guest's memory map" when "$work/jump.qtrace" --exec 40080000
says 2 "qvm: --exec wants a number or a symbol of a loaded ELF file, not 'nosuch'" when "$work/jump.qtrace" --exec nosuch
"$qvm" record -o "$work/limit.qtrace" configs/test-arm64.qvmconf load build/guests/tests/jump.elf --limit-insns 3 >/dev/null 2>&1
says 0 "instruction 3: the recording ends here: instruction limit reached, vCPU 0 at PC 0x4008000c" explain "$work/limit.qtrace" --at 3 --next

finish
