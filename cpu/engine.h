/* The engine: what executes instructions, of whatever architecture. One engine serves a whole
 * board; its flat address space is the board's host-physical space, and one vCPU context is loaded
 * at a time. Everything architectural (exceptions, translation, system registers that are ours) is
 * asked for through the callbacks, so the CPU code does not know what is behind this interface
 * (unicorn_engine.h).
 *
 * Counting. Every attempted instruction counts as one, whether it completes, traps or faults; so a
 * guest that faults for ever still makes time pass, and the count never depends on how the engine
 * cuts code into blocks. engine_executed is exact in every callback and after engine_run. */
#ifndef CPU_ENGINE_H
#define CPU_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/addr.h"
#include "emu/error.h"
#include "mmu/memory.h"
#include "mmu/walk.h"

struct code_set;
struct engine;
struct engine_context; /* a vCPU's registers while another one is loaded */

enum engine_stop {
    ENGINE_BUDGET, /* the exact budget is used up, PC is at the next instruction */
    ENGINE_SOFT,   /* the soft budget is used up, or somebody asked: at some instruction boundary */
    ENGINE_TURN,   /* the quantum is over: right after a taken branch (or a wait that yields) */
    ENGINE_HALT,   /* it waits for an interrupt, PC behind the instruction */
    ENGINE_WAIT,   /* it waits for an event, PC behind the instruction */
    ENGINE_UNALIGNED, /* no instruction can be at PC */
    ENGINE_FILL,      /* `fill` refused: PC at the instruction, nothing of it is visible */
    ENGINE_EXCEPTION, /* an exception that `exception` did not take inline */
    ENGINE_FAILED,    /* the engine cannot go on, and says not why */
};

/* An instruction about to execute that reads or writes a system register, or does what one says. */
struct engine_system {
    unsigned number; /* of the register: the architecture's, 16 bits */
    bool is_read;
    unsigned n;     /* the general register that it moves, by its id; or the one that is always 0 */
    uint64_t value; /* what that one holds */
};

/* A set of them: a bit for each number, reads apart from writes. */
struct engine_asked {
    uint64_t bits[2][1 << 16 >> 6];
};

static inline bool engine_asks(const struct engine_asked *asked, unsigned number, bool is_read)
{
    return asked->bits[is_read][number >> 6] >> (number & 63) & 1;
}

/* A page for the engine's own TLB. */
struct engine_page {
    uint64_t hpa;
    unsigned permits; /* PERMIT_*: what the guest may do there */
    bool local;       /* until engine_change_space */
    bool coherent;    /* fetches see what was stored, without IC instructions */
};

/* The event register of a vCPU, which an instruction waits for and clears. Behind it the
 * engine looks for a while at what is executed, and knows it; else it counts as set, which lets the
 * next one complete at once, as every one may. What others do sets it: they forget that it is
 * known.
 */
struct engine_event {
    uint64_t known_until; /* by engine_executed; until then hold: */
    uint64_t cleared_at;  /* the last time */
    bool is_set;
    bool is_quiet; /* since the vCPU waited for one it did nothing that another may wait for */
};

#define EVENT_KNOWN_INSTRUCTIONS 256

static inline void engine_clear_event(struct engine_event *event, uint64_t now)
{
    event->known_until = now + EVENT_KNOWN_INSTRUCTIONS;
    event->cleared_at = now;
    event->is_set = false;
}

/* The instruction behind so many is one that another vCPU may wait for. */
static inline void engine_note_send(struct engine_event *event, uint64_t before)
{
    if (before < event->known_until)
        event->is_quiet = false;
}

/* What becomes of an instruction that waits for an event. */
enum engine_pause {
    PAUSE_RUNS,   /* it completes */
    PAUSE_YIELDS, /* and ends the turn */
    PAUSE_WAITS,  /* until the event register is set */
};

/* What became of an instruction that the engine left to `carry_out`. */
enum engine_outcome {
    ENGINE_REFUSED, /* nothing: the engine has to try it after all */
    ENGINE_DONE,    /* carried out; PC is still at the instruction */
    ENGINE_LEFT,    /* carried out or given up, and PC set to where to go on */
};

/* Who changed code, and when. */
struct engine_change {
    uint64_t at; /* instructions attempted before */
    uint64_t pc; /* of the store, if a vCPU made it */
    bool by_guest;
};

