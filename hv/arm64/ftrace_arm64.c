/* AArch64's tracepoints of KVM: kvm_exit says class and PC, kvm_guest_fault the syndrome and the
 * addresses; as Linux prints them, read and written. */
#include <inttypes.h>
#include <string.h>

#include "cpu/arm64/arm64.h"
#include "emu/text.h"
#include "hv/arm64/observed_arm64.h"
#include "hv/arm64/vm_arm64.h"
#include "hv/board.h"
#include "hv/foreign/export_ftrace.h"

/* Reading -----------------------------------------------------------------------------------------
 */

/* "TRAP: HSR_EC: 0x0024 (DABT_LOW), PC: 0x...", or "IRQ: ..." of the host's. */
bool arm64_take_kvm_exit(struct ftrace_reading *r, struct ftrace_line *v, struct error *e)
{
    uint64_t class, pc;
    struct scan at = v->arguments, kind, name;
    if (!scan_word(&at, &kind) || !scan_after(v->arguments, "PC:", 16, &pc) ||
        !(scan_after(v->arguments, "HSR_EC:", 16, &class) ||
          scan_after(v->arguments, "ESR_EC:", 16, &class)) ||
        class > CLASS_MAX)
        return import_ftrace_refuse(
            r, v,
            "kvm_exit wants `TRAP: HSR_EC: 0x.. (NAME), PC: 0x...`, or x86's `reason "
            "NAME rip 0x...`",
            e);
    bool is_trap = scan_is(&kind, "TRAP:");
    struct observed_exit *x =
        import_ftrace_begin(r, v, is_trap ? OBSERVED_TRAP : OBSERVED_INTERRUPT, e);
    if (!x)
        return false;
    import_ftrace_set_pc(x, pc);
    if (!is_trap) {
        kind.end -= kind.end[-1] == ':';
        scan_copy(&kind, x->reason, sizeof x->reason);
        return true;
    }
    /* HVC has been executed: its preferred return address is behind it (D1.3.1.3 of the Arm ARM).
     */
    if (class == EC_HVC)
        x->pc -= 4;
    observed_set_class(x, (unsigned)class);
    const char *open = memchr(at.at, '(', scan_left(&at));
    const char *close = open ? memchr(open, ')', (size_t)(at.end - open)) : NULL;
    if (close) {
        name = (struct scan){open + 1, close};
        scan_copy(&name, x->reason, sizeof x->reason);
    }
    return true;
}

/* "ipa 0x..., hsr 0x..., hxfar 0x..., pc 0x...": the address is that of HPFAR_EL2, so its low bits
 * are FAR_EL2's, but for a table's (ISS.S1PTW). */
static bool take_fault(struct ftrace_reading *r, struct ftrace_line *v, struct error *e)
{
    uint64_t ipa, esr, far, pc;
    if (!scan_after(v->arguments, "ipa", 16, &ipa) ||
        !(scan_after(v->arguments, "hsr", 16, &esr) || scan_after(v->arguments, "esr", 16, &esr)) ||
        !(scan_after(v->arguments, "hxfar", 16, &far) ||
          scan_after(v->arguments, "far", 16, &far)) ||
        !scan_after(v->arguments, "pc", 16, &pc) || esr > UINT32_MAX)
        return import_ftrace_refuse(
            r, v, "kvm_guest_fault wants `ipa 0x..., hsr 0x..., hxfar 0x..., pc 0x...`", e);
    struct observed_exit *x = import_ftrace_trap(r, v, (unsigned)(esr >> ESR_EC_SHIFT), e);
    if (!x)
        return false;
    observed_set_syndrome(x, (uint32_t)esr);
    x->gva = far;
    x->ipa = ipa & 0xfff || esr & ISS_S1PTW ? ipa : ipa | (far & 0xfff);
    x->known |= OBSERVED_GVA | OBSERVED_IPA;
    import_ftrace_set_pc(x, pc);
    return true;
}

/* "HVC at 0x... (r0: 0x..., imm: 0x0)". */
static bool take_hvc(struct ftrace_reading *r, struct ftrace_line *v, struct error *e)
{
    uint64_t pc, x0, immediate;
    if (!scan_after(v->arguments, "HVC at", 16, &pc) || !scan_after(v->arguments, "r0:", 16, &x0) ||
        !scan_after(v->arguments, "imm:", 16, &immediate) || immediate > ISS_IMMEDIATE)
        return import_ftrace_refuse(
            r, v, "kvm_hvc_arm64 wants `HVC at 0x... (r0: 0x..., imm: 0x...)`", e);
    struct observed_exit *x = import_ftrace_trap(r, v, EC_HVC, e);
    if (!x)
        return false;
    import_ftrace_set_pc(x, pc - 4);
    observed_set_syndrome(x, (uint32_t)EC_HVC << ESR_EC_SHIFT | ESR_IL | (uint32_t)immediate);
    x->value = x0;
    x->known |= OBSERVED_VALUE;
    return true;
}

