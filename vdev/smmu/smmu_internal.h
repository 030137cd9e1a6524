/* Shared inside vdev/smmu/ only:
 *
 *     smmu.c            the types
 *     smmu_registers.c  register pages
 *     smmu_commands.c   the command queue
 *     smmu_events.c     the event queue, global errors, interrupts
 *     smmu_cache.c      configuration caches and the TLB
 *     smmu_translate.c  a transaction: caches, then tables
 *     smmu_port.c       what devices master through
 *     smmu_tell.c       what becomes of a transaction, for people */
#ifndef VDEV_SMMU_SMMU_INTERNAL_H
#define VDEV_SMMU_SMMU_INTERNAL_H

#include "mmu/smmu/smmu_tables.h"
#include "vdev/smmu/smmu.h"
#include "vdev/smmu/smmu_driver.h"

enum {
    SMMU_STES = 64,
    SMMU_CDS = 64,
    SMMU_TLB_SETS = 128,
    SMMU_TLB_WAYS = 4,
    SMMU_TLB_SIZE = SMMU_TLB_SETS * SMMU_TLB_WAYS,
    SMMU_STALLS = 32,
};

/* Sizes of queues (6.3.2): log2 of entries. */
enum { SMMU_CMDQS = 8, SMMU_EVENTQS = 7 };

/* 6.3.19 GERROR, 6.3.12 CR2, 6.3.14 GBPA */
enum {
    GERROR_CMDQ_ERR = 1 << 0,
    GERROR_EVENTQ_ABT_ERR = 1 << 2,
    GERROR_MSI_CMDQ_ABT_ERR = 1 << 4,
    GERROR_MSI_EVENTQ_ABT_ERR = 1 << 5,
    GERROR_MSI_GERROR_ABT_ERR = 1 << 7,
    GERROR_ALL = 0xb5,
};
enum { CR2_RECINVSID = 1 << 1 };
enum { GBPA_ABORT = 1 << 20 };
/* A queue by its base register (3.5.1, 3.4.3): log2 of its entries, cut to what there is, and where
 * the entry of an index is, without its wrap flag; queues are aligned to their size. */
static inline unsigned smmu_queue_log2(uint64_t base, unsigned most)
{
    unsigned log2 = base & 0x1f;
    return log2 < most ? log2 : most;
}

static inline uint64_t smmu_queue_entry(uint64_t base, unsigned log2, unsigned size, uint32_t index)
{
    uint64_t bytes = (uint64_t)size << log2;
    return (base & UINT64_C(0x0000ffffffffffe0) & ~(bytes - 1)) + (uint64_t)size * index;
}

#define SMMU_OVERFLOW (UINT32_C(1) << 31) /* EVENTQ_PROD.OVFLG, EVENTQ_CONS.OVACKFLG */

/* Where and how an interrupt goes as a message (6.3.21 to 6.3.23). */
struct smmu_msi {
    uint64_t cfg0;
    uint32_t cfg1, cfg2;
};

/* A stalled transaction (3.12.2): its number in the list is its STAG. */
enum smmu_stall_state { STALL_FREE, STALL_WAITS, STALL_RETRY, STALL_ABORT, STALL_RAZWI };

struct smmu {
    struct vdev v;
    struct smmu_features features; /* of its type: no state */
    uint32_t cr0, cr1, cr2, gbpa, irq_ctrl, gerror, gerrorn;
    uint64_t strtab_base, cmdq_base, eventq_base;
    uint32_t strtab_base_cfg, cmdq_prod, cmdq_cons, eventq_prod, eventq_cons;
    struct smmu_msi gerror_msi, eventq_msi;

    bool ste_valid[SMMU_STES];
    uint32_t ste_stream[SMMU_STES];
    uint64_t ste_words[SMMU_STES * SMMU_WORDS];
    bool cd_valid[SMMU_CDS];
    uint32_t cd_stream[SMMU_CDS], cd_index[SMMU_CDS];
    uint64_t cd_words[SMMU_CDS * SMMU_WORDS];

    /* The TLB: see smmu_cache.c. */
    uint64_t tlb_input[SMMU_TLB_SIZE], tlb_page[SMMU_TLB_SIZE], tlb_ipa[SMMU_TLB_SIZE];
    uint32_t tlb_tag[SMMU_TLB_SIZE], tlb_bits[SMMU_TLB_SIZE];
    uint8_t tlb_next[SMMU_TLB_SETS];

