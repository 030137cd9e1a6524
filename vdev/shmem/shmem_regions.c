#include "vdev/shmem/shmem_regions.h"

#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "emu/check.h"

struct region {
    char name[SHMEM_NAME_MAX + 1];
    uint64_t first; /* page, counted through all chunks */
    uint64_t pages;
    uint16_t attached;                    /* a bit a client */
    uint16_t membership;                  /* clients that do not know yet who is attached */
    uint16_t notified[SHMEM_CLIENTS_MAX]; /* by whom, since the client last looked */
    struct shmem_listener listeners[SHMEM_CLIENTS_MAX];
};

/* Not the listeners: devices say again who they are when they are restored. */
static const struct field region_fields[] = {
    FIELD_ARRAY(struct region, name),
    FIELD(struct region, first),
    FIELD(struct region, pages),
    FIELD(struct region, attached),
    FIELD(struct region, membership),
    FIELD_ARRAY(struct region, notified),
    FIELD_END,
};

struct shmem_regions {
    struct region regions[SHMEM_REGIONS_MAX];
    unsigned count;
    struct memory_chunk *chunks; /* owned; a function of the configuration */
    size_t chunk_count;
    uint64_t page_count, used_pages;
};

/* The registry ------------------------------------------------------------------------------------
 */

static void add_chunk(struct shmem_regions *r, struct memory_chunk chunk)
{
    r->chunks = array_grow(r->chunks, r->chunk_count, sizeof *r->chunks);
    r->chunks[r->chunk_count++] = chunk;
    r->page_count += chunk.size >> PAGE_BITS;
}

struct shmem_regions *shmem_regions_new(struct memory *m, uint64_t size, struct error *e)
{
    struct shmem_regions *r = calloc(1, sizeof *r);
    CHECK_ROOM(r);
    for (uint64_t done = 0; done < size;) {
        struct memory_chunk chunk;
        if (!memory_take(m, size - done, &chunk)) {
            error_set(e, "the board has no %llu KiB left for shared memory",
                      (unsigned long long)((size - done) >> 10));
            shmem_regions_free(r);
            return NULL;
        }
        add_chunk(r, chunk);
        done += chunk.size;
    }
    return r;
}

void shmem_regions_free(struct shmem_regions *r)
{
    if (r)
        free(r->chunks);
    free(r);
}

/* Behind those before it, which use `used` pages. */
static void check_region(const struct shmem_regions *r, const struct region *region, uint64_t used,
                         struct state *s)
{
    if (region->first != used || !region->pages || region->pages > r->page_count - used)
        state_refuse(s, "the pages of a shared region");
    if (!*region->name || !memchr(region->name, 0, sizeof region->name))
        state_refuse(s, "the name of a shared region");
}

void shmem_regions_visit(struct shmem_regions *r, struct state *s)
{
    uint64_t used = 0;
    if (state_restores(s))
        memset(r->regions, 0, sizeof r->regions);
    r->count = (unsigned)state_count(s, "how many shared regions there are", r->count, 4,
                                     SHMEM_REGIONS_MAX);
    for (unsigned i = 0; i < r->count && state_is_good(s); i++) {
        state_within(s, "region %u: ", i);
        state_fields(s, region_fields, &r->regions[i]);
        if (state_restores(s))
            check_region(r, &r->regions[i], used, s);
        used += r->regions[i].pages;
    }
    state_within(s, NULL, 0);
    if (state_restores(s))
        r->used_pages = used;
}

/* Regions -----------------------------------------------------------------------------------------
 */

bool shmem_regions_find(const struct shmem_regions *r, const char *name, unsigned *region)
{
    for (unsigned i = 0; i < r->count; i++)
        if (strcmp(r->regions[i].name, name) == 0) {
            *region = i;
            return true;
        }
    return false;
}

bool shmem_regions_create(struct shmem_regions *r, const char *name, uint64_t pages,
                          unsigned *region)
{
    size_t length = strlen(name);
    CHECK(length && length <= SHMEM_NAME_MAX && pages);
    if (r->count == SHMEM_REGIONS_MAX || pages > r->page_count - r->used_pages)
        return false;
    struct region *fresh = &r->regions[r->count];
    *fresh = (struct region){.first = r->used_pages, .pages = pages};
    memcpy(fresh->name, name, length);
    r->used_pages += pages;
    *region = r->count++;
    return true;
}

void shmem_regions_uncreate(struct shmem_regions *r)
{
    CHECK(r->count && !r->regions[r->count - 1].attached);
    r->used_pages = r->regions[--r->count].first;
}

static struct region *region_at(struct shmem_regions *r, unsigned region)
{
    CHECK(region < r->count);
    return &r->regions[region];
}