/* What a look at a block depends on besides the code. */
enum engine_look {
    LOOK_ALWAYS,  /* registers */
    LOOK_AT_SP,   /* it lets the block run where SP is a multiple of 16 */
    LOOK_AT_NONE, /* it always does */
};

enum engine_before_fetch {
    ENGINE_BEFORE_NOTHING,
    ENGINE_BEFORE_POINT,   /* a debugger's breakpoint */
    ENGINE_BEFORE_MACHINE, /* an interrupt, or the like */
};

struct engine_callbacks {
    /* A page is needed. False refuses: the engine stops with ENGINE_FILL. */
    bool (*fill)(void *cpu, uint64_t page_va, enum access_kind kind, struct engine_page *page);
    /* The same without a look at the instruction, PC need not be right: it is known whether it has
     * the rights of user code only. If this refuses `fill` is asked. */
    bool (*fill_as)(void *cpu, uint64_t page_va, enum access_kind kind, bool unprivileged,
                    struct engine_page *page);
    /* True: done by us, skip the instruction (a read's result is set by engine_set). Called for the
     * numbers that are in `asked`; the others are the engine's own. */
    bool (*system)(void *cpu, const struct engine_system *op);
    /* May take the exception inline, by setting registers. False: stop with ENGINE_EXCEPTION. The
     * numbers are the architecture's. */
    bool (*exception)(void *cpu, unsigned number);
    /* Of watched blocks: called before each with its place and size; how many of its
     * instructions may run before the engine stops (0 = stop here, at least as many as it has = go
     * on). */
    uint64_t (*watch)(void *cpu, uint64_t pc, unsigned size_bytes);
    /* The same of all blocks, where engine_set_checks refuses. What it says of a block's `kind`
     * holds while `regime` and the code are the same. */
    uint64_t (*look)(void *cpu, uint64_t pc, unsigned size_bytes, enum engine_look *kind);
    const uint64_t *regime;
    /* Of those where nothing can be fetched: what comes before that is tried. */
    enum engine_before_fetch (*before_fetch)(void *cpu, uint64_t pc);
    /* Code at `pc` ran that had been executed, then changed without an IC instruction, which did
     * not come a little later either. Of each page the first time. */
    void (*ran_changed_code)(void *cpu, uint64_t pc, const struct engine_change *change);
    const struct engine_asked *asked;
    /* An instruction that engine_expect_exit was told of; what is there by now. */
    enum engine_outcome (*carry_out)(void *cpu, uint64_t pc);
    struct engine_event *event;
    void *cpu;
};

/* Does what is due come before an attempt at an instruction that cannot be fetched? */
enum engine_fetch {
    ENGINE_FETCH_LAST,     /* it does. On older machines: */
    ENGINE_FETCH_IF_ALONE, /* `exact` does, if there is nothing for the CPU to take; */
    ENGINE_FETCH_FIRST,    /* a debugger's breakpoint does, nothing else */
};

struct engine_budget {
    uint64_t exact; /* stop when exactly this many instructions were attempted; may be UINT64_MAX */
    uint64_t soft;  /* stop at any convenient boundary from here on */
    uint64_t turn;  /* stop at the first taken branch from here on */
    enum engine_fetch fetch;
};

/* What an engine can do; the functions below call these, and say what each is. */
struct engine_ops {
    void (*free)(struct engine *e);
    void (*use)(struct engine *e, const struct engine_callbacks *callbacks);
    enum engine_stop (*run)(struct engine *e, struct engine_budget budget);
    uint64_t (*executed)(const struct engine *e);
    void (*stop_soon)(struct engine *e);
    void (*watch)(struct engine *e, bool all, const uint64_t *places, size_t count);
    void (*note_code)(struct engine *e, struct code_set *to);
    void (*count_attempt)(struct engine *e);
    void (*uncount_attempt)(struct engine *e);
    void (*continue_at)(struct engine *e, uint64_t pc);
    void (*expect_exit)(struct engine *e, uint64_t pc, unsigned n);
    unsigned (*sequence)(struct engine *e);
    void (*set_sequence)(struct engine *e, unsigned sequence);
    void (*set_executed)(struct engine *e, uint64_t instructions);
    uint64_t (*pc)(struct engine *e);
    void (*set_pc)(struct engine *e, uint64_t pc);
    uint64_t (*get)(struct engine *e, unsigned id);
    void (*set)(struct engine *e, unsigned id, uint64_t value);
    void (*get_wide)(struct engine *e, unsigned id, uint64_t *words, size_t count);
    void (*set_wide)(struct engine *e, unsigned id, const uint64_t *words, size_t count);
    void (*flush_tlb)(struct engine *e);
    void (*change_space)(struct engine *e);
    void (*drop_code)(struct engine *e, hpa_t a, uint64_t size);
    void (*flush_code_soon)(struct engine *e);
    void (*store_begins)(struct engine *e, hpa_t a, uint64_t size, bool alone);
    void (*store_ends)(struct engine *e);
    void (*tell_changes)(struct engine *e);
    bool (*set_checks)(struct engine *e, unsigned checks);
    struct engine_context *(*context_new)(struct engine *e);
    void (*context_free)(struct engine *e, struct engine_context *c);
    void (*context_save)(struct engine *e, struct engine_context *c);
    void (*context_load)(struct engine *e, struct engine_context *c);
};

