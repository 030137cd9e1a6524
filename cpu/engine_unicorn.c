/* The engine on Unicorn: the only file that includes it. What the library really does, and why
 * each step below is as it is, was measured with release 2.1.4 (docs/engine.md). */
#include "cpu/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

#include "cpu/footprint.h"
#include "cpu/interpose.h"
#include "emu/bytes.h"
#include "emu/check.h"

/* A window of virtual addresses that no guest can form (bits 63:48 neither all zero nor all one):
 * in it the fill hook maps host-physical memory straight. uc_ctl_remove_cache and the monitor stub
 * go through it. */
#define WINDOW      0x5151000000000000u
#define WINDOW_MASK 0xffff000000000000u
/* A page for the CLREX stub, beyond every board's memory (banks end below 2^48). */
#define STUB_HPA      0x0000fffffffff000u
#define STUB_LDXR     12 /* offsets in it */
#define STUB_MRS      24
#define STUB_MRS_WORD 0xd53bd060u
#define STUB_DATA     0x800
#define MONITOR_MARK  0x6d6f6e69746f7221u
#define REGISTER_MARK 0x7265676973746500u
#define WFE_WORD      0xd503205fu

#define LOCAL_PAGES 256
/* What is translated in place of an instruction that is left to `carry_out`: MRS Xn, TPIDRRO_EL0,
 * as the hook gets Xn, and behind it B . */
#define EXIT_WORD      0xd53bd060u
#define EXIT_ENCODING  SYSREG(3, 3, 13, 0, 3)
#define EXIT_END       0x14000000u
#define EXIT_OFTEN     64 /* exits before it is */
#define EXIT_SLOTS     64
#define PSTATE_EL_MASK 0xcu
#define YIELD_SLOTS    4096
#define NOTED_SLOTS    1024
#define LOOKED_SLOTS   1024

/* What the block hook touches on its fast path, in one cache line. */
struct fast {
    int64_t left;     /* bytes of instructions until a slower path must look */
    uint64_t address; /* the last block that started */
    uint64_t size;    /* its bytes */
};

/* An instruction that exits. At most one translation of its block ends with EXIT_WORD. */
struct exiting {
    uint64_t pc;
    unsigned n;         /* the register that is at hand in its place */
    unsigned times;     /* since that was translated, */
    bool is_translated; /* and may still be: */
    uint64_t from, hpa; /* where the block begins, and where on the board the instruction lies */
};

/* The registers in use, as the library keeps them. */
struct live_registers {
    uint64_t x[31], sp, pc;
    uint32_t pstate; /* of it, ENGINE_MODE */
};

struct engine {
    struct engine_head head;
    _Alignas(64) struct fast fast;
    uc_engine *uc;
    struct live_registers *live; /* NULL: the library is asked */
    void *registers;             /* they are somewhere there; NULL: nobody said. With it came */
    uint32_t stub_word; /* the instruction, as the library calls engine_system_instruction */
    const struct engine_callbacks *callbacks;
    struct memory *memory;
    /* The budget of the current engine_run, as absolute counts. */
    uint64_t counted; /* attempted, with fast.left at `granted` */
    int64_t granted;  /* what fast.left was set to */
    int64_t room;     /* so far below zero may fast.left go without block_slow; both in bytes */
    uint64_t exact_at, soft_at, turn_at;
    uint64_t prev_end; /* where the last instruction before this stop ended: going on elsewhere
                        * is a taken branch, whenever the stop was */
    uint64_t pc;       /* between runs: where the next one starts */
    bool just_yielded; /* the last stop was the turn that a WFE gave up */
    bool inside;       /* in uc_emu_start */
    bool settled;      /* in a callback that may change PC: `counted` is exact already */
    bool in_stub;
    uint64_t aside_size;                /* of the block that run_aside ended before */
    uint64_t stub_start;                /* the block of the stub that is to run */
    uc_context *scratch;                /* for the monitor, which is in no register: */
    size_t monitor_offset;              /* where it is in a context; 0: nowhere that we know */
    struct exiting exiting[EXIT_SLOTS]; /* by (PC >> 2) % EXIT_SLOTS */
    uint64_t expected;      /* one of them, whose block is to be translated so; 0: none */
    uint64_t expected_from; /* where its block begins */
    bool in_exit;           /* in `carry_out`: */
    uint64_t exit_pc;       /* PC as it is to be then */
    uint64_t exit_count;    /* attempted then, the instruction included */
    uint64_t exit_end;      /* going on there is sequential */
    unsigned exit_n;        /* Xn holds exit_x; 32: none is known */
    uint64_t exit_x;
    bool leaving;            /* the run ends before the next instruction, which is at exit_pc */
    struct exiting *refused; /* and goes on there when it is translated as what it is */
    bool watching, stop_wanted, flush_code_wanted;
    bool fill_refused, tail_counted;
    uint64_t truncate; /* stopped before a block of which only so many instructions may run */
    enum engine_stop reason;
    bool stopped;                       /* `reason` is set */
    uint64_t block_address, block_size; /* the block that an exception ended */
    uint8_t *stub;
    void *stub_allocation;
    /* Where a WFE ends, by (address >> 2) % YIELD_SLOTS; a hint that is verified. */
    bool yields;
    uint8_t yield_after[YIELD_SLOTS];
    uint64_t looked_through[LOOKED_SLOTS]; /* page | 1, by its number: its WFE words have hints */
    /* Pages of this address space that were filled since it began; more than LOCAL_PAGES:
     * forgotten. */
    uint64_t local[LOCAL_PAGES];
    size_t local_count;
    const uint64_t *places; /* blocks with one of these are watched */
    size_t place_count;
    struct code_set *code_seen; /* NULL: nobody wants to know which blocks ran */
    /* Blocks that are in code_seen, by (address >> 2) % NOTED_SLOTS: address and size. */
    uint64_t noted[NOTED_SLOTS];
    struct page_set code_pages; /* host-physical pages that code was ever fetched from */
};

static struct engine *running; /* or the one that ran last */

struct engine_context {
    uc_context *uc;
    uint64_t pc;
    uint64_t prev_end;
    bool just_yielded;
};

static uint64_t reg(const struct engine *e, int id)
{
    uint64_t value = 0;
    uc_reg_read(e->uc, id, &value);
    return value;
}

static void set_reg(struct engine *e, int id, uint64_t value)
{
    uc_reg_write(e->uc, id, &value);
}

static uint64_t library_pc(const struct engine *e)
{
    return e->live ? e->live->pc : reg(e, UC_ARM64_REG_PC);
}

