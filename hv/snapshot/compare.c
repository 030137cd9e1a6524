#include "hv/snapshot/compare.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hv/hv_internal.h"

static bool differs(struct difference *d, uint64_t a, uint64_t b, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static bool differs(struct difference *d, uint64_t a, uint64_t b, const char *format, ...)
{
    va_list args;
    if (a == b)
        return false;
    va_start(args, format);
    vsnprintf(d->where, sizeof d->where, format, args);
    va_end(args);
    d->has_values = true;
    d->a = a;
    d->b = b;
    return true;
}

/* Where two rows of bytes differ first; SIZE_MAX: nowhere. */
static size_t first_byte(const struct bytes *a, const struct bytes *b)
{
    size_t size = a->size < b->size ? a->size : b->size;
    for (size_t i = 0; i < size; i++)
        if (a->data[i] != b->data[i])
            return i;
    return a->size == b->size ? SIZE_MAX : size;
}

/* Frees both. */
static bool bytes_differ(struct difference *d, struct bytes *a, struct bytes *b, const char *vm,
                         const char *what)
{
    bool differ = first_byte(a, b) != SIZE_MAX;
    if (differ)
        snprintf(d->where, sizeof d->where, "%s%s%s", vm, *vm ? ": " : "", what);
    bytes_free(a);
    bytes_free(b);
    return differ;
}

/* Time, schedule ----------------------------------------------------------------------------------
 */

static bool time_differs(const struct board *a, const struct board *b, struct difference *d)
{
    return differs(d, a->vtime.instructions, b->vtime.instructions, "instructions") ||
           differs(d, a->vtime.idle_ticks, b->vtime.idle_ticks, "idle ticks");
}

static bool shape_differs(const struct board *a, const struct board *b, struct difference *d)
{
    if (differs(d, a->vm_count, b->vm_count, "number of VMs"))
        return true;
    for (size_t i = 0; i < a->vm_count; i++)
        if (differs(d, a->vms[i]->vcpu_count, b->vms[i]->vcpu_count, "vm %s: number of vCPUs",
                    a->vms[i]->name) ||
            differs(d, a->vms[i]->vdev_count, b->vms[i]->vdev_count, "vm %s: number of devices",
                    a->vms[i]->name))
            return true;
    return false;
}

static bool schedule_differs(const struct board *a, const struct board *b, struct difference *d)
{
    const struct schedule *s = &a->schedule, *t = &b->schedule;
    struct bytes x = {0}, y = {0};
    if (differs(d, s->current, t->current, "schedule: which vCPU runs") ||
        differs(d, s->quantum_end, t->quantum_end, "schedule: end of the quantum") ||
        differs(d, s->current_is_over, t->current_is_over, "schedule: whether the turn is over"))
        return true;
    schedule_save(s, &x);
    schedule_save(t, &y);
    return bytes_differ(d, &x, &y, "", "schedule: CPUs and budgets of vCPUs");
}

/* vCPUs, devices, VMs -----------------------------------------------------------------------------
 */

static bool vcpu_differs(struct vm *a, struct vm *b, unsigned i, struct difference *d)
{
    struct bytes x = {0}, y = {0};
    vcpu_save(a->vcpus[i], a->board->current, &x);
    vcpu_save(b->vcpus[i], b->board->current, &y);
    size_t at = first_byte(&x, &y);
    if (at != SIZE_MAX) {
        struct state_item item;
        vcpu_state_item_at(a->vcpus[i], a->board->current, at, &item);
        differs(d, load_le(x.data + item.offset, item.size),
                load_le(y.data + item.offset, item.size), "vm %s, vcpu %u: %s", a->name, i,
                item.name);
    }
    bytes_free(&x);
    bytes_free(&y);
    return at != SIZE_MAX;
}

static uint64_t field_value(const struct field *f, const void *object, size_t index)
{
    const struct field one[] = {*f, FIELD_END};
    struct bytes all = {0};
    fields_save(one, object, &all);
    uint64_t value = load_le(all.data + index * f->size, f->size);
    bytes_free(&all);
    return value;
}

size_t vdev_state_item(const struct vdev *v, size_t at, char *name, size_t name_size,
                       size_t *item_size)
{
    size_t begin = 0;
    for (const struct field *f = v->type->fields; f->name; f++) {
        *item_size = f->size;
        if (at - begin < f->size * f->count) {
            size_t index = (at - begin) / f->size;
            char element[24] = "";
            if (f->count > 1)
                snprintf(element, sizeof element, "[%zu]", index);
            snprintf(name, name_size, "%s%s", f->name, element);
            return begin + index * f->size;
        }
        begin += f->size * f->count;
    }
    bool is_count = at - begin < 8;
    *item_size = is_count ? 8 : 1;
    snprintf(name, name_size, is_count ? "bytes of input that wait" : "input that waits");
    return is_count ? begin : at;
}

static bool device_differs(const struct vm *a, const struct vm *b, size_t i, struct difference *d)
{
    const struct vdev *v = a->vdevs[i], *w = b->vdevs[i];
    size_t index;
    if (v->type != w->type) {
        snprintf(d->where, sizeof d->where, "vm %s: device %zu is %s in one, %s in the other",
                 a->name, i, v->type->name, w->type->name);
        return true;
    }
    const char *name = fields_first_difference(v->type->fields, v, w, &index);
    for (const struct field *f = v->type->fields; name && f->name; f++)
        if (strcmp(f->name, name) == 0) {
            char element[24] = "";
            if (f->count > 1)
                snprintf(element, sizeof element, "[%zu]", index);
            return differs(d, field_value(f, v, index), field_value(f, w, index),
                           "vm %s, vdev %s: %s%s", a->name, v->name, name, element);
        }
    return differs(d, a->pending[i].size, b->pending[i].size,
                   "vm %s, vdev %s: bytes of input that wait", a->name, v->name) ||
           (a->pending[i].size &&
            memcmp(a->pending[i].data, b->pending[i].data, a->pending[i].size) != 0 &&
            differs(d, 0, 1, "vm %s, vdev %s: input that waits", a->name, v->name));
}

static bool semihosting_differs(const struct vm *a, const struct vm *b, struct difference *d)
{
    struct bytes x = {0}, y = {0};
    semihosting_save(a->semihosting, &x);
    semihosting_save(b->semihosting, &y);
    return bytes_differ(d, &x, &y, a->name, "open semihosting files");
}

static bool output_differs(const struct vm *a, const struct vm *b, struct difference *d)
{
    struct sha256 s = a->output, t = b->output;
    struct digest x = sha256_end(&s), y = sha256_end(&t);
    if (differs(d, a->output.length_bytes, b->output.length_bytes, "vm %s: bytes of output",
                a->name))
        return true;
    if (memcmp(x.b, y.b, sizeof x.b) == 0)
        return false;
    snprintf(d->where, sizeof d->where, "vm %s: output", a->name);
    return true;
}

static bool rest_of_vm_differs(const struct vm *a, const struct vm *b, struct difference *d)
{
    return differs(d, a->input_retry.when_ticks, b->input_retry.when_ticks,
                   "vm %s: when input is offered again", a->name) ||
           differs(d, a->ended, b->ended, "vm %s: whether it has ended", a->name) ||
           differs(d, a->finished, b->finished, "vm %s: whether it has let go", a->name) ||
           differs(d, a->may_restart, b->may_restart, "vm %s: whether it may restart", a->name) ||
           differs(d, a->button_pressed, b->button_pressed, "vm %s: power button", a->name) ||
           differs(d, a->restarts, b->restarts, "vm %s: restarts", a->name) ||
           differs(d, (uint64_t)a->exit_status, (uint64_t)b->exit_status, "vm %s: exit status",
                   a->name) ||
           differs(d, a->entropy_pulls, b->entropy_pulls, "vm %s: pulls of entropy", a->name) ||
           semihosting_differs(a, b, d) || output_differs(a, b, d);
}

static bool vms_differ(struct board *a, struct board *b, struct difference *d)
{
    for (size_t i = 0; i < a->vm_count; i++)
        for (unsigned k = 0; k < a->vms[i]->vcpu_count; k++)
            if (vcpu_differs(a->vms[i], b->vms[i], k, d))
                return true;
    for (size_t i = 0; i < a->vm_count; i++) {
        for (size_t k = 0; k < a->vms[i]->vdev_count; k++)
            if (device_differs(a->vms[i], b->vms[i], k, d))
                return true;
        if (rest_of_vm_differs(a->vms[i], b->vms[i], d))
            return true;
    }
    return false;
}

static bool chaos_differs(const struct board *a, const struct board *b, struct difference *d)
{
    struct bytes x = {0}, y = {0};
    if (differs(d, a->options.chaos.on, b->options.chaos.on, "chaos"))
        return true;
    chaos_save(a, &x);
    chaos_save(b, &y);
    return bytes_differ(d, &x, &y, "", "chaos: interrupts on their way");
}

static bool regions_differ(const struct board *a, const struct board *b, struct difference *d)
{
    struct bytes x = {0}, y = {0};
    if (a->shmem)
        shmem_regions_save(a->shmem, &x);
    if (b->shmem)
        shmem_regions_save(b->shmem, &y);
    return bytes_differ(d, &x, &y, "", "regions of shared memory");
}

/* Memory ------------------------------------------------------------------------------------------
 */

void compare_name_owner(struct board *b, hpa_t at, char *text, size_t size)
{
    text[0] = 0;
    for (size_t i = 0; i < b->vm_count; i++) {
        struct vm *vm = b->vms[i];
        for (size_t k = 0; k < vm->config->ram_count; k++)
            for (uint64_t n = 0; n < vm->config->rams[k].length; n += PAGE_SIZE) {
                gpa_t page = gpa(vm->config->rams[k].start + n);
                struct guest_page leaf;
                if (!guest_tables_find(vm->tables, &b->memory, page, &leaf) ||
                    leaf.page.v != (at.v & ~PAGE_MASK))
                    continue;
                snprintf(text, size, ", vm %s, gpa 0x%" PRIx64, vm->name,
                         page.v | (at.v & PAGE_MASK));
                return;
            }
    }
}

static bool page_differs(struct board *a, struct board *b, hpa_t page, struct difference *d)
{
    const uint8_t *x = memory_at(&a->memory, page, PAGE_SIZE, MEMORY_READ);
    const uint8_t *y = memory_at(&b->memory, page, PAGE_SIZE, MEMORY_READ);
    if (!x || !y || memcmp(x, y, PAGE_SIZE) == 0)
        return false;
    unsigned i = 0;
    while (x[i] == y[i])
        i++;
    char owner[160];
    compare_name_owner(a, hpa(page.v + i), owner, sizeof owner);
    return differs(d, x[i], y[i], "memory byte, hpa 0x%" PRIx64 "%s", page.v + i, owner);
}

static bool banks_differ(const struct memory *a, const struct memory *b, struct difference *d)
{
    if (differs(d, a->bank_count, b->bank_count, "the board's memory: number of banks"))
        return true;
    for (size_t i = 0; i < a->bank_count; i++)
        if (differs(d, a->banks[i].base.v, b->banks[i].base.v, "base of memory bank %zu", i) ||
            differs(d, a->banks[i].size, b->banks[i].size, "size of memory bank %zu", i))
            return true;
    return false;
}

/* Pages that neither wrote are zeros in both. */
static bool memory_differs(struct board *a, struct board *b, struct difference *d)
{
    if (banks_differ(&a->memory, &b->memory, d))
        return true;
    for (hpa_t page = {0};; page.v += PAGE_SIZE) {
        hpa_t x = page, y = page;
        bool in_a = memory_next_touched(&a->memory, &x), in_b = memory_next_touched(&b->memory, &y);
        if (!in_a && !in_b)
            return false;
        page = in_a && (!in_b || x.v < y.v) ? x : y;
        if (page_differs(a, b, page, d))
            return true;
    }
}

bool compare_boards(struct board *a, struct board *b, struct difference *d)
{
    *d = (struct difference){.has_values = false};
    return time_differs(a, b, d) || shape_differs(a, b, d) || schedule_differs(a, b, d) ||
           vms_differ(a, b, d) || regions_differ(a, b, d) || chaos_differs(a, b, d) ||
           memory_differs(a, b, d);
}
