/* `vdev shmem`: memory that guests share (reference 8). A page of registers, the factory, attaches
 * the guest to named regions. Each success gives it a control page, which is trapped, and right
 * behind it the region's memory, which stage 2 maps like RAM.
 *
 * The regions are the board's (shmem_regions.h); this file is one guest's view of them. The
 * interrupt line is high as long as any of its control pages has a status that changed since it was
 * last read, be it by a notification or because a client came or went. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vdev/shmem/shmem_names.h"
#include "vdev/shmem/shmem_regions.h"
#include "vdev/vdev.h"

#define SIGNATURE UINT64_C(0x4d534732474d5651) /* "QVMG2GSM" */

enum { /* the factory page (8.2) */
       FACTORY_SIGNATURE = 0x00,
       FACTORY_SHMEM = 0x08,
       FACTORY_VECTOR = 0x10,
       FACTORY_STATUS = 0x14,
       FACTORY_SIZE = 0x18,
       FACTORY_NAME = 0x1c,
       FACTORY_FIND = 0x3c,
       FACTORY_FLAGS = 0x40,
       FACTORY_END = 0x44
};

enum { /* a control page (8.3) */
       CONTROL_STATUS = 0x0,
       CONTROL_IDX = 0x4,
       CONTROL_NOTIFY = 0x8,
       CONTROL_DETACH = 0xc,
       CONTROL_END = 0x10
};

enum gss {
    GSS_OK = 0,
    GSS_UNKNOWN_FAILURE = 1,
    GSS_NOMEM = 2,
    GSS_CLIENT_MAX = 3,
    GSS_ILLEGAL_NAME = 4,
    GSS_NO_PERMISSION = 5,
    GSS_DOES_NOT_EXIST = 6,
};

#define STATUS_NO_MEMORY 64 /* 6.3: fatal error before the guest started */

/* A VM may be attached this often, to whatever regions, at a time; then it gets GSS_CLIENT_MAX. */
#define CONNECTIONS_MAX 64

struct shmem {
    struct vdev v;
    uint64_t shmem;
    uint32_t status, size, flags;
    uint8_t name[SHMEM_NAME_MAX];
    /* Connections: where the control page is (0: none), and who we are in which region. */
    uint64_t place[CONNECTIONS_MAX];
    uint8_t region[CONNECTIONS_MAX];
    uint8_t client[CONNECTIONS_MAX];
};

static const struct field shmem_fields[] = {
    FIELD(struct shmem, shmem),
    FIELD(struct shmem, status),
    FIELD(struct shmem, size),
    FIELD(struct shmem, flags),
    FIELD_ARRAY(struct shmem, name),
    FIELD_ARRAY(struct shmem, place),
    FIELD_ARRAY_UP_TO(struct shmem, region, SHMEM_REGIONS_MAX - 1),
    FIELD_ARRAY_UP_TO(struct shmem, client, SHMEM_CLIENTS_MAX - 1),
    FIELD_END,
};

static struct shmem *shmem_of(struct vdev *v)
{
    return (struct shmem *)(void *)v;
}

static struct shmem_regions *regions_of(const struct shmem *s)
{
    return s->v.env->shmem;
}

static void update_irq(const struct shmem *s)
{
    bool unread = false;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        unread |= s->place[i] && shmem_regions_is_unread(regions_of(s), s->region[i], s->client[i]);
    wire_set(&s->v.irq, unread);
}

static void status_changed(void *context)
{
    update_irq(context);
}

static struct shmem_listener listener_of(struct shmem *s)
{
    return (struct shmem_listener){.changed = status_changed, .context = s};
}

/* Connections -------------------------------------------------------------------------------------
 */

static unsigned bus_index(unsigned connection)
{
    return VDEV_REGIONS_MAX + connection;
}

static uint64_t data_size(const struct shmem *s, unsigned region)
{
    return shmem_regions_pages(regions_of(s), region) << PAGE_BITS;
}

/* The region's memory at `at`: all of it, or nothing. */
static bool map_data(const struct shmem *s, unsigned region, uint64_t at)
{
    const struct vdev_env *env = s->v.env;
    uint64_t size = data_size(s, region);
    for (uint64_t done = 0; done < size;) {
        struct memory_chunk c = shmem_regions_chunk(regions_of(s), region, done);
        if (!env->map_memory(env->context, gpa(at + done), c.base, c.size)) {
            if (done)
                env->unmap_memory(env->context, gpa(at), done);
            return false;
        }
        done += c.size;
    }
    return true;
}

