/* A world for one device: virtual time, an event queue, a log that is off, a bus, a little RAM, and
 * what the device sent out. Devices are made as the assembly makes them. */
#ifndef TEST_VDEV_FIXTURE_H
#define TEST_VDEV_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/state.h"
#include "vdev/bus.h"
#include "vdev/gic/gic.h"
#include "vdev/pic.h"
#include "suite.h"

/* By iova. The upper half is read-only. Its pages are where `world_frames` puts them. */
#define WORLD_RAM           0x40000000u
#define WORLD_RAM_SIZE      0x10000u
#define WORLD_MORE_CHANNELS 64
#define WORLD_RAM_PAGES     (WORLD_RAM_SIZE >> PAGE_BITS)

struct world_page {
    bool is_mapped, reads, writes;
    uint8_t frame; /* of world.ram */
};

struct world {
    struct vtime vtime;
    struct event_queue events;
    struct vdev_env env;
    struct bus bus;
    struct vdev_option options[20];
    struct vdev *v;
    bool irq_level; /* of the device's own line */
    unsigned irq_changes;
    bool vcpu_irq[GIC_VCPUS_MAX],
        vcpu_fiq[GIC_VCPUS_MAX]; /* what an interrupt controller signals */
    unsigned signals;
    char output[256];
    size_t output_size;
    unsigned output_channel;     /* of the last of it */
    int exit_status;             /* -1: none requested */
    unsigned dumps;              /* requested */
    uint8_t ram[WORLD_RAM_SIZE]; /* by frames: world_ram */
    struct world_page pages[WORLD_RAM_PAGES];
    uint64_t generation;                 /* of the device's port */
    unsigned translations;               /* that it made */
    uint64_t announced[WORLD_RAM_PAGES]; /* bytes to be written, by frame */
    struct bytes sent;                   /* frames: size (4), work, and bytes of each */
    unsigned frames_wanted;              /* how often */
    bool link_is_down;
    uint64_t random; /* what the next random bytes are made of */
    uint64_t random_bytes;
    uint8_t *store; /* what a device keeps */
    uint64_t store_changes;
    bool file_is_lost; /* the host's file, of which a device reads ranges */
    uint64_t file_bytes_read;
};

static inline void world_wire(void *context, unsigned line, bool level)
{
    struct world *w = context;
    (void)line;
    w->irq_changes += level != w->irq_level;
    w->irq_level = level;
}

/* The state of the device. */
static inline void world_save(struct world *w, struct bytes *out)
{
    struct state s = state_saving(out);
    vdev_visit(w->v, &s);
}

static inline bool world_restore(struct world *w, struct reader *in)
{
    struct state s = state_restoring(in);
    vdev_visit(w->v, &s);
    return state_is_good(&s);
}

static inline void world_signal(void *context, unsigned vcpu, unsigned signals)
{
    struct world *w = context;
    w->vcpu_irq[vcpu] = signals & CPU_SIGNAL_IRQ;
    w->vcpu_fiq[vcpu] = signals & CPU_SIGNAL_FIQ;
    w->signals++;
}

static inline void world_output(void *context, unsigned channel, const void *data, size_t size)
{
    struct world *w = context;
    w->output_channel = channel;
    for (size_t i = 0; i < size; i++)
        w->output[w->output_size++ % sizeof w->output] = ((const char *)data)[i];
}

static inline void world_exit(void *context, int exit_status, const char *why)
{
    struct world *w = context;
    (void)why;
    w->exit_status = exit_status;
}

static inline void world_dump(void *context, const char *why)
{
    struct world *w = context;
    (void)why;
    w->dumps++;
}

/* Of the worlds that are opened next: the frame of each page of RAM. NULL: they lie in order. */
static const uint8_t *world_frames;

/* Where the driver's bytes at WORLD_RAM + offset are, up to the end of their page. Check notes each
 * assertion that holds, which is too slow for each byte. */
