/* Names of shared memory regions: which are legal, which a VM may use (`allow`, `deny`), and which
 * it wants to exist (`create`). Reference 8.4. */
#ifndef VDEV_SHMEM_SHMEM_NAMES_H
#define VDEV_SHMEM_SHMEM_NAMES_H

#include "vdev/shmem/shmem_regions.h"
#include "vdev/vdev.h"

/* 1 to 32 bytes, none of them a control character (our choice: names are printed). */
bool shmem_name_is_legal(const char *name);
/* The wildcards of a shell: * ? [a-z] [!a-z] and a backslash before what is meant literally. */
bool shmem_pattern_matches(const char *pattern, const char *name);
/* The first `allow` or `deny` that matches decides. What matches none is refused if there is any
 * `allow`, else admitted (of a mixture nothing is documented: our choice). */
bool shmem_name_is_allowed(const struct vdev_option *options, size_t count, const char *name);

/* `create NAME,SIZE`: the name, NUL terminated, and whole pages. False, with the error set, if it
 * is anything else. */
bool shmem_created(const struct vdev_option *option, char name[SHMEM_NAME_MAX + 1], uint64_t *pages,
                   struct error *e);
/* What the options' regions need together, in bytes; wrong ones count as nothing. */
uint64_t shmem_created_bytes(const struct vdev_option *options, size_t count);

#endif
