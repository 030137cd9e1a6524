/* Translation for the engine: our TLB, the two walks, and what becomes of a refused page. */
#include "cpu/arm64/cpu_internal.h"

#include <string.h>

#include "emu/bytes.h"
#include "emu/machine.h"

static const struct tlb_leaf *cached_leaf(struct arm64_vcpu *v, gva_t a,
                                          const struct access *access)
{
    const struct tlb_leaf *leaf =
        tlb_lookup(v->cpu.tlb, stage1_strip_tag(&v->stage1, a), stage1_asid(&v->stage1));
    bool walk_again = leaf && leaf->writable_clean && access->kind == ACCESS_WRITE;
    return walk_again ? NULL : leaf;
}

static bool same_leaf(const struct tlb_leaf *a, const struct tlb_leaf *b)
{
    return a->page.v == b->page.v && a->attr == b->attr && a->device == b->device &&
           a->global == b->global && a->privileged == b->privileged &&
           a->unprivileged == b->unprivileged && a->unprivileged_any == b->unprivileged_any &&
           a->writable_clean == b->writable_clean;
}

static bool is_high_global(const struct arm64_vcpu *v, gva_t a, const struct tlb_leaf *leaf)
{
    return leaf->global && a.v >> 63 && stage1_strip_tag(&v->stage1, a).v == a.v;
}

static bool controls_alike(const struct arm64_vcpu *v, const struct arm64_vcpu *other)
{
    return other->stage1.sctlr == v->stage1.sctlr && other->stage1.tcr == v->stage1.tcr &&
           other->stage1.mair == v->stage1.mair;
}

/* Has every other vCPU of the VM that runs the same translation in its own TLB? Then what the
 * engine has of it may stay when they take turns. Whatever drops it there makes the engine drop it,
 * too: TLB maintenance, and the changes of a regime, which flush. */
static bool is_everybodys(const struct arm64_vcpu *v, gva_t a, const struct tlb_leaf *leaf)
{
    for (unsigned i = 0; i < v->cpu.world->vcpu_count; i++) {
        const struct arm64_vcpu *other = arm64_of_const(v->cpu.world->vcpus[i]);
        if (other == v || !other->cpu.on)
            continue;
        if (!controls_alike(v, other) || debug_watched(other, a.v & ~PAGE_MASK))
            return false;
        const struct tlb_leaf *there = tlb_lookup(other->cpu.tlb, a, stage1_asid(&other->stage1));
        if (!there || !same_leaf(leaf, there))
            return false;
    }
    return true;
}

#define TTBR_BADDR 0x0000fffffffffffeu

/* What one vCPU walked, those that would walk the same tables in the same way may hold as well:
 * translations may be cached at any time, whoever needs them (D8, "Translation Lookaside
 * Buffers"). So pages of a kernel stay in the engine when its vCPUs take turns. */
static void offer_to_others(const struct arm64_vcpu *v, gva_t a, const struct tlb_leaf *leaf)
{
    if (!is_high_global(v, a, leaf) || v->cpu.world->quirks & QUIRK_TLBS_APART)
        return;
    for (unsigned i = 0; i < v->cpu.world->vcpu_count; i++) {
        const struct arm64_vcpu *other = arm64_of_const(v->cpu.world->vcpus[i]);
        if (other != v && other->cpu.on && controls_alike(v, other) &&
            !((other->stage1.ttbr1 ^ v->stage1.ttbr1) & TTBR_BADDR))
            tlb_offer(other->cpu.tlb, a, leaf);
    }
}

/* A data access emptied the TLB in the midst of a block, whose code is fetched no more. Had the run
 * stopped behind it there would be a fetch, and an entry for it: there is one in any case. */
static void insert_code(struct arm64_vcpu *v)
{
    uint32_t word;
    translate_read_instruction(v, engine_pc(v->cpu.world->engine), &word);
}

