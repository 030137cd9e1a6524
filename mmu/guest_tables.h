/* The tables by which the hypervisor gives a VM its memory: guest-physical to host-physical
 * addresses. They lie in the board's memory, in the format of the architecture (stage 2, EPT). */
#ifndef MMU_GUEST_TABLES_H
#define MMU_GUEST_TABLES_H

#include "emu/error.h"
#include "mmu/memory.h"
#include "mmu/walk.h"

/* Each architecture's struct begins with it. */
struct guest_tables {
    const struct guest_tables_type *type;
};

/* What they have for one page of 4 KiB. */
struct guest_page {
    hpa_t page;
    uint64_t size;    /* of what one entry maps there: at least the page */
    unsigned permits; /* PERMIT_* of everybody */
};

/* Beside PERMIT_*: the memory is a device's. */
#define GUEST_TABLES_DEVICE 8u

struct guest_tables_type {
    const char *name; /* "stage 2" */
    struct guest_tables *(*make)(struct memory *m, unsigned address_bits, struct error *e);
    void (*free)(struct guest_tables *t);
    bool (*map)(struct guest_tables *t, struct memory *m, gpa_t from, hpa_t to, uint64_t size,
                unsigned attributes, struct error *e);
    bool (*unmap)(struct guest_tables *t, struct memory *m, gpa_t from, uint64_t size,
                  struct error *e);
    bool (*is_sound)(const struct guest_tables *t, struct memory *m, gpa_t from, uint64_t size);
    bool (*find)(const struct guest_tables *t, struct memory *m, gpa_t a, struct guest_page *page);
};

/* Empty ones for addresses of so many bits; NULL, with the error: the board has no room. */
static inline struct guest_tables *guest_tables_new(const struct guest_tables_type *type,
                                                    struct memory *m, unsigned address_bits,
                                                    struct error *e)
{
    return type->make(m, address_bits, e);
}

static inline void guest_tables_free(struct guest_tables *t) /* NULL: nothing */
{
    if (t)
        t->type->free(t);
}

/* Maps [from, from + size) to [to, to + size), in place of what was mapped there; `attributes` are
 * PERMIT_* | GUEST_TABLES_DEVICE. May fail for want of tables, with the old translations all in
 * force. The caller drops cached translations. */
static inline bool guest_tables_map(struct guest_tables *t, struct memory *m, gpa_t from, hpa_t to,
                                    uint64_t size, unsigned attributes, struct error *e)
{
    return t->type->map(t, m, from, to, size, attributes, e);
}

/* Makes it fault again. May need tables: a block of which a part remains. */
static inline bool guest_tables_unmap(struct guest_tables *t, struct memory *m, gpa_t from,
                                      uint64_t size, struct error *e)
{
    return t->type->unmap(t, m, from, size, e);
}

/* Is every table that maps [from, from + size) in the board's memory? Building relies on it. */
static inline bool guest_tables_are_sound(const struct guest_tables *t, struct memory *m,
                                          gpa_t from, uint64_t size)
{
    return t->type->is_sound(t, m, from, size);
}

/* What they have for that address, without any effect on them; false: nothing. */
static inline bool guest_tables_find(const struct guest_tables *t, struct memory *m, gpa_t a,
                                     struct guest_page *page)
{
    return t->type->find(t, m, a, page);
}

#endif
