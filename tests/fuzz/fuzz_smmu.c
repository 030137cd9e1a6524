/* Fuzzes an SMMU: whatever is in its tables and queues, and whatever its driver and the devices
 * behind it do. An input is a list of steps: stores into a little memory that has tables, queues
 * and data alike, writes of registers, accesses of devices. What a device holds by a mapping must
 * be what it reads. */
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "emu/state.h"
#include "tests/fuzz/fuzz.h"
#include "vdev/smmu/smmu.h"

#define AT   UINT64_C(0x40000000)
#define SIZE UINT64_C(0x10000)

static uint8_t memory[SIZE];
static uint64_t generation;

static bool is_memory(uint64_t at, uint64_t size)
{
    return at >= AT && range_inside(at - AT, size, SIZE);
}

static bool refuse(struct dma_fault *fault, iova_t at)
{
    fault->kind = DMA_FAULT_BUS;
    fault->at = at;
    return false;
}

static bool port_read(const struct dma_port *p, iova_t from, void *to, uint64_t size,
                      struct dma_fault *fault)
{
    (void)p;
    if (!is_memory(from.v, size))
        return refuse(fault, from);
    memcpy(to, memory + (from.v - AT), (size_t)size);
    return true;
}

static bool port_write(const struct dma_port *p, iova_t to, const void *from, uint64_t size,
                       struct dma_fault *fault)
{
    (void)p;
    if (!is_memory(to.v, size))
        return refuse(fault, to);
    memcpy(memory + (to.v - AT), from, (size_t)size);
    return true;
}

static size_t port_map(const struct dma_port *p, iova_t at, uint64_t size, enum dma_kind kind,
                       struct dma_span *spans, size_t room, struct dma_fault *fault)
{
    (void)p, (void)kind;
    if (!is_memory(at.v, size) || !room)
        return refuse(fault, at), 0;
    spans[0] = (struct dma_span){memory + (at.v - AT), size, at.v};
    return 1;
}

static void port_before_write(const struct dma_port *p, uint64_t place, uint64_t size)
{
    (void)p;
    CHECK(is_memory(place, size));
}

static void port_changed(const struct dma_port *p)
{
    (void)p;
    generation++;
}

/* Steps -------------------------------------------------------------------------------------------
 */

enum { STORE, FILL, WRITE, READ, DEVICE_READ, DEVICE_WRITE, MAPPED, RESTORE, KINDS };

static uint64_t take(struct reader *in, size_t size)
{
    return reader_int(in, size);
}

static void access_register(struct vdev *v, struct reader *in, bool is_write)
{
    uint64_t where = take(in, 2);
    struct bus_access a = {.offset = (where & 0x3ff) * 4 + (where >> 15 ? 0x10000 : 0),
                           .size = where >> 14 & 1 ? 8 : 4,
                           .is_write = is_write};
    if (is_write)
        a.value = take(in, a.size);
    a.offset &= ~(uint64_t)(a.size - 1);
    v->type->access(v, 0, &a);
}

static void read_mapped(struct dma_port *p, struct dma_mapping *m, struct reader *in)
{
    struct dma_fault fault;
    uint8_t held[16], fresh[16];
    uint64_t offset = take(in, 2) & 0xff0;
    if (take(in, 1) & 1)
        dma_mapping_set(m, (iova_t){take(in, 6)}, 8192, DMA_READ);
    bool ok = dma_mapped_read(m, p, offset, held, sizeof held, &fault);
    bool same = dma_read(p, (iova_t){m->at.v + offset}, fresh, sizeof fresh, &fault);
    /* Between both nothing was invalidated; what was not there then may be kept now. */
    CHECK(!ok || (same && memcmp(held, fresh, sizeof held) == 0));
}

static void restore(struct vdev *v)
{
    struct bytes saved = {0};
    struct state out = state_saving(&saved);
    state_fields(&out, v->type->fields, v);
    struct reader again = reader_of(saved.data, saved.size);
    struct state back = state_restoring(&again);
    state_fields(&back, v->type->fields, v);
    CHECK(state_is_good(&back));
    v->type->restored(v);
    bytes_free(&saved);
}