/* The stage 1 leaf, from the TLB or by a walk that fills it. Without stage 1 nothing is cached: a
 * flat map has no entries to invalidate. */
static bool find_leaf(struct arm64_vcpu *v, gva_t a, const struct access *access,
                      struct tlb_leaf *leaf, struct fault *fault)
{
    bool on = v->stage1.sctlr & SCTLR_M;
    const struct tlb_leaf *cached = on ? cached_leaf(v, a, access) : NULL;
    if (cached) {
        *leaf = *cached;
        return true;
    }
    if (!stage1_walk(&v->stage1, stage2_of(v->cpu.world->tables), v->cpu.world->memory, a, access,
                     NULL, leaf, fault))
        return false;
    if (!on || v->leaves_tlb)
        return true;
    bool empties = tlb_is_full(v->cpu.tlb);
    if (tlb_insert(v->cpu.tlb, stage1_strip_tag(&v->stage1, a), leaf)) {
        engine_flush_tlb(v->cpu.world->engine);
        new_regime(v);
    }
    offer_to_others(v, a, leaf);
    if (empties && access->kind != ACCESS_FETCH)
        insert_code(v);
    return true;
}

static unsigned page_permits(const struct tlb_leaf *s1, const struct stage2_leaf *s2,
                             const struct access *access)
{
    unsigned permits = access->privileged ? s1->privileged : s1->unprivileged;
    if (access->privileged && access->pan && s1->unprivileged_any)
        permits &= ~(unsigned)(PERMIT_R | PERMIT_W);
    if (s1->writable_clean)
        permits &= ~(unsigned)PERMIT_W;
    unsigned below = s2->permits & (PERMIT_R | PERMIT_W);
    if (access->privileged ? s2->x_el1 : s2->x_el0)
        below |= PERMIT_X;
    return permits & below;
}

/* Both stages: `page` is to be what the engine needs. A global leaf in the high half is found first
 * whatever the address space is (mmu/tlb.c); everything else is this one's. */
static bool translate(struct arm64_vcpu *v, gva_t a, const struct access *access,
                      struct engine_page *page, struct refused *r)
{
    struct tlb_leaf leaf;
    struct stage2_leaf below;
    r->fault = (struct fault){0};
    r->access = *access;
    if (!find_leaf(v, a, access, &leaf, &r->fault) || !stage1_permits(&leaf, a, access, &r->fault))
        return false;
    r->gpa_page = leaf.page;
    r->is_device = leaf.device;
    bool write = access->kind == ACCESS_WRITE;
    if (!stage2_walk(stage2_of(v->cpu.world->tables), v->cpu.world->memory, leaf.page, write, NULL,
                     &below, &r->fault) ||
        !stage2_permits(&below, leaf.page, access, &r->fault)) {
        r->fault.gva = a;
        return false;
    }
    page->hpa = below.page.v;
    page->coherent = v->cpu.world->coherent;
    page->permits = page_permits(&leaf, &below, access);
    page->local = !is_high_global(v, a, &leaf) || !is_everybodys(v, a, &leaf);
    return true;
}

static struct access current_access(struct arm64_vcpu *v, enum access_kind kind)
{
    uint64_t mode = engine_mode(v->cpu.world->engine);
    return (struct access){
        .kind = kind,
        .privileged = !at_el0(mode),
        .pan = mode & PSTATE_PAN,
    };
}

/* Stage 1 maps it so. With stage 1 off everything is Device memory (alignment.c). */
static bool is_device_memory(const struct arm64_vcpu *v, const struct refused *r)
{
    return r->is_device && (v->stage1.sctlr & SCTLR_M) &&
           !(v->cpu.world->quirks & QUIRK_UNALIGNED_DEVICE);
}

