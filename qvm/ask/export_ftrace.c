#include "qvm/ask/export_ftrace.h"

#include <inttypes.h>

#include "cpu/arm64/arm64.h"
#include "hv/board.h"
#include "emu/text.h"

/* Names of exception classes as the tracepoint has them. */
static const char *class_name(unsigned class)
{
    switch (class) {
    case EC_WFX:
        return "WFI";
    case EC_HVC:
        return "HVC64";
    case EC_SMC:
        return "SMC64";
    case EC_SYSREG:
        return "SYS64";
    case EC_INSN_ABORT_LOWER:
        return "IABT_LOW";
    case EC_DATA_ABORT_LOWER:
        return "DABT_LOW";
    default:
        return "UNKNOWN";
    }
}

/* "CPU 0/KVM-1000 [000] .....  0.000000978: kvm_exit: ". */
static void put_prefix(const struct board_event *e, const char *name, struct bytes *out)
{
    text_put(out, "       CPU %u/KVM-%u    [000] .....  %" PRIu64 ".%09" PRIu64 ": %s: ", e->vcpu,
             1000 + 100 * e->vm->number + e->vcpu, e->ns / 1000000000, e->ns % 1000000000, name);
}

/* Only the page is in HPFAR_EL2. */
static void put_fault(const struct board_event *e, struct bytes *out)
{
    const struct guest_exit *x = e->exit;
    put_prefix(e, "kvm_guest_fault", out);
    text_put(out,
             "ipa 0x%" PRIx64 ", hsr 0x%08" PRIx32 ", hxfar 0x%08" PRIx64 ", pc 0x%016" PRIx64 "\n",
             x->gpa.v & ~PAGE_MASK, (uint32_t)x->detail[EXIT_SYNDROME], x->gva.v, x->pc.v);
    if (!x->size || x->reason == EXIT_MMIO_OPAQUE)
        return;
    put_prefix(e, "kvm_mmio", out);
    text_put(out, "mmio %s len %u gpa 0x%" PRIx64 " val 0x%" PRIx64 "\n",
             x->is_write ? "write" : "read", x->size, x->gpa.v, x->value);
}

/* What the hypervisor traces when it has looked at the syndrome. HVC's PC is behind it. */
static void put_more(const struct board_event *e, uint64_t pc, uint64_t x0, struct bytes *out)
{
    switch (e->reason) {
    case EC_DATA_ABORT_LOWER:
    case EC_INSN_ABORT_LOWER:
        put_fault(e, out);
        break;
    case EC_HVC:
        put_prefix(e, "kvm_hvc_arm64", out);
        text_put(out, "HVC at 0x%016" PRIx64 " (r0: 0x%016" PRIx64 ", imm: 0x%" PRIx32 ")\n", pc,
                 x0, (uint32_t)e->exit->detail[EXIT_SYNDROME] & 0xffff);
        break;
    case EC_WFX:
        put_prefix(e, "kvm_wfx_arm64", out);
        text_put(out, "guest executed wf%c at: 0x%016" PRIx64 "\n",
                 (uint32_t)e->exit->detail[EXIT_SYNDROME] & 1 ? 'e' : 'i', pc);
        break;
    case EC_SYSREG:
        put_prefix(e, "kvm_handle_sys_reg", out);
        text_put(out, "HSR 0x%08" PRIx32 "\n", (uint32_t)e->exit->detail[EXIT_SYNDROME]);
        break;
    default:
        break;
    }
}

void export_ftrace(const struct board_event *e, uint64_t x0, struct bytes *out)
{
    if (e->id == EVENT_GUEST_ENTRY) {
        put_prefix(e, "kvm_entry", out);
        text_put(out, "PC: 0x%016" PRIx64 "\n", e->guest_ip);
    }
    if (e->id != EVENT_GUEST_EXIT)
        return;
    uint64_t pc = e->exit && e->reason == EC_HVC ? e->guest_ip + 4 : e->guest_ip;
    unsigned class = e->exit ? e->reason : 0;
    put_prefix(e, "kvm_exit", out);
    text_put(out, "%s: HSR_EC: 0x%04x (%s), PC: 0x%016" PRIx64 "\n", e->exit ? "TRAP" : "IRQ",
             class, class_name(class), pc);
    if (e->exit)
        put_more(e, pc, x0, out);
}
