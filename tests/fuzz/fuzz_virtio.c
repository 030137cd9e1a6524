/* Fuzzes virtio devices by a driver that does anything. An input is which device, what is
 * negotiated, and what the driver does then: registers, memory, descriptors, chains, notifications;
 * and what happens around it: time, input, pages that come and go, a host file that is lost. What
 * one of these makes the device do is bounded. It is run twice, the second time on devices that are
 * saved and restored on the way: both end the same. */
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "emu/hash.h"
#include "emu/state.h"
#include "tests/fuzz/fuzz.h"
#include "vdev/bus.h"
#include "vdev/virtio/virtio.h"

#define RAM       0x40000000u
#define FILE_SIZE 0x40123u
enum { PAGES = 16, AREAS = 6, REGISTERS = 0x200 };
/* Translations that one step of the driver may cost. The longest is 256 requests to a disk of 4096
 * descriptors each, all of them buffers of a page or less. */
enum { STEP_MAX = 4 << 20 };
#define RAM_SIZE ((size_t)PAGES * PAGE_SIZE)

/* The last one has a queue of control, and more ports. */
enum { OPTIONS = 3 };
static const struct subject {
    const char *type;
    struct vdev_option options[OPTIONS];
    size_t option_count;
} subjects[] = {
    {"virtio-console", {{0}}, 0},
    {"virtio-entropy", {{0}}, 0},
    {"virtio-blk", {{"hostdev", "disk", "fuzz", 1}}, 1},
    {"virtio-net", {{0}}, 0},
    {"virtio-console",
     {{"port", "a", "fuzz", 1}, {"port", "b", "fuzz", 2}, {"size", "80x24", "fuzz", 3}},
     OPTIONS},
};
#define SUBJECTS (sizeof subjects / sizeof subjects[0])

static struct world {
    struct vtime vtime;
    struct event_queue events;
    struct vdev_env env;
    const struct subject *subject;
    struct vdev *v;
    uint8_t ram[RAM_SIZE];
    bool refused[PAGES];
    uint64_t generation, steps, random, sum; /* of all that came out */
    bool file_is_lost, is_packed;
    /* Where the driver believes that it is in each packed ring. */
    unsigned slot[AREAS];
    bool wrap[AREAS];
    uint8_t *store;
} w;

static void note(uint64_t x)
{
    w.sum = (w.sum ^ x) * UINT64_C(0x9e3779b97f4a7c15);
    w.sum ^= w.sum >> 29;
}

/* The world --------------------------------------------------------------------------------------
 */

static void on_wire(void *context, unsigned line, bool level)
{
    (void)context, (void)line;
    note(level);
}

static void on_output(void *context, unsigned channel, const void *data, size_t size)
{
    (void)context;
    note(channel);
    note(hash_fast(data, size).low);
}

static void on_frame(void *context, unsigned channel, const struct vdev_frame *f)
{
    CHECK(f->size && f->size <= VDEV_FRAME_MAX);
    note(f->work.needs_checksum + 2 * f->work.segments);
    on_output(context, channel, f->data, f->size);
}

static bool on_link(void *context, unsigned channel)
{
    (void)context, (void)channel;
    return true;
}

static void on_wanted(void *context, unsigned channel)
{
    (void)context, (void)channel;
    note(1);
}

static bool on_entropy(void *context, void *to, size_t size)
{
    (void)context;
    CHECK(size && size <= 256);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)to)[i] = (uint8_t)((w.random = w.random * 6364136223846793005u + 1) >> 56);
    return true;
}

static bool on_open(void *context, const char *path, uint64_t *size, struct error *e)
{
    (void)context, (void)path, (void)e;
    *size = FILE_SIZE;
    return true;
}

static bool on_read(void *context, unsigned channel, const char *path, uint64_t offset, void *to,
                    size_t size)
{
    (void)context, (void)channel, (void)path;
    CHECK(size && size <= VDEV_RANGE_MAX && range_inside(offset, size, FILE_SIZE));
    memset(to, (int)(offset >> 9), size);
    return !w.file_is_lost;
}

static uint8_t *on_store(const struct vdev_store *s, uint64_t offset, size_t size, bool for_write)
{
    (void)for_write;
    CHECK(range_inside(offset, size, s->size));
    return w.store + offset;
}

static bool refuse(struct dma_fault *fault, uint64_t at)
{
    *fault =
        (struct dma_fault){.kind = DMA_FAULT_TRANSLATION, .at = {at}, .where = "the fuzzer's port"};
    return false;
}