static void step(struct vdev *v, struct dma_port *p, struct dma_mapping *m, struct reader *in)
{
    struct dma_fault fault;
    uint8_t bytes[64] = {0};
    uint64_t at;
    switch (take(in, 1) % KINDS) {
    case STORE:
        at = take(in, 2) & 0xfff8;
        store_le(memory + at, take(in, 8), 8);
        break;
    case FILL: /* a row of descriptors */
        at = take(in, 2) & 0xf000;
        for (uint64_t value = take(in, 8), i = 0; i < 512; i++)
            store_le(memory + at + 8 * i, value + (i << 12 & 0xf000), 8);
        break;
    case WRITE:
        access_register(v, in, true);
        break;
    case READ:
        access_register(v, in, false);
        break;
    case DEVICE_READ:
        p->stream = (uint32_t)take(in, 1) & 0x1f;
        p->substream = take(in, 1) & 1 ? (uint32_t)take(in, 1) : DMA_NO_SUBSTREAM;
        dma_read(p, (iova_t){take(in, 8)}, bytes, sizeof bytes, &fault);
        break;
    case DEVICE_WRITE:
        p->stream = (uint32_t)take(in, 1) & 0x1f;
        dma_write(p, (iova_t){take(in, 8)}, bytes, sizeof bytes, &fault);
        break;
    case MAPPED:
        p->stream = 1;
        p->substream = DMA_NO_SUBSTREAM;
        read_mapped(p, m, in);
        break;
    case RESTORE:
        restore(v);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct log log = {0};
    static const struct vdev_env env = {.log = &log};
    struct reader in = reader_of(data, size);
    const struct vdev_type *type = take(&in, 1) & 1 ? &smmu_board_type : &smmuv3_type;
    struct error e = {0};
    struct vdev *v = calloc(1, type->size);
    CHECK_ROOM(v);
    memset(memory, 0, sizeof memory);
    v->type = type;
    v->env = &env;
    v->dma = (struct dma_port){.read = port_read,
                               .write = port_write,
                               .map = port_map,
                               .before_write = port_before_write,
                               .changed = port_changed,
                               .generation = &generation};
    CHECK(type->create(v, &e));
    struct dma_port p = type->stream_port(v, 1, DMA_NO_SUBSTREAM);
    struct dma_mapping m;
    dma_mapping_set(&m, (iova_t){AT}, 8192, DMA_READ);
    while (!reader_at_end(&in) && !in.failed)
        step(v, &p, &m, &in);
    free(v);
    return 0;
}

/* Seeds -------------------------------------------------------------------------------------------
 */

static void put_store(struct bytes *out, uint64_t at, uint64_t value)
{
    bytes_put_int(out, STORE, 1);
    bytes_put_int(out, at, 2);
    bytes_put_int(out, value, 8);
}

static void put_write(struct bytes *out, uint64_t offset, unsigned size, uint64_t value)
{
    uint64_t page1 = offset >= 0x10000;
    bytes_put_int(out, WRITE, 1);
    bytes_put_int(out, (offset & 0xfff) / 4 | (uint64_t)(size == 8) << 14 | page1 << 15, 2);
    bytes_put_int(out, value, size);
}

/* Stream 1, at stage 1, 2 or both, with tables that map whatever they are asked for. */
bool fuzz_seed(unsigned number, struct bytes *out)
{
    enum { STREAMS = 0x1000, CD = 0x2000, FIRST = 0x3000, SECOND = 0x4000, COMMANDS = 0x5000 };
    if (number > 3)
        return false;
    bytes_put_int(out, number != 3, 1);
    put_store(out, STREAMS + 64, (uint64_t)(number == 3 ? 5 : 5 + number) << 1 | 1 | (AT + CD));
    put_store(out, STREAMS + 80, UINT64_C(0x040d005800000009));
    put_store(out, STREAMS + 88, AT + SECOND);
    put_store(out, CD, UINT64_C(0x00076205c0000019));
    put_store(out, CD + 8, AT + FIRST);
    bytes_put_int(out, FILL, 1); /* stage 1: blocks of 1 GiB... */
    bytes_put_int(out, FIRST, 2);
    bytes_put_int(out, UINT64_C(0x40000f45), 8);
    bytes_put_int(out, FILL, 1);
    bytes_put_int(out, SECOND, 2);
    bytes_put_int(out, UINT64_C(0x400004fd), 8);
    put_write(out, 0x80, 8, AT + STREAMS);
    put_write(out, 0x88, 4, 5);
    put_write(out, 0x90, 8, (AT + COMMANDS) | 4);
    put_write(out, 0xa0, 8, (AT + 0x6000) | 4);
    put_write(out, 0x20, 4, 0xd);
    for (unsigned i = 0; i < 3; i++) {
        bytes_put_int(out, DEVICE_READ, 1);
        bytes_put_int(out, 1, 1);
        bytes_put_int(out, 0, 1);
        bytes_put_int(out, AT + 0x7fe0 + 0x1000 * i, 8);
        bytes_put_int(out, MAPPED, 1);
        bytes_put_int(out, 0x100, 2);
        bytes_put_int(out, 0, 1);
    }
    put_store(out, COMMANDS, 0x30);
    put_store(out, COMMANDS + 16, 0x46);
    put_write(out, 0x98, 4, 2);
    bytes_put_int(out, RESTORE, 1);
    return true;
}
