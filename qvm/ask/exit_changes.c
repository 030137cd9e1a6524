#include "qvm/ask/exit_changes.h"

#include <stdio.h>
#include <string.h>

/* The other VMs' devices say whose they are. */
static void visit_device(struct vm *vm, struct vdev *v, struct state *s)
{
    if (vm->board->vm_count > 1)
        state_part(s, "vm %s, vdev %s", vm->name, v->name);
    else
        state_part(s, "vdev %s", v->name);
    state_fields(s, v->type->fields, v);
}

static void visit(const struct board *b, struct state *s)
{
    for (size_t i = 0; i < b->vm_count; i++) {
        struct vm *vm = b->vms[i];
        for (size_t k = 0; k < vm->vdev_count; k++)
            visit_device(vm, vm->vdevs[k], s);
        for (unsigned k = 0; k < vm->vcpu_count; k++) {
            state_part(s, "vm %s, vcpu %u", vm->name, k);
            vcpu_visit_signals(vm->arch->cpu, s, vm->vcpus[k]->signals);
        }
    }
}

void exit_changes_begin(struct exit_changes *c, const struct board *b)
{
    bytes_clear(&c->before);
    struct state s = state_saving(&c->before);
    visit(b, &s);
}

void exit_changes_free(struct exit_changes *c)
{
    bytes_free(&c->before);
}

struct telling {
    const struct bytes *before;
    char part[160];
    size_t count, limit;
    void (*tell)(void *context, const char *what, uint64_t from, uint64_t to);
    void *context;
};

static void begin_part(void *context, const char *name, size_t offset)
{
    struct telling *t = context;
    (void)offset;
    snprintf(t->part, sizeof t->part, "%s", name);
}

static void compare_item(void *context, const struct state_item *item)
{
    struct telling *t = context;
    char what[320];
    bool was_there = item->offset + item->size <= t->before->size;
    const uint8_t *before = t->before->data + item->offset;
    if (!was_there || memcmp(before, item->data, item->size) == 0 || t->count++ >= t->limit)
        return;
    snprintf(what, sizeof what, "%s: %s", t->part, item->name);
    t->tell(t->context, what, state_item_value(item, before), state_item_value(item, item->data));
}

size_t exit_changes_end(const struct exit_changes *c, const struct board *b, size_t limit,
                        void (*tell_one)(void *context, const char *what, uint64_t from,
                                         uint64_t to),
                        void *context)
{
    struct bytes now = {0};
    struct telling t = {.before = &c->before, .limit = limit, .tell = tell_one, .context = context};
    const struct state_listener listener = {begin_part, compare_item, &t};
    struct state s = state_telling(&now, &listener);
    visit(b, &s);
    bytes_free(&now);
    return t.count;
}