static inline uint8_t *world_ram(struct world *w, uint64_t offset)
{
    if (offset >= WORLD_RAM_SIZE)
        ck_abort_msg("no RAM at offset %#llx", (unsigned long long)offset);
    return w->ram + w->pages[offset >> PAGE_BITS].frame * PAGE_SIZE + (offset & PAGE_MASK);
}

static inline bool world_refuse(struct dma_fault *fault, enum dma_fault_kind kind, uint64_t at)
{
    fault->kind = kind;
    fault->at = (iova_t){at};
    fault->where = "the world";
    return false;
}

static inline bool world_translate(struct world *w, uint64_t at, enum dma_kind kind,
                                   struct dma_fault *fault)
{
    uint64_t page = (at - WORLD_RAM) >> PAGE_BITS;
    w->translations++;
    if (page >= WORLD_RAM_PAGES || !w->pages[page].is_mapped)
        return world_refuse(fault, DMA_FAULT_TRANSLATION, at);
    return (kind == DMA_WRITE ? w->pages[page].writes : w->pages[page].reads) ||
           world_refuse(fault, DMA_FAULT_PERMISSION, at);
}

static inline size_t world_map(const struct dma_port *p, iova_t at, uint64_t size,
                               enum dma_kind kind, struct dma_span *spans, size_t room,
                               struct dma_fault *fault)
{
    struct world *w = p->context;
    size_t count = 0;
    for (uint64_t done = 0, part; done < size; done += part) {
        uint64_t from = at.v + done, rest = PAGE_SIZE - (from & PAGE_MASK);
        part = rest < size - done ? rest : size - done;
        if (!world_translate(w, from, kind, fault))
            return 0;
        uint8_t *host = world_ram(w, from - WORLD_RAM);
        if (count < room)
            spans[count++] = (struct dma_span){host, part, (uint64_t)(host - w->ram)};
    }
    return count;
}

static inline void world_before_write(const struct dma_port *p, uint64_t place, uint64_t size)
{
    struct world *w = p->context;
    ck_assert(range_inside(place & PAGE_MASK, size, PAGE_SIZE) && place < WORLD_RAM_SIZE);
    w->announced[place >> PAGE_BITS] += size;
}

static inline struct dma_port world_port(struct world *w)
{
    for (uint8_t i = 0; i < WORLD_RAM_PAGES; i++)
        w->pages[i] = (struct world_page){true, true, i < WORLD_RAM_PAGES / 2,
                                          world_frames ? world_frames[i] : i};
    return (struct dma_port){.read = dma_read_by_map,
                             .write = dma_write_by_map,
                             .map = world_map,
                             .before_write = world_before_write,
                             .generation = &w->generation,
                             .substream = DMA_NO_SUBSTREAM,
                             .context = w};
}

static inline bool world_entropy(void *context, void *to, size_t size)
{
    struct world *w = context;
    ck_assert_uint_le(size, 256);
    for (size_t i = 0; i < size; i++) {
        w->random = w->random * UINT64_C(6364136223846793005) + 1;
        ((uint8_t *)to)[i] = (uint8_t)(w->random >> 56);
    }
    w->random_bytes += size;
    return true;
}

/* The host's file: not a whole number of blocks, nor of sectors. */
#define WORLD_FILE_SIZE 0x40123u

static inline uint8_t world_file_byte(uint64_t at)
{
    return (uint8_t)(at * 2654435761u >> 13);
}

static inline bool world_open_file(void *context, const char *path, uint64_t *size, struct error *e)
{
    (void)context;
    *size = WORLD_FILE_SIZE;
    return strcmp(path, "missing") != 0 || error_set(e, "there is no file '%s'", path);
}

static inline bool world_read_file(void *context, unsigned channel, const char *path,
                                   uint64_t offset, void *to, size_t size)
{
    struct world *w = context;
    (void)channel, (void)path;
    ck_assert(size && size <= VDEV_RANGE_MAX && range_inside(offset, size, WORLD_FILE_SIZE));
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)to)[i] = world_file_byte(offset + i);
    w->file_bytes_read += size;
    return !w->file_is_lost;
}

