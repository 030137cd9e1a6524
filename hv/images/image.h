/* Guest images: what kind of file a blob is, and where its parts go. Every file is hostile. */
#ifndef HV_IMAGES_IMAGE_H
#define HV_IMAGES_IMAGE_H

#include "hv/images/placement.h"

struct loaded_image {
    bool has_entry;
    bool was_placed; /* where there was room, by us */
    uint64_t entry;
    uint64_t start, end; /* guest-physical: from its first byte to behind its last */
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
 * as it is; NULL: nothing is known against it. */
const char *image_foreign(const struct bytes *file);
/* What somebody wrote, rather than instructions. */
bool image_is_text(const struct bytes *file);
/* An arm64 Image is a PE file, too, whose sections say where it ends: how many bytes it should at
 * least have; 0: it does not say. */
uint64_t image_linux_size(const struct bytes *file);

#endif
