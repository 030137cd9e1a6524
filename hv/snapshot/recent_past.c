#include "hv/snapshot/recent_past.h"

#include "hv/snapshot/snapshot.h"

void recent_past_begin(struct recent_past *k, size_t budget, const struct journal *j,
                       const struct trace_snapshot *from)
{
    *k = (struct recent_past){.budget = budget, .mark = journal_mark(j)};
    if (from)
        k->start = (struct recent_past_start){from->instructions, from->data, from->size, {0}};
}

void recent_past_free(struct recent_past *k)
{
    bytes_free(&k->start.owned);
    bytes_free(&k->next.owned);
}

bool recent_past_wants(struct recent_past *k, const struct journal *j)
{
    if (!k->budget || k->wanted || journal_bytes_since(j, k->mark) <= k->budget / 2)
        return false;
    k->wanted = true;
    return true;
}

static void set_start(struct recent_past_start *start, struct board *b)
{
    *start = (struct recent_past_start){.instructions = b->vtime.instructions};
    snapshot_take(b, &start->owned);
    start->data = start->owned.data;
    start->size = start->owned.size;
}

void recent_past_start_here(struct recent_past *k, struct board *b)
{
    set_start(&k->start, b);
}

void recent_past_take(struct recent_past *k, struct board *b, struct journal *j)
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

bool recent_past_write(const struct recent_past *k, struct trace_writer *w)
{
    return !k->start.data ||
           trace_write_snapshot(w, k->start.instructions, k->start.data, k->start.size);
}