/* Control page and data appear in the guest. 0: they cannot. */
static uint64_t make_place(struct shmem *s, unsigned region, unsigned connection)
{
    const struct vdev_env *env = s->v.env;
    uint64_t at = env->find_place(env->context, PAGE_SIZE + data_size(s, region)).v;
    struct vdev_region control = {at, PAGE_SIZE};
    if (!at || !env->open_region(env->context, &s->v, bus_index(connection), control))
        return 0;
    if (map_data(s, region, at + PAGE_SIZE))
        return at;
    env->close_region(env->context, &s->v, bus_index(connection));
    return 0;
}

static void detach(struct shmem *s, unsigned connection)
{
    const struct vdev_env *env = s->v.env;
    unsigned region = s->region[connection], client = s->client[connection];
    uint64_t at = s->place[connection];
    env->close_region(env->context, &s->v, bus_index(connection));
    env->unmap_memory(env->context, gpa(at + PAGE_SIZE), data_size(s, region));
    s->place[connection] = 0;
    s->region[connection] = s->client[connection] = 0;
    shmem_regions_detach(regions_of(s), region, client);
    update_irq(s);
}

/* The factory -------------------------------------------------------------------------------------
 */

/* NUL padded, or 32 bytes without a NUL. */
static void name_of(const struct shmem *s, char name[SHMEM_NAME_MAX + 1])
{
    memcpy(name, s->name, SHMEM_NAME_MAX);
    name[SHMEM_NAME_MAX] = '\0';
}

static enum gss attach(struct shmem *s, unsigned region)
{
    unsigned connection = 0, client;
    while (connection < CONNECTIONS_MAX && s->place[connection])
        connection++;
    if (connection == CONNECTIONS_MAX || shmem_regions_is_full(regions_of(s), region))
        return GSS_CLIENT_MAX;
    uint64_t place = make_place(s, region, connection);
    if (!place)
        return GSS_NOMEM;
    if (!shmem_regions_attach(regions_of(s), region, listener_of(s), &client))
        return GSS_UNKNOWN_FAILURE; /* it was not full */
    s->place[connection] = place;
    s->region[connection] = (uint8_t)region;
    s->client[connection] = (uint8_t)client;
    s->shmem = place;
    s->size = (uint32_t)shmem_regions_pages(regions_of(s), region);
    return GSS_OK;
}

/* A region that could be made but not attached to is undone. */
static enum gss create(struct shmem *s, const char *name, uint32_t pages)
{
    unsigned region;
    if (!pages) /* nothing can be created: it was a `find` */
        return GSS_DOES_NOT_EXIST;
    if (!shmem_regions_create(regions_of(s), name, pages, &region))
        return GSS_NOMEM;
    enum gss result = attach(s, region);
    if (result != GSS_OK)
        shmem_regions_uncreate(regions_of(s));
    return result;
}

/* A request that fails changes nothing but the status. Whether a name is permitted is asked before
 * whether it exists, so that a guest learns nothing about names that are not its own. */
static enum gss request(struct shmem *s, bool may_create, uint32_t pages)
{
    char name[SHMEM_NAME_MAX + 1];
    unsigned region;
    name_of(s, name);
    if (!shmem_name_is_legal(name))
        return GSS_ILLEGAL_NAME;
    if (!shmem_name_is_allowed(s->v.options, s->v.option_count, name))
        return GSS_NO_PERMISSION;
    if (!regions_of(s))
        return may_create ? GSS_NOMEM : GSS_DOES_NOT_EXIST;
    if (shmem_regions_find(regions_of(s), name, &region))
        return attach(s, region);
    return may_create ? create(s, name, pages) : GSS_DOES_NOT_EXIST;
}