static bool translate(uint64_t at, enum dma_kind kind, struct dma_fault *fault)
{
    uint64_t page = (at - RAM) >> PAGE_BITS;
    CHECK(w.steps++ < STEP_MAX);
    return (page < PAGES && !w.refused[page] && (kind == DMA_READ || page < PAGES - 2)) ||
           refuse(fault, at);
}

static size_t on_map(const struct dma_port *p, iova_t at, uint64_t size, enum dma_kind kind,
                     struct dma_span *spans, size_t room, struct dma_fault *fault)
{
    size_t count = 0;
    (void)p;
    for (uint64_t done = 0, part; done < size; done += part) {
        uint64_t from = at.v + done, rest = PAGE_SIZE - (from & PAGE_MASK);
        part = rest < size - done ? rest : size - done;
        if (!translate(from, kind, fault))
            return 0;
        if (count < room)
            spans[count++] = (struct dma_span){w.ram + (from - RAM), part, from - RAM};
    }
    return count;
}

static void on_write(const struct dma_port *p, uint64_t place, uint64_t size)
{
    (void)p;
    CHECK(range_inside(place, size, RAM_SIZE));
}

/* The device -------------------------------------------------------------------------------------
 */

static void make_device(void)
{
    const struct vdev_type *type = vdev_type_find(w.subject->type);
    struct error e = {0};
    struct vdev *v = calloc(1, type->size);
    CHECK(v);
    w.v = v;
    v->type = type;
    v->env = &w.env;
    v->loc = 0x1c090000;
    v->irq = (struct wire){.set = on_wire};
    v->dma = (struct dma_port){.read = dma_read_by_map,
                               .write = dma_write_by_map,
                               .map = on_map,
                               .before_write = on_write,
                               .generation = &w.generation,
                               .substream = DMA_NO_SUBSTREAM};
    v->more_channels = 64;
    v->options = w.subject->options;
    v->option_count = w.subject->option_count;
    if (type->store) {
        CHECK(type->store(v, &v->store.size, &e));
        v->store.at = on_store;
    }
    CHECK(vdev_create(v, &e));
}

static void free_device(void)
{
    if (w.v->type->destroy)
        w.v->type->destroy(w.v);
    free(w.v);
}

static void begin(const struct subject *subject)
{
    memset(&w, 0, sizeof w);
    w.subject = subject;
    w.vtime.rate_hz = 1000000000;
    w.env = (struct vdev_env){.vtime = &w.vtime,
                              .events = &w.events,
                              .vm_name = "vm",
                              .vcpu_count = 1,
                              .output = on_output,
                              .send_frame = on_frame,
                              .link_is_up = on_link,
                              .frames_wanted = on_wanted,
                              .entropy = on_entropy,
                              .open_file = on_open,
                              .read_file = on_read};
    make_device();
    if (w.v->type->store) {
        w.store = calloc(1, w.v->store.size);
        CHECK(w.store);
    }
}

/* What is restored is what was saved, and does what that would have done. */
static void exchange(void)
{
    const struct vdev_type *type = w.v->type;
    struct bytes saved = {0}, again = {0};
    uint64_t sum = w.sum;
    struct state s = state_saving(&saved);
    vdev_visit(w.v, &s);
    free_device();
    make_device();
    struct reader in = reader_of(saved.data, saved.size);
    s = state_restoring(&in);
    vdev_visit(w.v, &s);
    CHECK(state_is_good(&s));
    type->restored(w.v);
    s = state_saving(&again);
    vdev_visit(w.v, &s);
    CHECK(again.size == saved.size && memcmp(again.data, saved.data, saved.size) == 0);
    bytes_free(&saved);
    bytes_free(&again);
    w.sum = sum; /* restoring sets wires */
}

/* The driver -------------------------------------------------------------------------------------
 */

static const uint8_t *input;
static size_t left;

static uint64_t take(size_t size)
{
    uint8_t bytes[8] = {0};
    size_t there = size < left ? size : left;
    memcpy(bytes, input, there);
    input += there;
    left -= there;
    return load_le(bytes, size);
}

static void access_register(uint64_t offset, uint8_t size, bool is_write, uint64_t value)
{
    struct bus_access a = {
        .offset = offset % REGISTERS, .size = size, .is_write = is_write, .value = value};
    note(w.v->type->access(w.v, 0, &a));
    if (!is_write)
        note(a.value);
}

