/* Translation table descriptors and memory types by the manual's field names, for people. Arm ARM
 * D8.3 "Translation table descriptor formats", D8.6 "Memory region attributes". */
#ifndef MMU_ARM64_DESCRIPTOR_H
#define MMU_ARM64_DESCRIPTOR_H

#include "mmu/arm64/stage1.h"

enum descriptor_kind {
    DESCRIPTOR_INVALID,
    DESCRIPTOR_TABLE,
    DESCRIPTOR_BLOCK,
    DESCRIPTOR_PAGE,
};

struct descriptor_field {
    const char *name; /* "AP[2:1]" */
    unsigned value;
    const char *meaning; /* NULL: the value says it */
};

#define DESCRIPTOR_FIELDS_MAX 10
struct descriptor {
    enum descriptor_kind kind;
    uint64_t output;      /* the next table or the memory: guest-physical in stage 1, else
                             host-physical; 0 if invalid */
    uint64_t output_size; /* what a block or page maps */
    struct descriptor_field fields[DESCRIPTOR_FIELDS_MAX];
    size_t field_count;
};

/* What the descriptor that this step read says. */
void descriptor_decode(const struct walk_step *step, struct descriptor *d);
const char *descriptor_kind_name(enum descriptor_kind kind);

/* Memory type and cacheability. */
enum cacheability { CACHE_NONE = 1, CACHE_WRITE_THROUGH, CACHE_WRITE_BACK };
struct memory_type {
    bool device;
    uint8_t ordering;     /* Device: 0 nGnRnE, 1 nGnRE, 2 nGRE, 3 GRE */
    uint8_t outer, inner; /* Normal: enum cacheability */
};
struct memory_type memory_type_of_mair(uint8_t attr);
struct memory_type memory_type_of_memattr(uint8_t memattr);
/* What both stages together make of it (HCR_EL2.FWB = 0): the stronger of the two. */
struct memory_type memory_type_combine(struct memory_type a, struct memory_type b);
/* "Device-nGnRE", "Normal, write-back", "Normal, outer write-back, inner non-cacheable". */
void memory_type_text(struct memory_type t, char *text, size_t size);

#endif