/* Between runs PC is kept here: each run begins by setting it anyway. So it is in `carry_out`. */
static uint64_t unicorn_pc(struct engine *e)
{
    return e->in_exit ? e->exit_pc : e->inside ? library_pc(e) : e->pc;
}

static void unicorn_set_pc(struct engine *e, uint64_t pc)
{
    if (e->in_exit)
        e->exit_pc = pc;
    else if (e->inside)
        set_reg(e, UC_ARM64_REG_PC, pc);
    else
        e->pc = pc;
}

static int x_id(unsigned n)
{
    return n < 29 ? UC_ARM64_REG_X0 + (int)n : n == 29 ? UC_ARM64_REG_X29 : UC_ARM64_REG_X30;
}

static uint64_t unicorn_x(struct engine *e, unsigned n)
{
    if (n >= 31)
        return 0;
    return e->live ? e->live->x[n] : e->in_exit && n == e->exit_n ? e->exit_x : reg(e, x_id(n));
}

static void unicorn_set_x(struct engine *e, unsigned n, uint64_t value)
{
    if (n >= 31)
        return;
    e->exit_n = 32;
    if (e->live)
        e->live->x[n] = value;
    else
        set_reg(e, x_id(n), value);
}

static uint64_t unicorn_sp(struct engine *e)
{
    return e->live ? e->live->sp : reg(e, UC_ARM64_REG_SP);
}

static void unicorn_set_sp(struct engine *e, uint64_t value)
{
    set_reg(e, UC_ARM64_REG_SP, value);
}

static uint64_t unicorn_mode(struct engine *e)
{
    return (e->live ? e->live->pstate : reg(e, UC_ARM64_REG_PSTATE)) & ENGINE_MODE;
}

static struct exiting *exiting_at(struct engine *e, uint64_t pc)
{
    return &e->exiting[(pc >> 2) % EXIT_SLOTS];
}

/* Counting ------------------------------------------------------------------------------------- */

static uint64_t counted_to_block_end(const struct engine *e)
{
    return e->counted + (uint64_t)((e->granted - e->fast.left) / 4);
}

/* Attempted so far with PC inside the last block: the tail behind PC has not happened. */
static uint64_t counted_to_pc(const struct engine *e, uint64_t pc)
{
    return counted_to_block_end(e) - (e->fast.address + e->fast.size - pc) / 4;
}

static uint64_t unicorn_executed(const struct engine *e)
{
    if (e->in_exit)
        return e->exit_count;
    bool in_block = e->inside && !e->settled;
    return in_block ? counted_to_pc(e, library_pc(e)) : counted_to_block_end(e);
}

/* Makes `now` the base of further counting and hands out what is left until something is due: as
 * `room`, where each block is looked at without anything being due. */
static void grant(struct engine *e, uint64_t now)
{
    e->counted = now;
    uint64_t until = e->exact_at < e->soft_at ? e->exact_at : e->soft_at;
    if (e->turn_at < until)
        until = e->turn_at;
    uint64_t left = until > now ? until - now : 0;
    if (e->watching || e->stop_wanted || e->flush_code_wanted || e->leaving)
        left = 0;
    e->room = 0;
    e->granted = left > INT64_MAX / 8 ? INT64_MAX / 2 : (int64_t)left * 4;
    if (e->place_count || e->code_seen) {
        e->room = e->granted;
        e->granted = 0;
    }
    e->fast.left = e->granted;
}

/* In callbacks: makes the next block take the slow path. */
static void look_at_next_block(struct engine *e)
{
    if (e->inside)
        grant(e, counted_to_block_end(e));
}

/* Hooks ---------------------------------------------------------------------------------------- */

static void stop(struct engine *e, enum engine_stop reason)
{
    e->reason = reason;
    e->stopped = true;
    uc_emu_stop(e->uc);
}

static bool is_turn(const struct engine *e, uint64_t address, bool yielded)
{
    bool branched = address != e->fast.address + e->fast.size;
    return yielded || (branched && e->counted >= e->turn_at);
}

static bool has_place(const struct engine *e, uint64_t address, uint64_t size)
{
    size_t low = 0, high = e->place_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (e->places[middle] < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < e->place_count && e->places[low] - address < size;
}

static void note_code(struct engine *e, uint64_t address, uint64_t size)
{
    uint64_t block = address ^ size << 48, *noted = &e->noted[(address >> 2) % NOTED_SLOTS];
    if (!e->code_seen || *noted == block)
        return;
    *noted = block;
    code_set_add(e->code_seen, address, size ? size : 4);
}

static void begin_block(struct engine *e, uint64_t address, uint32_t size)
{
    e->fast.left -= size;
    e->fast.address = address;
    e->fast.size = size;
}

/* Before a block, when something may be due. Nothing of the block has run, PC is its start: the
 * only place from where uc_emu_stop is exact. */
static void block_slow(struct engine *e, uint64_t address, uint32_t size, bool yielded)
{
    uint64_t now = counted_to_block_end(e);
    if (e->leaving) {
        stop(e, ENGINE_SOFT);
        return;
    }
    grant(e, now);
    note_code(e, address, size);
    /* The end of a turn first: whether a stop at the same count was exact or soft differs between a
     * recording and its replay, and an interrupt that is taken there must find the same turn. */
    if (is_turn(e, address, yielded)) {
        e->just_yielded = yielded;
        stop(e, ENGINE_TURN);
    } else if (e->exact_at <= now)
        stop(e, ENGINE_BUDGET);
    else if (address & 3)
        stop(e, ENGINE_UNALIGNED);
    else if (e->stop_wanted || e->flush_code_wanted || e->soft_at <= now)
        stop(e, ENGINE_SOFT);
    else {
        uint64_t may_run = e->exact_at - now;
        if (e->watching || has_place(e, address, size)) {
            e->settled = true; /* PC is not where the last block ended if it was a branch */
            uint64_t watched = e->callbacks->watch(e->callbacks->cpu, address, size);
            e->settled = false;
            may_run = watched < may_run ? watched : may_run;
        }
        if (may_run < size / 4) {
            e->truncate = may_run;
            stop(e, ENGINE_SOFT);
        }
    }
    if (e->stopped)
        return;
    /* fast.left may go below zero: the block crosses a soft or turn limit, looked at next time. */
    begin_block(e, address, size);
}

/* Before a block that on_block does not simply let run. Apart from it, or the compiler saves
 * registers there for what is needed here. */
static __attribute__((noinline)) void look_at_block(struct engine *e, uint64_t address,
                                                    uint32_t size)
{
    if (e->in_stub) {
        /* Also when the engine is made: an interposed function must not be what stops here. */
        CHECK(address == e->stub_start || !e->stopped);
        e->stopped = address != e->stub_start;
        e->aside_size = size;
        if (e->stopped)
            uc_emu_stop(e->uc);
        return;
    }
    if (e->fast.left + e->room >= size && size && !(address & 3) && !has_place(e, address, size)) {
        note_code(e, address, size);
        begin_block(e, address, size);
        return;
    }
    block_slow(e, address, size, false);
}

static void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *user)
{
    struct engine *e = user;
    (void)uc;
    /* A block of size 0 is a software step that is pending: an exception, which counts. */
    if (e->fast.left >= size && size && !(address & 3))
        begin_block(e, address, size);
    else
        look_at_block(e, address, size);
}

