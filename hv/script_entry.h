/* What passes between guests and the exit logic, one entry at a time: what a vCPU does (exits,
 * timer writes, the end of its turn), what the logic finds in guest memory, and what it answers
 * (results, interrupt lines). A recording may keep it (docs/trace-format.md, EXIT). */
#ifndef HV_SCRIPT_ENTRY_H
#define HV_SCRIPT_ENTRY_H

#include "cpu/vcpu.h"
#include "emu/bytes.h"

enum script_kind {
    SCRIPT_EXIT = 1, /* a guest exit, with what the vCPU put into it */
    SCRIPT_RESULT,   /* the exit is handled */
    SCRIPT_READ,     /* meanwhile: guest memory as it was found */
    SCRIPT_WRITE,    /* meanwhile: guest memory was written */
    SCRIPT_LINES,    /* the interrupt lines of a vCPU change */
    SCRIPT_TIMER,    /* a vCPU writes a register of one of its timers: not an exit */
    SCRIPT_TURN,     /* its turn is over, for a reason that is in the guest's code */
    SCRIPT_LOOP,     /* the same, as it took the same exception again (cpu/loop.c) */
    SCRIPT_WAIT,     /* it waits in WFE */
    SCRIPT_PMU,      /* the interrupt of its performance monitors comes or goes */
    SCRIPT_PMU_DUE,  /* they look at their counters: idle time ends, and who waits in WFE goes on */
    SCRIPT_KINDS
};

#define SCRIPT_VERSION        3 /* a script's first byte; entries follow. 2 is hv/seen.h's, */
#define SCRIPT_WITHOUT_DUE    1 /* that of scripts without SCRIPT_PMU_DUE */
#define SCRIPT_CALL_REGISTERS 8
#define SCRIPT_HANDLER_SIZE   64

struct script_entry {
    enum script_kind kind;
    uint8_t vm, vcpu;
    uint64_t instructions; /* on the board, that of the entry included */
    union {
        struct {
            struct guest_exit x;                  /* `handler` is not of it */
            uint64_t call[SCRIPT_CALL_REGISTERS]; /* X0 to X7, for HVC, SMC and semihosting */
        } exit;
        struct {
            enum exit_result result;
            uint64_t value; /* of a read; X0 behind a call */
            char handler[SCRIPT_HANDLER_SIZE];
        } result;
        struct {
            bool physical; /* by gpa, else by gva */
            bool ok;       /* all of it was there, and allowed */
            uint64_t address, size;
            const uint8_t *data; /* SCRIPT_READ and ok; borrowed */
        } memory;
        struct {
            bool irq, fiq;
        } lines;
        struct {
            bool physical;
            uint8_t op2; /* as in CNTV_TVAL_EL0 (0), CNTV_CTL_EL0 (1), CNTV_CVAL_EL0 (2) */
            uint64_t value;
        } timer;
        struct vcpu_wait wait;
        bool pmu;
        struct {
            bool changes; /* the interrupt: SCRIPT_PMU follows */
            uint64_t tick;
        } pmu_due;
    };
};

/* Is the exit one that passes arguments in X0 to X7? */
bool script_is_call(enum exit_reason reason);

/* Appends; `before` is the instruction count of the entry before it, 0 for the first. */
void script_entry_put(struct bytes *out, uint64_t before, const struct script_entry *entry);
/* False at the end of the data, and, with in->failed, where it is not a script. */
bool script_entry_get(struct reader *in, uint64_t before, struct script_entry *entry);

/* What script_entry_differs may answer that is said otherwise: by pointer. */
extern const char SCRIPT_COUNT[], SCRIPT_MEMORY_BYTE[], SCRIPT_VALUE_READ[];

/* What differs between two entries, in words, and both values. NULL: nothing. */
struct script_values {
    uint64_t a, b;
    const char *word_a, *word_b; /* NULL: the numbers */
    uint64_t address;            /* of a byte of memory that differs */
};
const char *script_entry_differs(const struct script_entry *a, const struct script_entry *b,
                                 struct script_values *values);
const char *script_kind_name(enum script_kind kind);

#endif
