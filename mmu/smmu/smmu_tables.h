/* What an SMMUv3 does with a transaction, as pure functions over memory (Arm IHI 0070 "SMMUv3",
 * cited by section): a StreamID finds an STE, that and a SubstreamID a CD, and both together a page
 * and what it permits; or an event record says why not.
 *
 *     smmu_find_ste(...)       5.1, 5.2: linear and 2-level stream tables
 *     smmu_decide(...)         what the STE makes of a transaction: abort, bypass, which CD
 *     smmu_find_cd(...)        5.3, 5.4: one CD, linear and 2-level tables, through stage 2
 *     smmu_walk(...)           the CPU's own walkers (mmu/arm64), with what STE and CD say as their
 *                              registers
 *     smmu_permits(...)        of a page that was walked to, or kept from an earlier walk
 *
 * Nothing is cached here (vdev/smmu/smmu_cache.c), and memory is whatever the SMMU's own port leads
 * to: the board, or a guest's guest-physical space.
 *
 * This is SMMUv3.2, Non-secure, with little-endian VMSAv8-64 tables of up to 48 bits. */
#ifndef MMU_SMMU_SMMU_TABLES_H
#define MMU_SMMU_SMMU_TABLES_H

#include <stddef.h>

#include "mmu/guest_tables.h"

/* What an implementation has (6.3.1, 6.3.2): some SMMUs translate at one stage only. */
struct smmu_features {
    bool has_stage2, has_stall;
    uint8_t stream_bits, substream_bits; /* SIDSIZE up to 32, SSIDSIZE up to 20 */
};
#define SMMU_ADDRESS_BITS 48 /* OAS, and so IAS (3.4) */

/* The SMMU's own accesses. False: an external abort. */
struct smmu_space {
    bool (*read)(void *context, uint64_t at, void *to, size_t size);
    bool (*write)(void *context, uint64_t at, const void *from, size_t size);
    void *context;
};

/* Stream table entry (5.2), context descriptor (5.4): as they are in memory. */
#define SMMU_WORDS 8
struct smmu_ste {
    uint64_t word[SMMU_WORDS];
};
struct smmu_cd {
    uint64_t word[SMMU_WORDS];
};

#define SMMU_NO_SUBSTREAM UINT32_MAX

/* A transaction on its way in. */
struct smmu_request {
    uint32_t stream, substream; /* or SMMU_NO_SUBSTREAM: SSV is 0 */
    uint64_t address;
    enum access_kind kind; /* ACCESS_FETCH: a read marked as instruction */
    bool privileged;
    bool inspect; /* a look from outside: no flag of a table changes */
};

enum smmu_event_type {
    SMMU_EVENT_NONE,
    F_UUT = 0x01,
    C_BAD_STREAMID,
    F_STE_FETCH,
    C_BAD_STE,
    F_BAD_ATS_TREQ,
    F_STREAM_DISABLED,
    F_TRANSL_FORBIDDEN,
    C_BAD_SUBSTREAMID,
    F_CD_FETCH,
    C_BAD_CD,
    F_WALK_EABT,
    F_TRANSLATION = 0x10,
    F_ADDR_SIZE,
    F_ACCESS,
    F_PERMISSION,
};

/* 7.3: CLASS, what was done when it happened. */
enum smmu_class { SMMU_CLASS_CD, SMMU_CLASS_TT, SMMU_CLASS_IN };

/* An event record by its fields; which there are depends on the type. */
struct smmu_event {
    enum smmu_event_type type;
    uint32_t stream, substream;
    bool ssv, stall, rnw, ind, pnu, s2, ttrnw;
    enum smmu_class class;
    uint16_t stag;
    uint64_t address; /* InputAddr */
    uint64_t more;    /* IPA or FetchAddr */
    int8_t level;     /* not in the record: of the table where the walk ended, -1: none */
};

#define SMMU_EVENT_SIZE 32
void smmu_event_put(const struct smmu_event *event, uint8_t record[SMMU_EVENT_SIZE]);
void smmu_event_get(const uint8_t record[SMMU_EVENT_SIZE], struct smmu_event *event);
const char *smmu_event_name(enum smmu_event_type type); /* "F_TRANSLATION"; NULL: no such record */
/* One of the four that STE and CD configure (5.5): may be stalled, and need not be recorded. */
bool smmu_event_is_translation(enum smmu_event_type type);
/* "F_TRANSLATION: stage 1 level 3: read of 0x1000" */
void smmu_event_text(const struct smmu_event *event, char *text, size_t size);