/* Where on the board the code lies; false: it may not be fetched. */
static bool find_code(struct engine *e, uint64_t va, hpa_t *at)
{
    struct engine_page page;
    if (!e->callbacks->fill(e->callbacks->cpu, va & ~PAGE_MASK, ACCESS_FETCH, &page))
        return false;
    *at = hpa(page.hpa + (va & PAGE_MASK));
    return true;
}

static bool instruction_is_wfe(struct engine *e, uint64_t va)
{
    hpa_t at;
    if (!find_code(e, va, &at))
        return false;
    const uint8_t *word = memory_at(e->memory, at, 4, MEMORY_READ);
    return word && load_le(word, 4) == WFE_WORD;
}

/* The block hook where WFE ends a turn: a block that follows a WFE sequentially gives the others
 * their chance. After that it runs on, or all vCPUs would yield for ever; a stop before the block
 * has run does not change that. */
static void on_block_yielding(uc_engine *uc, uint64_t address, uint32_t size, void *user)
{
    struct engine *e = user;
    bool may_yield = e->yield_after[(address >> 2) % YIELD_SLOTS] &&
                     address == e->fast.address + e->fast.size && !e->just_yielded && !e->in_stub;
    if (may_yield && instruction_is_wfe(e, address - 4)) {
        block_slow(e, address, size, true);
        return;
    }
    on_block(uc, address, size, user);
    if (!e->in_stub && !e->stopped)
        e->just_yielded = false;
}

/* Hints for the WFE words that lie there, at whatever virtual page they are seen. */
static void note_wfe_words(struct engine *e, hpa_t a, uint64_t size)
{
    const uint8_t *code = memory_at(e->memory, a, size, MEMORY_READ);
    for (uint64_t at = 0; code && at + 4 <= size; at += 4)
        for (uint64_t page = 0; page < YIELD_SLOTS && load_le32(code + at) == WFE_WORD;
             page += PAGE_SIZE / 4)
            e->yield_after[(page + (((a.v & PAGE_MASK) + at + 4) >> 2)) % YIELD_SLOTS] = 1;
}

/* Before code of the page runs; what IC instructions make new later is looked through then. */
static void note_wfe_words_once(struct engine *e, uint64_t page_hpa)
{
    uint64_t *looked = &e->looked_through[page_hpa / PAGE_SIZE % LOOKED_SLOTS];
    if (*looked == (page_hpa | 1))
        return;
    *looked = page_hpa | 1;
    note_wfe_words(e, hpa(page_hpa), PAGE_SIZE);
}

/* TLBI extends the address from bit 55: a page under an address with a tag is not reached by it. */
static void note_local(struct engine *e, uint64_t page_va)
{
    if ((uint64_t)((int64_t)(page_va << 8) >> 8) != page_va)
        e->local_count = LOCAL_PAGES + 1;
    if (e->local_count && e->local_count <= LOCAL_PAGES && e->local[e->local_count - 1] == page_va)
        return;
    if (e->local_count < LOCAL_PAGES)
        e->local[e->local_count] = page_va;
    if (e->local_count <= LOCAL_PAGES)
        e->local_count++;
}

static bool on_fill(uc_engine *uc, uint64_t va, uc_mem_type type, uc_tlb_entry *result, void *user)
{
    struct engine *e = user;
    (void)uc;
    if ((va & WINDOW_MASK) == WINDOW) {
        result->paddr = va & ~WINDOW_MASK & ~PAGE_MASK;
        result->perms = UC_PROT_READ | UC_PROT_EXEC;
        return true;
    }
    if (e->leaving) /* what is due comes before this page is asked for */
        return false;
    enum access_kind kind = type == UC_MEM_FETCH   ? ACCESS_FETCH
                            : type == UC_MEM_WRITE ? ACCESS_WRITE
                                                   : ACCESS_READ;
    struct engine_page page;
    if (!e->callbacks->fill(e->callbacks->cpu, va & ~PAGE_MASK, kind, &page)) {
        e->fill_refused = true;
        /* A fetch happens between blocks: the last block ran to its end. */
        e->tail_counted = kind == ACCESS_FETCH;
        return false;
    }
    if (kind == ACCESS_FETCH)
        page_set_add(&e->code_pages, page.hpa);
    if (e->yields && kind == ACCESS_FETCH)
        note_wfe_words_once(e, page.hpa);
    if (page.local)
        note_local(e, va & ~PAGE_MASK);
    /* Never W and X together: that makes every store to the page several times slower. */
    unsigned permits =
        page.permits & (kind == ACCESS_FETCH ? ~(unsigned)PERMIT_W : ~(unsigned)PERMIT_X);
    result->paddr = page.hpa;
    result->perms = (permits & PERMIT_R ? UC_PROT_READ : 0) |
                    (permits & PERMIT_W ? UC_PROT_WRITE : 0) |
                    (permits & PERMIT_X ? UC_PROT_EXEC : 0);
    return true;
}

/* The run ends before the next block, and goes on at exit_pc. */
static void leave(struct engine *e, uint64_t count)
{
    e->leaving = true;
    e->fast.address = e->exit_end;
    e->fast.size = 0;
    grant(e, count);
}

/* EXIT_WORD: instead of an instruction that exits, if this is the block that was translated so.
 * Guests may have such words of their own, and change them without telling anybody: then it is the
 * engine's, or at worst what is in memory by now is carried out, which the manual allows. */
