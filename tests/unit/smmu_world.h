/* A board's SMMU over a little memory of its own, programmed as a driver does: for suites. */
#ifndef SMMU_WORLD_H
#define SMMU_WORLD_H

#include "emu/bytes.h"
#include "mmu/smmu/smmu_tables.h"
#include "test_vdev_fixture.h"
#include "vdev/smmu/smmu.h"

#define MEMORY_AT   UINT64_C(0x80000000)
#define MEMORY_SIZE (UINT64_C(2) << 20)
#define NOWHERE     (MEMORY_AT + MEMORY_SIZE) /* an abort */

enum { STRTAB = 0x80, STRTAB_CFG = 0x88, CMDQ = 0x90, CMDQ_PROD = 0x98, CMDQ_CONS = 0x9c };
enum { EVENTQ = 0xa0, EVENTQ_PROD = 0x100a8, EVENTQ_CONS = 0x100ac };
enum { IDR0 = 0, IDR1 = 4, CR0 = 0x20, CR0ACK = 0x24, CR2 = 0x2c, GBPA = 0x44, IRQ_CTRL = 0x50 };
enum { GERROR = 0x60, GERRORN = 0x64, GERROR_IRQ = 0x68, EVENTQ_IRQ = 0xb0 };
enum { SMMUEN = 1, EVENTQEN = 4, CMDQEN = 8 };
enum { QUEUE_LOG2 = 3, STREAMS_LOG2 = 8 };

struct smmu_world {
    struct world w;
    uint8_t memory[MEMORY_SIZE];
    uint64_t next; /* free memory */
    uint64_t generation;
    uint64_t stream_table, commands, events;
    uint32_t produced, consumed; /* of commands, of events; with their wrap flags */
    unsigned accesses;           /* that the SMMU made by itself or for others */
    struct dma_port port;        /* of stream 1 */
};

static inline bool sw_is_memory(uint64_t at, uint64_t size)
{
    return at >= MEMORY_AT && range_inside(at - MEMORY_AT, size, MEMORY_SIZE);
}

static inline bool sw_refuse(struct dma_fault *fault, iova_t at)
{
    fault->kind = DMA_FAULT_BUS;
    fault->at = at;
    fault->where = "the board";
    return false;
}

static inline bool sw_read(const struct dma_port *p, iova_t from, void *to, uint64_t size,
                           struct dma_fault *fault)
{
    struct smmu_world *s = p->context;
    s->accesses++;
    if (!sw_is_memory(from.v, size))
        return sw_refuse(fault, from);
    memcpy(to, s->memory + (from.v - MEMORY_AT), size);
    return true;
}

static inline bool sw_write(const struct dma_port *p, iova_t to, const void *from, uint64_t size,
                            struct dma_fault *fault)
{
    struct smmu_world *s = p->context;
    s->accesses++;
    if (!sw_is_memory(to.v, size))
        return sw_refuse(fault, to);
    memcpy(s->memory + (to.v - MEMORY_AT), from, size);
    return true;
}

static inline size_t sw_map(const struct dma_port *p, iova_t at, uint64_t size, enum dma_kind kind,
                            struct dma_span *spans, size_t room, struct dma_fault *fault)
{
    struct smmu_world *s = p->context;
    (void)kind;
    if (!sw_is_memory(at.v, size) || !room)
        return sw_refuse(fault, at), 0;
    spans[0] = (struct dma_span){s->memory + (at.v - MEMORY_AT), size, at.v};
    return 1;
}

static inline void sw_before_write(const struct dma_port *p, uint64_t place, uint64_t size)
{
    (void)p;
    if (!sw_is_memory(place, size))
        ck_abort_msg("a write nowhere is announced");
}

static inline void sw_changed(const struct dma_port *p)
{
    ((struct smmu_world *)p->context)->generation++;
}

static inline uint32_t sw_get32(struct smmu_world *s, uint64_t offset)
{
    struct bus_access a = {.offset = offset, .size = 4};
    ck_assert_int_eq(s->w.v->type->access(s->w.v, 0, &a), BUS_HANDLED);
    return (uint32_t)a.value;
}

static inline void sw_put(struct smmu_world *s, uint64_t offset, unsigned size, uint64_t value)
{
    struct bus_access a = {
        .offset = offset, .size = (uint8_t)size, .is_write = true, .value = value};
    if (s->w.v->type->access(s->w.v, 0, &a) != BUS_HANDLED)
        ck_abort_msg("no register at %#llx", (unsigned long long)offset);
}

static inline uint64_t sw_take(struct smmu_world *s, uint64_t size)
{
    s->next = (s->next + size - 1) & ~(size - 1);
    uint64_t at = s->next;
    s->next += size;
    if (!sw_is_memory(at, size))
        ck_abort_msg("the little memory is full");
    return at;
}

static inline void sw_store(struct smmu_world *s, uint64_t at, uint64_t value)
{
    store_le(s->memory + (at - MEMORY_AT), value, 8);
}

static inline uint64_t sw_load(struct smmu_world *s, uint64_t at)
{
    return load_le(s->memory + (at - MEMORY_AT), 8);
}

