/* What a device behind an SMMU masters through: each page is translated, and what comes of it goes
 * on by the SMMU's own port.
 *
 * A mapping has what the caches have, and nothing is walked for one: whether a device maps or reads
 * makes no difference to the caches, and so none to the run. */
#include "vdev/smmu/smmu_internal.h"

static struct smmu *smmu_behind(const struct dma_port *p)
{
    return p->context;
}

static struct smmu_request request_of(const struct dma_port *p, iova_t at, enum dma_kind kind)
{
    return (struct smmu_request){
        .stream = p->stream,
        .substream = p->substream,
        .address = at.v,
        .kind = kind == DMA_WRITE ? ACCESS_WRITE
                : p->is_fetch     ? ACCESS_FETCH
                                  : ACCESS_READ,
        .privileged = p->is_privileged,
    };
}

static uint64_t in_page(uint64_t at, uint64_t size)
{
    uint64_t rest = PAGE_SIZE - (at & PAGE_MASK);
    return rest < size ? rest : size;
}

/* Faults ------------------------------------------------------------------------------------------
 */

static const char *who_refuses(const struct smmu_event *event)
{
    switch (event->type) {
    case SMMU_EVENT_NONE:
        return "the SMMU";
    case C_BAD_STREAMID:
    case F_STE_FETCH:
    case C_BAD_STE:
    case F_STREAM_DISABLED:
        return "the stream table of the SMMU";
    case C_BAD_SUBSTREAMID:
    case F_CD_FETCH:
    case C_BAD_CD:
        return "the context descriptor of the SMMU";
    default:
        return event->s2 ? "stage 2 of the SMMU" : "stage 1 of the SMMU";
    }
}

static enum dma_fault_kind kind_of(enum smmu_outcome outcome, const struct smmu_event *event)
{
    if (outcome == SMMU_STALLED)
        return DMA_FAULT_STALLED;
    if (event->type == SMMU_EVENT_NONE || event->type == F_PERMISSION)
        return DMA_FAULT_PERMISSION;
    return event->type == F_WALK_EABT ? DMA_FAULT_BUS : DMA_FAULT_TRANSLATION;
}

static bool refuse(struct dma_fault *fault, iova_t at, enum smmu_outcome outcome,
                   const struct smmu_event *event)
{
    fault->kind = kind_of(outcome, event);
    fault->at = at;
    fault->where = who_refuses(event);
    fault->event = smmu_event_name(event->type);
    return false;
}

/* Zeros are read, or nothing is written: the master does not see it, but whoever watches does. */
static bool ignored(const struct dma_port *p, struct dma_fault *fault, iova_t at,
                    const struct smmu_event *event)
{
    refuse(fault, at, SMMU_IGNORED, event);
    dma_tell_refused(p, fault);
    return true;
}

/* What refuses behind the SMMU says so by its own address. */
static bool refused_behind(struct dma_fault *fault, iova_t at, uint64_t physical, bool ok)
{
    if (!ok)
        fault->at = (iova_t){at.v + (fault->at.v - physical)};
    return ok;
}

/* Transfers ---------------------------------------------------------------------------------------
 */

static bool read_part(const struct dma_port *p, iova_t at, uint8_t *to, uint64_t size,
                      struct dma_fault *fault)
{
    struct smmu *s = smmu_behind(p);
    const struct smmu_request r = request_of(p, at, DMA_READ);
    struct smmu_event event;
    uint64_t physical;
    enum smmu_outcome outcome = smmu_translate(s, &r, &physical, &event);
    if (outcome == SMMU_PASSED)
        return refused_behind(fault, at, physical,
                              dma_read(&s->v.dma, (iova_t){physical}, to, size, fault));
    for (uint64_t i = 0; outcome == SMMU_IGNORED && i < size; i++)
        to[i] = 0;
    return outcome == SMMU_IGNORED ? ignored(p, fault, at, &event)
                                   : refuse(fault, at, outcome, &event);
}

