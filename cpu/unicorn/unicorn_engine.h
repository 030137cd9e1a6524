/* The engine on Unicorn, shared by its parts:
 *   unicorn_library.c  the library's functions
 *   unicorn_blocks.c   counts instructions, and stops at blocks
 *   unicorn_pages.c    the library's TLB and translated code
 *   unicorn_icache.c   what an instruction cache might still hold, and IC instructions
 *   unicorn_sides.c    pages of code, pages of data
 *   unicorn_fill.c     what the library gets when it needs a page
 *   unicorn_run.c      runs, and stops inside blocks
 *   arm64/             what depends on the architecture: struct unicorn_arch
 *   engine_unicorn.c   the engine, put together of these
 * Each calls those above it in this list only; what one has to ask of another below it is handed to
 * it: struct library_hooks, struct unicorn_arch, struct engine_ops.
 * What the library really does, and why each step is as it is, was measured with release 2.1.4
 * (docs/engine.md). */
#ifndef CPU_UNICORN_UNICORN_ENGINE_H
#define CPU_UNICORN_UNICORN_ENGINE_H

#include "cpu/engine.h"
#include "cpu/footprint.h"

struct uc_struct;
struct uc_context;

/* A window of virtual addresses that no guest has memory at (bits 63:48 neither all zero nor all
 * one): while it is open the fill hook maps host-physical memory straight there. Code is dropped
 * and the stub run in it. Bits 63:55 are equal, so that an invalidation reaches it: it must leave
 * nothing for a guest that tries these addresses. */
#define WINDOW      0x0051000000000000u
#define WINDOW_MASK 0xffff000000000000u
/* A page for the stub, beyond every board's memory (banks end below 2^48). */
#define STUB_HPA     0x0000fffffffff000u
#define LOCAL_PAGES  256
#define EXIT_SLOTS   512
#define YIELD_SLOTS  4096
#define LOOKED_SLOTS 1024
#define NOTED_SLOTS  1024
#define LOOK_SLOTS   4096

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

/* Code that ran as it was changed: to be told. */
struct noticed_change {
    bool is_set;
    hpa_t place;
    uint64_t pc, at;
    struct engine_change change;
    const struct engine_callbacks *callbacks; /* of the vCPU that ran it */
};

/* Of each page of the board. */
struct page_side {
    uint32_t writable_in; /* the last of the library's TLBs that may have it writable */
    uint32_t stores;      /* to it, while it was code */
    uint64_t executed;    /* its lines of 64 bytes that an instruction cache may hold, */
    uint32_t icache;      /* if this is icache_number */
    uint8_t patience;     /* how often it became data too soon */
    bool is_told;         /* that it was executed after a change */
};

/* A CPU of the library: its numbers for uc_open and uc_ctl_set_cpu_model. */
struct unicorn_model {
    int arch, mode, number;
};

typedef void library_block_hook(struct uc_struct *uc, uint64_t address, uint32_t size, void *user);

/* What the library calls, besides hooks of blocks and of the architecture's instructions. */
struct library_hooks {
    /* A page for its TLB; false: it is refused, and the run ends with PC at the instruction. */
    bool (*fill)(struct engine *e, uint64_t va, enum access_kind kind, struct engine_page *page);
    void (*interrupt)(struct uc_struct *uc, uint32_t number, void *user);
    void (*translated)(struct engine *e, uint64_t pc, uint64_t size); /* a block that begins now */
};

