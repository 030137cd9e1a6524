/* What walks of translation tables have in common, whatever their architecture: what is attempted,
 * how it fails, and each table read for whoever wants to look. Faults are values: class, stage,
 * level, addresses; registers are made from them by the CPU. */
#ifndef MMU_WALK_H
#define MMU_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/addr.h"

enum access_kind { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };

/* What is attempted. */
struct access {
    enum access_kind kind;
    bool privileged;     /* the supervisor's rights, not the user's */
    bool pan;            /* it may not touch what users may; meaningful when privileged */
    bool cache_op;       /* maintenance of caches by address: no dirty state, and `pan` is
                            nothing to it; a write if it throws contents away, else a read;
                            only that and the user's are subject to permissions */
    bool translate_only; /* permissions as for `kind`, access flag set, dirty state not */
    bool inspect; /* a debugger's look: nothing is changed, a clear access flag is no fault */
};

/* What translation can find. */
enum fault_class {
    FAULT_NONE,
    FAULT_ADDRESS_SIZE,
    FAULT_TRANSLATION,
    FAULT_ACCESS_FLAG,
    FAULT_PERMISSION,
    FAULT_EXTERNAL_ON_WALK, /* a table lies where there is no memory */
    FAULT_EXTERNAL,         /* synchronous external abort, not on a walk */
    FAULT_ALIGNMENT,
};

struct fault {
    enum fault_class class;
    uint8_t stage; /* 1 or 2 */
    int8_t level;  /* of the table, as the architecture counts */
    bool s1ptw;    /* stage 2 fault on a stage 1 table access */
    bool write;    /* the access was a write or a cache_op; if s1ptw or
                      FAULT_EXTERNAL_ON_WALK: it was an update of a table */
    gva_t gva;     /* what was accessed; unset (0) for a bare stage 2 lookup */
    gpa_t gpa;     /* stage 2 faults: the IPA that failed */
};

/* One table read of a walk, for whoever wants to look (explain). The stage 2 steps that find a
 * stage 1 descriptor come just before the stage 1 step that reads it. */
struct walk_step {
    uint8_t stage;
    int8_t level;
    uint64_t input;  /* what is being translated: stage 1 a gva, stage 2 a gpa */
    gpa_t table_gpa; /* stage 1: where the descriptor is, guest-physical */
    hpa_t table_hpa; /* where it is on the board */
    unsigned index;
    uint8_t index_high, index_low; /* the bits of `input` that are the index */
    uint8_t granule_bits;          /* 12, 14 or 16 */
    uint64_t descriptor;
};
struct walk_observer {
    void (*step)(void *context, const struct walk_step *step);
    void *context;
};

/* How a walk reaches the tables of whoever is not on the board's memory itself: an SMMU's accesses
 * go by its own port. False: there is no memory there. */
struct walk_memory {
    bool (*read)(void *context, hpa_t at, uint64_t *descriptor);
    bool (*write)(void *context, hpa_t at, uint64_t descriptor);
    void *context;
};

enum { PERMIT_R = 1, PERMIT_W = 2, PERMIT_X = 4 };

#endif