bool translate_page(struct arm64_vcpu *v, gva_t a, const struct access *access,
                    struct found_page *found)
{
    struct refused r;
    struct engine_page page;
    if (!translate(v, gva(a.v & ~PAGE_MASK), access, &page, &r))
        return false;
    found->page = hpa(page.hpa);
    found->is_device = is_device_memory(v, &r) &&
                       memory_at(v->cpu.world->memory, found->page, PAGE_SIZE, MEMORY_READ);
    return true;
}

bool translate_could_read(struct arm64_vcpu *v, gva_t a, const struct refused *r)
{
    struct access access = r->access;
    struct found_page found;
    access.kind = ACCESS_READ;
    return translate_page(v, a, &access, &found);
}

static bool read_code(struct arm64_vcpu *v, struct code_page *c, uint64_t pc, uint32_t *word)
{
    uint64_t page_va = pc & ~PAGE_MASK;
    if (c->regime != v->regime || c->page_va != page_va) {
        struct access access = current_access(v, ACCESS_FETCH);
        struct found_page at;
        bool found = translate_page(v, gva(page_va), &access, &at);
        c->host = found ? memory_at(v->cpu.world->memory, at.page, PAGE_SIZE, MEMORY_READ) : NULL;
        c->page_va = page_va;
        c->regime = found ? v->regime : 0; /* a page may appear without a TLBI */
    }
    if (c->host)
        *word = load_le32(c->host + (pc & PAGE_MASK & ~(uint64_t)3));
    return c->host != NULL;
}

/* The instruction at `pc`, which is about to execute: its page is readable as code. */
bool translate_read_instruction(struct arm64_vcpu *v, uint64_t pc, uint32_t *word)
{
    return read_code(v, &v->code, pc, word);
}

bool translate_peek(struct arm64_vcpu *v, uint64_t pc, uint32_t *word)
{
    v->leaves_tlb = true;
    bool found = read_code(v, &v->peeked, pc, word);
    v->leaves_tlb = false;
    return found;
}

static struct device_page *device_slot(struct arm64_vcpu *v, uint64_t page_va)
{
    return &v->device_pages[(page_va >> PAGE_BITS) % DEVICE_PAGES];
}

/* A page that is known to be no memory: the same fault again, without the walks. */
static bool is_known_device(struct arm64_vcpu *v, uint64_t page_va, const struct access *access,
                            struct refused *r)
{
    const struct device_page *d = device_slot(v, page_va);
    if (d->regime != v->regime || d->page_va != page_va || d->access.kind != access->kind ||
        d->access.privileged != access->privileged || d->access.pan != access->pan)
        return false;
    r->access = *access;
    r->fault = d->fault;
    r->gpa_page = d->gpa_page;
    r->is_device = d->is_device;
    return true;
}

static void remember_device(struct arm64_vcpu *v, uint64_t page_va, const struct refused *r)
{
    bool device = r->fault.class == FAULT_TRANSLATION || r->fault.class == FAULT_EXTERNAL;
    if (r->fault.stage == 2 && device && !r->fault.s1ptw)
        *device_slot(v, page_va) = (struct device_page){
            .regime = v->regime,
            .page_va = page_va,
            .access = r->access,
            .fault = r->fault,
            .gpa_page = r->gpa_page,
            .is_device = r->is_device,
        };
}

/* Accesses to the page that must be looked at, of PERMIT_R and PERMIT_W. */
static unsigned watched_accesses(const struct arm64_vcpu *v, uint64_t page_va, uint64_t page_hpa)
{
    uint64_t untagged = stage1_strip_tag(&v->stage1, gva(page_va)).v;
    unsigned watched = debug_watched(v, untagged);
    if (v->cpu.world->points)
        watched |= points_watched(v->cpu.world->points, untagged, page_hpa);
    return watched;
}