/* Every implementation's `struct engine` begins with it. */
struct engine_head {
    const struct engine_ops *ops;
};

/* Unicorn. `model`: of the CPUs that it has of that architecture (struct arch, `name`). */
struct engine *engine_unicorn_new(const char *arch, const char *model, enum engine_pause pause,
                                  struct memory *memory, struct error *e);

static inline void engine_free(struct engine *e) /* NULL: nothing */
{
    if (e)
        ((const struct engine_head *)e)->ops->free(e);
}

/* Whose callbacks are used from now on: those of the vCPU that is loaded. */
static inline void engine_use(struct engine *e, const struct engine_callbacks *callbacks)
{
    ((const struct engine_head *)e)->ops->use(e, callbacks);
}

static inline enum engine_stop engine_run(struct engine *e, struct engine_budget budget)
{
    return ((const struct engine_head *)e)->ops->run(e, budget);
}

/* Instructions attempted since the engine is new, up to the one at PC. */
static inline uint64_t engine_executed(const struct engine *e)
{
    return ((const struct engine_head *)e)->ops->executed(e);
}

/* In callbacks: stop at the next instruction boundary that the engine can reach. */
static inline void engine_stop_soon(struct engine *e)
{
    ((const struct engine_head *)e)->ops->stop_soon(e);
}

/* From now on `watch` is called before each block, or only before those with one of these places in
 * them; they are in ascending order, and borrowed. */
static inline void engine_watch(struct engine *e, bool all, const uint64_t *places, size_t count)
{
    ((const struct engine_head *)e)->ops->watch(e, all, places, count);
}

/* From now on every block that starts is added there, and every address that a run starts at or
 * that cannot be fetched; borrowed. NULL: no longer. */
static inline void engine_note_code(struct engine *e, struct code_set *to)
{
    ((const struct engine_head *)e)->ops->note_code(e, to);
}

/* The instruction at PC was carried out or abandoned by us, outside of engine_run: it counts. */
static inline void engine_count_attempt(struct engine *e)
{
    ((const struct engine_head *)e)->ops->count_attempt(e);
}

/* The opposite: the attempt is repeated by the engine, which counts it again. */
static inline void engine_uncount_attempt(struct engine *e)
{
    ((const struct engine_head *)e)->ops->uncount_attempt(e);
}

/* After engine_count_attempt, and in `carry_out`: going on at `pc` is sequential execution, not a
 * taken branch. */
static inline void engine_continue_at(struct engine *e, uint64_t pc)
{
    ((const struct engine_head *)e)->ops->continue_at(e, pc);
}

/* After a refusal, and in `exception`: the instruction at `pc` could not be the engine's and will
 * not be the next time. When it was so often enough, the engine no longer tries it first but has
 * `carry_out` do it, until the code there is translated anew. What comes of it is the same. `n`:
 * the register that carry_out will ask for first; it is at hand then. */
static inline void engine_expect_exit(struct engine *e, uint64_t pc, unsigned n)
{
    ((const struct engine_head *)e)->ops->expect_exit(e, pc, n);
}

/* What scheduling must remember across a stop: bit 0 = PC was reached by a taken branch or
 * exception, bit 1 = the last stop was a turn given up by a pause. */
static inline unsigned engine_sequence(struct engine *e)
{
    return ((const struct engine_head *)e)->ops->sequence(e);
}

/* After a state was restored: what engine_sequence said, and how many instructions were attempted.
 */
static inline void engine_set_sequence(struct engine *e, unsigned sequence)
{
    ((const struct engine_head *)e)->ops->set_sequence(e, sequence);
}