/* On, with a linear stream table of zeros, both queues, and RECINVSID. */
static inline void sw_open(struct smmu_world *s, const struct vdev_type *type)
{
    struct error e = {0};
    memset(s, 0, sizeof *s);
    ck_assert(world_try_type(&s->w, type, 1, NULL, &e));
    s->next = MEMORY_AT;
    s->w.v->dma = (struct dma_port){.read = sw_read,
                                    .write = sw_write,
                                    .map = sw_map,
                                    .before_write = sw_before_write,
                                    .changed = sw_changed,
                                    .generation = &s->generation,
                                    .context = s};
    s->stream_table = sw_take(s, UINT64_C(64) << STREAMS_LOG2);
    s->commands = sw_take(s, 16u << QUEUE_LOG2);
    s->events = sw_take(s, 32u << QUEUE_LOG2);
    sw_put(s, STRTAB, 8, s->stream_table);
    sw_put(s, STRTAB_CFG, 4, STREAMS_LOG2);
    sw_put(s, CMDQ, 8, s->commands | QUEUE_LOG2);
    sw_put(s, EVENTQ, 8, s->events | QUEUE_LOG2);
    sw_put(s, CR2, 4, 2);
    sw_put(s, CR0, 4, SMMUEN | EVENTQEN | CMDQEN);
    s->port = type->stream_port(s->w.v, 1, DMA_NO_SUBSTREAM);
}

static inline void sw_close(struct smmu_world *s)
{
    world_close(&s->w);
}

/* One command; GERROR. */
static inline uint32_t sw_command(struct smmu_world *s, uint64_t low, uint64_t high)
{
    uint64_t at = s->commands + 16u * (s->produced & ((1u << QUEUE_LOG2) - 1));
    sw_store(s, at, low);
    sw_store(s, at + 8, high);
    s->produced = (s->produced + 1) & ((2u << QUEUE_LOG2) - 1);
    sw_put(s, CMDQ_PROD, 4, s->produced);
    return sw_get32(s, GERROR);
}

static inline void sw_invalidate_all(struct smmu_world *s)
{
    sw_command(s, 0x04, 31);
    sw_command(s, 0x30, 0);
}

/* The next event record. False: there is none. */
static inline bool sw_event(struct smmu_world *s, struct smmu_event *event)
{
    uint32_t mask = (2u << QUEUE_LOG2) - 1;
    if ((sw_get32(s, EVENTQ_PROD) & mask) == s->consumed)
        return false;
    uint64_t at = s->events + 32u * (s->consumed & (mask >> 1));
    smmu_event_get(s->memory + (at - MEMORY_AT), event);
    s->consumed = (s->consumed + 1) & mask;
    sw_put(s, EVENTQ_CONS, 4, s->consumed | (sw_get32(s, EVENTQ_PROD) & 0x80000000u));
    return true;
}

/* STEs ------------------------------------------------------------------------------------------
 */

static inline uint64_t sw_ste_at(const struct smmu_world *s, uint32_t stream)
{
    return s->stream_table + 64 * (uint64_t)stream;
}

static inline void sw_set_ste(struct smmu_world *s, uint32_t stream, const uint64_t words[4])
{
    for (unsigned i = 0; i < 4; i++)
        sw_store(s, sw_ste_at(s, stream) + 8 * i, words[i]);
}

enum { CONFIG_S1 = 5, CONFIG_S2 = 6, CONFIG_NESTED = 7 };
/* VMID 9; 4 KiB granule, 40 bits of IPA from level 1 on, 48 of output; recorded. */
#define S2_WORD                                                                                    \
    (UINT64_C(9) | UINT64_C(24) << 32 | UINT64_C(1) << 38 | UINT64_C(5) << 48 |                    \
     UINT64_C(1) << 51 | UINT64_C(1) << 58)
/* Valid, 48-bit IPA, AArch64, faults recorded and aborted, ASID 7; 4 KiB granule, 39 bits from
 * level 1 on; nothing above. */
#define CD_WORD                                                                                    \
    (UINT64_C(25) | UINT64_C(1) << 30 | UINT64_C(1) << 31 | UINT64_C(5) << 32 |                    \
     UINT64_C(1) << 41 | UINT64_C(3) << 45 | UINT64_C(7) << 48)

static inline uint64_t sw_cd(struct smmu_world *s, uint64_t word, uint64_t ttb0)
{
    uint64_t at = sw_take(s, 64);
    sw_store(s, at, word);
    sw_store(s, at + 8, ttb0);
    sw_store(s, at + 24, 0xff);
    return at;
}

/* Tables ----------------------------------------------------------------------------------------
 */

/* Stage 1: AF, EL0 may access, not global. Stage 2: AF, read and write, Normal. */
#define LEAF1 (UINT64_C(1) << 10 | UINT64_C(1) << 6 | UINT64_C(1) << 11)
#define LEAF2 (UINT64_C(1) << 10 | UINT64_C(3) << 6 | UINT64_C(0xf) << 2)

/* Maps what is at `input` at that level (3: a page) of tables whose first, of level `start`, is at
 * `table`; where the descriptor is. */
static inline uint64_t sw_map_to(struct smmu_world *s, uint64_t table, unsigned granule, int start,
                                 int level, uint64_t input, uint64_t leaf)
{
    for (int i = start;; i++) {
        unsigned shift = granule + (unsigned)(3 - i) * (granule - 3);
        uint64_t at = table + 8 * (input >> shift & ((UINT64_C(1) << (granule - 3)) - 1));
        if (i == level) {
            sw_store(s, at, leaf | (i == 3 ? 3 : 1));
            return at;
        }
        if (!(sw_load(s, at) & 1))
            sw_store(s, at, sw_take(s, UINT64_C(1) << granule) | 3);
        table = sw_load(s, at) & UINT64_C(0xfffffffff000);
    }
}

#endif