/* What of the engine depends on the architecture: one table for each. */
struct unicorn_arch {
    const char *name;
    size_t part_size; /* of what the engine keeps for it */
    bool (*find_model)(const char *model, struct unicorn_model *m, struct error *e);
    void (*write_stub)(uint8_t *page); /* a page of code of ours */
    bool (*add_hooks)(struct engine *e, struct error *error);
    bool (*prepare)(struct engine *e, struct error *error); /* as the last thing of set-up */
    /* Parts of engine_ops. */
    uint64_t (*get)(struct engine *e, unsigned id);
    void (*set)(struct engine *e, unsigned id, uint64_t value);
    void (*get_wide)(struct engine *e, unsigned id, uint64_t *words, size_t count);
    void (*set_wide)(struct engine *e, unsigned id, const uint64_t *words, size_t count);
    bool (*set_checks)(struct engine *e, unsigned checks);
    void (*expect_exit)(struct engine *e, uint64_t pc, unsigned n);
    uint64_t (*pc)(const struct engine *e);
    void (*set_pc)(struct engine *e, uint64_t pc);
    /* The library runs this engine from now on; NULL: none. */
    void (*begin_run)(struct engine *e);
    /* Nothing of that page stays in the library's TLBs, nor blocks found by their address there. */
    void (*drop_page)(struct engine *e, uint64_t va);
    bool (*is_behind)(unsigned exception); /* is PC behind the instruction then? */
    /* Around a run that ends at an exit address: true, with something to be put back, if the guest
     * would notice how the library does that. */
    bool (*allow_exits)(struct engine *e, uint64_t *kept);
    void (*end_exits)(struct engine *e, uint64_t kept);
    /* Before a run, if e->expected; after one, if e->refused. */
    void (*translate_expected)(struct engine *e);
    void (*translate_as_it_is)(struct engine *e, struct exiting *x);
    /* Instructions that wait for an event. When the engine is new, without a block hook: does the
     * library say when it executes one? Otherwise this is the block hook, and code that lies there
     * is looked through for hints, at whatever virtual page it is seen. */
    bool (*pauses_are_told)(struct engine *e);
    library_block_hook *on_block_behind_pause;
    void (*note_pauses)(struct engine *e, hpa_t a, uint64_t size);
    /* A block is about to run, with the event register known. */
    void (*look_for_events)(struct engine *e, uint64_t address, uint32_t size, uint64_t now);
    /* Where blocks are looked at (e->looks): this one, before it runs? Then how many of its
     * instructions may run. */
    bool (*wants_look)(struct engine *e, uint64_t address, uint32_t size);
    uint64_t (*look_at)(struct engine *e, uint64_t address, uint32_t size);
    /* For people: which of its means work; "" or " registers, alignment,". */
    void (*means_text)(const struct engine *e, char *text, size_t size);
};
extern const struct unicorn_arch unicorn_arm64;

struct engine {
    struct engine_head head;
    struct engine_ops ops;
    const struct unicorn_arch *arch;
    void *allocation;          /* in which this is */
    struct unicorn_part *part; /* the architecture's; owned */
    /* As the library keeps them: the registers from id 0 on, and PC; NULL: it is asked. */
    uint64_t *live;
    const uint64_t *live_pc;
    _Alignas(64) struct fast fast;
    struct uc_struct *uc;
    const struct engine_callbacks *callbacks;
    struct memory *memory;

    /* The budget of the current engine_run, as absolute counts. */
    uint64_t counted; /* attempted, with fast.left at `granted` */
    int64_t granted;  /* what fast.left was set to */
    int64_t room; /* so far below zero may fast.left go without block_begin_slowly; both in bytes */
    uint64_t exact_at, soft_at, turn_at;
    enum engine_fetch fetch;
    uint64_t prev_end; /* where the last instruction before this stop ended: going on elsewhere
                        * is a taken branch, whenever the stop was */
    uint64_t pc;       /* between runs: where the next one starts */
    bool just_yielded; /* the last stop was the turn that a pause gave up */
    bool inside;       /* in library_run, for the guest */
    bool settled;      /* in a callback that may change PC: `counted` is exact already */
    bool watching, stop_wanted, flush_code_wanted;
    bool behind_pause; /* one was executed, and the next block has not begun */
    bool fill_refused, tail_counted;
    uint64_t truncate; /* stopped before a block of which only so many instructions may run */
    enum engine_stop reason;
    bool stopped;           /* `reason` is set */
    uint64_t block_address; /* of the block that an exception ended */
    const uint64_t *places; /* blocks with one of these are watched */
    size_t place_count;
    struct code_set *code_seen; /* NULL: nobody wants to know which blocks ran */
    /* Blocks that are in code_seen, by (address >> 2) % NOTED_SLOTS: address and size. */
    uint64_t noted[NOTED_SLOTS];

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

    /* Pages of this address space that were filled since it began; more than LOCAL_PAGES:
     * forgotten. */
    uint64_t local[LOCAL_PAGES];
    size_t local_count;
    struct page_set code_pages; /* host-physical pages that code was ever fetched from */