static uint32_t on_exit_word(struct engine *e, unsigned n, uint64_t value)
{
    uint64_t pc = library_pc(e);
    struct exiting *x = exiting_at(e, pc);
    if (x->pc != pc || !x->is_translated || x->from != e->fast.address ||
        e->fast.address + e->fast.size != pc + 8)
        return 0;
    uint64_t count = counted_to_pc(e, pc + 4);
    e->exit_pc = e->exit_end = pc;
    e->exit_count = count;
    e->exit_n = n;
    e->exit_x = value;
    e->in_exit = true;
    enum engine_outcome outcome = e->callbacks->carry_out(e->callbacks->cpu, pc);
    e->in_exit = false;
    e->fast.left += 4; /* EXIT_END */
    e->fast.size -= 4;
    if (outcome == ENGINE_DONE) {
        e->exit_pc = e->exit_end = pc + 4;
        if (e->watching || e->stop_wanted || e->flush_code_wanted)
            leave(e, count);
    } else if (outcome == ENGINE_REFUSED) {
        e->refused = x;
        leave(e, count - 1);
    } else {
        leave(e, count);
    }
    return 1;
}

static uint32_t on_sysop(struct engine *e, const struct engine_sysop *op)
{
    if (op->is_read && op->encoding == EXIT_ENCODING)
        return on_exit_word(e, op->rt, op->value);
    return engine_asks(e->callbacks->asked, op->encoding, op->is_read) &&
           e->callbacks->sysop(e->callbacks->cpu, op);
}

/* In place of the library's own, which hands the instruction to on_read and on_write in parts. */
uint32_t engine_system_instruction(void *registers, uint32_t word)
{
    struct engine *e = running;
    if (e->in_stub) {
        e->registers = registers;
        e->stub_word = word;
        return 0;
    }
    struct engine_sysop op = {
        .encoding = word >> 5 & 0xffff, .is_read = word >> 21 & 1, .rt = word & 31};
    op.value = unicorn_x(e, op.rt);
    return on_sysop(e, &op);
}

static struct engine_sysop sysop(uc_arm64_reg rt, const uc_arm64_cp_reg *r, bool is_read)
{
    return (struct engine_sysop){
        .encoding = SYSREG(r->op0, r->op1, r->crn, r->crm, r->op2),
        .is_read = is_read,
        .value = r->val,
        .rt = rt >= UC_ARM64_REG_X0 && rt <= UC_ARM64_REG_X28 ? (unsigned)(rt - UC_ARM64_REG_X0)
              : rt == UC_ARM64_REG_X29                        ? 29
              : rt == UC_ARM64_REG_X30                        ? 30
                                                              : 31,
    };
}

static uint32_t on_read(uc_engine *uc, uc_arm64_reg rt, const uc_arm64_cp_reg *r, void *user)
{
    (void)uc;
    struct engine_sysop op = sysop(rt, r, true);
    return on_sysop(user, &op);
}

static uint32_t on_write(uc_engine *uc, uc_arm64_reg rt, const uc_arm64_cp_reg *r, void *user)
{
    (void)uc;
    struct engine_sysop op = sysop(rt, r, false);
    return on_sysop(user, &op);
}

static void on_interrupt(uc_engine *uc, uint32_t number, void *user)
{
    struct engine *e = user;
    (void)uc;
    if (e->leaving) { /* behind an exit nothing runs */
        stop(e, ENGINE_SOFT);
        return;
    }
    bool behind = number == ENGINE_SVC || number == ENGINE_HVC || number == ENGINE_SMC;
    uint64_t pc = library_pc(e);
    /* A software step that ends in a taken branch is reported with PC outside of its block. */
    bool in_block = pc - e->fast.address <= e->fast.size;
    uint64_t done = in_block ? counted_to_pc(e, pc) : counted_to_block_end(e);
    e->block_address = e->fast.address;
    e->block_size = e->fast.size;
    /* From here on nothing of the last block is left. */
    e->fast.address = pc;
    e->fast.size = behind ? 0 : 4;
    grant(e, done + (behind ? 0 : 1));
    e->settled = true;
    bool taken = e->callbacks->exception(e->callbacks->cpu, number);
    e->settled = false;
    if (taken)
        return;
    stop(e, ENGINE_EXCEPTION);
}

/* Running -------------------------------------------------------------------------------------- */

static void start(struct engine *e)
{
    e->fill_refused = false;
    e->tail_counted = false;
    e->stopped = false;
    e->inside = true;
    running = e;
    uc_err err = uc_emu_start(e->uc, e->pc, 0, 0, 0);
    e->inside = false;
    e->pc = library_pc(e);
    if (e->leaving) {
        e->leaving = false;
        e->pc = e->exit_pc;
        e->reason = ENGINE_SOFT;
    } else if (e->fill_refused) {
        if (e->tail_counted)
            note_code(e, e->pc, 4);
        e->reason = ENGINE_FILL;
    } else if (!e->stopped) {
        e->reason = err == UC_ERR_OK ? ENGINE_HALT : ENGINE_FAILED;
    }
    bool in_block = e->reason == ENGINE_HALT || (e->fill_refused && !e->tail_counted);
    e->counted = in_block ? counted_to_pc(e, e->pc) : counted_to_block_end(e);
    e->prev_end = in_block ? e->pc : e->fast.address + e->fast.size;
    e->granted = e->fast.left = 0;
}

#define SCTLR_EL1  SYSREG(3, 0, 1, 0, 0)
#define SCTLR_NTWI ((uint64_t)1 << 16)

/* Runs the first `count` instructions of the block at PC: an exit address inside it, the block
 * translated anew with it and without it afterwards. An exit is a WFI inside the library, which at
 * EL0 SCTLR_EL1.nTWI = 0 would trap. */
static void run_truncated(struct engine *e, uint64_t count)
{
    hpa_t at;
    if (!find_code(e, e->pc, &at))
        return; /* the page went since the stop: its fetch will say so */
    uint64_t exit_address = e->pc + 4 * count;
    uint64_t sctlr = 0;
    bool el0 = (unicorn_mode(e) & PSTATE_EL_MASK) == 0;
    if (el0) {
        sctlr = engine_sysreg(e, SCTLR_EL1);
        if (!(sctlr & SCTLR_NTWI))
            engine_set_sysreg(e, SCTLR_EL1, sctlr | SCTLR_NTWI);
        else
            el0 = false;
    }
    bool watching = e->watching;
    size_t place_count = e->place_count;
    e->watching = false;
    e->place_count = 0;
    grant(e, e->counted);
    engine_drop_code(e, at, 4 * count);
    uc_ctl_set_exits(e->uc, &exit_address, 1);
    start(e);
    e->watching = watching;
    e->place_count = place_count;
    uc_ctl_set_exits(e->uc, &exit_address, 0);
    /* By its place: by address it could call `fill`, and spoil what a refusal left. */
    engine_drop_code(e, at, 4 * count);
    if (el0)
        engine_set_sysreg(e, SCTLR_EL1, sctlr);
    if (e->reason == ENGINE_HALT && e->prev_end == exit_address)
        e->reason = ENGINE_SOFT;
}

