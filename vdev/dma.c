#include "vdev/dma.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/check.h"

/* How many spans a transfer takes at a time, and so many bytes always fit in, however scattered
 * their pages are. */
enum { SPANS_AT_ONCE = 17 };
#define BYTES_AT_ONCE ((SPANS_AT_ONCE - 1) * PAGE_SIZE)

static bool is_sound(iova_t at, uint64_t size, bool is_write, struct dma_fault *fault)
{
    *fault = (struct dma_fault){.at = at, .is_write = is_write};
    if (size && at.v <= UINT64_MAX - (size - 1))
        return true;
    fault->kind = DMA_FAULT_RANGE;
    fault->where = "the bus";
    return false;
}

void dma_tell_refused(const struct dma_port *p, const struct dma_fault *fault)
{
    if (p->watch)
        p->watch->refused(p->watch->context, p, fault);
}

static void begin(const struct dma_port *p)
{
    if (p->watch)
        p->watch->now = p;
}

static bool end(const struct dma_port *p, const struct dma_fault *fault, bool ok)
{
    if (!ok)
        dma_tell_refused(p, fault);
    if (p->watch)
        p->watch->now = NULL;
    return ok;
}

/* A device whose type does not say that it masters has no port. */
bool dma_read(const struct dma_port *p, iova_t from, void *to, uint64_t size,
              struct dma_fault *fault)
{
    CHECK(p->read);
    begin(p);
    bool ok = is_sound(from, size, false, fault) && p->read(p, from, to, size, fault);
    return end(p, fault, ok);
}

bool dma_write(const struct dma_port *p, iova_t to, const void *from, uint64_t size,
               struct dma_fault *fault)
{
    CHECK(p->write);
    begin(p);
    bool ok = is_sound(to, size, true, fault) && p->write(p, to, from, size, fault);
    return end(p, fault, ok);
}

const char *dma_fault_reason(enum dma_fault_kind kind)
{
    static const char *const reasons[] = {
        [DMA_FAULT_NONE] = "refuses nothing",        [DMA_FAULT_RANGE] = "has no such range",
        [DMA_FAULT_TRANSLATION] = "does not map it", [DMA_FAULT_PERMISSION] = "does not permit it",
        [DMA_FAULT_BUS] = "has no memory there",     [DMA_FAULT_STALLED] = "stalls it",
    };
    return reasons[kind];
}

void dma_fault_text(const struct dma_fault *f, char *text, size_t size)
{
    snprintf(text, size, "%s of iova %#" PRIx64 ": %s %s", f->is_write ? "write" : "read", f->at.v,
             f->where ? f->where : "the port", dma_fault_reason(f->kind));
}

/* Spans -------------------------------------------------------------------------------------------
 */

static void take(const struct dma_span *s, uint64_t offset, void *to, uint64_t size)
{
    memcpy(to, s->host + offset, (size_t)size);
}

static void put(const struct dma_port *p, const struct dma_span *s, uint64_t offset,
                const void *from, uint64_t size)
{
    p->before_write(p, s->place + offset, size);
    memcpy(s->host + offset, from, (size_t)size);
}

/* Bytes are taken to or put from `bytes`. The first look is at all of the range. What is left
 * behind its first spans comes in pieces that fit, so that nothing is walked more than twice. */
static bool transfer(const struct dma_port *p, iova_t at, uint8_t *bytes, uint64_t size,
                     enum dma_kind kind, struct dma_fault *fault)
{
    struct dma_span spans[SPANS_AT_ONCE];
    for (uint64_t done = 0; done < size;) {
        uint64_t part = done && size - done > BYTES_AT_ONCE ? BYTES_AT_ONCE : size - done;
        size_t count = p->map(p, (iova_t){at.v + done}, part, kind, spans, SPANS_AT_ONCE, fault);
        if (!count)
            return false;
        for (size_t i = 0; i < count; done += spans[i++].size) {
            CHECK(spans[i].size && spans[i].size <= size - done);
            if (kind == DMA_READ)
                take(&spans[i], 0, bytes + done, spans[i].size);
            else
                put(p, &spans[i], 0, bytes + done, spans[i].size);
        }
    }
    return true;
}

bool dma_read_by_map(const struct dma_port *p, iova_t from, void *to, uint64_t size,
                     struct dma_fault *fault)
{
    return transfer(p, from, to, size, DMA_READ, fault);
}

bool dma_write_by_map(const struct dma_port *p, iova_t to, const void *from, uint64_t size,
                      struct dma_fault *fault)
{
    return transfer(p, to, (uint8_t *)(uintptr_t)from, size, DMA_WRITE, fault);
}

/* Mappings ----------------------------------------------------------------------------------------
 */

void dma_mapping_set(struct dma_mapping *m, iova_t at, uint64_t size, enum dma_kind kind)
{
    m->at = at;
    m->size = size;
    m->kind = kind;
    m->is_looked_up = false;
    m->span_count = 0;
}

/* A range that is refused is not held: its single accesses meet the fault, those that reach it. */
static void look_up(struct dma_mapping *m, const struct dma_port *p)
{
    struct dma_fault ignored;
    m->generation = *p->generation;
    m->is_looked_up = true;
    m->span_count = is_sound(m->at, m->size, m->kind == DMA_WRITE, &ignored)
                        ? p->map(p, m->at, m->size, m->kind, m->spans, DMA_MAPPING_SPANS, &ignored)
                        : 0;
}

/* The span that has all of it, and where. NULL: none. */
static const struct dma_span *held(struct dma_mapping *m, const struct dma_port *p,
                                   enum dma_kind kind, uint64_t *offset, uint64_t size)
{
    if (!m->is_looked_up || m->generation != *p->generation)
        look_up(m, p);
    CHECK(m->kind == kind);
    for (size_t i = 0; i < m->span_count; i++) {
        if (*offset < m->spans[i].size)
            return size <= m->spans[i].size - *offset ? &m->spans[i] : NULL;
        *offset -= m->spans[i].size;
    }
    return NULL;
}

bool dma_mapped_read(struct dma_mapping *m, const struct dma_port *p, uint64_t offset, void *to,
                     uint64_t size, struct dma_fault *fault)
{
    uint64_t in_span = offset;
    const struct dma_span *s = held(m, p, DMA_READ, &in_span, size);
    if (!s || !size)
        return dma_read(p, (iova_t){m->at.v + offset}, to, size, fault);
    take(s, in_span, to, size);
    return true;
}

bool dma_mapped_write(struct dma_mapping *m, const struct dma_port *p, uint64_t offset,
                      const void *from, uint64_t size, struct dma_fault *fault)
{
    uint64_t in_span = offset;
    const struct dma_span *s = held(m, p, DMA_WRITE, &in_span, size);
    if (!s || !size)
        return dma_write(p, (iova_t){m->at.v + offset}, from, size, fault);
    put(p, s, in_span, from, size);
    return true;
}