static bool write_part(const struct dma_port *p, iova_t at, const uint8_t *from, uint64_t size,
                       struct dma_fault *fault)
{
    struct smmu *s = smmu_behind(p);
    const struct smmu_request r = request_of(p, at, DMA_WRITE);
    struct smmu_event event;
    uint64_t physical;
    enum smmu_outcome outcome = smmu_translate(s, &r, &physical, &event);
    if (outcome == SMMU_PASSED)
        return refused_behind(fault, at, physical,
                              dma_write(&s->v.dma, (iova_t){physical}, from, size, fault));
    return outcome == SMMU_IGNORED ? ignored(p, fault, at, &event)
                                   : refuse(fault, at, outcome, &event);
}

static bool port_read(const struct dma_port *p, iova_t from, void *to, uint64_t size,
                      struct dma_fault *fault)
{
    uint64_t part;
    for (uint64_t done = 0; done < size; done += part) {
        part = in_page(from.v + done, size - done);
        if (!read_part(p, (iova_t){from.v + done}, (uint8_t *)to + done, part, fault))
            return false;
    }
    return true;
}

static bool port_write(const struct dma_port *p, iova_t to, const void *from, uint64_t size,
                       struct dma_fault *fault)
{
    uint64_t part;
    for (uint64_t done = 0; done < size; done += part) {
        part = in_page(to.v + done, size - done);
        if (!write_part(p, (iova_t){to.v + done}, (const uint8_t *)from + done, part, fault))
            return false;
    }
    return true;
}

/* Mappings ----------------------------------------------------------------------------------------
 */

/* Pages that follow each other behind the SMMU, too: the next port maps them at once. */
struct run {
    uint64_t physical, size;
};

/* Its spans, behind those that there are; beyond `room` nothing is wanted. False: the next port has
 * to see each access. */
static bool map_run(struct smmu *s, const struct run *run, enum dma_kind kind,
                    struct dma_span *spans, size_t room, size_t *count)
{
    struct dma_fault ignored;
    if (!run->size || *count >= room)
        return true;
    size_t n = s->v.dma.map(&s->v.dma, (iova_t){run->physical}, run->size, kind, spans + *count,
                            room - *count, &ignored);
    *count += n;
    return n;
}

static size_t port_map(const struct dma_port *p, iova_t at, uint64_t size, enum dma_kind kind,
                       struct dma_span *spans, size_t room, struct dma_fault *fault)
{
    struct smmu *s = smmu_behind(p);
    struct run run = {0, 0};
    size_t count = 0;
    uint64_t part;
    fault->kind = DMA_FAULT_NONE;
    for (uint64_t done = 0; done < size; done += part) {
        const struct smmu_request r = request_of(p, (iova_t){at.v + done}, kind);
        uint64_t physical;
        part = in_page(at.v + done, size - done);
        if (!smmu_translate_cached(s, &r, &physical)) {
            s->was_missed = true;
            return 0;
        }
        bool extends = run.size && physical == run.physical + run.size;
        if (!extends && !map_run(s, &run, kind, spans, room, &count))
            return 0;
        run = extends ? (struct run){run.physical, run.size + part} : (struct run){physical, part};
    }
    return map_run(s, &run, kind, spans, room, &count) ? count : 0;
}

static void port_before_write(const struct dma_port *p, uint64_t place, uint64_t size)
{
    const struct smmu *s = smmu_behind(p);
    s->v.dma.before_write(&s->v.dma, place, size);
}

static void port_changed(const struct dma_port *p)
{
    const struct smmu *s = smmu_behind(p);
    if (s->v.dma.changed)
        s->v.dma.changed(&s->v.dma);
}

struct dma_port smmu_port(struct vdev *v, uint32_t stream, uint32_t substream)
{
    struct smmu *s = smmu_of(v);
    return (struct dma_port){
        .read = port_read,
        .write = port_write,
        .map = port_map,
        .before_write = port_before_write,
        .changed = port_changed,
        .generation = s->v.dma.generation,
        .stream = stream,
        .substream = substream,
        .context = s,
    };
}