    struct page_side *sides; /* by memory_page_number */
    uint32_t tlb_number;     /* changes with each flush */
    struct {
        hpa_t at;      /* the first instruction that it changes */
        uint64_t size; /* in one page */
    } stores[2];       /* the parts of a store to code that is carried out */
    size_t store_count;
    struct kept_page *kept; /* unicorn_icache.c */
    uint32_t icache_number; /* changes when all of it is invalidated */
    struct noticed_change noticed;
    unsigned told_count;
    /* In the last block, while the event register is known: the first instruction that sets it, and
     * the first that another vCPU may wait for; or UINT64_MAX. */
    uint64_t sets_at, sends_at;

    /* Where a pause ends, by (address >> 2) % YIELD_SLOTS; a hint that is verified. */
    enum engine_pause pause;
    bool looks_for_pauses; /* nobody tells us: */
    uint8_t yield_after[YIELD_SLOTS];
    uint64_t looked_through[LOOKED_SLOTS]; /* page | 1, by its number: its pauses have hints */

    /* Alignment, where blocks are looked at: what was found, by (address >> 2) % LOOK_SLOTS. */
    bool looks;
    uint32_t drops; /* of translated code, so far */
    struct look {
        uint64_t address, regime;
        const struct engine_callbacks *callbacks;
        uint32_t size, drops;
        enum engine_look kind;
    } looked[LOOK_SLOTS];
    const struct library_hooks *hooks;
    bool window_is_open;
    uint8_t *stub; /* its page, in stub_allocation */
    void *stub_allocation;
    bool aside;                 /* in library_run, not for the guest: */
    uint64_t aside_start;       /* the block that is to run then */
    uint64_t aside_size;        /* of the one that it ended before */
    struct uc_context *scratch; /* for the monitor, which is in no register: */
    unsigned aside_exception;   /* that ended it; 0: none */
};

/* unicorn_library.c -----------------------------------------------------------------------------*/

bool library_open(struct engine *g, const char *model, struct error *e);
void library_close(struct engine *g); /* also if it was never open */
/* Borrows what is at `host`. `what`: for the error. */
bool library_map(struct engine *g, uint64_t at, uint64_t size, void *host, bool writable,
                 const char *what, struct error *e);
bool library_add_hooks(struct engine *g, const struct library_hooks *hooks, struct error *e);
bool library_add_block_hook(struct engine *g, library_block_hook *hook, struct error *e);
bool library_hook_instruction(struct engine *g, void *function, int instruction, struct error *e);
/* Runs from `pc`, until library_stop or until nothing more can; true: without an error. */
bool library_run(struct engine *e, uint64_t pc);
/* The one that it runs, in its callbacks; NULL: none. */
struct engine *library_running(void);
void library_stop(struct engine *e);
/* In the block hook, as the last thing: it may not return. */
void library_stop_before_block(struct engine *e);
/* Blocks no longer begin with a look for a request to stop. Where one was made this is called,
 * which does not return if nobody else would look before the block runs. */
void library_leaves_blocks_by(void (*leave)(void *library, uint32_t in_delay_slot));
/* Code translated from now on ends before this address; NULL: nowhere. */
void library_end_code(struct engine *e, const uint64_t *address);
/* What was translated of these virtual addresses. */
void library_drop_code(struct engine *e, uint64_t from, uint64_t to);
void library_drop_all_code(struct engine *e);
void library_flush_tlb(struct engine *e);
static inline uint64_t library_pc(const struct engine *e)
{
    return e->live_pc ? *e->live_pc : e->arch->pc(e);
}
struct uc_context *library_context_new(struct engine *e);
void library_context_free(struct uc_context *c);
size_t library_context_size(const struct engine *e);
void library_context_save(struct engine *e, struct uc_context *c);
void library_context_load(struct engine *e, struct uc_context *c);

/* unicorn_blocks.c ------------------------------------------------------------------------------*/

