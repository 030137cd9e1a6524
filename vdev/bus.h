/* The VM's guest-physical bus: which device answers at a guest-physical address. Regions are
 * registered while the VM is assembled, or opened by a device later, and never overlap; an access
 * is a look at the region that answered last, then a binary search. The bus knows no policy:
 * BUS_NOBODY means that no device claims the whole access, and what happens then is the caller's
 * `unsupported reference`. */
#ifndef VDEV_BUS_H
#define VDEV_BUS_H

#include "vdev/vdev.h"

struct bus_region {
    uint64_t base; /* guest-physical */
    uint64_t size;
    struct vdev *vdev; /* borrowed */
    unsigned index;    /* of the region within the device */
    uint64_t reads;    /* accesses the device was asked for, whatever it answered */
    uint64_t writes;
};

struct bus {
    struct bus_region *regions; /* owned; sorted by base */
    size_t count;
    size_t capacity;
    size_t last; /* region that answered last; a cache, no state */
};

/* Registers every region of a created device. False, naming both devices, when a region overlaps
 * one that is there, is empty, or wraps around the end of the address space. */
bool bus_add(struct bus *bus, struct vdev *v, struct error *e);
/* One more region of a device while the VM runs, and one less. `index` is what the device's
 * `access` gets. */
bool bus_open(struct bus *bus, struct vdev *v, unsigned index, struct vdev_region region,
              struct error *e);
void bus_close(struct bus *bus, const struct vdev *v, unsigned index);
/* Closes every region that was opened by bus_open after assembly (index from VDEV_REGIONS_MAX). */
void bus_close_opened(struct bus *bus);
void bus_free(struct bus *bus);

/* The region that contains the address, or NULL. */
struct bus_region *bus_find(struct bus *bus, gpa_t at);
/* The first region that ends behind the address, or NULL. */
const struct bus_region *bus_next(const struct bus *bus, gpa_t at);

/* One access: the caller fills value (of a write), size, is_write and vcpu; the bus fills offset.
 * An access that leaves its region is BUS_NOBODY. The value of a read that was not handled is 0. */
enum bus_answer bus_access(struct bus *bus, gpa_t at, struct bus_access *a);
/* The same with the region found already; NULL: BUS_NOBODY. */
enum bus_answer bus_access_region(struct bus_region *r, gpa_t at, struct bus_access *a);

/* Accesses to all regions of a device, for --stats. */
void bus_counts(const struct bus *bus, const struct vdev *v, uint64_t *reads, uint64_t *writes);

#endif