static inline uint8_t *world_store_at(const struct vdev_store *s, uint64_t offset, size_t size,
                                      bool for_write)
{
    struct world *w = s->context;
    ck_assert(range_inside(offset, size, s->size));
    w->store_changes += for_write;
    return w->store + offset;
}

/* What the assembly does for types that keep something. A disk that nobody names is one. */
static inline bool world_give_store(struct world *w, struct error *e)
{
    struct vdev *v = w->v;
    if (!v->type->store)
        return true;
    if (!vdev_option_find(v, "hostdev"))
        w->options[v->option_count++] = (struct vdev_option){"hostdev", "disk", "test", 1};
    if (!v->type->store(v, &v->store.size, e))
        return false;
    w->store = calloc(1, v->store.size + 1);
    ck_assert_ptr_nonnull(w->store);
    v->store.at = world_store_at;
    v->store.context = w;
    return true;
}

static inline void world_send_frame(void *context, unsigned channel, const struct vdev_frame *f)
{
    struct world *w = context;
    (void)channel;
    bytes_put_int(&w->sent, f->size, 4);
    bytes_put(&w->sent, &f->work, sizeof f->work);
    bytes_put(&w->sent, f->data, f->size);
}

static inline bool world_link_is_up(void *context, unsigned channel)
{
    struct world *w = context;
    (void)channel;
    return !w->link_is_down;
}

static inline void world_frames_wanted(void *context, unsigned channel)
{
    struct world *w = context;
    (void)channel;
    w->frames_wanted++;
}

/* Of the worlds that are opened next: emu/machine.h. */
static uint32_t world_quirks;

static inline bool world_try_type(struct world *w, const struct vdev_type *t, unsigned vcpus,
                                  const char *const *options, struct error *e)
{
    memset(w, 0, sizeof *w);
    w->exit_status = -1;
    w->vtime.rate_hz = 1000000000;
    w->env = (struct vdev_env){.vtime = &w->vtime,
                               .events = &w->events,
                               .vm_name = "vm1",
                               .vcpu_count = vcpus,
                               .wall_clock_s = 1700000000,
                               .quirks = world_quirks,
                               .output = world_output,
                               .send_frame = world_send_frame,
                               .link_is_up = world_link_is_up,
                               .frames_wanted = world_frames_wanted,
                               .request_exit = world_exit,
                               .request_dump = world_dump,
                               .entropy = world_entropy,
                               .open_file = world_open_file,
                               .read_file = world_read_file,
                               .context = w};
    struct vdev *v = calloc(1, t->size);
    ck_assert_ptr_nonnull(v);
    w->v = v;
    v->type = t;
    v->env = &w->env;
    if (t->masters)
        v->dma = world_port(w);
    strncpy(v->name, t->name, sizeof v->name - 1);
    v->loc = t->default_loc ? t->default_loc : 0x1c090000;
    v->irq = (struct wire){.set = world_wire, .context = w, .line = 37};
    v->irq_line = 37;
    v->more_channels = WORLD_MORE_CHANNELS;
    v->options = w->options;
    for (; options && *options; options += 2)
        w->options[v->option_count++] = (struct vdev_option){options[0], options[1], "test", 1};
    if (!world_give_store(w, e) || !vdev_create(v, e))
        return false;
    if (t->pic)
        pic_connect(pic_of(v), (struct pic_outputs){world_signal, w});
    return bus_add(&w->bus, v, e);
}

/* `options`: name, value, name, value, ..., NULL; or NULL for none. False if create refuses. */
static inline bool world_try(struct world *w, const char *type, unsigned vcpus,
                             const char *const *options, struct error *e)
{
    const struct vdev_type *t = vdev_type_find(type);
    ck_assert_ptr_nonnull(t);
    return world_try_type(w, t, vcpus, options, e);
}

static inline void world_open(struct world *w, const char *type, unsigned vcpus,
                              const char *const *options)
{
    struct error e = {0};
    ck_assert_msg(world_try(w, type, vcpus, options, &e), "%s", e.text);
}

static inline void world_close(struct world *w)
{
    if (w->v->type->destroy)
        w->v->type->destroy(w->v);
    bus_free(&w->bus);
    free(w->store);
    bytes_free(&w->sent);
    free(w->v);
}

