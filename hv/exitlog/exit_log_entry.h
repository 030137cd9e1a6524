/* What passes between guests and the exit logic, one entry at a time: what a vCPU does (exits,
 * timer writes, the end of its turn), what the logic finds in guest memory, and what it answers
 * (results, interrupt lines). A recording may keep it (docs/trace-format.md, EXIT). */
#ifndef HV_EXITLOG_EXIT_LOG_ENTRY_H
#define HV_EXITLOG_EXIT_LOG_ENTRY_H

#include "cpu/vcpu.h"
#include "emu/bytes.h"

enum exit_log_kind {
    EXIT_LOG_EXIT = 1, /* a guest exit, with what the vCPU put into it */
    EXIT_LOG_RESULT,   /* the exit is handled */
    EXIT_LOG_READ,     /* meanwhile: guest memory as it was found */
    EXIT_LOG_WRITE,    /* meanwhile: guest memory was written */
    EXIT_LOG_SIGNALS,  /* what the interrupt controller signals to a vCPU changes */
    EXIT_LOG_TIMER,    /* a vCPU writes a register of one of its timers: not an exit */
    EXIT_LOG_TURN,     /* its turn is over, for a reason that is in the guest's code */
    EXIT_LOG_LOOP,     /* the same, as it took the same exception again */
    EXIT_LOG_WAIT,     /* it waits for an event */
    EXIT_LOG_PMU,      /* the interrupt of its performance monitors comes or goes */
    EXIT_LOG_PMU_DUE,  /* they look at their counters: idle time and waits for events end */
    EXIT_LOG_KINDS
};

/* An exit log's first byte; entries follow. 2 is hv/foreign/observed_exit.h's. */
#define EXIT_LOG_VERSION        5
#define EXIT_LOG_WITHOUT_DUE    1 /* of those without EXIT_LOG_PMU_DUE, */
#define EXIT_LOG_WITHOUT_NEXT   3 /* of those whose exits have three details and no next_pc, */
#define EXIT_LOG_WITHOUT_SHARED 4 /* and of those that hold the bytes of each read */
#define EXIT_LOG_CALL_REGISTERS ARCH_ARGUMENTS_MAX
#define EXIT_LOG_HANDLER_SIZE   64

struct exit_log_entry {
    enum exit_log_kind kind;
    uint8_t vm, vcpu;
    uint64_t instructions; /* on the board, that of the entry included */
    union {
        struct {
            struct guest_exit x;                    /* `handler` is not of it */
            uint64_t call[EXIT_LOG_CALL_REGISTERS]; /* the arguments of one that passes some */
        } exit;
        struct {
            enum exit_result result;
            uint64_t value; /* of a read; the first argument's register behind a call */
            char handler[EXIT_LOG_HANDLER_SIZE];
        } result;
        struct {
            bool physical; /* by gpa, else by gva */
            bool ok;       /* all of it was there, and allowed */
            uint64_t address, size;
            const uint8_t *data; /* EXIT_LOG_READ and ok; borrowed */
            uint64_t distance;   /* not 0: they are in the log already, so far before the entry */
        } memory;
        unsigned signals; /* CPU_SIGNAL_* of the interrupt controller, in a byte */
        struct {
            uint8_t number, reg; /* as the architecture numbers them; one bit, and seven */
            uint64_t value;
        } timer;
        struct vcpu_wait wait;
        bool pmu;
        struct {
            bool changes; /* the interrupt: EXIT_LOG_PMU follows */
            uint64_t tick;
        } pmu_due;
    };
};

/* Is the exit one that passes arguments in registers? */
bool exit_log_is_call(enum exit_reason reason);

/* Appends; `before` is the instruction count of the entry before it, 0 for the first. */
void exit_log_entry_put(struct bytes *out, uint64_t before, const struct exit_log_entry *entry);
/* `version`: of the log. False at the end of the data, and, with in->failed, where it is not an
 * exit log. */
bool exit_log_entry_get(struct reader *in, unsigned version, uint64_t before,
                        struct exit_log_entry *entry);

/* What exit_log_entry_differs may answer that is said otherwise: by pointer. */
extern const char EXIT_LOG_COUNT[], EXIT_LOG_MEMORY_BYTE[], EXIT_LOG_VALUE_READ[];

/* What differs between two entries, in words, and both values. NULL: nothing. */
struct exit_log_values {
    uint64_t a, b;
    const char *word_a, *word_b; /* NULL: the numbers */
    uint64_t address;            /* of a byte of memory that differs */
};
const char *exit_log_entry_differs(const struct arch *arch, const struct exit_log_entry *a,
                                   const struct exit_log_entry *b, struct exit_log_values *values);
const char *exit_log_kind_name(enum exit_log_kind kind);

#endif