/* Where stores are watched reads may be the engine's. */
static bool is_withheld(struct arm64_vcpu *v, uint64_t page_va, struct engine_page *page,
                        struct refused *r)
{
    hpa_t at = hpa(page->hpa);
    bool is_write = r->access.kind == ACCESS_WRITE;
    unsigned watched = watched_accesses(v, page_va, page->hpa);
    bool is_memory = memory_at(v->cpu.world->memory, at, PAGE_SIZE, MEMORY_READ);
    r->withheld = (struct withheld){
        .page_va = page_va,
        .page = at,
        .is_watched = is_memory && (watched & (is_write ? PERMIT_W : PERMIT_R)),
        .is_device = is_memory && is_device_memory(v, r),
    };
    bool is_code = is_write && memory_is_code(v->cpu.world->memory, at);
    bool is_checked = is_memory && alignment_is_ours(v);
    page->permits &= ~watched;
    return r->withheld.is_watched || r->withheld.is_device || is_checked || is_code;
}

/* What a page that is fetched from does not permit besides, so that accesses to its data are asked
 * for, too. A debugger's points, and who checks alignment, are no matter of the machine: they hold
 * on older ones as well. */
static unsigned withheld_besides(const struct arm64_vcpu *v, uint64_t page_va, uint64_t page_hpa,
                                 const struct refused *r)
{
    const unsigned all = PERMIT_R | PERMIT_W;
    uint64_t untagged = stage1_strip_tag(&v->stage1, gva(page_va)).v;
    if (alignment_is_ours(v))
        return all;
    if (v->cpu.world->quirks & QUIRK_FETCHED_READS)
        return v->cpu.world->points ? points_watched(v->cpu.world->points, untagged, page_hpa) : 0;
    return is_device_memory(v, r) ? all : watched_accesses(v, page_va, page_hpa);
}

/* The page for an access, with the rights it needs; without them, or of a device: false. */
static bool find_page(struct arm64_vcpu *v, uint64_t page_va, const struct access *access,
                      struct engine_page *page, struct refused *r)
{
    struct memory *m = v->cpu.world->memory;
    enum access_kind kind = access->kind;
    if (v->cpu.world->footprint && kind != ACCESS_FETCH)
        page_set_add(&v->cpu.world->footprint->data, page_va);
    if (is_known_device(v, page_va, access, r))
        return false;
    if (stage1_strip_tag(&v->stage1, gva(page_va)).v != page_va)
        v->tags_seen = true;
    if (!translate(v, gva(page_va), access, page, r)) {
        remember_device(v, page_va, r);
        return false;
    }
    if (kind != ACCESS_FETCH && v->cpu.world->footprint)
        page_set_add(&v->cpu.world->footprint->places, page->hpa);
    if (kind == ACCESS_FETCH)
        page->permits &= ~withheld_besides(v, page_va, page->hpa, r);
    else if (!v->watchpoint_pass && is_withheld(v, page_va, page, r))
        return false;
    /* A page that digests have not yet to look at again is not writable until it is written. */
    if (!memory_at(m, hpa(page->hpa), PAGE_SIZE,
                   kind == ACCESS_WRITE ? MEMORY_WRITE : MEMORY_READ)) {
        /* Stage 2 lets it through to where the board has no memory: registers of a device. */
        r->fault = (struct fault){.class = FAULT_EXTERNAL,
                                  .stage = 2,
                                  .write = kind == ACCESS_WRITE,
                                  .gva = gva(page_va),
                                  .gpa = r->gpa_page};
        remember_device(v, page_va, r);
        return false;
    }
    if (kind != ACCESS_WRITE && !memory_is_dirty(m, hpa(page->hpa)))
        page->permits &= ~(unsigned)PERMIT_W;
    return true;
}

bool translate_fill_as(void *cpu, uint64_t page_va, enum access_kind kind, bool unprivileged,
                       struct engine_page *page)
{
    struct arm64_vcpu *v = cpu;
    struct access access = current_access(v, kind);
    if (kind != ACCESS_FETCH && tlb_is_full(v->cpu.tlb)) /* insert_code asks for PC */
        return false;
    v->refused.has_word = false;
    access.privileged &= !unprivileged;
    return find_page(v, page_va, &access, page, &v->refused);
}