static inline void world_advance(struct world *w, uint64_t ticks)
{
    uint64_t end = vtime_ticks(&w->vtime) + ticks;
    while (event_next(&w->events) <= end) {
        w->vtime.idle_ticks += event_next(&w->events) - vtime_ticks(&w->vtime);
        event_fire_due(&w->events, vtime_ticks(&w->vtime));
    }
    w->vtime.idle_ticks += end - vtime_ticks(&w->vtime);
}

/* Accesses by offset in a region; they must be handled. */
static inline void put_as(struct world *w, unsigned vcpu, unsigned region, uint64_t offset,
                          uint8_t size, uint64_t value)
{
    struct bus_access a = {.value = value, .size = size, .is_write = true, .vcpu = (uint8_t)vcpu};
    ck_assert_int_eq(bus_access(&w->bus, (gpa_t){w->v->regions[region].base + offset}, &a),
                     BUS_HANDLED);
}

static inline uint64_t get_as(struct world *w, unsigned vcpu, unsigned region, uint64_t offset,
                              uint8_t size)
{
    struct bus_access a = {.size = size, .vcpu = (uint8_t)vcpu};
    ck_assert_int_eq(bus_access(&w->bus, (gpa_t){w->v->regions[region].base + offset}, &a),
                     BUS_HANDLED);
    return a.value;
}

static inline enum bus_answer try_access(struct world *w, unsigned region, uint64_t offset,
                                         uint8_t size, bool is_write)
{
    struct bus_access a = {.size = size, .is_write = is_write};
    return bus_access(&w->bus, (gpa_t){w->v->regions[region].base + offset}, &a);
}

static inline void put(struct world *w, uint64_t offset, uint64_t value)
{
    put_as(w, 0, 0, offset, 4, value);
}

static inline uint64_t get(struct world *w, uint64_t offset)
{
    return get_as(w, 0, 0, offset, 4);
}

/* A describer that writes the tree as text, one property a line. */
struct tree_text {
    char text[4096];
};

static inline void tree_add(struct tree_text *t, const char *s)
{
    strncat(t->text, s, sizeof t->text - strlen(t->text) - 1);
}

static inline void tree_begin(void *context, const char *name)
{
    tree_add(context, name);
    tree_add(context, " {\n");
}

static inline void tree_end(void *context)
{
    tree_add(context, "}\n");
}

static inline void tree_cells(void *context, const char *property, const uint32_t *cells,
                              size_t count)
{
    char cell[16];
    tree_add(context, property);
    tree_add(context, " = <");
    for (size_t i = 0; i < count; i++) {
        snprintf(cell, sizeof cell, i ? " %x" : "%x", (unsigned)cells[i]);
        tree_add(context, cell);
    }
    tree_add(context, ">\n");
}

static inline void tree_strings(void *context, const char *property, const char *strings,
                                size_t size)
{
    tree_add(context, property);
    for (size_t i = 0; i < size; i += strlen(strings + i) + 1) {
        tree_add(context, i ? ", " : " = ");
        tree_add(context, strings + i);
    }
    tree_add(context, "\n");
}

static inline void tree_empty(void *context, const char *property)
{
    tree_add(context, property);
    tree_add(context, "\n");
}

/* Of the controller that a device's interrupt goes to. */
static inline size_t tree_line_cells(const struct pic *pic, unsigned line, bool is_edge,
                                     uint32_t *cells)
{
    (void)pic;
    cells[0] = 0;
    cells[1] = line - 32;
    cells[2] = is_edge ? 1 : 4;
    return 3;
}

static inline void tree_of(struct vdev *v, struct tree_text *t)
{
    static const struct pic_type pic_type = {.cells = tree_line_cells};
    static const struct vdev_type type = {.pic = &pic_type};
    static const struct pic pic = {.v = {.type = &type}};
    struct describer d = {tree_begin, tree_end, tree_cells, tree_strings, tree_empty, t, &pic, 0};
    t->text[0] = '\0';
    v->type->describe(v, &d);
}

#endif
