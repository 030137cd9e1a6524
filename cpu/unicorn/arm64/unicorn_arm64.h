/* The engine's part that is AArch64's, shared by its files; each calls those above it only:
 *   unicorn_event.c    the event register, which WFE waits for
 *   unicorn_yield.c    blocks behind a WFE
 *   unicorn_checks.c   alignment checks, where the library can be made to do them
 *   unicorn_exits.c    instructions that exit again and again
 *   unicorn_inside.c   what the library has and does not show: the monitor, the registers
 *   unicorn_arm64.c    registers, system instructions, models
 *   interpose.c, wrapped.c   functions of the library that ours replace */
#ifndef CPU_UNICORN_ARM64_UNICORN_ARM64_H
#define CPU_UNICORN_ARM64_UNICORN_ARM64_H

#include "cpu/arm64/engine_arm64.h"
#include "cpu/unicorn/unicorn_engine.h"

/* Parts of the stub, each in a block of its own. */
#define STUB_CLREX 0
#define STUB_LDXR  12
#define STUB_MRS   24
#define STUB_WFE   36
#define STUB_LOADS 48
#define WFE_WORD   0xd503205fu

/* MRS Xn, TPIDRRO_EL0, which is in the place of instructions that exit; and in the stub. */
#define EXIT_WORD     0xd53bd060u
#define EXIT_ENCODING sysreg_encoding(EXIT_WORD)

/* The registers in use, as the library keeps them. */
struct live_registers {
    uint64_t x[31], sp, pc;
    uint32_t pstate; /* of it, PSTATE_MODE */
};

/* What is translated: an instruction, and the block before it. */
struct translated {
    bool sp_is_known,
        sp_is_moved;         /* aligned, when the instruction begins; when it ends, maybe not */
    unsigned log2_alignment; /* still to be checked: of the address, */
    bool sp, sp_by_address;  /* and SP, for which an alignment of the address does */
    bool sp_may_go_unseen;
    bool is_store_exclusive; /* whose checks come before the monitor */
    bool is_second;          /* access */
};

struct unicorn_part {
    bool makes_checks; /* of alignment: */
    unsigned checks;
    struct translated translated;
    size_t monitor_offset;       /* where it is in a context; 0: nowhere that we know */
    struct live_registers *live; /* NULL: the library is asked */
    void *record;                /* of the vCPU, of which `live` is a part; NULL: nobody said */
    uint32_t stub_word;          /* the instruction that came with it */
};

/* unicorn_event.c -------------------------------------------------------------------------------*/

void arm64_look_for_events(struct engine *e, uint64_t address, uint32_t size, uint64_t now);

/* unicorn_yield.c -------------------------------------------------------------------------------*/

bool arm64_pauses_are_told(struct engine *e);
void arm64_on_block_behind_pause(struct uc_struct *uc, uint64_t address, uint32_t size, void *user);
void arm64_note_pauses(struct engine *e, hpa_t a, uint64_t size);

/* unicorn_checks.c ------------------------------------------------------------------------------*/

void arm64_begin_run(struct engine *e);
bool arm64_set_checks(struct engine *e, unsigned checks);
bool arm64_wants_look(struct engine *e, uint64_t address, uint32_t size);
uint64_t arm64_look_at(struct engine *e, uint64_t address, uint32_t size);

/* unicorn_exits.c -------------------------------------------------------------------------------*/

/* EXIT_WORD was executed; `value` is in Xn. 0: it is the guest's own. */
uint32_t arm64_on_exit_word(struct engine *e, unsigned n, uint64_t value);
void arm64_expect_exit(struct engine *e, uint64_t pc, unsigned n);
void arm64_translate_expected(struct engine *e);
void arm64_translate_as_it_is(struct engine *e, struct exiting *x);

/* unicorn_inside.c ------------------------------------------------------------------------------*/

void arm64_write_stub(uint8_t *page);
/* When the engine is new. */
void arm64_find_monitor(struct engine *e);
bool arm64_find_registers(struct engine *e, struct error *error);
/* Behind it: does the library make the checks that unicorn_checks.c asks it for? */
void arm64_find_checks(struct engine *e);
void arm64_clear_monitor(struct engine *e);
void arm64_get_monitor(struct engine *e, uint64_t words[3]);
void arm64_set_monitor(struct engine *e, const uint64_t words[3]);

#endif
