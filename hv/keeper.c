#include "hv/keeper.h"

#include "hv/snapshot.h"

void keeper_begin(struct keeper *k, size_t budget, const struct journal *j,
                  const struct trace_snapshot *from)
{
    *k = (struct keeper){.budget = budget, .mark = journal_mark(j)};
    if (from)
        k->start = (struct keeper_start){from->instructions, from->data, from->size, {0}};
}

void keeper_free(struct keeper *k)
{
    bytes_free(&k->start.owned);
    bytes_free(&k->next.owned);
}

bool keeper_wants(struct keeper *k, const struct journal *j)
{
    if (!k->budget || k->wanted || journal_bytes_since(j, k->mark) <= k->budget / 2)
        return false;
    k->wanted = true;
    return true;
}

static void set_start(struct keeper_start *start, struct board *b)
{
    *start = (struct keeper_start){.instructions = b->vtime.instructions};
    snapshot_take(b, &start->owned);
    start->data = start->owned.data;
    start->size = start->owned.size;
}

void keeper_start_here(struct keeper *k, struct board *b)
{
    set_start(&k->start, b);
}

void keeper_take(struct keeper *k, struct board *b, struct journal *j)
{
    if (k->has_next) {
        bytes_free(&k->start.owned);
        k->start = k->next;
        journal_drop(j, k->mark);
    }
    set_start(&k->next, b);
    k->mark = journal_mark(j);
    k->has_next = true;
    k->wanted = false;
}

bool keeper_write(const struct keeper *k, struct trace_writer *w)
{
    return !k->start.data ||
           trace_write_snapshot(w, k->start.instructions, k->start.data, k->start.size);
}
