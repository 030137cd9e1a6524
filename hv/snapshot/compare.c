#include "emu/text.h"
#include "hv/snapshot/compare.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hv/hv_internal.h"

static bool differs(struct difference *d, uint64_t a, uint64_t b, const char *format, ...)
    TEXT_PRINTF(4, 5);
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

/* Shape: what decides which values there are
 * --------------------------------------------------------------------------------
 */

static bool devices_differ(const struct vm *a, const struct vm *b, struct difference *d)
{
    for (size_t i = 0; i < a->vdev_count; i++) {
        const struct vdev *v = a->vdevs[i], *w = b->vdevs[i];
        if (v->type == w->type)
            continue;
        snprintf(d->where, sizeof d->where, "vm %s: device %zu is %s in one, %s in the other",
                 a->name, i, v->type->name, w->type->name);
        return true;
    }
    return false;
}

static bool shape_differs(const struct board *a, const struct board *b, struct difference *d)
{
    if (differs(d, a->vm_count, b->vm_count, "number of VMs") ||
        differs(d, a->options.chaos.on, b->options.chaos.on, "chaos"))
        return true;
    for (size_t i = 0; i < a->vm_count; i++)
        if (differs(d, a->vms[i]->vcpu_count, b->vms[i]->vcpu_count, "vm %s: number of vCPUs",
                    a->vms[i]->name) ||
            differs(d, a->vms[i]->vdev_count, b->vms[i]->vdev_count, "vm %s: number of devices",
                    a->vms[i]->name) ||
            devices_differ(a->vms[i], b->vms[i], d))
            return true;
    return false;
}

/* State -------------------------------------------------------------------------------------------
 */

static uint64_t value_at(const struct bytes *state, const struct state_item *item)
{
    return state_item_value(item, state->data + item->offset);
}

/* Up to that byte both have the same values, so what has it is the same thing in both, unless their
 * configurations have made them different in more than shape_differs looks at. */
static void name_difference(struct board *a, const struct bytes *x, struct board *b,
                            const struct bytes *y, size_t at, struct difference *d)
{
    struct state_search in_a = {.offset = at}, in_b = {.offset = at};
    board_search(a, &in_a);
    board_search(b, &in_b);
    if (strcmp(in_a.found_name, in_b.found_name) == 0)
        differs(d, value_at(x, &in_a.found), value_at(y, &in_b.found), "%s", in_a.found_name);
    else
        snprintf(d->where, sizeof d->where, "%.100s in one, %.100s in the other", in_a.found_name,
                 in_b.found_name);
}

static bool state_differs(struct board *a, struct board *b, struct difference *d)
{
    struct bytes x = {0}, y = {0};
    struct state of_a = state_saving(&x), of_b = state_saving(&y);
    board_visit(a, &of_a);
    board_visit(b, &of_b);
    size_t at = first_byte(&x, &y);
    if (at != SIZE_MAX)
        name_difference(a, &x, b, &y, at, d);
    bytes_free(&x);
    bytes_free(&y);
    return at != SIZE_MAX;
}

/* Memory ------------------------------------------------------------------------------------------
 */

void compare_name_owner(struct board *b, hpa_t at, char *text, size_t size)
{
    text[0] = 0;
    stores_name(b, at, text, size);
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
    return shape_differs(a, b, d) || state_differs(a, b, d) || memory_differs(a, b, d);
}