static void set_register(uint64_t offset, uint64_t value)
{
    access_register(offset, 4, true, value);
}

/* Of a console, that it has ports and a window. */
static uint64_t of_console(void)
{
    struct bus_access a = {.offset = 0x10, .size = 4};
    set_register(0x14, 0);
    w.v->type->access(w.v, 0, &a);
    return w.v->type->input ? a.value & 3 : 0;
}

/* 3.1.1, and as many queues as there are, whose areas are in a page each. */
static void drive(void)
{
    unsigned size = 1u << take(1) % 9;
    uint64_t wanted = take(1), features = VIRTIO_F_VERSION_1;
    w.is_packed = wanted & 1;
    features |= (wanted & 1 ? VIRTIO_F_RING_PACKED : 0) |
                (wanted & 2 ? VIRTIO_F_INDIRECT_DESC : 0) | (wanted & 4 ? VIRTIO_F_EVENT_IDX : 0) |
                (wanted & 8 ? VIRTIO_F_RING_RESET : 0) | (wanted & 16 ? take(4) : 0) |
                (wanted & 32 ? of_console() : 0);
    set_register(0x70, 0);
    set_register(0x70, 3);
    for (unsigned half = 0; half < 2; half++) {
        set_register(0x24, half);
        set_register(0x20, (uint32_t)(features >> 32 * half));
    }
    set_register(0x70, 11);
    for (unsigned i = 0; i < AREAS; i++) {
        set_register(0x30, i);
        set_register(0x38, size);
        set_register(0x80, RAM + i * PAGE_SIZE);
        set_register(0x90, RAM + i * PAGE_SIZE + (w.is_packed ? 0xff0 : 0x400));
        set_register(0xa0, RAM + (w.is_packed ? i * PAGE_SIZE + 0xff8 : (AREAS + i) * PAGE_SIZE));
        set_register(0x44, 1);
        w.slot[i] = 0;
        w.wrap[i] = true;
    }
    set_register(0x70, 15);
}

static struct virtqueue *queue_of(unsigned number)
{
    return &((struct virtio_device *)(void *)w.v)->queues[number % VIRTIO_QUEUES_MAX];
}

static uint64_t somewhere(void)
{
    uint64_t x = take(2);
    return (RAM + x) ^ (x == 0xffff ? take(8) : 0);
}

/* In a ring, or in a table for an indirect descriptor. */
static void put_descriptor(size_t at, unsigned flags)
{
    uint64_t address = somewhere(), size = take(2), next = take(1);
    uint8_t *d = w.ram + at % (RAM_SIZE - 16);
    store_le(d, address, 8);
    store_le(d + 8, size == 0xffff ? take(4) : size, 4);
    store_le(d + 12, w.is_packed ? next : flags, 2);
    store_le(d + 14, w.is_packed ? flags : next, 2);
}

/* The next descriptor of a packed ring becomes available; of a split queue any chain does. */
static void make_available(unsigned number)
{
    struct virtqueue *q = queue_of(number);
    unsigned i = number % AREAS, size = q->size ? q->size : 1;
    uint8_t *ring = w.ram + i * PAGE_SIZE + 0x400;
    uint64_t index = load_le(ring + 2, 2), head = take(1);
    if (!w.is_packed) {
        store_le(ring + 4 + 2 * (index % size % 256), head % size, 2);
        store_le(ring + 2, index + 1, 2);
        return;
    }
    put_descriptor(i * PAGE_SIZE + 16 * (w.slot[i] % 256),
                   (head & 7) | (w.wrap[i] ? 1u << 7 : 1u << 15));
    w.slot[i] = (w.slot[i] + 1) % size;
    w.wrap[i] ^= w.slot[i] == 0;
}

static void arrive(void)
{
    static uint8_t data[2000];
    const struct vdev_type *type = w.v->type;
    size_t size = 1 + take(2) % sizeof data;
    if (type->resize && size % 8 == 0)
        type->resize(w.v, (uint16_t)size, (uint16_t)(size >> 1));
    if (type->input)
        note(type->input(w.v, (unsigned)size % w.v->port_count, data, size));
    if (type->frame)
        note(type->frame(w.v, &(struct vdev_frame){.data = data, .size = size}));
}

static void pass_time(void)
{
    uint64_t end = vtime_ticks(&w.vtime) + take(3);
    while (event_next(&w.events) <= end) {
        w.vtime.idle_ticks += event_next(&w.events) - vtime_ticks(&w.vtime);
        event_fire_due(&w.events, vtime_ticks(&w.vtime));
    }
    w.vtime.idle_ticks += end - vtime_ticks(&w.vtime);
}