static enum bus_answer factory_read(const struct shmem *s, struct bus_access *a)
{
    uint8_t page[FACTORY_END] = {0};
    if (a->offset >= FACTORY_END)
        return BUS_NOBODY;
    if (!range_inside(a->offset, a->size, FACTORY_END))
        return BUS_REFUSED;
    store_le(page + FACTORY_SIGNATURE, SIGNATURE, 8);
    store_le(page + FACTORY_SHMEM, s->shmem, 8);
    store_le(page + FACTORY_VECTOR, s->v.irq_line, 4);
    store_le(page + FACTORY_STATUS, s->status, 4);
    store_le(page + FACTORY_SIZE, s->size, 4);
    memcpy(page + FACTORY_NAME, s->name, sizeof s->name);
    store_le(page + FACTORY_FLAGS, s->flags, 4);
    a->value = load_le(page + a->offset, a->size);
    return BUS_HANDLED;
}

static enum bus_answer factory_write_word(struct shmem *s, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case FACTORY_SIZE:
        s->status = request(s, true, value);
        return BUS_HANDLED;
    case FACTORY_FIND:
        s->status = request(s, false, 0);
        return BUS_HANDLED;
    case FACTORY_FLAGS: /* permission bits of a host object that this model does not have */
        s->flags = value;
        return BUS_HANDLED;
    default:
        return BUS_REFUSED;
    }
}

/* The name takes any width that stays inside, at any offset; requests are words. */
static enum bus_answer factory_write(struct shmem *s, const struct bus_access *a)
{
    if (a->offset >= FACTORY_END)
        return BUS_NOBODY;
    if (range_inside(a->offset, a->size, FACTORY_SIZE)) {
        log_guest(s->v.env->log, "shmem: write to read-only register +%#x", (unsigned)a->offset);
        return BUS_HANDLED;
    }
    if (a->offset >= FACTORY_NAME && range_inside(a->offset, a->size, FACTORY_FIND)) {
        store_le(s->name + (a->offset - FACTORY_NAME), a->value, a->size);
        return BUS_HANDLED;
    }
    return a->size == 4 ? factory_write_word(s, a->offset, (uint32_t)a->value) : BUS_REFUSED;
}

/* Control pages -----------------------------------------------------------------------------------
 */

static uint32_t control_read(struct shmem *s, unsigned connection, uint64_t offset)
{
    unsigned region = s->region[connection], client = s->client[connection];
    uint32_t status;
    switch (offset) {
    case CONTROL_STATUS:
        status = shmem_regions_read_status(regions_of(s), region, client);
        update_irq(s);
        return status;
    case CONTROL_IDX:
        return client;
    default:
        log_guest(s->v.env->log, "shmem: read of write-only register +%#x of %s", (unsigned)offset,
                  shmem_regions_name(regions_of(s), region));
        return 0;
    }
}

static void control_write(struct shmem *s, unsigned connection, uint64_t offset, uint32_t value)
{
    unsigned region = s->region[connection], client = s->client[connection];
    switch (offset) {
    case CONTROL_NOTIFY:
        shmem_regions_notify(regions_of(s), region, client, value);
        break;
    case CONTROL_DETACH:
        detach(s, connection);
        break;
    default:
        log_guest(s->v.env->log, "shmem: write to read-only register +%#x of %s", (unsigned)offset,
                  shmem_regions_name(regions_of(s), region));
        break;
    }
}

static enum bus_answer control_access(struct shmem *s, unsigned connection, struct bus_access *a)
{
    if (connection >= CONNECTIONS_MAX || !s->place[connection] || a->offset >= CONTROL_END)
        return BUS_NOBODY;
    if (a->size != 4 || a->offset % 4)
        return BUS_REFUSED;
    if (a->is_write)
        control_write(s, connection, a->offset, (uint32_t)a->value);
    else
        a->value = control_read(s, connection, a->offset);
    return BUS_HANDLED;
}

/* The device --------------------------------------------------------------------------------------
 */

static enum bus_answer shmem_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    struct shmem *s = shmem_of(v);
    if (region >= VDEV_REGIONS_MAX)
        return control_access(s, region - VDEV_REGIONS_MAX, a);
    return a->is_write ? factory_write(s, a) : factory_read(s, a);
}

