#include "hv/shrink.h"

#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "emu/journal_records.h"
#include "hv/hv_internal.h"
#include "mmu/tlb.h"

#define PIECE      64 /* bytes; what is left of pages is looked at in such pieces */
#define PIECES_MAX (PAGE_SIZE / PIECE)

struct search {
    struct board *board;
    struct journal *rest;
    const struct shrink_end *end;
    struct shrink_result *result;
    void (*progress)(void *context, const struct shrink_result *result);
    void *context;
    struct bytes machine;
    struct memory_images images;
    struct memory_image *start;
    uint64_t *pages; /* host-physical addresses */
    size_t page_count;
};

/* Ends --------------------------------------------------------------------------------------------
 */

static void add_number(struct sha256 *hash, uint64_t number)
{
    uint8_t bytes[8];
    store_le(bytes, number, 8);
    sha256_add(hash, bytes, sizeof bytes);
}

/* Of the vCPU that ran last, where the run was cut off: the fault that it is in. */
static void add_fault(struct board *b, struct sha256 *hash)
{
    struct vcpu_registers r;
    if (!b->current)
        return;
    vcpu_read_registers(b->current, b->current, &r);
    add_number(hash, vcpu_registers_pc(&r));
    for (const char *const *name = r.arch->exception_registers; *name; name++)
        add_number(hash, r.value[vcpu_register_find(r.arch, *name)][0]);
}

struct shrink_end shrink_run(struct board *b)
{
    struct shrink_end end = {.exit_status = board_run(b)};
    struct sha256 hash;
    end.instructions = b->vtime.instructions;
    end.ticks = vtime_ticks(&b->vtime);
    sha256_init(&hash);
    for (size_t i = 0; i < b->vm_count; i++)
        sha256_add(&hash, b->vms[i]->ending, strlen(b->vms[i]->ending) + 1);
    if (end.exit_status == STATUS_LIMIT)
        add_fault(b, &hash);
    end.what = sha256_end(&hash);
    return end;
}

static bool is_same(const struct shrink_end *a, const struct shrink_end *b)
{
    return a->instructions == b->instructions && a->ticks == b->ticks &&
           a->exit_status == b->exit_status && memcmp(a->what.b, b->what.b, sizeof a->what.b) == 0;
}

/* Back, and again ---------------------------------------------------------------------------------
 */

static void go_back(struct search *s)
{
    journal_replay(s->rest);
    journal_pass(s->rest, PULL_WALL_CLOCK, "wall clock");
    journal_begins_here(s->rest);
    snapshot_go_back(s->board, &s->machine, &s->images, s->start);
}

/* The machine as it is now is what later runs begin with. */
static void settle(struct search *s)
{
    struct memory_image *before = s->start;
    s->start = images_take(&s->images);
    engine_flush_tlb(s->board->engine);
    images_drop(&s->images, before);
}

static bool still_ends(struct search *s);

/* From here on with empty TLBs, which hardware may have at any time: then the tables of whatever is
 * used are needed, and what is left can be explained and debugged. Unless the guest leaned on what
 * a TLB remembered. */
static void forget_translations(struct search *s)
{
    struct bytes before = s->machine;
    go_back(s);
    for (size_t i = 0; i < s->board->schedule.turn_count; i++)
        tlb_invalidate_all(s->board->schedule.turns[i].vcpu->tlb);
    s->machine = (struct bytes){0};
    snapshot_save_machine(s->board, &s->machine);
    go_back(s);
    if (still_ends(s)) {
        bytes_free(&before);
    } else {
        bytes_free(&s->machine);
        s->machine = before;
    }
}

static bool still_ends(struct search *s)
{
    struct shrink_end now = shrink_run(s->board);
    s->result->runs++;
    if (s->progress)
        s->progress(s->context, s->result);
    return is_same(&now, s->end);
}

/* Memory ------------------------------------------------------------------------------------------
 */

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

static void list_pages(struct search *s)
{
    struct memory *m = &s->board->memory;
    for (hpa_t page = {0}; memory_next_touched(m, &page); page.v += PAGE_SIZE) {
        if (memory_page_is_zero(memory_at(m, page, PAGE_SIZE, MEMORY_READ)))
            continue;
        s->pages = array_grow(s->pages, s->page_count, sizeof *s->pages);
        s->pages[s->page_count++] = page.v;
    }
    s->result->pages = s->result->pages_kept = s->page_count;
}

/* Part of a page, or several whole ones: [from, to) in pieces of all pages, in a row. */
static void zero(struct search *s, size_t from, size_t to)
{
    struct memory *m = &s->board->memory;
    for (size_t at = from; at < to;) {
        hpa_t page = hpa(s->pages[at / PIECES_MAX]);
        size_t end = (at / PIECES_MAX + 1) * PIECES_MAX;
        size_t until = end < to ? end : to;
        uint8_t *bytes = memory_at(m, page, PAGE_SIZE, MEMORY_WRITE);
        memset(bytes + at % PIECES_MAX * PIECE, 0, (until - at) * PIECE);
        engine_drop_code(s->board->engine, page, PAGE_SIZE);
        at = until;
    }
}

