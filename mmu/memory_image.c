#include "mmu/memory_image.h"

#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "mmu/memory_internal.h"

/* Pages, groups and images count who points at them. A page of zeros is NULL; so is a group of
 * nothing else. */
struct page_copy {
    union {
        size_t users;
        struct page_copy *next_free;
    };
    uint8_t contents[PAGE_SIZE];
};

/* Copies come by the slab and stay until the images go: memory that was in use before is there, and
 * new memory costs the host ten times what the copy costs us. */
#define SLAB_PAGES 510
struct page_slab {
    struct page_slab *next;
    struct page_copy pages[SLAB_PAGES];
};

struct group_copy {
    size_t users;
    struct page_copy *pages[GROUP_PAGES];
};

struct memory_image {
    size_t users;
    size_t group_count; /* of all banks, one behind the other */
    struct group_copy *groups[];
};

static size_t groups_of(const struct memory *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->bank_count; i++)
        count += m->banks[i].group_count;
    return count;
}

static void *allocate(struct memory_images *s, size_t size)
{
    void *p = malloc(size);
    CHECK_ROOM(p);
    s->bytes += size;
    return p;
}

static void release(struct memory_images *s, void *p, size_t size)
{
    s->bytes -= size;
    free(p);
}

static void free_page(struct memory_images *s, struct page_copy *page)
{
    page->next_free = s->free_pages;
    s->free_pages = page;
}

static void add_slab(struct memory_images *s)
{
    struct page_slab *slab = malloc(sizeof *slab);
    CHECK(slab);
    slab->next = s->slabs;
    s->slabs = slab;
    for (size_t i = SLAB_PAGES; i-- > 0;)
        free_page(s, &slab->pages[i]);
}

static struct page_copy *new_page(struct memory_images *s)
{
    if (!s->free_pages)
        add_slab(s);
    struct page_copy *page = s->free_pages;
    s->free_pages = page->next_free;
    s->bytes += sizeof *page;
    page->users = 1;
    return page;
}

static void drop_page(struct memory_images *s, struct page_copy *page)
{
    if (!page || --page->users)
        return;
    s->bytes -= sizeof *page;
    free_page(s, page);
}

static void drop_group(struct memory_images *s, struct group_copy *group)
{
    if (!group || --group->users)
        return;
    for (size_t i = 0; i < GROUP_PAGES; i++)
        drop_page(s, group->pages[i]);
    release(s, group, sizeof *group);
}

static size_t image_size(size_t group_count)
{
    return sizeof(struct memory_image) + group_count * sizeof(struct group_copy *);
}

void images_drop(struct memory_images *s, struct memory_image *image)
{
    if (!image || --image->users)
        return;
    for (size_t i = 0; i < image->group_count; i++)
        drop_group(s, image->groups[i]);
    release(s, image, image_size(image->group_count));
}

void images_init(struct memory_images *s, struct memory *m)
{
    *s = (struct memory_images){.memory = m};
}

static void set_last(struct memory_images *s, struct memory_image *image)
{
    if (image)
        image->users++;
    images_drop(s, s->last);
    s->last = image;
    memory_forget_written(s->memory, MEMORY_IMAGES);
}

void images_free(struct memory_images *s)
{
    images_drop(s, s->last);
    CHECK(s->bytes == 0);
    for (struct page_slab *next; s->slabs; s->slabs = next) {
        next = s->slabs->next;
        free(s->slabs);
    }
    *s = (struct memory_images){.memory = s->memory};
}

/* Taking ----------------------------------------------------------------------------------------*/

/* With the groups of the last one. */
static struct memory_image *image_like_last(struct memory_images *s)
{
    size_t count = groups_of(s->memory);
    struct memory_image *image = allocate(s, image_size(count));
    image->users = 1;
    image->group_count = count;
    for (size_t i = 0; i < count; i++) {
        image->groups[i] = s->last ? s->last->groups[i] : NULL;
        if (image->groups[i])
            image->groups[i]->users++;
    }
    return image;
}

/* A group that may be changed, as nobody else has it. */
static struct group_copy *own_group(struct memory_images *s, struct group_copy **group)
{
    struct group_copy *old = *group;
    if (old && old->users == 1)
        return old;
    struct group_copy *own = allocate(s, sizeof *own);
    memset(own, 0, sizeof *own);
    own->users = 1;
    for (size_t i = 0; old && i < GROUP_PAGES; i++) {
        own->pages[i] = old->pages[i];
        if (own->pages[i])
            own->pages[i]->users++;
    }
    drop_group(s, old);
    *group = own;
    return own;
}

