#include "mmu/tlb.h"

#include <stdlib.h>
#include <string.h>

#define BUCKET_BITS 14
#define BUCKETS     ((size_t)1 << BUCKET_BITS)

/* The leaf sizes that descriptors can have, as a set of log2: 4K, 16K, 64K, 2M, 32M, 512M, 1G. */
#define LEAF_SIZES (1u << 12 | 1u << 14 | 1u << 16 | 1u << 21 | 1u << 25 | 1u << 29 | 1u << 30)

enum {
    FLAG_GLOBAL = 1,
    FLAG_DEVICE = 2,
    FLAG_UNPRIVILEGED_ANY = 4,
    FLAG_CLEAN = 8,
    FLAGS_ALL = 15,
};

struct entry {
    uint64_t key;        /* gva >> size_bits */
    uint64_t base;       /* gpa of the leaf's first byte */
    uint64_t birth;      /* the clock at insertion */
    uint32_t next;       /* in its bucket: number + 1 of the entry inserted before; 0 = none */
    uint32_t next_of_va; /* the same in the bucket by VA alone; unused if global */
    uint16_t asid;
    uint8_t size_bits; /* 0 = dropped */
    uint8_t level, attr, privileged, unprivileged, flags;
};

/* A chain head that counts only while `epoch` is the TLB's, so that all can be emptied at once. */
struct bucket {
    uint32_t epoch, first;
};

struct asid_state {
    uint64_t invalidated; /* entries born before are dead */
    uint64_t large_born;  /* when the last entry larger than 4 KiB was inserted */
};

struct tlb {
    struct tlb_leaf answer;
    uint64_t clock;    /* invalidations by ASID and of all, from 1 */
    uint64_t all_born; /* the clock at the last emptying */
    uint32_t epoch;    /* of buckets */
    uint32_t count;    /* entries in use, dropped ones included */
    uint32_t inserted; /* insertions since the last emptying; >= count after a restore */
    uint32_t sizes[2]; /* sets of size_bits of entries: [1] the global ones */
    struct bucket by_key[BUCKETS]; /* by VA and ASID */
    struct bucket by_va[BUCKETS];  /* not global entries by VA */
    struct entry entries[TLB_ENTRIES];
    struct asid_state asids[65536];
};

struct tlb *tlb_new(void)
{
    struct tlb *t = calloc(1, sizeof *t);
    if (t)
        t->clock = t->epoch = 1;
    return t;
}

void tlb_free(struct tlb *t)
{
    free(t);
}

static struct bucket *bucket_in(struct bucket *table, uint64_t key, unsigned size_bits,
                                unsigned space)
{
    uint64_t mixed = key ^ (uint64_t)space << 40 ^ (uint64_t)size_bits << 58;
    return &table[mixed * 0x9e3779b97f4a7c15 >> (64 - BUCKET_BITS)];
}

/* Entries of each ASID and the global ones are hashed apart: many processes use the same addresses.
 */
static struct bucket *bucket_by_key(struct tlb *t, uint64_t key, unsigned size_bits, uint16_t asid,
                                    bool global)
{
    return bucket_in(t->by_key, key, size_bits, global ? 0 : asid + 1u);
}

static uint32_t *bucket_first(const struct tlb *t, struct bucket *b)
{
    if (b->epoch != t->epoch)
        *b = (struct bucket){t->epoch, 0};
    return &b->first;
}

static bool is_live(const struct tlb *t, const struct entry *e)
{
    return e->size_bits && (e->flags & FLAG_GLOBAL || e->birth >= t->asids[e->asid].invalidated);
}

static bool is_for(const struct entry *e, uint64_t key, unsigned size_bits, uint16_t asid,
                   bool global)
{
    return e->key == key && e->size_bits == size_bits && (e->flags & FLAG_GLOBAL) == global &&
           (global || e->asid == asid);
}

static const struct entry *find(struct tlb *t, gva_t a, unsigned size_bits, uint16_t asid,
                                bool global)
{
    uint64_t key = a.v >> size_bits;
    struct bucket *b = bucket_by_key(t, key, size_bits, asid, global);
    if (b->epoch != t->epoch)
        return NULL;
    for (uint32_t n = b->first; n; n = t->entries[n - 1].next) {
        const struct entry *e = &t->entries[n - 1];
        if (is_for(e, key, size_bits, asid, global))
            return is_live(t, e) ? e : NULL; /* newest first: those behind are dead too */
    }
    return NULL;
}

static const struct entry *find_any_size(struct tlb *t, gva_t a, uint16_t asid, bool global)
{
    for (uint32_t sizes = t->sizes[global]; sizes; sizes &= sizes - 1) {
        const struct entry *e = find(t, a, (unsigned)__builtin_ctz(sizes), asid, global);
        if (e)
            return e;
    }
    return NULL;
}