/* Instructions that exit --------------------------------------------------------------------------
 *
 * An access that `fill` refuses costs an abort, a stop and a restart, a hypercall an exception.
 * Where that happens again and again, EXIT_WORD lies in the instruction's place while its block is
 * translated, and the instruction itself right after: what is translated asks `carry_out`
 * (on_exit_word), what is in memory never changed. EXIT_END behind it ends the block, so that what
 * the exit caused is due before the next instruction; it is not counted. When the block is dropped,
 * for whatever reason, the instruction is tried again. */

/* Not for the guest: nothing is counted. Ends before the first block that is not at stub_start. */
static void run_aside(struct engine *e, uint64_t from)
{
    e->in_stub = true;
    e->stopped = false;
    e->aside_size = 0;
    e->fast.left = 0;
    running = e;
    uc_emu_start(e->uc, from, 0, 0, 0);
    e->in_stub = false;
}

static void translate_as_it_is(struct engine *e, struct exiting *x)
{
    if (!x->is_translated)
        return;
    x->is_translated = false;
    engine_drop_code(e, hpa(x->hpa), 4);
}

/* A block may have become shorter meanwhile, or end before EXIT_END for its length. */
static void translate_expected(struct engine *e)
{
    hpa_t at;
    uint64_t pc = e->expected, before = pc - e->expected_from;
    struct exiting *x = exiting_at(e, pc);
    e->expected = 0;
    if (x->pc != pc || !find_code(e, pc, &at))
        return;
    uint8_t kept[8], *words = memory_at(e->memory, at, sizeof kept, MEMORY_READ);
    if (!words)
        return;
    translate_as_it_is(e, x);
    memcpy(kept, words, sizeof kept);
    store_le(words, EXIT_WORD | x->n, 4);
    store_le(words + 4, EXIT_END, 4);
    engine_drop_code(e, hpa(at.v - before), before + 4);
    e->stub_start = ~(uint64_t)0;
    run_aside(e, e->expected_from);
    memcpy(words, kept, sizeof kept);
    x->from = e->expected_from;
    x->hpa = at.v;
    x->is_translated = true;
    if (x->from + e->aside_size != pc + 8)
        translate_as_it_is(e, x);
}

/* Not the last instruction of a page: EXIT_END has no place there. */
static void unicorn_expect_exit(struct engine *e, uint64_t pc, unsigned n)
{
    uint64_t from = e->inside ? e->block_address : e->fast.address;
    struct exiting *x = exiting_at(e, pc);
    if (x->pc != pc) {
        translate_as_it_is(e, x);
        *x = (struct exiting){.pc = pc};
    }
    if (++x->times < EXIT_OFTEN || pc < from || ((pc + 4) ^ from) & ~PAGE_MASK)
        return;
    x->times = 0;
    x->n = n;
    e->expected = pc;
    e->expected_from = from;
    e->stop_wanted = true;
    look_at_next_block(e);
}

/* What the first block is sequential to, or not. */
static void go_on(struct engine *e)
{
    e->fast.address = e->prev_end;
    e->fast.size = 0;
}

static enum engine_stop unicorn_run(struct engine *e, struct engine_budget budget)
{
    if (e->expected)
        translate_expected(e);
    uint64_t from = e->counted;
    e->exact_at = budget.exact > UINT64_MAX - from ? UINT64_MAX : from + budget.exact;
    e->soft_at = budget.soft > UINT64_MAX - from ? UINT64_MAX : from + budget.soft;
    e->turn_at = budget.turn > UINT64_MAX - from ? UINT64_MAX : from + budget.turn;
    e->truncate = 0;
    e->stop_wanted = false;
    go_on(e);
    note_code(e, e->pc, 4);
    grant(e, from);
    start(e);
    while (e->refused) {
        translate_as_it_is(e, e->refused);
        e->refused = NULL;
        go_on(e);
        grant(e, e->counted);
        start(e);
    }
    if (e->truncate) {
        uint64_t count = e->truncate;
        e->truncate = 0;
        go_on(e);
        e->exact_at = e->counted + count;
        run_truncated(e, count);
    }
    if (e->flush_code_wanted) {
        e->flush_code_wanted = false;
        uc_ctl_flush_tb(e->uc);
        if (e->yields) { /* fetches are filled again, and WFE words looked for */
            memset(e->looked_through, 0, sizeof e->looked_through);
            engine_flush_tlb(e);
        }
    }
    return e->reason;
}

static uint64_t unicorn_block(const struct engine *e, uint64_t *size_bytes)
{
    *size_bytes = e->block_size;
    return e->block_address;
}

static void unicorn_stop_soon(struct engine *e)
{
    e->stop_wanted = true;
    look_at_next_block(e);
}

static void unicorn_watch(struct engine *e, bool all, const uint64_t *places, size_t count)
{
    if (e->watching == all && e->places == places && e->place_count == count)
        return;
    e->watching = all;
    e->places = places;
    e->place_count = count;
    look_at_next_block(e);
}

static void unicorn_note_code(struct engine *e, struct code_set *to)
{
    e->code_seen = to;
    memset(e->noted, 0, sizeof e->noted);
    look_at_next_block(e);
}

static void unicorn_count_attempt(struct engine *e)
{
    e->counted++;
}

static void unicorn_uncount_attempt(struct engine *e)
{
    e->counted--;
}

static void unicorn_continue_at(struct engine *e, uint64_t pc)
{
    if (e->in_exit)
        e->exit_end = pc;
    else
        e->prev_end = pc;
}

/* Registers ------------------------------------------------------------------------------------ */

static uint64_t unicorn_banked_sp(struct engine *e, unsigned el)
{
    return reg(e, el ? UC_ARM64_REG_SP_EL1 : UC_ARM64_REG_SP_EL0);
}

static void unicorn_set_banked_sp(struct engine *e, unsigned el, uint64_t value)
{
    set_reg(e, el ? UC_ARM64_REG_SP_EL1 : UC_ARM64_REG_SP_EL0, value);
}

static uint64_t unicorn_pstate(struct engine *e)
{
    return reg(e, UC_ARM64_REG_PSTATE);
}

static void unicorn_set_pstate(struct engine *e, uint64_t value)
{
    set_reg(e, UC_ARM64_REG_PSTATE, value);
}

static uc_arm64_cp_reg cp_reg(unsigned encoding)
{
    return (uc_arm64_cp_reg){
        .op0 = encoding >> 14,
        .op1 = encoding >> 11 & 7,
        .crn = encoding >> 7 & 15,
        .crm = encoding >> 3 & 15,
        .op2 = encoding & 7,
    };
}