/* A region that is there already, created by another VM, stays as it is: the first decides. */
static bool create_configured(const struct shmem *s, const struct vdev_option *o, struct error *e)
{
    char name[SHMEM_NAME_MAX + 1];
    uint64_t pages;
    unsigned region;
    if (!shmem_created(o, name, &pages, e))
        return false;
    if (!regions_of(s))
        return true;
    if (shmem_regions_find(regions_of(s), name, &region)) {
        if (shmem_regions_pages(regions_of(s), region) != pages)
            log_write(s->v.env->log, LOG_SEVERITY_WARN,
                      "vdev shmem: create %s has no effect: it has %" PRIu64 " KiB already", name,
                      data_size(s, region) >> 10);
        return true;
    }
    if (shmem_regions_create(regions_of(s), name, pages, &region))
        return true;
    error_at(e, o->file, o->line,
             "vdev shmem: create %s: the board has too little memory for it, or more than %d "
             "regions",
             name, SHMEM_REGIONS_MAX);
    return error_exit_status(e, STATUS_NO_MEMORY);
}

static bool shmem_create(struct vdev *v, struct error *e)
{
    struct shmem *s = shmem_of(v);
    for (size_t i = 0; i < v->option_count; i++)
        if (strcmp(v->options[i].name, "create") == 0 && !create_configured(s, &v->options[i], e))
            return false;
    return true;
}

static void shmem_describe(struct vdev *v, const struct describer *d)
{
    static const char compatible[] = "qvm,guest_shm";
    vdev_describe_begin(v, d, "shmem", compatible, sizeof compatible);
    pic_describe_interrupt(d, v->irq_line);
    d->end_node(d->context);
}

static void shmem_status(const struct vdev *v, char *text, size_t size)
{
    const struct shmem *s = (const struct shmem *)(const void *)v;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        size_t used = strlen(text);
        if (s->place[i] && used + 1 < size)
            snprintf(text + used, size - used, "%s%s: client %u at %#" PRIx64, used ? ", " : "",
                     shmem_regions_name(regions_of(s), s->region[i]), s->client[i], s->place[i]);
    }
}

/* The VM has ended: its clients leave, which the others see. */
static void shmem_terminate(struct vdev *v)
{
    struct shmem *s = shmem_of(v);
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        if (s->place[i])
            detach(s, i);
}

/* Stage 2 was restored with the board's memory, the registry with the board. A connection that the
 * registry does not know is none. */
static void shmem_restored(struct vdev *v)
{
    struct shmem *s = shmem_of(v);
    const struct vdev_env *env = v->env;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct vdev_region control = {s->place[i], PAGE_SIZE};
        if (!s->place[i])
            continue;
        if (!regions_of(s) || s->place[i] & PAGE_MASK ||
            !env->open_region(env->context, v, bus_index(i), control)) {
            s->place[i] = 0;
        } else if (!shmem_regions_listen(regions_of(s), s->region[i], s->client[i],
                                         listener_of(s))) {
            env->close_region(env->context, v, bus_index(i));
            s->place[i] = 0;
        }
    }
    update_irq(s);
}

/* The board is going: nobody is told any more. */
static void shmem_destroy(struct vdev *v)
{
    struct shmem *s = shmem_of(v);
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        if (s->place[i])
            shmem_regions_listen(regions_of(s), s->region[i], s->client[i],
                                 (struct shmem_listener){0});
}

static const struct vdev_option_type shmem_options[] = {
    {.name = "create",
     .form = "NAME,SIZE",
     .summary = "a region that exists from the start, SIZE in bytes",
     .repeatable = true},
    {.name = "allow",
     .form = "PATTERN",
     .summary = "names the guest may use; then all others are refused",
     .repeatable = true},
    {.name = "deny",
     .form = "PATTERN",
     .summary = "names the guest may not use; of allow and deny the first match decides",
     .repeatable = true},
    VDEV_OPTIONS_END,
};

const struct vdev_type shmem_type = {
    .name = "shmem",
    .summary = "memory shared with other guests, by name",
    .size = sizeof(struct shmem),
    .fields = shmem_fields,
    .needs_intr = true,
    .options = shmem_options,
    .ranges = vdev_one_page,
    .create = shmem_create,
    .access = shmem_access,
    .describe = shmem_describe,
    .status = shmem_status,
    .terminate = shmem_terminate,
    .restored = shmem_restored,
    .destroy = shmem_destroy,
};