static void change_memory(void)
{
    size_t at = take(2), size = take(1) % 32;
    for (size_t i = 0; i < size; i++)
        w.ram[(at + i) % RAM_SIZE] = (uint8_t)take(1);
}

static void change_page(void)
{
    w.refused[take(1) % PAGES] ^= true;
    w.generation++;
}

static void one_step(bool exchanges)
{
    uint64_t what = take(1), x = take(1);
    w.steps = 0;
    switch (what % 16) {
    case 0:
        drive();
        break;
    case 1:
        change_memory();
        break;
    case 2:
        change_page();
        break;
    case 3:
        pass_time();
        break;
    case 4:
        access_register(x * 4, (uint8_t)(1u << what / 16 % 4), true, take(4));
        break;
    case 5:
        access_register(x * 2, (uint8_t)(1u << what / 16 % 4), false, 0);
        break;
    case 6:
        w.file_is_lost ^= x == 0;
        break;
    case 7:
        if (exchanges)
            exchange();
        break;
    case 8:
        arrive();
        break;
    case 9:
    case 10:
        put_descriptor(x % AREAS * PAGE_SIZE + 16 * (x / AREAS), what / 16 & 7);
        break;
    case 11:
    case 12:
    case 13:
        make_available((unsigned)x % AREAS);
        break;
    default:
        set_register(0x50, x % AREAS);
        set_register(0x64, what / 16);
        break;
    }
}

static uint64_t run(const uint8_t *data, size_t size, bool exchanges)
{
    input = data;
    left = size;
    begin(&subjects[take(1) % SUBJECTS]);
    while (left)
        one_step(exchanges);
    on_output(NULL, 0, w.ram, sizeof w.ram);
    if (w.store)
        on_output(NULL, 0, w.store, w.v->store.size);
    free_device();
    free(w.store);
    return w.sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t once = run(data, size, false);
    CHECK(once == run(data, size, true));
    return 0;
}

/* Where the chains of a seed lead to: messages that open each port of a console. */
static void put_messages(struct bytes *out)
{
    static const uint8_t events[] = {0, 3, 6, 3, 6, 6};
    for (unsigned i = 0; i < sizeof events; i++) {
        bytes_put_int(out, 1, 2); /* change memory */
        bytes_put_int(out, 0x8000 + 0x100 * i, 2);
        bytes_put_int(out, 8, 1);
        bytes_put_int(out, i / 2, 4);
        bytes_put_int(out, events[i], 2);
        bytes_put_int(out, 1, 2);
    }
}

/* Of each device a driver of each format, which gives it some chains of some buffers. */
bool fuzz_seed(unsigned number, struct bytes *out)
{
    if (number >= 2 * SUBJECTS)
        return false;
    bytes_put_int(out, number / 2, 1);
    bytes_put_int(out, 0x00, 2); /* drive */
    bytes_put_int(out, 4, 1);
    bytes_put_int(out, 6 | 32 | (number & 1), 1);
    for (unsigned queue = 0; queue < AREAS; queue++) {
        put_messages(out);
        for (unsigned i = 0; i < 6; i++) {
            unsigned flags = i % 2 ? 2 : 1;
            bytes_put_int(out, 9 | flags << 4, 1);
            bytes_put_int(out, queue + AREAS * i, 1);
            bytes_put_int(out, 0x8000 + 0x100 * i, 2);
            bytes_put_int(out, 0x40, 2);
            bytes_put_int(out, i + 1, 1);
            bytes_put_int(out, 11, 1);
            bytes_put_int(out, queue, 1);
            bytes_put_int(out, number & 1 ? flags : i, 1);
            if (number & 1) {
                bytes_put_int(out, 0x8000 + 0x100 * i, 2);
                bytes_put_int(out, 0x40, 2);
                bytes_put_int(out, i, 1);
            }
        }
        bytes_put_int(out, 0x1e, 1); /* notify and acknowledge */
        bytes_put_int(out, queue, 1);
        bytes_put_int(out, 7, 2);  /* exchange */
        bytes_put_int(out, 8, 2);  /* input */
        bytes_put_int(out, 64, 2); /* of so many bytes */
        bytes_put_int(out, 3, 2);  /* time */
        bytes_put_int(out, 100000, 3);
    }
    return true;
}