static void unicorn_set_elr(struct engine *e, uint64_t value)
{
    set_reg(e, UC_ARM64_REG_ELR_EL1, value);
}

static void unicorn_set_esr(struct engine *e, uint64_t value)
{
    set_reg(e, UC_ARM64_REG_ESR_EL1, value);
}

static void unicorn_set_far(struct engine *e, uint64_t value)
{
    set_reg(e, UC_ARM64_REG_FAR_EL1, value);
}

static uint64_t unicorn_sysreg(struct engine *e, unsigned encoding)
{
    uc_arm64_cp_reg r = cp_reg(encoding);
    uc_err err = uc_reg_read(e->uc, UC_ARM64_REG_CP_REG, &r);
    CHECK(err == UC_ERR_OK);
    return r.val;
}

static void unicorn_set_sysreg(struct engine *e, unsigned encoding, uint64_t value)
{
    uc_arm64_cp_reg r = cp_reg(encoding);
    r.val = value;
    uc_err err = uc_reg_write(e->uc, UC_ARM64_REG_CP_REG, &r);
    CHECK(err == UC_ERR_OK);
}

static void unicorn_vector(struct engine *e, unsigned n, uint64_t value[2])
{
    uc_reg_read(e->uc, UC_ARM64_REG_Q0 + (int)n, value);
}

static void unicorn_set_vector(struct engine *e, unsigned n, const uint64_t value[2])
{
    uc_reg_write(e->uc, UC_ARM64_REG_Q0 + (int)n, value);
}

static uint32_t unicorn_fpcr(struct engine *e)
{
    return (uint32_t)reg(e, UC_ARM64_REG_FPCR);
}

static void unicorn_set_fpcr(struct engine *e, uint32_t value)
{
    set_reg(e, UC_ARM64_REG_FPCR, value);
}

static uint32_t unicorn_fpsr(struct engine *e)
{
    return (uint32_t)reg(e, UC_ARM64_REG_FPSR);
}

static void unicorn_set_fpsr(struct engine *e, uint32_t value)
{
    set_reg(e, UC_ARM64_REG_FPSR, value);
}

/* Set-up --------------------------------------------------------------------------------------- */

#define SCR_EL3           SYSREG(3, 6, 1, 1, 0)
#define HCR_EL2           SYSREG(3, 4, 1, 1, 0)
#define CODE_BUFFER_BYTES (64u << 20)

static bool check_uc(uc_err err, const char *what, struct error *e)
{
    return err == UC_ERR_OK || error_set(e, "Unicorn: %s: %s", what, uc_strerror(err));
}

static bool library_is_new_enough(struct error *e)
{
    unsigned version = uc_version(NULL, NULL);
    unsigned patch = version >> 8 & 0xff;
    unsigned number = (version >> 24) << 16 | (version >> 16 & 0xff) << 8 | patch;
    return number >= 0x020103 ||
           error_set(e, "Unicorn %u.%u.%u is too old: 2.1.3 or newer is needed", version >> 24,
                     version >> 16 & 0xff, patch);
}

static int model_number(const char *model)
{
    static const struct {
        const char *name;
        int number;
    } models[] = {{"a53", UC_CPU_ARM64_A53},
                  {"a57", UC_CPU_ARM64_A57},
                  {"a72", UC_CPU_ARM64_A72},
                  {"max", UC_CPU_ARM64_MAX}};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (strcmp(models[i].name, model) == 0)
            return models[i].number;
    return -1;
}

/* The order matters: the page size first (the default of 1 KiB makes TLBI drop a quarter of a
 * page), everything else before the first mapping. */
static bool open_library(struct engine *g, const char *model, struct error *e)
{
    int number = model_number(model);
    return library_is_new_enough(e) &&
           (number >= 0 || error_set(e, "unknown CPU model '%s': a53, a57, a72 or max", model)) &&
           check_uc(uc_open(UC_ARCH_ARM64, UC_MODE_ARM, &g->uc), "open", e) &&
           check_uc(uc_ctl_set_page_size(g->uc, 4096), "page size", e) &&
           check_uc(uc_ctl_set_cpu_model(g->uc, number), "CPU model", e) &&
           check_uc(uc_ctl_set_tcg_buffer_size(g->uc, CODE_BUFFER_BYTES), "code buffer", e) &&
           check_uc(uc_ctl_tlb_mode(g->uc, UC_TLB_VIRTUAL), "TLB mode", e) &&
           check_uc(uc_ctl_exits_enable(g->uc), "exits", e);
}

static bool map_board(struct engine *g, struct error *e)
{
    for (size_t i = 0; i < g->memory->bank_count; i++) {
        const struct memory_bank *bank = &g->memory->banks[i];
        if (!check_uc(uc_mem_map_ptr(g->uc, bank->base.v, bank->size, UC_PROT_ALL, bank->host),
                      "mapping a memory bank", e))
            return false;
    }
    static const uint32_t code[] = {0xd5033f5f,    0x14000001, 0x14000000, /* CLREX, in a block */
                                    0xc85f7c20,    0x14000001, 0x14000000, /* LDXR X0, [X1] */
                                    STUB_MRS_WORD, 0x14000001, 0x14000000};
    g->stub_allocation = calloc(2, PAGE_SIZE);
    CHECK(g->stub_allocation);
    g->stub = (uint8_t *)(((uintptr_t)g->stub_allocation + PAGE_MASK) & ~(uintptr_t)PAGE_MASK);
    for (size_t i = 0; i < sizeof code / sizeof code[0]; i++)
        store_le(g->stub + 4 * i, code[i], 4);
    store_le(g->stub + STUB_DATA, MONITOR_MARK, 8);
    return check_uc(
        uc_mem_map_ptr(g->uc, STUB_HPA, PAGE_SIZE, UC_PROT_READ | UC_PROT_EXEC, g->stub),
        "mapping the stub", e);
}

static bool add_hook(struct engine *g, int type, void *function, uint64_t from, uint64_t to,
                     struct error *e)
{
    uc_hook hook;
    return check_uc(uc_hook_add(g->uc, &hook, type, function, g, from, to), "hook", e);
}

static bool add_instruction_hook(struct engine *g, void *function, int instruction, struct error *e)
{
    uc_hook hook;
    return check_uc(uc_hook_add(g->uc, &hook, UC_HOOK_INSN, function, g, 1, 0, instruction), "hook",
                    e);
}