uint64_t blocks_counted_to_end(const struct engine *e);
/* Attempted so far with PC inside the last block: the tail behind PC has not happened. */
uint64_t blocks_counted_to_pc(const struct engine *e, uint64_t pc);
/* Makes `now` the base of further counting and hands out what is left until something is due. */
void blocks_grant(struct engine *e, uint64_t now);
/* In callbacks: makes the next block take the slow path. */
void blocks_look_at_next(struct engine *e);
void blocks_note_code(struct engine *e, uint64_t address, uint64_t size);
/* The last block was executed up to this address. */
void blocks_note_events(struct engine *e, uint64_t end);
/* The block hook; and where it does not simply let the block run. `pause`: it is behind one. */
void blocks_on_block(struct uc_struct *uc, uint64_t address, uint32_t size, void *user);
void block_begin_slowly(struct engine *e, uint64_t address, uint32_t size, bool pause);
/* There is no block, as it cannot be fetched: stops before that is tried, if anything is due. */
void blocks_stop_before_fetch(struct engine *e);
void blocks_on_interrupt(struct uc_struct *uc, uint32_t number, void *user);
uint64_t unicorn_executed(const struct engine *e);
void unicorn_stop_soon(struct engine *e);
void unicorn_watch(struct engine *e, bool all, const uint64_t *places, size_t count);
void unicorn_note_code(struct engine *e, struct code_set *to);
void unicorn_count_attempt(struct engine *e);
void unicorn_uncount_attempt(struct engine *e);
void unicorn_continue_at(struct engine *e, uint64_t pc);
unsigned unicorn_sequence(struct engine *e);
void unicorn_set_sequence(struct engine *e, unsigned sequence);
void unicorn_set_executed(struct engine *e, uint64_t instructions);

/* unicorn_pages.c -------------------------------------------------------------------------------*/

/* Nothing of that host-physical page in the window stays. */
void pages_close_window(struct engine *e, uint64_t hpa);
/* Where on the board the code lies; false: it may not be fetched. */
bool pages_find_code(struct engine *e, uint64_t va, hpa_t *at);
void unicorn_flush_tlb(struct engine *e);
/* A page of this address space, for unicorn_change_space. */
void pages_note_local(struct engine *e, uint64_t page_va);
void unicorn_change_space(struct engine *e);
/* Host-physical. */
void pages_drop_code_at(struct engine *e, uint64_t from, uint64_t to);
/* The same, if code was ever fetched from that page. */
void pages_drop_translated(struct engine *e, hpa_t a, uint64_t size);

/* unicorn_icache.c ------------------------------------------------------------------------------*/

void icache_new(struct engine *e);
void icache_free(struct engine *e);
/* Within one page. */
void icache_before_change(struct engine *e, hpa_t a, uint64_t size, bool by_guest);
void icache_translated(struct engine *e, uint64_t pc, uint64_t size);
void icache_tell_in_time(struct engine *e, uint64_t now);
void unicorn_tell_changes(struct engine *e);
void unicorn_drop_code(struct engine *e, hpa_t a, uint64_t size);
void unicorn_flush_code_soon(struct engine *e);

/* unicorn_sides.c -------------------------------------------------------------------------------*/

void sides_new(struct engine *e);
/* A page for the library's TLB: on the side that the access puts it, or without W. */
void side_fetched(struct engine *e, const struct engine_page *page);
void side_accessed(struct engine *e, struct engine_page *page, enum access_kind kind);
void unicorn_store_begins(struct engine *e, hpa_t a, uint64_t size, bool alone);
void unicorn_store_ends(struct engine *e);

/* unicorn_fill.c --------------------------------------------------------------------------------*/

/* A page for the library's TLB, not W and X together. */
bool fill_tlb(struct engine *e, uint64_t va, enum access_kind kind, struct engine_page *page);
/* The same where PC is not right, and fill_tlb comes next if this refuses. */
bool fill_tlb_as(struct engine *e, uint64_t va, enum access_kind kind, bool unprivileged,
                 struct engine_page *page);

/* unicorn_run.c ---------------------------------------------------------------------------------*/

enum engine_stop unicorn_run(struct engine *e, struct engine_budget budget);
/* Not for the guest: nothing is counted. The block at `start` runs, if there is one; ends before
 * the next, of which aside_size is then the size. */
void run_aside(struct engine *e, uint64_t from, uint64_t start);

/* Is the event register known after so many instructions? */
static inline bool event_is_known(const struct engine *e, uint64_t now)
{
    return now < e->callbacks->event->known_until;
}

#endif
