/* Exceptions that repeat for ever. An attempt at the vector of an exception that raises the same
 * exception leaves the vCPU as it was: PC, PSTATE, ELR, ESR, FAR and SPSR have the values they had,
 * and nothing else was written. What follows from an equal state is equal, so it goes on like this
 * until somebody else changes memory: interrupts are masked since the first entry (D1.3.1), and
 * stay it. The commonest case is a VBAR_EL1 where nothing can be fetched. */
#include <inttypes.h>
#include <stdio.h>

#include "cpu/arm64/cpu_internal.h"
#include "cpu/arm64/syndrome.h"
#include "emu/machine.h"
#include "emu/text.h"

/* Compared before the registers change. What is looked up by encoding is looked at last. */
static bool leaves_all_as_it_was(const struct arm64_vcpu *v, const struct exception_entry *x)
{
    struct engine *e = v->cpu.world->engine;
    return x->kind == VECTOR_SYNC && x->attempt == x->vector && x->from == x->to &&
           !(v->cpu.world->quirks & QUIRK_LOOPS_RUN) &&
           engine_sysreg(e, SYS_ELR_EL1) == x->return_pc &&
           engine_sysreg(e, SYS_ESR_EL1) == x->esr && engine_sysreg(e, SYS_SPSR_EL1) == x->from &&
           (!x->has_far || engine_sysreg(e, SYS_FAR_EL1) == x->far);
}

static void begin_chain(struct arm64_vcpu *v, const struct exception_entry *x)
{
    v->cpu.repetition_is_said = false;
    v->chain = (struct exception_chain){
        .is_known = true,
        .first_instruction = engine_executed(v->cpu.world->engine),
        .first_pc = x->attempt,
        .first_esr = x->esr,
        .first_far = x->far,
    };
}

void loop_note(struct arm64_vcpu *v, const struct exception_entry *x)
{
    struct exception_chain *c = &v->chain;
    v->cpu.repeats = leaves_all_as_it_was(v, x);
    if (x->attempt != c->vector || x->kind != VECTOR_SYNC)
        begin_chain(v, x);
    c->vector = x->vector;
    if (!v->cpu.repeats)
        return;
    c->last_esr = x->esr;
    c->last_far = x->far;
    c->no_memory = v->refused.gpa_page;
    engine_stop_soon(v->cpu.world->engine);
}

/* Those that write FAR_EL1 (D19.2.40). */
static bool has_far(unsigned ec)
{
    return ec == EC_INSN_ABORT_LOWER || ec == EC_INSN_ABORT || ec == EC_PC_ALIGNMENT ||
           ec == EC_DATA_ABORT_LOWER || ec == EC_DATA_ABORT || ec == EC_WATCHPOINT_LOWER ||
           ec == EC_WATCHPOINT;
}

#define STATUS_EXTERNAL_ABORT 0x10

/* The manual's "unknown reason" is what all undefined instructions have (D19.2.37). */
static const char *class_name(unsigned ec)
{
    return ec == EC_UNKNOWN ? "undefined instruction" : syndrome_class_name(ec);
}

static void add_why(const struct exception_chain *c, char *text, size_t size)
{
    unsigned ec = c->last_esr >> ESR_EC_SHIFT, status = c->last_esr & 0x3f;
    char fault[64];
    syndrome_status_text(status, fault, sizeof fault);
    if (ec != EC_INSN_ABORT)
        text_add(text, size, "the instruction there raises it itself: ESR %#x, %s", c->last_esr,
                 class_name(ec));
    else if (status == STATUS_EXTERNAL_ABORT)
        text_add(text, size, "it cannot be fetched: nothing is at guest-physical %#" PRIx64,
                 c->no_memory.v + (c->vector & PAGE_MASK));
    else
        text_add(text, size, "it cannot be fetched: %s", fault);
    if (ec == EC_DATA_ABORT)
        text_add(text, size, ", %s, FAR %#" PRIx64, fault, c->last_far);
}

static void add_first(const struct exception_chain *c, char *text, size_t size)
{
    unsigned ec = c->first_esr >> ESR_EC_SHIFT;
    if (!c->is_known)
        return;
    text_add(text, size,
             "; the first exception was at PC %#" PRIx64 ", instruction %" PRIu64 ": ESR %#x, %s",
             c->first_pc, c->first_instruction, c->first_esr, class_name(ec));
    if (ec == EC_DATA_ABORT || ec == EC_DATA_ABORT_LOWER || ec == EC_INSN_ABORT ||
        ec == EC_INSN_ABORT_LOWER) {
        char fault[64];
        syndrome_status_text(c->first_esr & 0x3f, fault, sizeof fault);
        text_add(text, size, ", %s", fault);
    }
    if (has_far(ec))
        text_add(text, size, ", FAR %#" PRIx64, c->first_far);
}

void arm64_loop_text(const struct vcpu *cpu, char *text, size_t size)
{
    const struct arm64_vcpu *v = arm64_of_const(cpu);
    const struct exception_chain *c = &v->chain;
    snprintf(text, size,
             "takes the same exception for ever at the vector %#" PRIx64 " (VBAR_EL1 %#" PRIx64
             " + %#" PRIx64 "): ",
             c->vector, v->vbar, c->vector - v->vbar);
    add_why(c, text, size);
    add_first(c, text, size);
}

bool arm64_loop_from(const struct vcpu *cpu, uint64_t *pc)
{
    const struct exception_chain *c = &arm64_of_const(cpu)->chain;
    if (!cpu->repeats || !c->is_known)
        return false;
    *pc = c->first_pc;
    return true;
}