static inline void engine_set_executed(struct engine *e, uint64_t instructions)
{
    ((const struct engine_head *)e)->ops->set_executed(e, instructions);
}

static inline uint64_t engine_pc(struct engine *e)
{
    return ((const struct engine_head *)e)->ops->pc(e);
}

static inline void engine_set_pc(struct engine *e, uint64_t pc)
{
    ((const struct engine_head *)e)->ops->set_pc(e, pc);
}

/* A register of the architecture by its id (struct arch), but for PC and those of its class
 * REGISTER_SYSTEM; or one that only the engine and its architecture know. Of up to 64 bits; and
 * larger ones, of so many words. */
static inline uint64_t engine_get(struct engine *e, unsigned id)
{
    return ((const struct engine_head *)e)->ops->get(e, id);
}

static inline void engine_set(struct engine *e, unsigned id, uint64_t value)
{
    ((const struct engine_head *)e)->ops->set(e, id, value);
}

#define ENGINE_WORDS_MAX 3
static inline void engine_get_wide(struct engine *e, unsigned id, uint64_t *words, size_t count)
{
    ((const struct engine_head *)e)->ops->get_wide(e, id, words, count);
}

static inline void engine_set_wide(struct engine *e, unsigned id, const uint64_t *words,
                                   size_t count)
{
    ((const struct engine_head *)e)->ops->set_wide(e, id, words, count);
}

/* Added to the id of a status register: of it, how privileged the vCPU is, and what else decides
 * translations. Cheaper. */
#define ENGINE_MODE 0x80000000u

/* Forget translations of addresses (ours changed, or marks were cleared). Allowed in callbacks. */
static inline void engine_flush_tlb(struct engine *e)
{
    ((const struct engine_head *)e)->ops->flush_tlb(e);
}

/* Another address space: forget the pages that were filled as `local`. Allowed in callbacks. */
static inline void engine_change_space(struct engine *e)
{
    ((const struct engine_head *)e)->ops->change_space(e);
}

/* Forget translated code that lies in [a, a+size). Allowed in callbacks. */
static inline void engine_drop_code(struct engine *e, hpa_t a, uint64_t size)
{
    ((const struct engine_head *)e)->ops->drop_code(e, a, size);
}

/* Forget all translated code, at the next stop. */
static inline void engine_flush_code_soon(struct engine *e)
{
    ((const struct engine_head *)e)->ops->flush_code_soon(e);
}

/* `fill` refused a write to a page because memory_is_code; now the store is made, by us or,
 * `alone`, by a run of the engine for which `fill` lets it through. [a, a + size) is in that page;
 * where a store is to two such pages this comes for each. */
static inline void engine_store_begins(struct engine *e, hpa_t a, uint64_t size, bool alone)
{
    ((const struct engine_head *)e)->ops->store_begins(e, a, size, alone);
}

/* Also if none began. After a run flush the TLB as well. */
static inline void engine_store_ends(struct engine *e)
{
    ((const struct engine_head *)e)->ops->store_ends(e);
}

/* A VM ends: nothing makes up any more for what ran_changed_code is for. */
static inline void engine_tell_changes(struct engine *e)
{
    ((const struct engine_head *)e)->ops->tell_changes(e);
}

/* Accesses that are to raise an exception where they are not aligned: bits of the architecture's.
 * From the next block on. False: the engine cannot, and lets them pass. */
static inline bool engine_set_checks(struct engine *e, unsigned checks)
{
    return ((const struct engine_head *)e)->ops->set_checks(e, checks);
}

/* A copy of what is loaded. */
static inline struct engine_context *engine_context_new(struct engine *e)
{
    return ((const struct engine_head *)e)->ops->context_new(e);
}

static inline void engine_context_free(struct engine *e, struct engine_context *c)
{
    ((const struct engine_head *)e)->ops->context_free(e, c);
}

static inline void engine_context_save(struct engine *e, struct engine_context *c)
{
    ((const struct engine_head *)e)->ops->context_save(e, c);
}

/* Loads another vCPU; the caller flushes the TLB where the translation regime differs. */
static inline void engine_context_load(struct engine *e, struct engine_context *c)
{
    ((const struct engine_head *)e)->ops->context_load(e, c);
}

/* False: engine_unicorn_new always fails. */
bool engine_is_built_in(void);
const char *engine_version(void); /* Unicorn's */
/* Which inner functions of the library ours replace (build option QVM_INTERPOSE), for people. Known
 * once code was translated. "": none. */
const char *engine_interposed(void);

#endif
