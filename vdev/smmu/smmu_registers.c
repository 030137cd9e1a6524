/* Register pages (IHI 0070, chapter 6). What a register guards may not be written while it is
 * enabled, and is not. */
#include "vdev/smmu/smmu_internal.h"

#define CR0_BITS   (CR0_SMMUEN | CR0_EVENTQEN | CR0_CMDQEN)
#define GBPA_RESET 0x1000u /* SHCFG: use incoming */
#define GBPA_BITS  0x001f3f1fu
#define INDEX_BITS 0xfffffu

/* Identification ----------------------------------------------------------------------------------
 */

/* 6.3.1. No ATS, PRI, ATOS, VATOS, BTM, Hyp, SEV. Tables are VMSAv8-64, little-endian. */
static uint32_t idr0(const struct smmu *s)
{
    enum { TTF_64 = 2, HTTU_DIRTY = 2, LITTLE_ENDIAN = 2, TWO_LEVELS = 1, NO_STALLS = 1 };
    return (uint32_t)s->features.has_stage2 << 0 | 1u << 1 /* S1P */ | TTF_64 << 2 |
           1u << 4 /* COHACC */ | HTTU_DIRTY << 6 | 1u << 12 /* ASID16 */ | 1u << 13 /* MSI */ |
           (uint32_t)s->features.has_stage2 << 18 /* VMID16 */ | 1u << 19 /* CD2L */ |
           LITTLE_ENDIAN << 21 | (s->features.has_stall ? 0u : NO_STALLS << 24) | TWO_LEVELS << 27;
}

/* 6.3.2: PRIVCFG and INSTCFG of an STE have an effect (ATTR_PERMS_OVR). */
static uint32_t idr1(const struct smmu *s)
{
    return s->features.stream_bits | (uint32_t)s->features.substream_bits << 6 |
           SMMU_EVENTQS << 16 | SMMU_CMDQS << 21 | 1u << 26;
}

/* 6.3.4: HAD, XNX, FWB; ranges of invalidations (RIL); blocks that are split or merged without a
 * break between never conflict here (BBML). 6.3.6: 48 bits of output, every granule. 6.3.8:
 * SMMUv3.2. */
static uint32_t read_identification(const struct smmu *s, uint64_t offset)
{
    enum { OAS_48 = 5, BBML_2 = 2, SMMU_3_2 = 2 };
    switch (offset) {
    case SMMU_IDR0:
        return idr0(s);
    case SMMU_IDR1:
        return idr1(s);
    case SMMU_IDR3:
        return 1u << 2 | (uint32_t)s->features.has_stage2 << 4 | 1u << 8 | 1u << 10 | BBML_2 << 11;
    case SMMU_IDR5:
        return OAS_48 | 7u << 4 | (s->features.has_stall ? (uint32_t)SMMU_STALLS << 16 : 0);
    case SMMU_AIDR:
        return SMMU_3_2;
    default:
        return 0;
    }
}

/* Reading -----------------------------------------------------------------------------------------
 */

static uint32_t read_register(const struct smmu *s, uint64_t offset)
{
    switch (offset) {
    case SMMU_CR0:
    case SMMU_CR0ACK:
        return s->cr0;
    case SMMU_CR1:
        return s->cr1;
    case SMMU_CR2:
        return s->cr2;
    case SMMU_GBPA:
        return s->gbpa;
    case SMMU_IRQ_CTRL:
    case SMMU_IRQ_CTRLACK:
        return s->irq_ctrl;
    case SMMU_GERROR:
        return s->gerror;
    case SMMU_GERRORN:
        return s->gerrorn;
    case SMMU_GERROR_IRQ_CFG1:
        return s->gerror_msi.cfg1;
    case SMMU_GERROR_IRQ_CFG2:
        return s->gerror_msi.cfg2;
    case SMMU_STRTAB_BASE_CFG:
        return s->strtab_base_cfg;
    case SMMU_CMDQ_PROD:
        return s->cmdq_prod;
    case SMMU_CMDQ_CONS:
        return s->cmdq_cons;
    case SMMU_EVENTQ_PROD:
        return s->eventq_prod;
    case SMMU_EVENTQ_CONS:
        return s->eventq_cons;
    case SMMU_EVENTQ_IRQ_CFG1:
        return s->eventq_msi.cfg1;
    case SMMU_EVENTQ_IRQ_CFG2:
        return s->eventq_msi.cfg2;
    default:
        return read_identification(s, offset);
    }
}

/* Writing -----------------------------------------------------------------------------------------
 */

/* 6.3.9: an update is complete at once. Without SMMUEN nobody is stalled any more (3.12.2). */
static void write_cr0(struct smmu *s, uint32_t value)
{
    uint32_t changed = (s->cr0 ^ value) & CR0_BITS;
    s->cr0 = value & CR0_BITS;
    if (changed & CR0_SMMUEN) {
        if (!(s->cr0 & CR0_SMMUEN))
            smmu_translate_end_stalls(s, true, 0);
        smmu_cache_changed(s);
    }
    smmu_commands_run(s);
}

