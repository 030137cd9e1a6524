/* DMA: how a device that masters reaches memory, and the only way it has (tests/arrows.sh). It
 * knows addresses on its own side, iova_t, and a port, which the assembly puts into its `struct
 * vdev`. What stands behind the port - a VM's guest-physical space (hv/guest_dma.c), an SMMU's
 * stream, a grant - is no business of the device: it gets bytes, or a fault that says where it was
 * refused.
 *
 *     struct dma_fault fault;
 *     if (!dma_read(&v->dma, at, bytes, sizeof bytes, &fault))
 *         ...
 *
 * Each transfer is translated anew. A range that a device comes back to, as to a ring, is a `struct
 * dma_mapping`: it keeps pointers into the board's memory, and looks them up again when the port's
 * generation is another one.
 *
 * A pointer is enough to read. Who keeps something of what memory holds (pages changed since a
 * digest or an image, translated code) has to hear of a write before it is done, and of each one: a
 * digest may have come since the last. So a device never writes by a pointer: dma_mapped_write
 * does, and tells the port first. That costs marking a page, which any write does, and no walk.
 *
 * Any address and size may come from a hostile guest: a range of no bytes, or one that goes beyond
 * 2^64, is a fault like any other. */
#ifndef VDEV_DMA_H
#define VDEV_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/addr.h"

enum dma_kind { DMA_READ, DMA_WRITE };

enum dma_fault_kind {
    DMA_FAULT_NONE,
    DMA_FAULT_RANGE,       /* no bytes, or beyond 2^64 */
    DMA_FAULT_TRANSLATION, /* the address leads nowhere */
    DMA_FAULT_PERMISSION,  /* it may not be accessed so */
    DMA_FAULT_BUS,         /* it leads to what is not memory */
    DMA_FAULT_STALLED,     /* not yet: the same again when the port's generation is another one */
};

struct dma_fault {
    enum dma_fault_kind kind;
    iova_t at; /* the first address that is refused */
    bool is_write;
    const char *where; /* who refuses: "stage 2"; static text */
    const char *event; /* what an SMMU calls it: "F_TRANSLATION"; static text, or NULL */
};

struct dma_port;

/* Whoever watches the masters of ports: is told of each access that is refused, and can see whose
 * access is being made. It changes nothing. */
struct dma_watch {
    void (*refused)(void *context, const struct dma_port *p, const struct dma_fault *fault);
    void *context;
    const struct dma_port *now; /* of a transfer that is not over; or NULL */
};

/* Bytes of the board's memory that lie together on the host. */
struct dma_span {
    uint8_t *host; /* to read only; valid while the port's generation is the same */
    uint64_t size;
    uint64_t place; /* what the port calls this: for its `before_write` */
};

#define DMA_NO_SUBSTREAM UINT32_MAX

/* Borrowed context; filled in by the assembly, a copy in each device. Its functions get ranges that
 * are sound (at least a byte, not beyond 2^64), and fill `fault` if they refuse. */
struct dma_port {
    /* False: refused. What lies before the refused address may have been transferred by then. */
    bool (*read)(const struct dma_port *p, iova_t from, void *to, uint64_t size,
                 struct dma_fault *fault);
    bool (*write)(const struct dma_port *p, iova_t to, const void *from, uint64_t size,
                  struct dma_fault *fault);
    /* The range as spans, in order: their number. All of it is looked at; with `room` for fewer,
     * the first ones are given. 0: refused, or, with DMA_FAULT_NONE, the port has to see each
     * access: only `read` and `write` will do. */
    size_t (*map)(const struct dma_port *p, iova_t at, uint64_t size, enum dma_kind kind,
                  struct dma_span *spans, size_t room, struct dma_fault *fault);
    /* Bytes of a span mapped for DMA_WRITE are about to change. */
    void (*before_write)(const struct dma_port *p, uint64_t place, uint64_t size);
    /* For whoever has a port before this one: what it made of it is so no longer. */
    void (*changed)(const struct dma_port *p);
    const uint64_t *generation; /* changes whenever what was mapped may be so no longer */
    uint32_t stream, substream; /* who the master is to an SMMU; or DMA_NO_SUBSTREAM */
    /* What the master says of its accesses, in a copy of its port; an SMMU heeds it. A fetch is a
     * read of instructions. */
    bool is_privileged, is_fetch;
    void *context;
    struct dma_watch *watch; /* borrowed; NULL: nobody. A port behind another has none */
    unsigned master;         /* a number, for whoever watches */
};

/* A transfer. False: refused, and `fault` says why; what lies before the refused address may have
 * been transferred. */
bool dma_read(const struct dma_port *p, iova_t from, void *to, uint64_t size,
              struct dma_fault *fault);
bool dma_write(const struct dma_port *p, iova_t to, const void *from, uint64_t size,
               struct dma_fault *fault);

/* For ports: an access comes to nothing, and yet the master does not see a fault. */
void dma_tell_refused(const struct dma_port *p, const struct dma_fault *fault);

/* A range that is held. No state: what a restored device knows of it is what it sets again. */
#define DMA_MAPPING_SPANS 4
struct dma_mapping {
    iova_t at;
    uint64_t size;
    enum dma_kind kind;
    bool is_looked_up;
    uint64_t generation; /* of the port, then */
    size_t span_count;   /* 0: each access goes by dma_read or dma_write, which may refuse it */
    struct dma_span spans[DMA_MAPPING_SPANS];
};

/* From now on `m` is this range, which may be anything. Nothing is looked up before it is used. */
void dma_mapping_set(struct dma_mapping *m, iova_t at, uint64_t size, enum dma_kind kind);
/* As dma_read and dma_write at `offset` of a range that was set for that kind. What is beyond it,
 * or too scattered to be held, is transferred like any other. */
bool dma_mapped_read(struct dma_mapping *m, const struct dma_port *p, uint64_t offset, void *to,
                     uint64_t size, struct dma_fault *fault);
bool dma_mapped_write(struct dma_mapping *m, const struct dma_port *p, uint64_t offset,
                      const void *from, uint64_t size, struct dma_fault *fault);

/* "does not map it" */
const char *dma_fault_reason(enum dma_fault_kind kind);
/* "read of iova 0x1000: stage 2 does not map it" */
void dma_fault_text(const struct dma_fault *f, char *text, size_t size);

/* For ports: a `read` and a `write` by their own `map`, where all that can be reached is memory.
 * Nothing is transferred unless all of it may be. */
bool dma_read_by_map(const struct dma_port *p, iova_t from, void *to, uint64_t size,
                     struct dma_fault *fault);
bool dma_write_by_map(const struct dma_port *p, iova_t to, const void *from, uint64_t size,
                      struct dma_fault *fault);

#endif
