/* Functions of Unicorn that ours replace, where that is built in (QVM_INTERPOSE) and works. They
 * lean on internal names, so results are the same with and without, and tests say so. */
#ifndef CPU_UNICORN_INTERPOSE_H
#define CPU_UNICORN_INTERPOSE_H

#include <stdbool.h>
#include <stdint.h>

/* What of it works, known when something was translated: */
struct interposed {
    bool exit_checks;  /* behind loads and stores, are left out */
    bool block_starts; /* and at the start of blocks */
    bool fills;        /* pages are handed out without PC */
};
struct interposed interposed(void);
/* Said by wrapped.c. `leave`: what blocks no longer begin with. */
void interposed_block_starts(void (*leave)(void *library, uint32_t in_delay_slot));
void interposed_fills(void);

/* unicorn_arm64.c: a system instruction that the library would show to a hook of ours. `record` is
 * its own record of the vCPU that runs. 0: the library goes on with it, else it is done. */
uint32_t interposed_system_instruction(void *record, uint32_t word);

/* A page for the library's TLB, if it can be had without PC. `kind` is an enum access_kind, permits
 * are PERMIT_*; the library has the same numbers for both. */
struct filled_page {
    uint64_t hpa;
    int permits;
};
bool engine_fill(uint64_t va, int kind, bool unprivileged, struct filled_page *page);

/* A WFE is being executed, the last instruction of its block. */
void interposed_wfe(void);

/* unicorn_checks.c: what wrapped.c asks while the library translates, in this order. */
extern _Thread_local uint64_t engine_checks_now; /* what translated blocks are found by */
void interposed_translates_block(void);
/* The instruction there, or what is translated in its place. */
uint32_t interposed_translates(uint32_t word);
struct access_checks {
    unsigned log2_alignment; /* of the address; 0: as the library has it */
    bool sp;                 /* multiple of 16? */
};
/* The next access to memory that the instruction makes. */
struct access_checks interposed_translates_access(bool is_big_endian);
/* Before the monitor is asked by an exclusive store, of which this is the first conditional branch;
 * of others nothing. */
struct access_checks interposed_translates_branch(void);
/* No guest has memory there: bits 63:48 are neither all zero nor all one. */
#define NOWHERE 0x0052000000000000

#endif