/* 6.3.14.1: only with Update, which is done at once. */
static void write_gbpa(struct smmu *s, uint32_t value)
{
    if (value >> 31 == 0)
        return;
    s->gbpa = value & GBPA_BITS;
    smmu_cache_changed(s);
}

/* What enables it guards it. */
static void write_guarded(struct smmu *s, uint32_t *reg, uint32_t value, bool is_enabled)
{
    if (is_enabled)
        log_guest(s->v.env->log, "%s: write to a register that must not change now", s->v.name);
    else
        *reg = value;
}

static void write_message(struct smmu *s, struct smmu_msi *msi, bool is_data, uint32_t value,
                          uint32_t enable)
{
    if (is_data)
        write_guarded(s, &msi->cfg1, value, s->irq_ctrl & enable);
    else
        write_guarded(s, &msi->cfg2, value & 0x3f, s->irq_ctrl & enable);
}

/* A place in the queue is free: who is stalled, and was not told of, may be now (7.2.1). */
static void write_eventq_cons(struct smmu *s, uint32_t value)
{
    s->eventq_cons = value & (SMMU_OVERFLOW | INDEX_BITS);
    if (s->features.has_stall)
        smmu_cache_changed(s);
}

static void write_queue(struct smmu *s, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case SMMU_CMDQ_PROD:
        s->cmdq_prod = value & INDEX_BITS;
        smmu_commands_run(s);
        break;
    case SMMU_CMDQ_CONS:
        write_guarded(s, &s->cmdq_cons, value & (0x7f000000u | INDEX_BITS), s->cr0 & CR0_CMDQEN);
        break;
    case SMMU_EVENTQ_PROD:
        write_guarded(s, &s->eventq_prod, value & (SMMU_OVERFLOW | INDEX_BITS),
                      s->cr0 & CR0_EVENTQEN);
        break;
    default:
        write_eventq_cons(s, value);
        break;
    }
}

static void write_gerrorn(struct smmu *s, uint32_t value)
{
    s->gerrorn = value & GERROR_ALL;
    smmu_commands_run(s);
    if (s->features.has_stall)
        smmu_cache_changed(s);
}

static void write_register(struct smmu *s, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case SMMU_CR0:
        write_cr0(s, value);
        break;
    case SMMU_CR1: /* how tables and queues are cached: here they are always coherent */
        s->cr1 = value & 0x3f;
        break;
    case SMMU_CR2:
        write_guarded(s, &s->cr2, value & CR2_RECINVSID, s->cr0 & CR0_SMMUEN);
        break;
    case SMMU_GBPA:
        write_gbpa(s, value);
        break;
    case SMMU_IRQ_CTRL:
        s->irq_ctrl = value & (IRQ_GERROR | IRQ_EVENTQ);
        break;
    case SMMU_GERRORN:
        write_gerrorn(s, value);
        break;
    case SMMU_GERROR_IRQ_CFG1:
    case SMMU_GERROR_IRQ_CFG2:
        write_message(s, &s->gerror_msi, offset == SMMU_GERROR_IRQ_CFG1, value, IRQ_GERROR);
        break;
    case SMMU_EVENTQ_IRQ_CFG1:
    case SMMU_EVENTQ_IRQ_CFG2:
        write_message(s, &s->eventq_msi, offset == SMMU_EVENTQ_IRQ_CFG1, value, IRQ_EVENTQ);
        break;
    case SMMU_STRTAB_BASE_CFG:
        write_guarded(s, &s->strtab_base_cfg, value & 0x000307ff, s->cr0 & CR0_SMMUEN);
        break;
    case SMMU_CMDQ_PROD:
    case SMMU_CMDQ_CONS:
    case SMMU_EVENTQ_PROD:
    case SMMU_EVENTQ_CONS:
        write_queue(s, offset, value);
        break;
    default:
        log_guest(s->v.env->log, "%s: write to read-only or reserved register +%#x", s->v.name,
                  (unsigned)offset);
        break;
    }
}

/* Registers of 64 bits ----------------------------------------------------------------------------
 */