/* "guest executed wfi at: 0x...". */
static bool take_wfx(struct ftrace_reading *r, struct ftrace_line *v, struct error *e)
{
    uint64_t pc;
    struct scan at = v->arguments, kind;
    if (!scan_to(&at, "executed") || !scan_word(&at, &kind) ||
        !scan_after(v->arguments, "at:", 16, &pc))
        return import_ftrace_refuse(r, v, "kvm_wfx_arm64 wants `guest executed wfi|wfe at: 0x...`",
                                    e);
    struct observed_exit *x = import_ftrace_trap(r, v, EC_WFX, e);
    if (!x)
        return false;
    import_ftrace_set_pc(x, pc);
    x->syndrome |= scan_is(&kind, "wfe") ? ISS_WFE : 0;
    x->syndrome_known |= ISS_WFE;
    return true;
}

/* "HSR 0x...": the whole syndrome of a trapped register. */
static bool take_syndrome(struct ftrace_reading *r, struct ftrace_line *v, struct error *e)
{
    uint64_t esr;
    if ((!scan_after(v->arguments, "HSR", 16, &esr) &&
         !scan_after(v->arguments, "ESR", 16, &esr)) ||
        esr > UINT32_MAX)
        return import_ftrace_refuse(r, v, "kvm_handle_sys_reg wants `HSR 0x...`", e);
    struct observed_exit *x = import_ftrace_trap(r, v, (unsigned)(esr >> ESR_EC_SHIFT), e);
    if (!x)
        return false;
    observed_set_syndrome(x, (uint32_t)esr);
    return true;
}

const struct ftrace_event arm64_tracepoints[] = {
    {"kvm_guest_fault:", take_fault},
    {"kvm_hvc_arm64:", take_hvc},
    {"kvm_wfx_arm64:", take_wfx},
    {"kvm_handle_sys_reg:", take_syndrome},
    {NULL, NULL},
};

/* Writing -----------------------------------------------------------------------------------------
 */

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

/* Only the page is in HPFAR_EL2. */
static void put_fault(const struct board_event *e, struct bytes *out)
{
    const struct guest_exit *x = e->exit;
    export_ftrace_begin(e, "kvm_guest_fault", out);
    text_put(out,
             "ipa 0x%" PRIx64 ", hsr 0x%08" PRIx32 ", hxfar 0x%08" PRIx64 ", pc 0x%016" PRIx64 "\n",
             x->gpa.v & ~PAGE_MASK, (uint32_t)x->detail[EXIT_SYNDROME], x->gva.v, x->pc.v);
    if (x->size && x->reason != EXIT_MMIO_OPAQUE)
        export_ftrace_access(e, out);
}

/* What the hypervisor traces when it has looked at the syndrome. HVC's PC is behind it. */
static void put_more(const struct board_event *e, uint64_t pc, uint64_t x0, struct bytes *out)
{
    uint32_t syndrome = (uint32_t)e->exit->detail[EXIT_SYNDROME];
    switch (e->reason) {
    case EC_DATA_ABORT_LOWER:
    case EC_INSN_ABORT_LOWER:
        put_fault(e, out);
        break;
    case EC_HVC:
        export_ftrace_begin(e, "kvm_hvc_arm64", out);
        text_put(out, "HVC at 0x%016" PRIx64 " (r0: 0x%016" PRIx64 ", imm: 0x%" PRIx32 ")\n", pc,
                 x0, syndrome & ISS_IMMEDIATE);
        break;
    case EC_WFX:
        export_ftrace_begin(e, "kvm_wfx_arm64", out);
        text_put(out, "guest executed wf%c at: 0x%016" PRIx64 "\n", syndrome & ISS_WFE ? 'e' : 'i',
                 pc);
        break;
    case EC_SYSREG:
        export_ftrace_begin(e, "kvm_handle_sys_reg", out);
        text_put(out, "HSR 0x%08" PRIx32 "\n", syndrome);
        break;
    default:
        break;
    }
}

void arm64_put_ftrace_entry(const struct board_event *e, struct bytes *out)
{
    export_ftrace_begin(e, "kvm_entry", out);
    text_put(out, "PC: 0x%016" PRIx64 "\n", e->guest_ip);
}

void arm64_put_ftrace_exit(const struct board_event *e, uint64_t x0, struct bytes *out)
{
    uint64_t pc = e->exit && e->reason == EC_HVC ? e->guest_ip + 4 : e->guest_ip;
    unsigned class = e->exit ? e->reason : 0;
    export_ftrace_begin(e, "kvm_exit", out);
    text_put(out, "%s: HSR_EC: 0x%04x (%s), PC: 0x%016" PRIx64 "\n", e->exit ? "TRAP" : "IRQ",
             class, class_name(class), pc);
    if (e->exit)
        put_more(e, pc, x0, out);
}
