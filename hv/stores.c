/* What devices keep that is too large for their fields: one stretch of the board's memory behind
 * its RAM, laid out when the board is assembled. A device finds its part again by its options,
 * which are those of one line of one configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "emu/check.h"
#include "hv/hv_internal.h"

struct store {
    const struct vdev_option *options, *hostdev;
    uint64_t at, size; /* of the stretch */
};

struct stores {
    struct store *list; /* owned */
    size_t count;
    uint64_t size;
    hpa_t base;
};

static bool open_file(void *context, const char *path, uint64_t *size, struct error *e)
{
    return journal_open(context, path, size, e);
}

/* Two machines' disks would change under each other's feet. */
static bool is_alone(const struct stores *s, const struct vdev *v, struct error *e)
{
    const struct vdev_option *o = vdev_option_find(v, "hostdev");
    for (size_t i = 0; i < s->count; i++)
        if (o && *o->value == '>' && s->list[i].hostdev &&
            strcmp(s->list[i].hostdev->value, o->value) == 0)
            return error_at(e, o->file, o->line, "two disks write to the file '%s'", o->value + 1);
    return true;
}

/* An option that is missing has no place of its own. */
static bool ask(const struct vdev *v, struct place place, uint64_t *size, struct error *e)
{
    struct error why = {0};
    if (v->type->store(v, size, &why))
        return true;
    return why.text[0] == '[' ? error_set(e, "%s", why.text)
                              : error_at(e, place.file, place.line, "%s", why.text);
}

static bool claim(const struct board *b, const struct vdev *v, struct error *e)
{
    const struct vdev_option *o = vdev_option_find(v, "hostdev");
    struct error why = {0};
    if (!o || *o->value != '>' || !b->sinks.disk_claim ||
        b->sinks.disk_claim(b->sinks.context, o->value + 1, &why))
        return true;
    return error_at(e, o->file, o->line, "vdev %s: %s", v->type->name, why.text);
}

static bool add(struct board *b, const struct vdev_type *type, struct place place,
                const struct vdev_option *options, size_t count, struct error *e)
{
    struct vdev_env env = {.open_file = open_file, .context = b->journal};
    struct vdev v = {.type = type, .env = &env, .options = options, .option_count = count};
    struct stores *s = b->stores;
    uint64_t size;
    if (!type || !type->store)
        return true;
    if (!ask(&v, place, &size, e) || !is_alone(s, &v, e) || !claim(b, &v, e))
        return false;
    size = (size + PAGE_MASK) & ~PAGE_MASK;
    s->list = array_grow(s->list, s->count, sizeof *s->list);
    s->list[s->count++] = (struct store){options, vdev_option_find(&v, "hostdev"), s->size, size};
    s->size += size;
    return true;
}

static bool add_all(struct board *b, const struct vm_config *configs, size_t count, struct error *e)
{
    for (size_t i = 0; i < b->config->device_count; i++) {
        const struct board_device *d = &b->config->devices[i];
        if (!add(b, d->type, d->place, d->options, d->option_count, e))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < configs[i].vdev_count; k++) {
            const struct vdev_config *v = &configs[i].vdevs[k];
            if (!add(b, v->type, v->place, v->options, v->option_count, e))
                return false;
        }
    return true;
}

bool stores_make(struct board *b, const struct vm_config *configs, size_t count, struct error *e)
{
    struct error why = {0};
    b->stores = calloc(1, sizeof *b->stores);
    CHECK_ROOM(b->stores);
    if (!add_all(b, configs, count, e))
        return false;
    if (!b->stores->size || memory_add_store(&b->memory, b->stores->size, &b->stores->base, &why))
        return true;
    error_set(e,
              "disks that may be written to are too large for this host (hostdev <FILE makes one "
              "read-only): %s",
              why.text);
    return error_exit_status(e, STATUS_NOT_STARTED);
}

void stores_free(struct board *b)
{
    if (b->stores)
        free(b->stores->list);
    free(b->stores);
}

static uint8_t *store_at(const struct vdev_store *s, uint64_t offset, size_t size, bool for_write)
{
    void *at =
        memory_at(s->context, hpa(s->base + offset), size, for_write ? MEMORY_WRITE : MEMORY_READ);
    CHECK(at);
    return at;
}

struct vdev_store stores_of(struct board *b, const struct vdev_option *options)
{
    const struct stores *s = b->stores;
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i].options == options)
            return (struct vdev_store){.at = store_at,
                                       .size = s->list[i].size,
                                       .base = s->base.v + s->list[i].at,
                                       .context = &b->memory};
    return (struct vdev_store){0};
}

void stores_name(const struct board *b, hpa_t at, char *text, size_t size)
{
    const struct stores *s = b->stores;
    for (size_t i = 0; i < s->count; i++)
        if (s->size && at.v - s->base.v - s->list[i].at < s->list[i].size)
            snprintf(text, size, ", of the disk '%s'", s->list[i].hostdev->value);
}
