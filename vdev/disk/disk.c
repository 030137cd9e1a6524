#include "vdev/disk/disk.h"

#include <string.h>

#include "emu/check.h"

/* Where a block's contents are: two bits of the map. */
enum place { IN_FILE = 0, IN_STORE = 1, NOWHERE = 2 /* it is zero */ };
enum { BLOCK = (int)PAGE_SIZE, PLACES_PER_PAGE = 4 * (int)PAGE_SIZE };

static uint64_t block_count(uint64_t size)
{
    return (size + BLOCK - 1) / BLOCK;
}

static uint64_t map_size(uint64_t size)
{
    return (block_count(size) + PLACES_PER_PAGE - 1) / PLACES_PER_PAGE * PAGE_SIZE;
}

/* The file
 * -----------------------------------------------------------------------------------------
 */

struct file {
    const struct vdev_option *option;
    const char *path;
    bool read_only, writes_through;
};

static bool find_file(const struct vdev *v, struct file *f, struct error *e)
{
    const struct vdev_option *o = vdev_option_find(v, "hostdev");
    if (!o)
        return error_set(e, "vdev %s: hostdev FILE is missing: which disk?", v->type->name);
    *f = (struct file){o, o->value, o->value[0] == '<', o->value[0] == '>'};
    f->path += f->read_only || f->writes_through;
    if (f->path[0] == 0 || f->path[0] == '|' || strcmp(f->path, "-") == 0)
        return error_at(e, o->file, o->line, "vdev %s: hostdev %s is no file that has a disk",
                        v->type->name, o->value);
    return true;
}

/* With `delayed`, that the file is not there is an answer: `*size` is 0 and its path NULL. */
static bool open_file(const struct vdev *v, struct file *f, uint64_t *size, struct error *e)
{
    struct error why = {0};
    *size = 0;
    if (v->env->open_file(v->env->context, f->path, size, &why))
        return true;
    f->path = NULL;
    if (vdev_option_find(v, "delayed"))
        return true;
    return error_at(e, f->option->file, f->option->line, "vdev %s: %s", v->type->name, why.text);
}

static uint64_t whole_sectors(uint64_t size)
{
    return (size + DISK_SECTOR - 1) / DISK_SECTOR * DISK_SECTOR;
}

bool disk_store(const struct vdev *v, uint64_t *size, struct error *e)
{
    struct file f;
    if (!find_file(v, &f, e) || !open_file(v, &f, size, e))
        return false;
    *size = f.read_only ? 0 : map_size(*size) + block_count(*size) * BLOCK;
    return true;
}

bool disk_open(struct disk *d, struct vdev *v, struct error *e)
{
    struct file f;
    uint64_t size;
    if (!vdev_check_delayed(v, e) || !find_file(v, &f, e) || !open_file(v, &f, &size, e))
        return false;
    *d = (struct disk){.v = v,
                       .path = f.path,
                       .size = whole_sectors(size),
                       .contents = size,
                       .read_only = f.read_only,
                       .writes_through = f.writes_through};
    CHECK(f.read_only || v->store.size >= map_size(size) + block_count(size) * BLOCK);
    return true;
}

/* Blocks
 * -------------------------------------------------------------------------------------------
 */

static uint8_t *store_at(const struct disk *d, uint64_t offset, size_t size, bool for_write)
{
    const struct vdev_store *s = &d->v->store;
    CHECK(range_inside(offset, size, s->size));
    return s->at(s, offset, size, for_write);
}

static uint8_t *block_at(struct disk *d, uint64_t block, bool for_write)
{
    return store_at(d, map_size(d->size) + block * BLOCK, BLOCK, for_write);
}

static enum place place_of(struct disk *d, uint64_t block)
{
    if (d->read_only)
        return IN_FILE;
    const uint8_t *map = store_at(d, block / 4, 1, false);
    return (enum place)(*map >> 2 * (block % 4) & 3);
}

static void set_place(struct disk *d, uint64_t block, enum place place)
{
    uint8_t *map = store_at(d, block / 4, 1, true);
    unsigned shift = 2 * (block % 4);
    *map = (uint8_t)((*map & ~(3u << shift)) | (unsigned)place << shift);
}