/* Never called, as everything outside of the board's memory is refused by on_fill. That it exists
 * for an address keeps the library from taking write permission from a page whenever code is
 * translated there (a search through the whole TLB). Sound because code becomes new by IC
 * instructions only; host-physical addresses must be left out. */
static bool on_fetch_unmapped(uc_engine *uc, uc_mem_type type, uint64_t address, int size,
                              int64_t value, void *user)
{
    (void)uc, (void)type, (void)address, (void)size, (void)value, (void)user;
    return false;
}

static bool add_fetch_hooks(struct engine *g, struct error *e)
{
    const struct memory_bank *first = &g->memory->banks[0];
    const struct memory_bank *last = &g->memory->banks[g->memory->bank_count - 1];
    return add_hook(g, UC_HOOK_MEM_FETCH_UNMAPPED, (void *)on_fetch_unmapped,
                    last->base.v + last->size, UINT64_MAX, e) &&
           (first->base.v == 0 || add_hook(g, UC_HOOK_MEM_FETCH_UNMAPPED, (void *)on_fetch_unmapped,
                                           0, first->base.v - 1, e));
}

/* One block hook only: the library then calls it directly. */
static bool add_hooks(struct engine *g, struct error *e)
{
    void *block = g->yields ? (void *)on_block_yielding : (void *)on_block;
    return add_hook(g, UC_HOOK_BLOCK, block, 1, 0, e) &&
           add_hook(g, UC_HOOK_TLB_FILL, (void *)on_fill, 1, 0, e) &&
           add_hook(g, UC_HOOK_INTR, (void *)on_interrupt, 1, 0, e) &&
           add_instruction_hook(g, (void *)on_read, UC_ARM64_INS_MRS, e) &&
           add_instruction_hook(g, (void *)on_read, UC_ARM64_INS_SYSL, e) &&
           add_instruction_hook(g, (void *)on_write, UC_ARM64_INS_MSR, e) &&
           add_instruction_hook(g, (void *)on_write, UC_ARM64_INS_SYS, e) && add_fetch_hooks(g, e);
}

/* The exclusive monitor -------------------------------------------------------------------------
 */

/* One block of the stub page, stopped at the block behind it. */
static void run_stub(struct engine *e, uint64_t offset)
{
    e->stub_start = WINDOW | (STUB_HPA + offset);
    run_aside(e, e->stub_start);
}

/* The monitor is in no register. */
static void unicorn_clear_monitor(struct engine *e)
{
    run_stub(e, 0);
}

static struct engine_monitor monitor_in(const struct engine *e)
{
    struct engine_monitor m;
    memcpy(&m, (const uint8_t *)e->scratch + e->monitor_offset, sizeof m);
    return m;
}

/* It is in no register, but in every context: mark a place, and look where the place and what it
 * holds come one behind the other. What the library keeps there is three host integers: address,
 * value, high half of a pair. */
static void find_monitor(struct engine *e)
{
    struct engine_context *before = engine_context_new(e);
    uint64_t place = WINDOW | (STUB_HPA + STUB_DATA), found = 0;
    set_reg(e, UC_ARM64_REG_X1, place);
    run_stub(e, STUB_LDXR);
    set_reg(e, UC_ARM64_REG_X0, 0);
    set_reg(e, UC_ARM64_REG_X1, 0);
    uc_context_save(e->uc, e->scratch);
    for (size_t at = 8; at + sizeof(struct engine_monitor) <= uc_context_size(e->uc); at += 8) {
        e->monitor_offset = at;
        struct engine_monitor m = monitor_in(e);
        if (m.address == place && m.value == MONITOR_MARK)
            found = found ? UINT64_MAX : at;
    }
    e->monitor_offset = found == UINT64_MAX ? 0 : (size_t)found;
    engine_clear_monitor(e);
    engine_context_load(e, before);
    engine_context_free(e, before);
}

static struct engine_monitor unicorn_monitor(struct engine *e)
{
    struct engine_monitor open = {.address = UINT64_MAX}, m = open;
    if (e->monitor_offset) {
        uc_context_save(e->uc, e->scratch);
        m = monitor_in(e);
    }
    if (m.address == UINT64_MAX)
        m.value = 0; /* not the high half: the next LDXR leaves it as it is */
    return m;
}

static void unicorn_set_monitor(struct engine *e, struct engine_monitor m)
{
    if (!e->monitor_offset)
        return;
    uc_context_save(e->uc, e->scratch);
    memcpy((uint8_t *)e->scratch + e->monitor_offset, &m, sizeof m);
    uc_context_restore(e->uc, e->scratch);
}

/* The registers in use --------------------------------------------------------------------------
 */

static bool holds_modes(struct engine *e, const struct live_registers *live)
{
    static const uint32_t modes[] = {0, 4, 5, 4 | 1u << 22, 5 | 1u << 22};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        engine_set_pstate(e, modes[i]);
        if ((live->pstate & ENGINE_MODE) != modes[i])
            return false;
    }
    return true;
}

/* Marks are written to them, and looked for behind that pointer. NULL: they are not there. */
static struct live_registers *marked_registers(struct engine *e, uint8_t *at)
{
    uint64_t marks[33];
    for (unsigned n = 0; n < 33; n++)
        marks[n] = REGISTER_MARK + n;
    for (unsigned n = 0; n < 31; n++)
        engine_set_x(e, n, marks[n]);
    engine_set_sp(e, marks[31]);
    set_reg(e, UC_ARM64_REG_PC, marks[32]);
    for (const uint8_t *end = at + PAGE_SIZE; at < end; at += 8) {
        struct live_registers *live = (struct live_registers *)(void *)at;
        if (memcmp(at, marks, sizeof marks) == 0)
            return holds_modes(e, live) ? live : NULL;
    }
    return NULL;
}

/* Where the library has them, if an instruction of the stub comes to us with a pointer. */
static bool find_registers(struct engine *e, struct error *error)
{
    struct engine_context *before = engine_context_new(e);
    run_stub(e, STUB_MRS);
    bool is_ours = e->registers, is_understood = !is_ours || e->stub_word == STUB_MRS_WORD;
    if (is_ours && is_understood)
        e->live = marked_registers(e, e->registers);
    engine_context_load(e, before);
    engine_context_free(e, before);
    return is_understood || error_set(error,
                                      "Unicorn %s does not have the inner function that "
                                      "cpu/interpose.c replaces: configure with "
                                      "-DQVM_INTERPOSE=OFF",
                                      engine_version());
}

static void unicorn_free(struct engine *g)
{
    if (g->scratch)
        uc_context_free(g->scratch);
    if (g->uc)
        uc_close(g->uc);
    free(g->stub_allocation);
    free(g);
}

