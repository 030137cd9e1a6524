/* Break- and watchpoints of a debugger, not of the guest: they stop the board and change nothing.
 * All vCPUs look at the same list; addresses are the guest's virtual ones. */
#ifndef CPU_POINTS_H
#define CPU_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/footprint.h"

#define POINTS_MAX 256

enum point_kind { POINT_EXECUTE, POINT_WRITE, POINT_READ, POINT_ACCESS };

struct point {
    enum point_kind kind;
    uint64_t address, size;
};

struct vcpu;

struct points {
    struct point list[POINTS_MAX];
    size_t count;
    /* Where the breakpoints are, in ascending order; those that PC can be at. */
    uint64_t code[POINTS_MAX];
    size_t code_count;
    /* The instruction at this count runs although there is a breakpoint at it: it was stopped at
     * already. UINT64_MAX: none. */
    uint64_t resume_at;
    /* The first that was met since points_clear_hit. Both kinds stop before the instruction. */
    bool is_hit;
    struct point hit;
    const struct vcpu *vcpu;
    uint64_t address; /* that was accessed or is to be executed */
};

/* False: there are POINTS_MAX. */
bool points_add(struct points *p, struct point point);
void points_drop(struct points *p, struct point point);
void points_clear_hit(struct points *p);
bool points_watch_page(const struct points *p, uint64_t page_va);
/* False: none can have been met in that stretch of the run. */
bool points_may_meet(const struct points *p, const struct footprint *f);
/* How many instructions from `pc`, the next at this count, may run before a breakpoint; UINT64_MAX:
 * all of the block. */
uint64_t points_may_run(const struct points *p, uint64_t pc, unsigned size_bytes,
                        uint64_t instructions);
/* The instruction at `pc` is next. True: it must wait for the debugger. */
bool points_before(struct points *p, const struct vcpu *v, uint64_t pc, uint64_t instructions);
/* The next instruction accesses memory in a watched page. True: it must wait for the debugger. */
bool points_access(struct points *p, const struct vcpu *v, const struct point *access,
                   uint64_t instructions);

#endif
