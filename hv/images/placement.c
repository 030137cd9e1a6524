#include "hv/images/placement.h"

#include <stdlib.h>

#include "emu/array.h"
#include "emu/machine.h"
#include "hv/hv_internal.h"

void placement_init(struct placement *p, struct vm *vm)
{
    struct memory_range r;
    *p = (struct placement){.vm = vm,
                            .is_blind = (vm->board->options.quirks & QUIRK_OLD_LOADS) != 0};
    for (size_t i = 0; config_memory(vm->config, i, &r); i++)
        if (!p->home.length || (p->home.is_rom && !r.is_rom))
            p->home = r;
}

void placement_free(struct placement *p)
{
    free(p->used);
}

void placement_use(struct placement *p, uint64_t start, uint64_t end)
{
    p->used = array_grow(p->used, p->used_count, sizeof *p->used);
    p->used[p->used_count++] = (struct extent){start, end};
}

/* Something that overlaps; NULL: it is free. */
static const struct extent *find_used(const struct placement *p, uint64_t start, uint64_t size)
{
    for (size_t i = 0; i < p->used_count; i++) {
        const struct extent *u = &p->used[i];
        if (start < u->end && (u->start <= start || u->start - start < size))
            return u;
    }
    return NULL;
}

bool placement_is_used(const struct placement *p, uint64_t start, uint64_t size)
{
    return find_used(p, start, size) != NULL;
}

/* Ends at the first page that is none, so that no size is too large and nothing wraps around. */
bool placement_is_memory(const struct placement *p, uint64_t at, uint64_t size)
{
    uint8_t byte;
    for (uint64_t done = 0; done < size; done += PAGE_SIZE - ((at + done) & PAGE_MASK))
        if (!vm_read(p->vm, gpa(at + done), &byte, 1))
            return false;
    return true;
}

static uint64_t align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

static bool contains(const struct memory_range *r, uint64_t at)
{
    return at >= r->start && at - r->start < r->length;
}

/* Behind what is in the way, as often as something is. */
static bool first_in(const struct placement *p, const struct memory_range *r, uint64_t size,
                     uint64_t alignment, uint64_t offset, uint64_t *at)
{
    uint64_t next = align_up(r->start, alignment) + offset;
    const struct extent *u;
    do {
        *at = next;
        u = contains(r, *at) && !p->is_blind ? find_used(p, *at, size) : NULL;
        next = u ? align_up(u->end, alignment) + offset : *at;
    } while (next > *at); /* an offset may be anything, and wrap around */
    return !u && contains(r, *at) && placement_is_memory(p, *at, size);
}

bool placement_first(const struct placement *p, uint64_t size, uint64_t alignment, uint64_t offset,
                     bool rom, uint64_t *at)
{
    struct memory_range r;
    bool only_rom = p->home.is_rom;
    for (size_t i = 0; config_memory(p->vm->config, i, &r); i++)
        if ((!r.is_rom || rom || only_rom) && first_in(p, &r, size, alignment, offset, at))
            return true;
    return false;
}

void placement_settle(struct placement *p, uint64_t at)
{
    struct memory_range r;
    for (size_t i = 0; config_memory(p->vm->config, i, &r); i++)
        if (!r.is_rom && contains(&r, at))
            p->home = r;
}

static bool last_in(const struct placement *p, const struct memory_range *r, uint64_t size,
                    uint64_t *at)
{
    uint64_t whole = align_up(size, PAGE_SIZE);
    if (r->is_rom || size > r->length || whole > r->length)
        return false;
    *at = r->start + r->length - whole;
    return !find_used(p, *at, size);
}

bool placement_last(const struct placement *p, uint64_t size, uint64_t *at)
{
    struct memory_range r;
    if (p->home.length && last_in(p, &p->home, size, at))
        return true;
    for (size_t i = 0; config_memory(p->vm->config, i, &r); i++)
        if (last_in(p, &r, size, at))
            return true;
    return false;
}