    uint8_t stall_state[SMMU_STALLS];
    uint32_t stall_stream[SMMU_STALLS], stall_substream[SMMU_STALLS];
    uint64_t stall_address[SMMU_STALLS];
    bool stall_is_write[SMMU_STALLS], stall_is_told[SMMU_STALLS];

    /* No state: a device wanted to map what the caches did not have, and looks again when they
     * have more. */
    bool was_missed;
};

static inline struct smmu *smmu_of(struct vdev *v)
{
    return (struct smmu *)(void *)v;
}

/* smmu_registers.c: a type's `access` and `registers`, and what a reset leaves. */
enum bus_answer smmu_registers_access(struct vdev *v, unsigned region, struct bus_access *a);
const struct vdev_register *smmu_registers_names(const struct vdev *v, unsigned region,
                                                 uint64_t *offset);
void smmu_registers_reset(struct smmu *s);

/* smmu_commands.c: consumes what can be consumed (4.1.2). */
void smmu_commands_run(struct smmu *s);

/* smmu_events.c */
bool smmu_events_is_writable(const struct smmu *s);
/* Into the queue, or lost (7.2.1). */
void smmu_events_record(struct smmu *s, const struct smmu_event *event);
/* Global errors become active, if they are not (7.5). */
void smmu_events_global_error(struct smmu *s, uint32_t errors);
/* A message (3.18). False: aborted. */
bool smmu_events_send_message(struct smmu *s, uint64_t address, uint32_t data);

/* smmu_cache.c: pointers are good until the next insertion; NULL: not cached. */
const struct smmu_ste *smmu_cache_ste(const struct smmu *s, uint32_t stream);
const struct smmu_cd *smmu_cache_cd(const struct smmu *s, uint32_t stream, uint32_t index);
void smmu_cache_keep_ste(struct smmu *s, uint32_t stream, const struct smmu_ste *ste);
void smmu_cache_keep_cd(struct smmu *s, uint32_t stream, uint32_t index, const struct smmu_cd *cd);
void smmu_cache_drop_stes(struct smmu *s, uint32_t first, uint32_t last);
/* One, or, with `index` SMMU_NO_SUBSTREAM, all. */
void smmu_cache_drop_cds(struct smmu *s, uint32_t stream, uint32_t index);
/* `input`: the page's address, without a tag. */
bool smmu_cache_find(const struct smmu *s, struct smmu_tag tag, uint64_t input,
                     struct smmu_page *page);
void smmu_cache_keep(struct smmu *s, struct smmu_tag tag, uint64_t input,
                     const struct smmu_page *page);

/* What an invalidation is about. */
struct smmu_scope {
    bool stage1, stage2;   /* entries of translations with stage 1, of stage 2 alone */
    bool by_vmid, by_asid; /* global entries have every ASID... */
    bool by_address;       /* from `first` to `last` */
    bool not_global;       /* ...but not for this one */
    uint16_t vmid, asid;
    uint64_t first, last;
};
void smmu_cache_invalidate(struct smmu *s, const struct smmu_scope *scope);
/* Something that a device may hold is no longer so, or may be held now. */
void smmu_cache_changed(struct smmu *s);

/* smmu_translate.c */
enum smmu_outcome {
    SMMU_PASSED,
    SMMU_ABORTED,
    SMMU_IGNORED, /* RAZ/WI */
    SMMU_STALLED,
};
/* Where the address leads in the SMMU's own space, for the rest of its page. If it is not passed
 * the event tells why; type SMMU_EVENT_NONE: silently. Events are recorded. */
enum smmu_outcome smmu_translate(struct smmu *s, const struct smmu_request *r, uint64_t *at,
                                 struct smmu_event *event);
/* The same of what the caches have, without any effect. False: they do not have it, or refuse. */
bool smmu_translate_cached(const struct smmu *s, const struct smmu_request *r, uint64_t *at);
/* For those of one stream, or, with `all`, everybody: terminated with an abort. */
void smmu_translate_end_stalls(struct smmu *s, bool all, uint32_t stream);
/* CMD_RESUME (4.7.1) */
void smmu_translate_resume(struct smmu *s, uint32_t stream, uint16_t stag,
                           enum smmu_stall_state action);

/* smmu_tell.c: a type's `explain_stream`. */
bool smmu_tell(const struct vdev *v, const struct stream_question *q, struct bytes *out,
               uint64_t *at);

/* smmu_port.c: a type's `stream_port`. */
struct dma_port smmu_port(struct vdev *v, uint32_t stream, uint32_t substream);

#endif
