#include "cpu/points.h"

#include "emu/addr.h"
#include "mmu/walk.h"

#define PAGES_LOOKED_UP 1024 /* a larger range may be met in any stretch */

static bool same(const struct point *a, const struct point *b)
{
    return a->kind == b->kind && a->physical == b->physical && a->address == b->address &&
           a->size == b->size;
}

static void note_code(struct points *p)
{
    p->code_count = 0;
    for (size_t i = 0; i < p->count; i++) {
        size_t at = p->code_count;
        if (p->list[i].kind != POINT_EXECUTE)
            continue;
        for (; at > 0 && p->code[at - 1] > p->list[i].address; at--)
            p->code[at] = p->code[at - 1];
        p->code[at] = p->list[i].address;
        p->code_count++;
    }
}

bool points_add(struct points *p, struct point point)
{
    for (size_t i = 0; i < p->count; i++)
        if (same(&p->list[i], &point))
            return true;
    if (p->count == POINTS_MAX || (point.kind != POINT_EXECUTE && !point.size))
        return false;
    p->list[p->count++] = point;
    note_code(p);
    return true;
}

void points_drop(struct points *p, struct point point)
{
    for (size_t i = 0; i < p->count; i++)
        if (same(&p->list[i], &point)) {
            p->list[i] = p->list[--p->count];
            note_code(p);
            return;
        }
}

void points_clear_hit(struct points *p)
{
    p->is_hit = false;
    p->vcpu = NULL;
}

static bool touches(const struct point *point, uint64_t address, uint64_t size)
{
    return address < point->address ? point->address - address < size
                                    : address - point->address < point->size;
}

/* Where reads are looked at writes are, too: a page that may be written is one that may be read. */
unsigned points_watched(const struct points *p, uint64_t page_va, uint64_t page_hpa)
{
    unsigned watched = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct point *point = &p->list[i];
        uint64_t page = point->physical ? page_hpa : page_va;
        if (point->kind != POINT_EXECUTE && touches(point, page, PAGE_SIZE))
            watched |= point->kind == POINT_WRITE ? PERMIT_W : PERMIT_R | PERMIT_W;
    }
    return watched;
}

bool points_have_watched(const struct points *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].kind != POINT_EXECUTE)
            return true;
    return false;
}

static bool may_meet(const struct point *point, const struct footprint *f)
{
    if (point->kind == POINT_EXECUTE)
        return code_set_has(&f->code, point->address);
    const struct page_set *pages = point->physical ? &f->places : &f->data;
    uint64_t page = point->address & ~PAGE_MASK;
    uint64_t count = ((point->address & PAGE_MASK) + (point->size - 1) % PAGE_SIZE) / PAGE_SIZE +
                     (point->size - 1) / PAGE_SIZE + 1;
    for (uint64_t i = 0; i < count && i < PAGES_LOOKED_UP; i++)
        if (page_set_has(pages, page + i * PAGE_SIZE))
            return true;
    return count > PAGES_LOOKED_UP;
}

bool points_may_meet(const struct points *p, const struct footprint *f)
{
    for (size_t i = 0; i < p->count; i++)
        if (may_meet(&p->list[i], f))
            return true;
    return false;
}

uint64_t points_may_run(const struct points *p, uint64_t pc, unsigned size_bytes, unsigned each,
                        uint64_t instructions)
{
    for (size_t i = 0; i < p->code_count; i++) {
        uint64_t at = p->code[i] - pc;
        bool passed = at == 0 && instructions == p->resume_at;
        if (!passed && at < size_bytes && at % each == 0)
            return at / each;
    }
    return UINT64_MAX;
}

static void note(struct points *p, const struct point *point, const struct vcpu *v,
                 uint64_t address)
{
    if (p->is_hit)
        return;
    p->is_hit = true;
    p->hit = *point;
    p->vcpu = v;
    p->address = address;
}

static void tell(struct points *p, uint64_t instructions)
{
    p->met(p->context, p, instructions);
    points_clear_hit(p);
}

bool points_before(struct points *p, const struct vcpu *v, uint64_t pc, uint64_t instructions)
{
    if (instructions == p->resume_at)
        return false;
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].kind == POINT_EXECUTE && p->list[i].address == pc) {
            note(p, &p->list[i], v, pc);
            if (!p->met)
                return true;
            tell(p, instructions);
            p->resume_at = instructions;
            p->resume_accesses_wait = true;
            return false;
        }
    return false;
}

static bool meets(const struct point *point, const struct point_access *access)
{
    bool kind = (access->writes && (point->kind == POINT_WRITE || point->kind == POINT_ACCESS)) ||
                (access->reads && (point->kind == POINT_READ || point->kind == POINT_ACCESS));
    if (point->physical)
        return kind && access->has_place && touches(point, access->place, access->size);
    return kind && touches(point, access->address, access->size);
}

bool points_access(struct points *p, const struct vcpu *v, const struct point_access *access,
                   uint64_t instructions)
{
    if (instructions == p->resume_at && !p->resume_accesses_wait)
        return false;
    for (size_t i = 0; i < p->count; i++) {
        const struct point *point = &p->list[i];
        if (!meets(point, access))
            continue;
        /* The first byte of both. */
        uint64_t in_point = point->address - (point->physical ? access->place : access->address);
        note(p, point, v, access->address + (in_point < access->size ? in_point : 0));
        if (!p->met)
            return true;
        tell(p, instructions);
        return false;
    }
    return false;
}