/* Behind the end of a file that is no whole number of sectors there are zeros. */
static bool read_file(struct disk *d, uint64_t offset, uint8_t *to, size_t size)
{
    const struct vdev_env *env = d->v->env;
    size_t there = offset >= d->contents          ? 0
                   : size <= d->contents - offset ? size
                                                  : (size_t)(d->contents - offset);
    memset(to + there, 0, size - there);
    return !there || env->read_file(env->context, d->v->channel, d->path, offset, to, there);
}

/* As many bytes from `offset` on as lie in the same place: the file is asked for all of them at
 * once, as each question costs. */
static size_t same_place(struct disk *d, uint64_t offset, size_t size, enum place *place)
{
    uint64_t block = offset / BLOCK, end = offset + size;
    *place = place_of(d, block);
    while (++block * BLOCK < end && place_of(d, block) == *place)
        ;
    return block * BLOCK < end ? (size_t)(block * BLOCK - offset) : size;
}

/* Bytes from `offset` on that are in its block, at most `size`. */
static size_t in_block(uint64_t offset, uint64_t size)
{
    uint64_t rest = BLOCK - offset % BLOCK;
    return (size_t)(size < rest ? size : rest);
}

static void read_store(struct disk *d, uint64_t offset, uint8_t *to, size_t size)
{
    for (size_t part; size; size -= part, offset += part, to += part) {
        part = in_block(offset, size);
        memcpy(to, block_at(d, offset / BLOCK, false) + offset % BLOCK, part);
    }
}

bool disk_read(struct disk *d, uint64_t offset, void *to, size_t size)
{
    uint8_t *at = to;
    for (size_t part; size; size -= part, offset += part, at += part) {
        enum place place;
        part = same_place(d, offset, size < VDEV_RANGE_MAX ? size : VDEV_RANGE_MAX, &place);
        if (place == IN_STORE)
            read_store(d, offset, at, part);
        else if (place == NOWHERE)
            memset(at, 0, part);
        else if (!read_file(d, offset, at, part))
            return false;
    }
    return true;
}

/* A block of which a part is written gets the rest from where it was. Its page is zero, unless it
 * is there already. */
static bool bring(struct disk *d, uint64_t block)
{
    enum place before = place_of(d, block);
    uint8_t *at = before == IN_STORE ? NULL : block_at(d, block, true);
    uint64_t start = block * BLOCK;
    if (before != IN_FILE || read_file(d, start, at, in_block(start, d->size - start)))
        return true;
    memset(at, 0, BLOCK);
    return false;
}

/* Nothing is written behind the end of the file: it stays as long as it is. */
static void write_through(const struct disk *d, uint64_t offset, const void *from, size_t size)
{
    const struct vdev_env *env = d->v->env;
    if (!d->writes_through || offset >= d->contents)
        return;
    if (size > d->contents - offset)
        size = (size_t)(d->contents - offset);
    env->write_file(env->context, d->v->channel, d->path, offset, from, size);
}

static bool write_block(struct disk *d, uint64_t offset, const uint8_t *from, size_t size)
{
    uint64_t block = offset / BLOCK;
    if (size < BLOCK && !bring(d, block))
        return false;
    memcpy(block_at(d, block, true) + offset % BLOCK, from, size);
    set_place(d, block, IN_STORE);
    return true;
}

bool disk_write(struct disk *d, uint64_t offset, const void *from, size_t size)
{
    const uint8_t *at = from;
    for (size_t done = 0, part; done < size; done += part) {
        part = in_block(offset + done, size - done);
        if (!write_block(d, offset + done, at + done, part))
            return false;
    }
    write_through(d, offset, from, size);
    return true;
}

/* A page that is zero again is in no snapshot. */
static void clear_block(struct disk *d, uint64_t block)
{
    if (place_of(d, block) == IN_STORE)
        memset(block_at(d, block, true), 0, BLOCK);
    set_place(d, block, NOWHERE);
}

bool disk_clear(struct disk *d, uint64_t offset, uint64_t size)
{
    static const uint8_t zeros[BLOCK];
    for (size_t part; size; size -= part, offset += part) {
        part = in_block(offset, size);
        if (offset % BLOCK == 0 && part == in_block(offset, d->size - offset))
            clear_block(d, offset / BLOCK);
        else if (!write_block(d, offset, zeros, part))
            return false;
        write_through(d, offset, zeros, part);
    }
    return true;
}
