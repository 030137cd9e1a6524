#include "hv/snapshot/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/footprint.h"
#include "emu/check.h"
#include "hv/hv_internal.h"

#define CHECKPOINT_EVERY 4000000 /* instructions; doubles when there is no more room */
#define CHECKPOINTS_MAX  4096

/* How far behind a place that is gone to checkpoints are made: the next step back goes there.
 * Closer ones would cost more than they save. */
static const uint64_t near_distances[] = {1000000, 50000};
#define NEAR_COUNT (sizeof near_distances / sizeof near_distances[0])
#define NEAR_MAX   32 /* so many are kept */

#define FORKS_MAX 1024 /* checkpoints that always stay */

/* What a turn remembers for whoever watches, and snapshots need not. */
struct turn_notes {
    bool in_guest;
    uint64_t entered_at;
};

struct checkpoint {
    uint64_t instructions;
    struct bytes machine;
    struct memory_image *memory;
    struct footprint *footprint; /* owned: of what follows, up to the next checkpoint */
    struct turn_notes *turns;    /* owned */
    bool near;                   /* made for a place that somebody went to */
    bool is_fork;                /* somebody changed the machine: time leads through it */
};

struct timeline {
    struct board *board;
    struct checkpoint checkpoints[CHECKPOINTS_MAX]; /* by instruction */
    size_t count, near_count, fork_count;
    struct memory_images images;
    uint64_t every;
    uint64_t farthest; /* nothing behind it was ever run */
    size_t budget, machine_bytes;
};

/* Checkpoints
 * -----------------------------------------------------------------------------------------
 */

/* The last checkpoint at or before the instruction. */
static size_t checkpoint_at(const struct timeline *t, uint64_t instructions)
{
    size_t low = 0, high = t->count; /* checkpoints[low] is at or before it */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (t->checkpoints[middle].instructions <= instructions)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* What runs from now on is part of the stretch behind this checkpoint. */
static void use_footprint(struct timeline *t, size_t checkpoint)
{
    struct board *b = t->board;
    for (size_t i = 0; i < b->vm_count; i++)
        b->vms[i]->world.footprint = t->checkpoints[checkpoint].footprint;
    engine_note_code(b->engine, &t->checkpoints[checkpoint].footprint->code);
    engine_flush_tlb(b->engine);
}

static size_t checkpoint_bytes(const struct checkpoint *m)
{
    return m->machine.capacity + sizeof *m->footprint;
}

static void remove_checkpoint(struct timeline *t, size_t at)
{
    struct checkpoint *m = &t->checkpoints[at];
    if (at > 0)
        footprint_merge(t->checkpoints[at - 1].footprint, m->footprint);
    t->machine_bytes -= checkpoint_bytes(m);
    t->near_count -= m->near;
    t->fork_count -= m->is_fork;
    images_drop(&t->images, m->memory);
    bytes_free(&m->machine);
    free(m->footprint);
    free(m->turns);
    t->count--;
    memmove(m, m + 1, (t->count - at) * sizeof *m);
}

/* Every other of the regular ones goes, but for the first and the last. False: nothing did. */
static bool thin(struct timeline *t)
{
    bool odd = false;
    size_t before = t->count;
    for (size_t i = t->count - 1; i-- > 1;)
        if (!t->checkpoints[i].is_fork && (t->checkpoints[i].near || (odd = !odd)))
            remove_checkpoint(t, i);
    t->every *= 2;
    return t->count < before;
}

static bool is_over_budget(const struct timeline *t)
{
    return t->images.bytes + t->machine_bytes > t->budget || t->count == CHECKPOINTS_MAX;
}

/* The near one that is farthest from the present has least to do with what the user looks at. */
static void forget_far_one(struct timeline *t)
{
    uint64_t now = t->board->vtime.instructions, farthest = 0;
    size_t at = 0;
    for (size_t i = 1; i < t->count; i++) {
        uint64_t there = t->checkpoints[i].instructions;
        uint64_t distance = there > now ? there - now : now - there;
        if (t->checkpoints[i].near && distance >= farthest) {
            farthest = distance;
            at = i;
        }
    }
    remove_checkpoint(t, at);
}

static void make_room(struct timeline *t)
{
    if (t->near_count == NEAR_MAX)
        forget_far_one(t);
    while (is_over_budget(t) && t->count > 2 && thin(t))
        ;
}

static struct turn_notes *turns_now(const struct schedule *s)
{
    struct turn_notes *notes = calloc(s->turn_count, sizeof *notes);
    CHECK_ROOM(notes);
    for (size_t i = 0; i < s->turn_count; i++)
        notes[i] = (struct turn_notes){s->turns[i].in_guest, s->turns[i].entered_at};
    return notes;
}

static void restore_turns(struct schedule *s, const struct turn_notes *notes)
{
    for (size_t i = 0; i < s->turn_count; i++) {
        s->turns[i].in_guest = notes[i].in_guest;
        s->turns[i].entered_at = notes[i].entered_at;
    }
}

/* The present becomes a checkpoint. A stretch that is cut in two may have used on either side what
 * it used as a whole. */
static void note(struct timeline *t, bool near)
{
    struct board *b = t->board;
    struct checkpoint m = {.instructions = b->vtime.instructions, .near = near};
    size_t at = t->count ? checkpoint_at(t, m.instructions) + 1 : 0;
    m.footprint = calloc(1, sizeof *m.footprint);
    CHECK_ROOM(m.footprint);
    if (at && m.instructions < t->farthest)
        *m.footprint = *t->checkpoints[at - 1].footprint;
    m.turns = turns_now(&b->schedule);
    m.memory = images_take(&t->images);
    snapshot_save_machine(b, &m.machine);
    memmove(&t->checkpoints[at + 1], &t->checkpoints[at], (t->count - at) * sizeof m);
    t->checkpoints[at] = m;
    t->count++;
    t->near_count += near;
    t->machine_bytes += checkpoint_bytes(&m);
    use_footprint(t, at);
}

/* The same, unless there is one already. */
static void remember(struct timeline *t, bool near)
{
    uint64_t now = t->board->vtime.instructions;
    struct checkpoint *m = &t->checkpoints[checkpoint_at(t, now)];
    if (m->instructions == now) {
        t->near_count -= m->near && !near;
        m->near &= near;
        return;
    }
    make_room(t);
    note(t, near);
}

struct timeline *timeline_new(struct board *b, size_t budget_bytes)
{
    struct timeline *t = calloc(1, sizeof *t);
    CHECK_ROOM(t);
    t->board = b;
    t->every = CHECKPOINT_EVERY;
    images_init(&t->images, &b->memory);
    note(t, false);
    t->budget = budget_bytes + t->images.bytes + t->machine_bytes;
    return t;
}

void timeline_free(struct timeline *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->board->vm_count; i++)
        t->board->vms[i]->world.footprint = NULL;
    engine_note_code(t->board->engine, NULL);
    while (t->count)
        remove_checkpoint(t, t->count - 1);
    images_free(&t->images);
    free(t);
}

