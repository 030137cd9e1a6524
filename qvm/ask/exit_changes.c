#include "qvm/ask/exit_changes.h"

#include <stdio.h>
#include <string.h>

#include "hv/snapshot/compare.h"

static void save(const struct board *b, struct bytes *out)
{
    for (size_t i = 0; i < b->vm_count; i++) {
        const struct vm *vm = b->vms[i];
        for (size_t k = 0; k < vm->vdev_count; k++)
            fields_save(vm->vdevs[k]->type->fields, vm->vdevs[k], out);
        for (unsigned k = 0; k < vm->vcpu_count; k++)
            bytes_put_int(out, (unsigned)vm->vcpus[k]->irq | (unsigned)vm->vcpus[k]->fiq << 1, 1);
    }
}

void exit_changes_begin(struct exit_changes *c, const struct board *b)
{
    bytes_clear(&c->before);
    save(b, &c->before);
}

void exit_changes_free(struct exit_changes *c)
{
    bytes_free(&c->before);
}

struct telling {
    const uint8_t *before, *now;
    size_t count, limit;
    void (*tell)(void *context, const char *what, uint64_t from, uint64_t to);
    void *context;
};

static void tell(struct telling *t, const char *what, uint64_t from, uint64_t to)
{
    if (from != to && t->count++ < t->limit)
        t->tell(t->context, what, from, to);
}

static size_t state_size(const struct vdev *v)
{
    size_t size = 0;
    for (const struct field *f = v->type->fields; f->name; f++)
        size += f->size * f->count;
    return size;
}

/* Field by field; the other VMs' devices say whose they are. */
static void compare_device(struct telling *t, const struct vm *vm, const struct vdev *v)
{
    size_t size = state_size(v), item;
    char field[96], what[320];
    for (size_t at = 0; at < size; at += item) {
        vdev_state_item(v, at, field, sizeof field, &item);
        size_t width = item < 8 ? item : 8;
        if (memcmp(t->before + at, t->now + at, item) == 0)
            continue;
        if (vm->board->vm_count > 1)
            snprintf(what, sizeof what, "vm %s, vdev %s: %s", vm->name, v->name, field);
        else
            snprintf(what, sizeof what, "vdev %s: %s", v->name, field);
        tell(t, what, load_le(t->before + at, width), load_le(t->now + at, width));
    }
    t->before += size;
    t->now += size;
}

static void compare_lines(struct telling *t, const struct vm *vm)
{
    char what[128];
    for (unsigned k = 0; k < vm->vcpu_count; k++, t->before++, t->now++) {
        snprintf(what, sizeof what, "vm %s, vcpu %u: IRQ line", vm->name, k);
        tell(t, what, *t->before & 1, *t->now & 1);
        snprintf(what, sizeof what, "vm %s, vcpu %u: FIQ line", vm->name, k);
        tell(t, what, *t->before >> 1, *t->now >> 1);
    }
}

size_t exit_changes_end(const struct exit_changes *c, const struct board *b, size_t limit,
                        void (*tell_one)(void *context, const char *what, uint64_t from,
                                         uint64_t to),
                        void *context)
{
    struct bytes now = {0};
    save(b, &now);
    struct telling t = {.before = c->before.data,
                        .now = now.data,
                        .limit = limit,
                        .tell = tell_one,
                        .context = context};
    for (size_t i = 0; now.size == c->before.size && i < b->vm_count; i++) {
        for (size_t k = 0; k < b->vms[i]->vdev_count; k++)
            compare_device(&t, b->vms[i], b->vms[i]->vdevs[k]);
        compare_lines(&t, b->vms[i]);
    }
    bytes_free(&now);
    return t.count;
}