/* Where the stream table is (6.3.24, 6.3.25). */
struct smmu_stream_table {
    uint64_t base; /* SMMU_STRTAB_BASE */
    uint32_t cfg;  /* SMMU_STRTAB_BASE_CFG */
};

/* Each false: the event says why. Who has a stream table walks to the valid STE of a request. */
bool smmu_find_ste(const struct smmu_features *f, const struct smmu_stream_table *table,
                   const struct smmu_space *space, const struct smmu_request *r,
                   struct smmu_ste *ste, struct smmu_event *event);
/* 5.2.2: V is set, and nothing is ILLEGAL. */
bool smmu_ste_is_valid(const struct smmu_features *f, const struct smmu_ste *ste);
/* 5.4.2 */
bool smmu_cd_is_valid(const struct smmu_features *f, const struct smmu_ste *ste,
                      const struct smmu_cd *cd);

/* What a hypervisor lets a stream reach: what these tables map, and nothing else. */
void smmu_ste_contain(struct smmu_ste *ste, const struct guest_tables *tables, uint16_t vmid);

/* What becomes of a transaction by its STE alone. */
enum smmu_decision {
    SMMU_ABORTS,     /* Config 0b000: silently */
    SMMU_REFUSES,    /* with the event */
    SMMU_BYPASSES,   /* neither stage translates */
    SMMU_STAGE2,     /* stage 2 alone */
    SMMU_TRANSLATES, /* by the CD of `cd_index`, and by stage 2 if there is one */
};
enum smmu_decision smmu_decide(const struct smmu_features *f, const struct smmu_ste *ste,
                               const struct smmu_request *r, uint32_t *cd_index,
                               struct smmu_event *event);
bool smmu_find_cd(const struct smmu_features *f, const struct smmu_space *space,
                  const struct smmu_ste *ste, uint32_t cd_index, const struct smmu_request *r,
                  const struct walk_observer *observer, struct smmu_cd *cd,
                  struct smmu_event *event);

/* What translations are kept under (3.17): the VMID where there is stage 2, the ASID where stage 1
 * translates. */
struct smmu_tag {
    bool stage1, stage2;
    uint16_t asid, vmid;
};
struct smmu_tag smmu_tag_of(const struct smmu_features *f, const struct smmu_ste *ste,
                            const struct smmu_cd *cd);

/* The page of an address without its tag (CD.TBI): what translations are kept for. */
uint64_t smmu_input_page(const struct smmu_cd *cd, uint64_t address);

/* A page of 4 KiB. */
struct smmu_page {
    uint64_t page, ipa;     /* where it is; where stage 1 (or nobody) puts it */
    uint64_t input_size;    /* of what one entry of the tables maps there: the smaller stage's */
    uint8_t level1, level2; /* where the walks ended */
    uint8_t privileged, unprivileged, stage2; /* PERMIT_* of stage 1, of stage 2 */
    bool unprivileged_any, clean1, clean2;    /* a write has to walk again, to set dirty state */
    bool x_el1, x_el0;
    bool global;
};
/* `cd` NULL: stage 2 alone. */
bool smmu_walk(const struct smmu_features *f, const struct smmu_space *space,
               const struct smmu_ste *ste, const struct smmu_cd *cd, const struct smmu_request *r,
               const struct walk_observer *observer, struct smmu_page *page,
               struct smmu_event *event);
bool smmu_permits(const struct smmu_ste *ste, const struct smmu_cd *cd,
                  const struct smmu_page *page, const struct smmu_request *r,
                  struct smmu_event *event);

/* 5.5: what a fault of translation leads to. */
struct smmu_faults {
    bool stall, record, abort; /* abort false: reads give zeros, writes go nowhere */
};
struct smmu_faults smmu_faults_of(const struct smmu_ste *ste, const struct smmu_cd *cd,
                                  const struct smmu_event *event);

#endif
