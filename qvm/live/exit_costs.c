#include "qvm/live/exit_costs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "qvm/host/host.h"

void exit_costs_begin(struct exit_costs *c)
{
    c->began_ns = host_monotonic_ns();
}

static bool is_row(const struct cost_row *r, const struct vm *vm, const struct guest_exit *x,
                   const char *handler)
{
    return r->vm == vm && r->reason == x->reason &&
           (r->handler == handler || strcmp(r->handler, handler) == 0);
}

static struct cost_row *row_of(struct exit_costs *c, const struct vm *vm,
                               const struct guest_exit *x)
{
    const char *handler = x->handler ? x->handler : "nobody";
    if (c->last < c->count && is_row(&c->rows[c->last], vm, x, handler))
        return &c->rows[c->last];
    for (c->last = 0; c->last < c->count; c->last++)
        if (is_row(&c->rows[c->last], vm, x, handler))
            return &c->rows[c->last];
    c->rows = array_grow(c->rows, c->count, sizeof *c->rows);
    c->rows[c->count] = (struct cost_row){.vm = vm, .reason = x->reason, .handler = handler};
    return &c->rows[c->count++];
}

void exit_costs_end(struct exit_costs *c, const struct vm *vm, const struct guest_exit *x)
{
    uint64_t ns = host_monotonic_ns() - c->began_ns;
    struct cost_row *r = row_of(c, vm, x);
    unsigned bucket = 0;
    while (bucket + 1 < COST_BUCKETS && ns >> (bucket + 1))
        bucket++;
    r->count++;
    r->total_ns += ns;
    r->buckets[bucket]++;
}

/* `64:12` is twelve exits of 64 to 127 ns. */
static void print_row(const struct cost_row *r)
{
    const char *vm = r->vm->board->vm_count > 1 ? r->vm->name : "";
    fprintf(stderr, "qvm: stats: %s%s%s by %s: %" PRIu64 ", mean %" PRIu64 " ns;", vm,
            *vm ? ": " : "", arch_exit_name(r->vm->arch->cpu, r->reason), r->handler, r->count,
            r->total_ns / r->count);
    for (unsigned i = 0; i < COST_BUCKETS; i++)
        if (r->buckets[i])
            fprintf(stderr, " %" PRIu64 ":%" PRIu64, (uint64_t)1 << i, r->buckets[i]);
    fputc('\n', stderr);
}

void exit_costs_print(const struct exit_costs *c)
{
    for (size_t i = 0; i < c->count; i++)
        print_row(&c->rows[i]);
}

void exit_costs_free(struct exit_costs *c)
{
    free(c->rows);
    *c = (struct exit_costs){0};
}