static const struct tlb_leaf *answer(struct tlb *t, const struct entry *e, gva_t a)
{
    uint64_t inside = (((uint64_t)1 << e->size_bits) - 1) & ~PAGE_MASK;
    t->answer = (struct tlb_leaf){
        .page = gpa(e->base | (a.v & inside)),
        .leaf_size = (uint64_t)1 << e->size_bits,
        .level = e->level,
        .attr = e->attr,
        .device = e->flags & FLAG_DEVICE,
        .global = e->flags & FLAG_GLOBAL,
        .asid = e->asid,
        .privileged = e->privileged,
        .unprivileged = e->unprivileged,
        .unprivileged_any = e->flags & FLAG_UNPRIVILEGED_ANY,
        .writable_clean = e->flags & FLAG_CLEAN,
    };
    return &t->answer;
}

/* Kernels live in the high half, mostly global; so look there first for what is likely. */
const struct tlb_leaf *tlb_lookup(struct tlb *t, gva_t a, uint16_t asid)
{
    bool high = a.v >> 63;
    const struct entry *e = find_any_size(t, a, asid, high);
    if (!e)
        e = find_any_size(t, a, asid, !high);
    return e ? answer(t, e, a) : NULL;
}

/* Drops the entry, and unlinks the dead ones on the way. Was there a live one? */
static bool drop_key(struct tlb *t, gva_t a, unsigned size_bits, uint16_t asid, bool global)
{
    uint64_t key = a.v >> size_bits;
    uint32_t *link = bucket_first(t, bucket_by_key(t, key, size_bits, asid, global));
    bool dropped = false;
    while (*link) {
        struct entry *e = &t->entries[*link - 1];
        bool live = is_live(t, e), match = is_for(e, key, size_bits, asid, global);
        if (live && !match) {
            link = &e->next;
            continue;
        }
        dropped |= live;
        e->size_bits = 0;
        *link = e->next;
    }
    return dropped;
}

/* Drops what translates `a` for `asid`: true if that was larger than a page. */
static bool drop_va(struct tlb *t, gva_t a, uint16_t asid)
{
    bool large = false;
    for (int global = 0; global < 2; global++)
        for (uint32_t sizes = t->sizes[global]; sizes; sizes &= sizes - 1) {
            unsigned size_bits = (unsigned)__builtin_ctz(sizes);
            if (drop_key(t, a, size_bits, asid, global))
                large |= size_bits > PAGE_BITS;
        }
    return large;
}

static void push(struct tlb *t, const struct entry *made)
{
    bool global = made->flags & FLAG_GLOBAL;
    uint32_t number = ++t->count;
    struct entry *e = &t->entries[number - 1];
    *e = *made;
    e->birth = t->clock;
    uint32_t *first = bucket_first(t, bucket_by_key(t, e->key, e->size_bits, e->asid, global));
    e->next = *first;
    *first = number;
    t->sizes[global] |= 1u << e->size_bits;
    if (global)
        return;
    first = bucket_first(t, bucket_in(t->by_va, e->key, e->size_bits, 0));
    e->next_of_va = *first;
    *first = number;
    if (e->size_bits > PAGE_BITS)
        t->asids[e->asid].large_born = t->clock;
}

static void insert(struct tlb *t, gva_t a, const struct tlb_leaf *leaf)
{
    unsigned size_bits = (unsigned)__builtin_ctzll(leaf->leaf_size);
    struct entry e = {
        .key = a.v >> size_bits,
        .base = leaf->page.v & ~(leaf->leaf_size - 1),
        .asid = leaf->asid,
        .size_bits = (uint8_t)size_bits,
        .level = leaf->level,
        .attr = leaf->attr,
        .privileged = leaf->privileged,
        .unprivileged = leaf->unprivileged,
        .flags = (uint8_t)((leaf->global ? FLAG_GLOBAL : 0) | (leaf->device ? FLAG_DEVICE : 0) |
                           (leaf->unprivileged_any ? FLAG_UNPRIVILEGED_ANY : 0) |
                           (leaf->writable_clean ? FLAG_CLEAN : 0)),
    };
    push(t, &e);
    t->inserted++;
}

bool tlb_is_full(const struct tlb *t)
{
    return t->inserted == TLB_ENTRIES;
}

bool tlb_insert(struct tlb *t, gva_t a, const struct tlb_leaf *leaf)
{
    bool flush = drop_va(t, a, leaf->asid);
    if (tlb_is_full(t)) {
        tlb_invalidate_all(t);
        flush = true;
    }
    insert(t, a, leaf);
    return flush;
}

bool tlb_offer(struct tlb *t, gva_t a, const struct tlb_leaf *leaf)
{
    if (tlb_is_full(t) || tlb_lookup(t, a, leaf->asid))
        return false;
    insert(t, a, leaf);
    return true;
}

