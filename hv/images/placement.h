/* Where in guest memory things go that nobody has given an address. Memory is RAM in the order in
 * which it was written, then what `pass` gives as memory (config_memory). The range that the guest
 * image went to is the guest's home: its initial ramdisk and its device tree go there, too. */
#ifndef HV_IMAGES_PLACEMENT_H
#define HV_IMAGES_PLACEMENT_H

#include "hv/config/config.h"

struct vm;

struct placement {
    struct vm *vm;
    struct extent {
        uint64_t start, end;
    } * used; /* owned: what has been loaded so far */
    size_t used_count;
    struct memory_range home; /* length 0: there is no memory */
    bool is_blind; /* QUIRK_OLD_LOADS: what goes to the first place does not look for others */
};

/* Home is the first range of RAM, or if there is only ROM that. */
void placement_init(struct placement *p, struct vm *vm);
void placement_free(struct placement *p);

void placement_use(struct placement *p, uint64_t start, uint64_t end);
bool placement_is_used(const struct placement *p, uint64_t start, uint64_t size);
/* Whether all of it is guest memory. */
bool placement_is_memory(const struct placement *p, uint64_t at, uint64_t size);

/* The first free place, as near to the start of a range as can be, of `size` bytes `offset` bytes
 * behind a multiple of `alignment`. ROM only if `rom` is true or there is nothing else. */
bool placement_first(const struct placement *p, uint64_t size, uint64_t alignment, uint64_t offset,
                     bool rom, uint64_t *at);
/* The range that has this address is home. */
void placement_settle(struct placement *p, uint64_t at);
/* The last one of whole pages: at the end of home, or else of another range of RAM. */
bool placement_last(const struct placement *p, uint64_t size, uint64_t *at);

#endif
