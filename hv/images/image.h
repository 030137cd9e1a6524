/* Guest images: what kind of file a blob is, and where its parts go. Every file is hostile. */
#ifndef HV_IMAGES_IMAGE_H
#define HV_IMAGES_IMAGE_H

#include "hv/images/placement.h"
#include "hv/vm_arch.h"

struct loaded_image {
    bool has_entry;
    bool was_placed; /* where there was room, by us */
    uint64_t entry;
    uint64_t start, end; /* guest-physical: from its first byte to behind its last */
};

/* What the header of a kernel says: in memory it has `size` bytes, or what the file has, whichever
 * is more; it begins `offset` bytes behind a multiple of `boundary`. */
struct image_layout {
    uint64_t size, offset, boundary;
};

/* A format of kernels that only one architecture has. */
struct image_format {
    size_t header_size;
    size_t at; /* of what it is known by, within its header */
    const char *magic;
    size_t magic_size;
    /* False, with the error: the VM cannot run such a one. */
    bool (*read)(struct vm *vm, const struct load_config *load, const struct bytes *file,
                 struct image_layout *layout, struct error *e);
};

/* What is in a compressed file: gzip, zstd or EFI zboot. Else `out` stays empty. */
bool image_expand(const struct load_config *load, const struct bytes *file, struct bytes *out,
                  struct error *e);
/* A flattened device tree, by its magic number. */
bool image_is_tree(const struct bytes *file);
/* Loads an image that is not compressed: BLOB_SNIFF, BLOB_GUEST or BLOB_DATA. */
bool image_load(struct placement *p, const struct load_config *load, const struct bytes *file,
                struct loaded_image *image, struct error *e);

/* image_formats.c: what the file is and what to do about it, if it is something that would not run
 * as it is; false: nothing is known against it. */
bool image_foreign(const struct bytes *file, const struct vm_arch *arch, char *text, size_t size);
/* What somebody wrote, rather than instructions. */
bool image_is_text(const struct bytes *file);
/* A PE file's sections say where it ends, and kernels may be such files: how many bytes it should
 * at least have; 0: it does not say. */
uint64_t image_pe_size(const struct bytes *file);

#endif
