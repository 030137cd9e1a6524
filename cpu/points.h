/* Break- and watchpoints of a debugger, not of the guest: they stop the board, or are noted while
 * it runs, and change nothing. All vCPUs look at the same list; addresses are the guest's virtual
 * ones, and of watchpoints they may be the board's physical ones. */
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
    bool physical; /* the address is host-physical: whatever address space it is reached by */
    uint64_t address, size;
};

struct vcpu;

/* An access of one instruction to memory, or the part of it that lies in one page. */
struct point_access {
    uint64_t address, size;
    uint64_t place; /* host-physical */
    bool has_place;
    bool reads, writes; /* atomics: both */
};

struct points {
    struct point list[POINTS_MAX];
    size_t count;
    /* Where the breakpoints are, in ascending order. */
    uint64_t code[POINTS_MAX];
    size_t code_count;
    /* The instruction at this count runs although there is a breakpoint at it, or although it
     * accesses what is watched: it was stopped at already. UINT64_MAX: none. */
    uint64_t resume_at;
    bool resume_accesses_wait; /* only a breakpoint was: what is watched is not passed */
    /* The first that was met since points_clear_hit. Both kinds stop before the instruction. */
    bool is_hit;
    struct point hit;
    const struct vcpu *vcpu;
    uint64_t address; /* that was accessed or is to be executed; virtual */
    /* Called with each that is met, in the order of the run, with its instruction next: it does not
     * stop then. May be called in the middle of a run of the engine. NULL: each stops. */
    void (*met)(void *context, const struct points *p, uint64_t instructions);
    void *context;
};

/* False: there are POINTS_MAX. */
bool points_add(struct points *p, struct point point);
void points_drop(struct points *p, struct point point);
void points_clear_hit(struct points *p);
/* Which accesses to the page must be looked at: of PERMIT_R and PERMIT_W. */
unsigned points_watched(const struct points *p, uint64_t page_va, uint64_t page_hpa);
bool points_have_watched(const struct points *p); /* is there a watchpoint? */
/* False: none can have been met in that stretch of the run. */
bool points_may_meet(const struct points *p, const struct footprint *f);
/* How many instructions of `each` so many bytes from `pc`, the next at this count, may run before a
 * breakpoint; UINT64_MAX: all of the block. */
uint64_t points_may_run(const struct points *p, uint64_t pc, unsigned size_bytes, unsigned each,
                        uint64_t instructions);
/* The instruction at `pc` is next. True: it must wait for the debugger. */
bool points_before(struct points *p, const struct vcpu *v, uint64_t pc, uint64_t instructions);
/* The next instruction accesses memory in a watched page. True: it must wait for the debugger. */
bool points_access(struct points *p, const struct vcpu *v, const struct point_access *access,
                   uint64_t instructions);

#endif