static bool holds(const struct page_copy *copy, const uint8_t *contents)
{
    return copy ? memcmp(copy->contents, contents, PAGE_SIZE) == 0 : memory_page_is_zero(contents);
}

/* A page that was written is often what it was: then nothing is kept. */
static void take_page(struct memory_images *s, struct group_copy **group, size_t page,
                      const uint8_t *contents)
{
    if (holds(*group ? (*group)->pages[page] : NULL, contents))
        return;
    struct group_copy *own = own_group(s, group);
    drop_page(s, own->pages[page]);
    own->pages[page] = NULL;
    if (memory_page_is_zero(contents))
        return;
    struct page_copy *copy = new_page(s);
    memcpy(copy->contents, contents, PAGE_SIZE);
    own->pages[page] = copy;
}

struct walk {
    struct memory_images *images;
    struct memory_image *image;
    void (*written)(void *context, hpa_t page);
    void *context;
};

/* Each page that was written since the last image, and the place of its group in the other. */
static void each_changed(const struct walk *w,
                         void (*visit)(const struct walk *w, struct memory_bank *b, size_t page,
                                       struct group_copy **group))
{
    struct memory *m = w->images->memory;
    struct group_copy **groups = w->image->groups;
    for (size_t i = 0; i < m->bank_count; groups += m->banks[i++].group_count) {
        struct memory_bank *b = &m->banks[i];
        size_t page = bank_next_written(b, MEMORY_IMAGES, 0);
        for (; page < bank_pages(b); page = bank_next_written(b, MEMORY_IMAGES, page + 1))
            visit(w, b, page, &groups[page / GROUP_PAGES]);
    }
}

static uint8_t *host_page(struct memory_bank *b, size_t page)
{
    return b->host + (bank_page_address(b, page).v - b->base.v);
}

static void take_changed(const struct walk *w, struct memory_bank *b, size_t page,
                         struct group_copy **group)
{
    take_page(w->images, group, page % GROUP_PAGES, host_page(b, page));
}

struct memory_image *images_take(struct memory_images *s)
{
    struct walk w = {.images = s, .image = image_like_last(s)};
    memory_load(s->memory);
    each_changed(&w, take_changed);
    set_last(s, w.image);
    return w.image;
}

/* Restoring -------------------------------------------------------------------------------------*/

static void put_page(const struct walk *w, struct memory_bank *b, size_t page,
                     const struct page_copy *copy)
{
    hpa_t at = bank_page_address(b, page);
    uint8_t *to = memory_at(w->images->memory, at, PAGE_SIZE, MEMORY_WRITE);
    if (copy)
        memcpy(to, copy->contents, PAGE_SIZE);
    else
        memset(to, 0, PAGE_SIZE);
    if (w->written)
        w->written(w->context, at);
}

static const struct page_copy *page_in(const struct group_copy *group, size_t page)
{
    return group ? group->pages[page % GROUP_PAGES] : NULL;
}

static void put_changed(const struct walk *w, struct memory_bank *b, size_t page,
                        struct group_copy **group)
{
    const struct page_copy *copy = page_in(*group, page);
    if (!holds(copy, host_page(b, page)))
        put_page(w, b, page, copy);
}

static void put_group(const struct walk *w, struct memory_bank *b, size_t group,
                      const struct group_copy *from, const struct group_copy *to)
{
    for (size_t page = group * GROUP_PAGES; page < (group + 1) * GROUP_PAGES; page++)
        if (page_in(from, page) != page_in(to, page) &&
            !bit_test(b->marks[MEMORY_IMAGES].pages, page))
            put_page(w, b, page, page_in(to, page));
}

/* What was written since the last image, then what lies between the two: a page of both is one. */
void images_restore(struct memory_images *s, struct memory_image *image,
                    void (*written)(void *context, hpa_t page), void *context)
{
    struct walk w = {.images = s, .image = image, .written = written, .context = context};
    size_t at = 0;
    CHECK(!s->memory->expected_pages); /* images_take has looked at all of them */
    each_changed(&w, put_changed);
    for (size_t i = 0; i < s->memory->bank_count; i++)
        for (size_t g = 0; g < s->memory->banks[i].group_count; g++, at++)
            if (s->last->groups[at] != image->groups[at])
                put_group(&w, &s->memory->banks[i], g, s->last->groups[at], image->groups[at]);
    set_last(s, image);
}