bool tlb_invalidate_all(struct tlb *t)
{
    const uint32_t page = 1u << PAGE_BITS;
    bool large = (t->sizes[0] | t->sizes[1]) & ~page;
    t->count = t->inserted = 0;
    t->sizes[0] = t->sizes[1] = 0;
    t->all_born = ++t->clock;
    if (++t->epoch == 0) { /* once in 2^32: old buckets would come back */
        memset(t->by_key, 0, sizeof t->by_key);
        memset(t->by_va, 0, sizeof t->by_va);
        t->epoch = 1;
    }
    return large;
}

bool tlb_invalidate_asid(struct tlb *t, uint16_t asid)
{
    struct asid_state *s = &t->asids[asid];
    bool large = s->large_born && s->large_born >= s->invalidated && s->large_born >= t->all_born;
    s->invalidated = ++t->clock;
    return large;
}

/* Only VA[55:12] counts; the address is the one that bit 55 extends. */
static gva_t va_of_operand(gva_t va)
{
    uint64_t low = va.v << 8 >> 8;
    return gva(low >> 55 ? low | (uint64_t)0xff << 56 : low);
}

bool tlb_invalidate_va(struct tlb *t, gva_t va, uint16_t asid)
{
    return drop_va(t, va_of_operand(va), asid);
}

/* Drops every ASID's own entry for `a` at one size; unlinks dropped ones on the way. */
static bool drop_all_asids(struct tlb *t, gva_t a, unsigned size_bits)
{
    uint64_t key = a.v >> size_bits;
    uint32_t *link = bucket_first(t, bucket_in(t->by_va, key, size_bits, 0));
    bool dropped = false;
    while (*link) {
        struct entry *e = &t->entries[*link - 1];
        bool live = is_live(t, e);
        if (live && is_for(e, key, size_bits, e->asid, false))
            dropped |= drop_key(t, a, size_bits, e->asid, false);
        else if (live) {
            link = &e->next_of_va;
            continue;
        }
        *link = e->next_of_va;
    }
    return dropped;
}

bool tlb_invalidate_va_all_asids(struct tlb *t, gva_t va)
{
    gva_t a = va_of_operand(va);
    bool large = drop_va(t, a, 0); /* the global ones */
    for (uint32_t sizes = t->sizes[0]; sizes; sizes &= sizes - 1) {
        unsigned size_bits = (unsigned)__builtin_ctz(sizes);
        if (drop_all_asids(t, a, size_bits))
            large |= size_bits > PAGE_BITS;
    }
    return large;
}

static void visit_entry(struct entry *e, struct state *s)
{
    const uint8_t permits = PERMIT_R | PERMIT_W | PERMIT_X;
    e->key = state_value(s, "a TLB entry's page", e->key, 8);
    e->base = state_value(s, "a TLB entry's gpa", e->base, 8);
    e->asid = (uint16_t)state_value(s, "a TLB entry's ASID", e->asid, 2);
    e->size_bits = (uint8_t)state_up_to(s, "a TLB entry's size", e->size_bits, 1, 30);
    if (!(LEAF_SIZES >> e->size_bits & 1))
        state_refuse(s, "a TLB entry's size");
    e->level = (uint8_t)state_up_to(s, "a TLB entry's level", e->level, 1, 3);
    e->attr = (uint8_t)state_value(s, "a TLB entry's memory type", e->attr, 1);
    e->privileged = (uint8_t)state_up_to(s, "a TLB entry's rights", e->privileged, 1, permits);
    e->unprivileged =
        (uint8_t)state_up_to(s, "a TLB entry's unprivileged rights", e->unprivileged, 1, permits);
    e->flags = (uint8_t)state_up_to(s, "a TLB entry's flags", e->flags, 1, FLAGS_ALL);
}

static void save_entries(struct tlb *t, struct state *s)
{
    for (uint32_t i = 0; i < t->count; i++) {
        state_within(s, "entry %u: ", i);
        if (is_live(t, &t->entries[i]))
            visit_entry(&t->entries[i], s);
    }
    state_within(s, NULL, 0);
}

static void restore_entries(struct tlb *t, uint32_t live, struct state *s)
{
    for (uint32_t i = 0; i < live; i++) {
        struct entry e = {0};
        visit_entry(&e, s);
        if (!state_is_good(s))
            return;
        push(t, &e);
    }
}

void tlb_visit(struct tlb *t, struct state *s)
{
    uint32_t inserted = t->inserted, live = 0;
    for (uint32_t i = 0; i < t->count && !state_restores(s); i++)
        live += is_live(t, &t->entries[i]);
    inserted = (uint32_t)state_up_to(s, "how often a TLB took an entry", inserted, 4, TLB_ENTRIES);
    live = (uint32_t)state_count(s, "how many entries a TLB has", live, 4, inserted);
    if (!state_restores(s)) {
        save_entries(t, s);
        return;
    }
    tlb_invalidate_all(t);
    restore_entries(t, live, s);
    if (state_is_good(s))
        t->inserted = inserted;
    else
        tlb_invalidate_all(t);
}