static void unicorn_use(struct engine *e, const struct engine_callbacks *callbacks)
{
    e->expected = 0;
    e->callbacks = callbacks;
}

const char *engine_version(void)
{
    static char text[32];
    unsigned v = uc_version(NULL, NULL);
    snprintf(text, sizeof text, "%u.%u.%u", v >> 24, v >> 16 & 0xff, v >> 8 & 0xff);
    return text;
}

static unsigned unicorn_sequence(struct engine *e)
{
    return (e->prev_end != e->pc) | (unsigned)e->just_yielded << 1;
}

static void unicorn_set_sequence(struct engine *e, unsigned sequence)
{
    e->prev_end = sequence & 1 ? ~e->pc : e->pc;
    e->just_yielded = sequence >> 1 & 1;
}

static void unicorn_set_executed(struct engine *e, uint64_t instructions)
{
    e->counted = instructions;
    e->granted = e->fast.left = 0;
}

/* Caches --------------------------------------------------------------------------------------- */

static void unicorn_flush_tlb(struct engine *e)
{
    uc_ctl_flush_tlb(e->uc);
    e->local_count = 0;
}

/* A TLBI of one page, as if the guest had executed it: what the library drops is that page in all
 * its tables, and the blocks it would find by their address there. */
#define TLBI_VAE1 SYSREG(1, 0, 8, 7, 1)

static void unicorn_change_space(struct engine *e)
{
    if (e->local_count > LOCAL_PAGES) {
        unicorn_flush_tlb(e);
        return;
    }
    for (size_t i = 0; i < e->local_count; i++)
        engine_set_sysreg(e, TLBI_VAE1, e->local[i] >> PAGE_BITS);
    e->local_count = 0;
}

static void unicorn_drop_code(struct engine *e, hpa_t a, uint64_t size)
{
    uint64_t end = a.v + size;
    for (uint64_t at = a.v; at < end;) {
        uint64_t page_end = (at | PAGE_MASK) + 1;
        uint64_t until = page_end < end ? page_end : end;
        bool has_code = page_set_has(&e->code_pages, at);
        if (e->yields && has_code)
            note_wfe_words(e, hpa(at & ~(uint64_t)3), until - (at & ~(uint64_t)3));
        if (has_code)
            uc_ctl_remove_cache(e->uc, WINDOW | at, WINDOW | until);
        at = until;
    }
}

static void unicorn_flush_code_soon(struct engine *e)
{
    e->flush_code_wanted = true;
    look_at_next_block(e);
}

/* Contexts ------------------------------------------------------------------------------------- */

static struct engine_context *unicorn_context_new(struct engine *e)
{
    struct engine_context *c = calloc(1, sizeof *c);
    CHECK(c && uc_context_alloc(e->uc, &c->uc) == UC_ERR_OK);
    engine_context_save(e, c);
    return c;
}

static void unicorn_context_free(struct engine *e, struct engine_context *c)
{
    (void)e;
    if (c)
        uc_context_free(c->uc);
    free(c);
}

static void unicorn_context_save(struct engine *e, struct engine_context *c)
{
    uc_context_save(e->uc, c->uc);
    c->pc = e->pc;
    c->prev_end = e->prev_end;
    c->just_yielded = e->just_yielded;
}

static void unicorn_context_load(struct engine *e, struct engine_context *c)
{
    uc_context_restore(e->uc, c->uc);
    e->pc = c->pc;
    e->prev_end = c->prev_end;
    e->just_yielded = c->just_yielded;
}

static const struct engine_ops unicorn_ops = {
    .free = unicorn_free,
    .use = unicorn_use,
    .run = unicorn_run,
    .executed = unicorn_executed,
    .block = unicorn_block,
    .stop_soon = unicorn_stop_soon,
    .watch = unicorn_watch,
    .note_code = unicorn_note_code,
    .count_attempt = unicorn_count_attempt,
    .uncount_attempt = unicorn_uncount_attempt,
    .continue_at = unicorn_continue_at,
    .expect_exit = unicorn_expect_exit,
    .sequence = unicorn_sequence,
    .monitor = unicorn_monitor,
    .set_monitor = unicorn_set_monitor,
    .set_sequence = unicorn_set_sequence,
    .set_executed = unicorn_set_executed,
    .pc = unicorn_pc,
    .set_pc = unicorn_set_pc,
    .x = unicorn_x,
    .set_x = unicorn_set_x,
    .sp = unicorn_sp,
    .set_sp = unicorn_set_sp,
    .banked_sp = unicorn_banked_sp,
    .set_banked_sp = unicorn_set_banked_sp,
    .pstate = unicorn_pstate,
    .mode = unicorn_mode,
    .set_pstate = unicorn_set_pstate,
    .set_elr = unicorn_set_elr,
    .set_esr = unicorn_set_esr,
    .set_far = unicorn_set_far,
    .sysreg = unicorn_sysreg,
    .set_sysreg = unicorn_set_sysreg,
    .vector = unicorn_vector,
    .set_vector = unicorn_set_vector,
    .fpcr = unicorn_fpcr,
    .set_fpcr = unicorn_set_fpcr,
    .fpsr = unicorn_fpsr,
    .set_fpsr = unicorn_set_fpsr,
    .flush_tlb = unicorn_flush_tlb,
    .change_space = unicorn_change_space,
    .drop_code = unicorn_drop_code,
    .flush_code_soon = unicorn_flush_code_soon,
    .clear_monitor = unicorn_clear_monitor,
    .context_new = unicorn_context_new,
    .context_free = unicorn_context_free,
    .context_save = unicorn_context_save,
    .context_load = unicorn_context_load,
};

struct engine *engine_unicorn_new(const char *model, bool yields, struct memory *memory,
                                  struct error *e)
{
    struct engine *g = aligned_alloc(64, sizeof *g);
    CHECK(g);
    memset(g, 0, sizeof *g);
    g->head.ops = &unicorn_ops;
    g->memory = memory;
    g->yields = yields;
    if (!open_library(g, model, e) || !map_board(g, e) || !add_hooks(g, e)) {
        engine_free(g);
        return NULL;
    }
    /* Non-secure, AArch64 below, HVC enabled, no traps to EL2: the guest starts at EL1. */
    engine_set_sysreg(g, SCR_EL3, 0x531);
    engine_set_sysreg(g, HCR_EL2, (uint64_t)1 << 31);
    CHECK(uc_context_alloc(g->uc, &g->scratch) == UC_ERR_OK);
    find_monitor(g);
    if (find_registers(g, e))
        return g;
    engine_free(g);
    return NULL;
}