/* Which may be accessed by halves (6.2). NULL: there is none at that offset. */
static uint64_t *wide_register(struct smmu *s, uint64_t offset, uint64_t *bits, bool *is_enabled)
{
    const uint64_t message = UINT64_C(0x00fffffffffffffc);
    const uint64_t queue = UINT64_C(0x40ffffffffffffff); /* RA or WA, ADDR, LOG2SIZE */
    switch (offset) {
    case SMMU_GERROR_IRQ_CFG0:
        *bits = message, *is_enabled = s->irq_ctrl & IRQ_GERROR;
        return &s->gerror_msi.cfg0;
    case SMMU_EVENTQ_IRQ_CFG0:
        *bits = message, *is_enabled = s->irq_ctrl & IRQ_EVENTQ;
        return &s->eventq_msi.cfg0;
    case SMMU_STRTAB_BASE:
        *bits = UINT64_C(0x40ffffffffffffc0), *is_enabled = s->cr0 & CR0_SMMUEN;
        return &s->strtab_base;
    case SMMU_CMDQ_BASE:
        *bits = queue, *is_enabled = s->cr0 & CR0_CMDQEN;
        return &s->cmdq_base;
    case SMMU_EVENTQ_BASE:
        *bits = queue, *is_enabled = s->cr0 & CR0_EVENTQEN;
        return &s->eventq_base;
    default:
        return NULL;
    }
}

static void access_wide(struct smmu *s, uint64_t *reg, uint64_t bits, bool is_enabled,
                        struct bus_access *a)
{
    unsigned shift = 8 * (a->offset & 7);
    uint64_t mask = a->size == 8 ? ~(uint64_t)0 : UINT64_C(0xffffffff) << shift;
    if (!a->is_write)
        a->value = (*reg & mask) >> shift;
    else if (is_enabled)
        log_guest(s->v.env->log, "%s: write to a register that must not change now", s->v.name);
    else
        *reg = ((*reg & ~mask) | (a->value << shift & mask)) & bits;
}

/* 6.2: words, and registers of 64 bits as a whole. What page 1 has of page 0 is there only. */
enum bus_answer smmu_registers_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    struct smmu *s = smmu_of(v);
    uint64_t bits;
    bool is_enabled;
    (void)region;
    if ((a->size != 4 && a->size != 8) || a->offset % a->size)
        return BUS_NOBODY;
    uint64_t *wide = wide_register(s, a->offset & ~(uint64_t)7, &bits, &is_enabled);
    if (wide)
        access_wide(s, wide, bits, is_enabled, a);
    else if (a->size == 8)
        return BUS_NOBODY;
    else if (a->is_write)
        write_register(s, a->offset, (uint32_t)a->value);
    else
        a->value = read_register(s, a->offset);
    return BUS_HANDLED;
}

void smmu_registers_reset(struct smmu *s)
{
    s->gbpa = GBPA_RESET;
}

const struct vdev_register *smmu_registers_names(const struct vdev *v, unsigned region,
                                                 uint64_t *offset)
{
    static const struct vdev_register table[] = {
        VDEV_REGISTER(SMMU_IDR0),
        VDEV_REGISTER(SMMU_IDR1),
        VDEV_REGISTER(SMMU_IDR2),
        VDEV_REGISTER(SMMU_IDR3),
        VDEV_REGISTER(SMMU_IDR4),
        VDEV_REGISTER(SMMU_IDR5),
        VDEV_REGISTER(SMMU_IIDR),
        VDEV_REGISTER(SMMU_AIDR),
        VDEV_REGISTER(SMMU_CR0),
        VDEV_REGISTER(SMMU_CR0ACK),
        VDEV_REGISTER(SMMU_CR1),
        VDEV_REGISTER(SMMU_CR2),
        VDEV_REGISTER(SMMU_STATUSR),
        VDEV_REGISTER(SMMU_GBPA),
        VDEV_REGISTER(SMMU_AGBPA),
        VDEV_REGISTER(SMMU_IRQ_CTRL),
        VDEV_REGISTER(SMMU_IRQ_CTRLACK),
        VDEV_REGISTER(SMMU_GERROR),
        VDEV_REGISTER(SMMU_GERRORN),
        VDEV_REGISTER(SMMU_GERROR_IRQ_CFG0),
        VDEV_REGISTER(SMMU_GERROR_IRQ_CFG1),
        VDEV_REGISTER(SMMU_GERROR_IRQ_CFG2),
        VDEV_REGISTER(SMMU_STRTAB_BASE),
        VDEV_REGISTER(SMMU_STRTAB_BASE_CFG),
        VDEV_REGISTER(SMMU_CMDQ_BASE),
        VDEV_REGISTER(SMMU_CMDQ_PROD),
        VDEV_REGISTER(SMMU_CMDQ_CONS),
        VDEV_REGISTER(SMMU_EVENTQ_BASE),
        VDEV_REGISTER(SMMU_EVENTQ_IRQ_CFG0),
        VDEV_REGISTER(SMMU_EVENTQ_IRQ_CFG1),
        VDEV_REGISTER(SMMU_EVENTQ_IRQ_CFG2),
        VDEV_REGISTER(SMMU_EVENTQ_PROD),
        VDEV_REGISTER(SMMU_EVENTQ_CONS),
        VDEV_REGISTERS_END,
    };
    (void)v, (void)region, (void)offset;
    return table;
}