static bool is_zero_already(struct search *s, size_t from, size_t to)
{
    for (size_t at = from; at < to; at++) {
        const uint8_t *bytes =
            memory_at(&s->board->memory, hpa(s->pages[at / PIECES_MAX]), PAGE_SIZE, MEMORY_READ);
        if (!is_zero(bytes + at % PIECES_MAX * PIECE, PIECE))
            return false;
    }
    return true;
}

static bool is_needed(struct search *s, size_t from, size_t to)
{
    go_back(s);
    if (is_zero_already(s, from, to))
        return false;
    zero(s, from, to);
    if (!still_ends(s))
        return true;
    go_back(s);
    zero(s, from, to);
    settle(s);
    return false;
}

/* Halves, and halves of those that are needed, down to `grain`. Of a needed range whose first half
 * is not needed the second one is. True: some of it stays. */
static bool thin_out(struct search *s, size_t from, size_t to, size_t grain, bool is_known)
{
    if (from == to || (!is_known && !is_needed(s, from, to)))
        return false;
    if (to - from <= grain)
        return true;
    size_t middle = from + ((to - from) / grain + 1) / 2 * grain;
    bool first = thin_out(s, from, middle, grain, false);
    return thin_out(s, middle, to, grain, !first) || first;
}

/* Pages of which nothing is left are not looked at again. */
static void keep_what_is_left(struct search *s)
{
    size_t kept = 0;
    go_back(s);
    s->result->bytes_kept = 0;
    for (size_t i = 0; i < s->page_count; i++) {
        const uint8_t *page =
            memory_at(&s->board->memory, hpa(s->pages[i]), PAGE_SIZE, MEMORY_READ);
        if (memory_page_is_zero(page))
            continue;
        s->pages[kept++] = s->pages[i];
        for (size_t at = 0; at < PAGE_SIZE; at += PIECE)
            s->result->bytes_kept += is_zero(page + at, PIECE) ? 0 : PIECE;
    }
    s->page_count = s->result->pages_kept = kept;
}

static void shrink_memory(struct search *s)
{
    static const size_t grains[] = {PIECES_MAX, 8, 1};
    list_pages(s);
    for (size_t i = 0; i < sizeof grains / sizeof grains[0]; i++) {
        thin_out(s, 0, s->page_count * PIECES_MAX, grains[i], true);
        keep_what_is_left(s);
    }
}

/* Inputs ------------------------------------------------------------------------------------------
 */

/* The pushes without one; the ticks of those behind it stay what they are. */
static void leave_out(const struct bytes *pushes, uint64_t base_tick, size_t number,
                      struct bytes *out)
{
    struct reader in = reader_of(pushes->data, pushes->size);
    struct push p = {.tick = base_tick};
    uint64_t before = base_tick;
    bytes_clear(out);
    for (size_t i = 0; journal_next_push(&in, &p); i++) {
        if (i == number)
            continue;
        journal_put_push(out, before, &p);
        before = p.tick;
    }
}

static void exchange(struct bytes *a, struct bytes *b)
{
    struct bytes c = *a;
    *a = *b;
    *b = c;
}

static size_t count_pushes(const struct bytes *pushes)
{
    struct reader in = reader_of(pushes->data, pushes->size);
    struct push p = {0};
    size_t count = 0;
    while (journal_next_push(&in, &p))
        count++;
    return count;
}

/* From the last one on: what came late is needed least. */
static void shrink_inputs(struct search *s)
{
    struct bytes less = {0};
    s->result->inputs = s->result->inputs_kept = count_pushes(&s->rest->pushes);
    uint64_t base_tick = journal_position(s->rest).last_push_tick;
    for (size_t i = s->result->inputs; i-- > 0;) {
        leave_out(&s->rest->pushes, base_tick, i, &less);
        exchange(&s->rest->pushes, &less);
        go_back(s);
        if (still_ends(s))
            s->result->inputs_kept--;
        else
            exchange(&s->rest->pushes, &less);
    }
    bytes_free(&less);
}

bool shrink(struct board *b, struct journal *rest, const struct shrink_end *end,
            struct shrink_result *result,
            void (*progress)(void *context, const struct shrink_result *result), void *context)
{
    struct search s = {.board = b,
                       .rest = rest,
                       .end = end,
                       .result = result,
                       .progress = progress,
                       .context = context};
    *result = (struct shrink_result){0};
    b->journal = rest;
    /* Less may mean that it runs on for ever. Behind the end: that is no limit of the recording's.
     */
    if (end->instructions < b->options.limit_instructions)
        b->options.limit_instructions = end->instructions + 1;
    snapshot_save_machine(b, &s.machine);
    images_init(&s.images, &b->memory);
    s.start = images_take(&s.images);
    go_back(&s);
    bool ok = still_ends(&s);
    if (ok) {
        forget_translations(&s);
        shrink_memory(&s);
        shrink_inputs(&s);
    }
    go_back(&s);
    images_drop(&s.images, s.start);
    images_free(&s.images);
    bytes_free(&s.machine);
    free(s.pages);
    return ok;
}