static const struct region *region_seen(const struct shmem_regions *r, unsigned region)
{
    CHECK(region < r->count);
    return &r->regions[region];
}

const char *shmem_regions_name(const struct shmem_regions *r, unsigned region)
{
    return region_seen(r, region)->name;
}

uint64_t shmem_regions_pages(const struct shmem_regions *r, unsigned region)
{
    return region_seen(r, region)->pages;
}

struct memory_chunk shmem_regions_chunk(const struct shmem_regions *r, unsigned region,
                                        uint64_t offset)
{
    const struct region *g = region_seen(r, region);
    uint64_t size = g->pages << PAGE_BITS, at = (g->first << PAGE_BITS) + offset;
    CHECK(offset < size);
    const struct memory_chunk *c = r->chunks;
    for (; at >= c->size; c++)
        at -= c->size;
    uint64_t left = c->size - at;
    return (struct memory_chunk){hpa(c->base.v + at), left < size - offset ? left : size - offset};
}

/* Clients -----------------------------------------------------------------------------------------
 */

static unsigned bit(unsigned client)
{
    return 1u << client;
}

static bool is_attached(const struct region *g, unsigned client)
{
    return client < SHMEM_CLIENTS_MAX && (g->attached & bit(client));
}

static void tell(const struct region *g, unsigned client)
{
    const struct shmem_listener *l = &g->listeners[client];
    if (l->changed)
        l->changed(l->context);
}

/* Everybody but the one who came or went. */
static void change_membership(struct region *g, unsigned who)
{
    for (unsigned i = 0; i < SHMEM_CLIENTS_MAX; i++)
        if (i != who && is_attached(g, i)) {
            g->membership = (uint16_t)(g->membership | bit(i));
            tell(g, i);
        }
}

bool shmem_regions_is_full(const struct shmem_regions *r, unsigned region)
{
    return region_seen(r, region)->attached == UINT16_MAX;
}

bool shmem_regions_attach(struct shmem_regions *r, unsigned region, struct shmem_listener listener,
                          unsigned *client)
{
    struct region *g = region_at(r, region);
    unsigned i = 0;
    while (i < SHMEM_CLIENTS_MAX && is_attached(g, i))
        i++;
    if (i == SHMEM_CLIENTS_MAX)
        return false;
    g->attached = (uint16_t)(g->attached | bit(i));
    g->membership = (uint16_t)(g->membership & ~bit(i));
    g->notified[i] = 0;
    g->listeners[i] = listener;
    *client = i;
    change_membership(g, i);
    return true;
}

void shmem_regions_detach(struct shmem_regions *r, unsigned region, unsigned client)
{
    struct region *g = region_at(r, region);
    CHECK(is_attached(g, client));
    g->attached = (uint16_t)(g->attached & ~bit(client));
    g->membership = (uint16_t)(g->membership & ~bit(client));
    g->notified[client] = 0;
    g->listeners[client] = (struct shmem_listener){0};
    change_membership(g, client);
}

bool shmem_regions_listen(struct shmem_regions *r, unsigned region, unsigned client,
                          struct shmem_listener listener)
{
    if (region >= r->count || !is_attached(&r->regions[region], client))
        return false;
    if (listener.changed && r->regions[region].listeners[client].changed)
        return false; /* it is somebody else's */
    r->regions[region].listeners[client] = listener;
    return true;
}

/* The control page --------------------------------------------------------------------------------
 */

void shmem_regions_notify(struct shmem_regions *r, unsigned region, unsigned client,
                          uint32_t clients)
{
    struct region *g = region_at(r, region);
    CHECK(client < SHMEM_CLIENTS_MAX);
    if (clients == UINT32_MAX)
        clients &= ~bit(client);
    for (unsigned i = 0; i < SHMEM_CLIENTS_MAX; i++)
        if ((clients & bit(i)) && is_attached(g, i)) {
            g->notified[i] = (uint16_t)(g->notified[i] | bit(client));
            tell(g, i);
        }
}

uint32_t shmem_regions_read_status(struct shmem_regions *r, unsigned region, unsigned client)
{
    struct region *g = region_at(r, region);
    CHECK(client < SHMEM_CLIENTS_MAX);
    uint32_t status = (uint32_t)g->attached << 16 | g->notified[client];
    g->notified[client] = 0;
    g->membership = (uint16_t)(g->membership & ~bit(client));
    return status;
}

bool shmem_regions_is_unread(const struct shmem_regions *r, unsigned region, unsigned client)
{
    const struct region *g = region_seen(r, region);
    CHECK(client < SHMEM_CLIENTS_MAX);
    return g->notified[client] || (g->membership & bit(client));
}
