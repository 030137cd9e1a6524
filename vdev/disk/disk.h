/* The contents of a disk: a host file that is read by ranges, and over it what the guest has
 * written, which is state of the machine. So a snapshot and a trace have it, a replay finds what
 * was read in the journal, and the file stays as it is.
 *
 * What was written lies in the device's store (struct vdev): two bits for each block of 4 KiB,
 * which say where its contents are, then a page for each block. Pages of blocks that were never
 * written are never touched, and cost nothing.
 *
 * With `hostdev >FILE` what is written goes to the file as well, as output does: live, and not in a
 * replay. What the guest reads is the same.
 *
 * A device has these in its struct, opens it in `create`, and has disk_store as its type's `store`
 * and DISK_OPTIONS among its options. */
#ifndef VDEV_DISK_DISK_H
#define VDEV_DISK_DISK_H

#include "vdev/vdev.h"

#define DISK_SECTOR ((uint64_t)512)

struct disk {
    struct vdev *v;
    const char *path;  /* NULL: the disk is empty, as its file is not there */
    uint64_t size;     /* bytes, whole sectors */
    uint64_t contents; /* bytes that the file has: behind them the disk is zero */
    bool read_only, writes_through;
};

/* clang-format off */
#define DISK_OPTIONS                                                                               \
    {"hostdev", "[<|>]FILE", NULL,                                                                 \
     "the file that has the disk. What the guest writes is kept in the machine, and the file stays as it is; `>`: it goes to the file, too; `<`: read-only", \
     false, false},                                                                                \
    {"delayed", "SEC|forever", NULL, "a file that is not there is no mistake: the disk is empty",  \
     false, false}
/* clang-format on */

/* How much a type's device keeps (struct vdev_type). */
bool disk_store(const struct vdev *v, uint64_t *size, struct error *e);
/* From `create`. */
bool disk_open(struct disk *d, struct vdev *v, struct error *e);

/* `size` bytes from `offset` on; both are whole sectors inside the disk. False: the host does not
 * give them any more, which the VM's log says. */
bool disk_read(struct disk *d, uint64_t offset, void *to, size_t size);
bool disk_write(struct disk *d, uint64_t offset, const void *from, size_t size);
/* They are zero from now on. */
bool disk_clear(struct disk *d, uint64_t offset, uint64_t size);

#endif