bool translate_fill(void *cpu, uint64_t page_va, enum access_kind kind, struct engine_page *page)
{
    struct arm64_vcpu *v = cpu;
    struct access access = current_access(v, kind);
    struct refused *r = &v->refused;
    r->has_word = false;
    if (kind != ACCESS_FETCH && access.privileged) {
        r->has_word = translate_read_instruction(v, engine_pc(v->cpu.world->engine), &r->word);
        if (r->has_word && insn_is_unprivileged(r->word))
            access.privileged = false;
    }
    return find_page(v, page_va, &access, page, r);
}

enum found translate_data(struct arm64_vcpu *v, uint64_t page_va, enum access_kind kind,
                          struct refused *r)
{
    struct access access = current_access(v, kind);
    struct engine_page page;
    if (!v->cpu.world->footprint && is_known_device(v, page_va, &access, r))
        return FOUND_DEVICE;
    if (find_page(v, page_va, &access, &page, r))
        return FOUND_MEMORY;
    if (r->fault.class == FAULT_NONE)
        return FOUND_WITHHELD;
    return r->fault.stage == 2 && !r->fault.s1ptw ? FOUND_DEVICE : FOUND_NOTHING;
}

/* PAR_EL1 (D19.2.99) for an AT instruction. */
uint64_t translate_address(struct arm64_vcpu *v, gva_t a, const struct access *access)
{
    struct tlb_leaf leaf;
    struct fault fault = {0};
    if (!stage1_walk(&v->stage1, stage2_of(v->cpu.world->tables), v->cpu.world->memory, a, access,
                     NULL, &leaf, &fault) ||
        !stage1_permits(&leaf, a, access, &fault))
        return (uint64_t)1 << 11 | (uint64_t)fault_status_code(&fault) << 1 |
               (uint64_t)fault.s1ptw << 8 | (uint64_t)(fault.stage == 2) << 9 | 1;
    bool on = v->stage1.sctlr & SCTLR_M;
    uint64_t attr = on ? leaf.attr : 0;
    /* Device memory is reported Outer Shareable; Normal Non-cacheable likewise. */
    uint64_t shareability = leaf.device || attr == 0x44 ? 2 : 3;
    return attr << 56 | (leaf.page.v & 0x0000fffffffff000u) | (uint64_t)1 << 11 | shareability << 7;
}

static bool copy_memory(struct arm64_vcpu *v, gva_t a, uint8_t *bytes, uint64_t size,
                        enum access_kind kind)
{
    while (size) {
        struct access access = current_access(v, kind);
        struct found_page found;
        uint64_t in_page = a.v & PAGE_MASK;
        uint64_t part = PAGE_SIZE - in_page < size ? PAGE_SIZE - in_page : size;
        if (!translate_page(v, a, &access, &found))
            return false;
        bool write = kind == ACCESS_WRITE;
        uint8_t *at = memory_at(v->cpu.world->memory, hpa(found.page.v + in_page), part,
                                write ? MEMORY_WRITE : MEMORY_READ);
        if (!at)
            return false;
        memcpy(write ? at : bytes, write ? bytes : at, part);
        if (write)
            engine_drop_code(v->cpu.world->engine, hpa(found.page.v + in_page), part);
        a.v += part;
        bytes += part;
        size -= part;
    }
    return true;
}

bool arm64_read_memory(struct vcpu *v, gva_t from, void *to, uint64_t size)
{
    return copy_memory(arm64_of(v), from, to, size, ACCESS_READ);
}

bool arm64_write_memory(struct vcpu *v, gva_t to, const void *from, uint64_t size)
{
    return copy_memory(arm64_of(v), to, (uint8_t *)(uintptr_t)from, size, ACCESS_WRITE);
}
