/* Images of the board's memory: its contents at several moments, kept so that equal pages are kept
 * once. An image is a tree, board, 2 MiB groups, pages; a new one shares with the one before it
 * whatever was not written since, so it costs the pages that were written and 4 KiB for each of
 * their groups. Going from one to another touches only what differs between them. Every image
 * stands for itself: any of them may be dropped at any time.
 *
 * One set of images per memory, which is its follower MEMORY_IMAGES. Between runs only, and the
 * engine's TLB must be flushed after images_take and images_restore: the next write of each page
 * must be seen. */
#ifndef MMU_MEMORY_IMAGE_H
#define MMU_MEMORY_IMAGE_H

#include "mmu/memory.h"

struct memory_image;
struct page_copy;
struct page_slab;

struct memory_images {
    struct memory *memory;        /* borrowed */
    struct memory_image *last;    /* of which the marks of the memory say what has changed since */
    size_t bytes;                 /* that all images take */
    struct page_slab *slabs;      /* owned: where copies of pages are, */
    struct page_copy *free_pages; /* and those of them that are nobody's */
};

void images_init(struct memory_images *s, struct memory *m);
/* Of `last`; every image that images_take gave must have been dropped. */
void images_free(struct memory_images *s);
/* The memory as it is. */
struct memory_image *images_take(struct memory_images *s);
void images_drop(struct memory_images *s, struct memory_image *image);
/* The memory becomes what it was; `written`, which may be NULL, is told each page that differs. */
void images_restore(struct memory_images *s, struct memory_image *image,
                    void (*written)(void *context, hpa_t page), void *context);

#endif
