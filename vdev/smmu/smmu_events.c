/* The event queue, global errors, and how either reaches software: a message, or an edge on the
 * SMMU's one wire (IHI 0070, 3.5, 3.18, 7.2, 7.4, 7.5). */
#include "vdev/smmu/smmu_internal.h"

#include "emu/bytes.h"

#define MSI_TARGET UINT64_C(0x0000fffffffffffc)

static unsigned log2_entries(const struct smmu *s)
{
    return smmu_queue_log2(s->eventq_base, SMMU_EVENTQS);
}

/* An index with its wrap flag. */
static uint32_t index_of(const struct smmu *s, uint32_t reg)
{
    return reg & ((2u << log2_entries(s)) - 1);
}

static bool is_empty(const struct smmu *s)
{
    return index_of(s, s->eventq_prod) == index_of(s, s->eventq_cons);
}

static bool is_full(const struct smmu *s)
{
    return (index_of(s, s->eventq_prod) ^ index_of(s, s->eventq_cons)) == 1u << log2_entries(s);
}

static bool is_active(const struct smmu *s, uint32_t error)
{
    return (s->gerror ^ s->gerrorn) & error;
}

bool smmu_events_is_writable(const struct smmu *s)
{
    return s->cr0 & CR0_EVENTQEN && !is_active(s, GERROR_EVENTQ_ABT_ERR) && !is_full(s);
}

/* Interrupts --------------------------------------------------------------------------------------
 */

bool smmu_events_send_message(struct smmu *s, uint64_t address, uint32_t data)
{
    uint8_t bytes[4];
    struct dma_fault fault;
    store_le(bytes, data, 4);
    return dma_write(&s->v.dma, (iova_t){address & MSI_TARGET}, bytes, 4, &fault);
}

/* 3.18: with an address it is a message, without one an edge. */
static bool signal(struct smmu *s, uint32_t source, const struct smmu_msi *msi)
{
    if (!(s->irq_ctrl & source))
        return true;
    if (msi->cfg0)
        return smmu_events_send_message(s, msi->cfg0, msi->cfg1);
    wire_set(&s->v.irq, true);
    wire_set(&s->v.irq, false);
    return true;
}

void smmu_events_global_error(struct smmu *s, uint32_t errors)
{
    uint32_t fresh = errors & ~(s->gerror ^ s->gerrorn);
    s->gerror ^= fresh;
    if (fresh && !signal(s, IRQ_GERROR, &s->gerror_msi))
        s->gerror ^= GERROR_MSI_GERROR_ABT_ERR & ~(s->gerror ^ s->gerrorn);
}

/* The queue ---------------------------------------------------------------------------------------
 */

/* 7.4: something is lost for want of room. */
static void overflow(struct smmu *s)
{
    if (!((s->eventq_prod ^ s->eventq_cons) & SMMU_OVERFLOW))
        s->eventq_prod ^= SMMU_OVERFLOW;
}

static bool append(struct smmu *s, const struct smmu_event *event)
{
    uint8_t record[SMMU_EVENT_SIZE];
    struct dma_fault fault;
    uint32_t wrap = 1u << log2_entries(s), index = index_of(s, s->eventq_prod);
    uint64_t at =
        smmu_queue_entry(s->eventq_base, log2_entries(s), SMMU_EVENT_SIZE, index & (wrap - 1));
    smmu_event_put(event, record);
    if (!dma_write(&s->v.dma, (iova_t){at}, record, sizeof record, &fault))
        return false;
    s->eventq_prod = (s->eventq_prod & SMMU_OVERFLOW) | ((index + 1) & (2 * wrap - 1));
    return true;
}

void smmu_events_record(struct smmu *s, const struct smmu_event *event)
{
    bool was_empty = is_empty(s);
    if (!smmu_events_is_writable(s)) {
        if (s->cr0 & CR0_EVENTQEN && is_full(s) && !is_active(s, GERROR_EVENTQ_ABT_ERR))
            overflow(s);
        return;
    }
    if (!append(s, event)) {
        log_guest(s->v.env->log, "%s: the event queue is not in writable memory", s->v.name);
        smmu_events_global_error(s, GERROR_EVENTQ_ABT_ERR);
    } else if (was_empty && !signal(s, IRQ_EVENTQ, &s->eventq_msi)) {
        smmu_events_global_error(s, GERROR_MSI_EVENTQ_ABT_ERR);
    }
}
