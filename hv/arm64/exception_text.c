/* What an exception that was taken says of itself. */
#include <inttypes.h>

#include "cpu/arm64/arm64.h"
#include "cpu/arm64/syndrome.h"
#include "emu/text.h"
#include "hv/arm64/vm_arm64.h"

static uint64_t system_register(const struct vcpu_registers *r, const char *name)
{
    return r->value[vcpu_register_find(&arch_arm64, name)][0];
}

struct taken {
    uint64_t offset, esr, far_el, elr; /* `offset`: of the vector, from VBAR_EL1 */
};

/* What comes behind a branch may be fetched with it, and that may be refused. */
static bool is_of_fetch(const struct taken *t)
{
    unsigned ec = t->esr >> ESR_EC_SHIFT & 0x3f;
    return (ec == EC_INSN_ABORT || ec == EC_INSN_ABORT_LOWER || ec == EC_PC_ALIGNMENT) &&
           t->far_el == t->elr;
}

/* False: no exception was taken. Arm ARM D1.3.1.5. */
static bool is_at_vector(const struct vcpu_registers *before, const struct vcpu_registers *after,
                         struct taken *t)
{
    uint64_t from = before->value[ARM64_PC][0];
    *t = (struct taken){
        .offset =
            after->value[ARM64_PC][0] - (system_register(after, "VBAR_EL1") & ~(uint64_t)0x7ff),
        .esr = system_register(after, "ESR_EL1"),
        .far_el = system_register(after, "FAR_EL1"),
        .elr = system_register(after, "ELR_EL1"),
    };
    bool is_return = t->elr == from || t->elr == from + 4 ||
                     (is_of_fetch(t) && t->elr != system_register(before, "ELR_EL1"));
    return t->offset < 0x800 && (t->offset & 0x7f) == 0 && is_return &&
           (after->value[ARM64_PSTATE][0] & PSTATE_EL) == PSTATE_EL1;
}

bool arm64_put_exception(const struct vcpu_registers *before, const struct vcpu_registers *after,
                         struct bytes *out)
{
    struct taken t;
    char text[400];
    if (!is_at_vector(before, after, &t))
        return false;
    bool is_sync = (t.offset & 0x180) == VECTOR_SYNC;
    text_put(out, "  exception at EL1, vector VBAR_EL1 + 0x%" PRIx64 "%s\n", t.offset,
             is_sync ? "" : ": an interrupt");
    if (is_sync) {
        syndrome_text((uint32_t)t.esr, text, sizeof text);
        text_put(out, "  ESR_EL1   0x%08" PRIx64 ": %s\n  FAR_EL1   0x%" PRIx64 "\n", t.esr, text,
                 t.far_el);
    }
    text_put(out, "  ELR_EL1   0x%" PRIx64 "\n", t.elr);
    return true;
}

void arm64_put_exception_json(const struct vcpu_registers *before,
                              const struct vcpu_registers *after, struct json *j)
{
    struct taken t;
    if (!is_at_vector(before, after, &t))
        return;
    json_number(j, "vector", t.offset);
    json_number(j, "esr", t.esr);
    json_number(j, "far", t.far_el);
    json_number(j, "elr", t.elr);
}

unsigned arm64_level(const struct vcpu_registers *r)
{
    return (unsigned)(r->value[ARM64_PSTATE][0] >> 2 & 3);
}

const char *arm64_timer_register(unsigned timer, unsigned reg)
{
    static const char *const names[2][4] = {
        {"CNTV_TVAL_EL0", "CNTV_CTL_EL0", "CNTV_CVAL_EL0", "?"},
        {"CNTP_TVAL_EL0", "CNTP_CTL_EL0", "CNTP_CVAL_EL0", "?"},
    };
    return names[timer & 1][reg < 3 ? reg : 3];
}