uint64_t timeline_start(const struct timeline *t)
{
    return t->checkpoints[0].instructions;
}

/* Travel ------------------------------------------------------------------------------------------
 */

static void go_to_checkpoint(struct timeline *t, size_t at)
{
    struct checkpoint *m = &t->checkpoints[at];
    snapshot_go_back(t->board, &m->machine, &t->images, m->memory);
    restore_turns(&t->board->schedule, m->turns);
    use_footprint(t, at);
}

/* Where the next regular checkpoint is missing on the way from the present. */
static uint64_t next_regular(const struct timeline *t)
{
    size_t at = checkpoint_at(t, t->board->vtime.instructions);
    while (t->checkpoints[at].near)
        at--;
    return t->checkpoints[at].instructions + t->every;
}

/* Stops at each checkpoint that there is, too: another stretch begins there, and where somebody
 * changed the machine, another run. */
bool timeline_run_to(struct timeline *t, uint64_t instructions)
{
    struct board *b = t->board;
    for (;;) {
        uint64_t now = b->vtime.instructions, next = instructions, regular = next_regular(t);
        size_t at = checkpoint_at(t, now);
        if (at + 1 < t->count && t->checkpoints[at + 1].instructions < next)
            next = t->checkpoints[at + 1].instructions;
        if (regular > now && regular < next)
            next = regular;
        bool ended = board_run_to(b, next);
        if (b->vtime.instructions > t->farthest)
            t->farthest = b->vtime.instructions;
        if (ended || b->vtime.instructions < next)
            return false;
        bool is_there = at + 1 < t->count && t->checkpoints[at + 1].instructions == next;
        if (next == regular)
            remember(t, false);
        if (is_there && t->checkpoints[at + 1].is_fork)
            go_to_checkpoint(t, at + 1);
        else if (is_there)
            use_footprint(t, at + 1);
        if (next == instructions)
            return true;
    }
}

/* With checkpoints on the last stretch, for the steps back that may follow. */
static bool run_to_place(struct timeline *t, uint64_t instructions)
{
    for (size_t i = 0; i < NEAR_COUNT; i++) {
        uint64_t now = t->board->vtime.instructions, distance = near_distances[i];
        if (instructions - now < 2 * distance)
            continue;
        if (!timeline_run_to(t, instructions - distance))
            return false;
        remember(t, true);
    }
    return timeline_run_to(t, instructions);
}

bool timeline_seek(struct timeline *t, uint64_t instructions)
{
    uint64_t now = t->board->vtime.instructions;
    if (instructions < timeline_start(t))
        return false;
    size_t checkpoint = checkpoint_at(t, instructions);
    if (instructions < now || t->checkpoints[checkpoint].instructions > now)
        go_to_checkpoint(t, checkpoint);
    return t->board->vtime.instructions == instructions || run_to_place(t, instructions);
}

bool timeline_may_fork(const struct timeline *t)
{
    return t->fork_count < FORKS_MAX;
}

uint64_t timeline_next_fork(const struct timeline *t, uint64_t from)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->checkpoints[i].is_fork && t->checkpoints[i].instructions >= from)
            return t->checkpoints[i].instructions;
    return UINT64_MAX;
}

/* What is left of the checkpoints ends with the present, as it is now. */
void timeline_fork(struct timeline *t)
{
    uint64_t now = t->board->vtime.instructions;
    while (t->count > 1 && t->checkpoints[t->count - 1].instructions >= now)
        remove_checkpoint(t, t->count - 1);
    if (t->checkpoints[0].instructions == now)
        remove_checkpoint(t, 0);
    make_room(t);
    t->farthest = now;
    note(t, false);
    t->checkpoints[t->count - 1].is_fork = true;
    t->fork_count++;
}

uint64_t timeline_checkpoint_before(const struct timeline *t, uint64_t instructions)
{
    return instructions ? t->checkpoints[checkpoint_at(t, instructions - 1)].instructions : 0;
}

const struct footprint *timeline_footprint(const struct timeline *t, uint64_t checkpoint)
{
    return t->checkpoints[checkpoint_at(t, checkpoint)].footprint;
}
