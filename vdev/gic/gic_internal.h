/* What the files of the interrupt controller share: one model of interrupt state for both versions.
 *
 * The per-line state is kept in banks of 32 lines, one bit a line, in the manual's own layout:
 * banks 0-7 hold the private lines (SGI, PPI) of vCPU 0-7, bank 8 + n holds INTIDs 32 * (n + 1) and
 * up. "Word" w is the n of GICD_ISENABLER<n>: word 0 is private, words 1-8 are the SPIs.
 *
 *   gic_lines.c          line state: inputs, pending, candidates; the chosen interrupt of each vCPU
 *   gic_registers.c      the per-line registers, common to distributor and redistributors
 *   gic_distributor.c    GICD_*        gic_redistributor.c  GICR_* (version 3)
 *   gic_cpu.c            acknowledge, priority drop, deactivate
 *   gic_cpu_v2.c         GICC_*        gic_cpu_v3.c         ICC_*_EL1
 *   gic_why.c            why a vCPU gets no interrupt
 *   gic_names.c          the registers' names
 *   gic_pic.c            what the rest of the program knows of it
 *   gic.c                the device: options, device tree, restore
 */
#ifndef VDEV_GIC_GIC_INTERNAL_H
#define VDEV_GIC_GIC_INTERNAL_H

#include "vdev/gic/gic.h"
#include "vdev/pic.h"

enum {
    GIC_WORDS = GIC_LINES / 32,
    GIC_BANKS = GIC_VCPUS_MAX + GIC_WORDS - 1,
    GIC_SPIS = GIC_LINES - 32,

    GIC_NONE = 1023,           /* spurious INTID */
    GIC_OTHER_GROUP = 1022,    /* GICv2: pending, but acknowledged through the aliased register */
    GIC_IDLE_PRIORITY = 0x100, /* lower than every priority: nothing pending, nothing active */
    GIC_PRIORITY_MASK = 0xf8,  /* 5 implemented bits */
    GIC_BPR0_MIN = 2,          /* group priority [7:3]: every implemented bit preempts */
    GIC_BPR1_MIN = 3,          /* the Group 1 binary point counts from one further up */
    GIC_FRAME = 0x10000,       /* size of a GICv3 register frame */
    GIC_MSI_FRAME = 0x1000,
    GIC_MSI_REGION = 2, /* behind the distributor, and redistributors or CPU interface */
};

/* Bits of cpu_control, in GICC_CTLR's places (IHI 0048B 4.4.1); ICC_CTLR_EL1 and
 * ICC_IGRPEN<n>_EL1 are views of the same bits. */
enum {
    CPU_ENABLE_GROUP0 = 1 << 0,
    CPU_ENABLE_GROUP1 = 1 << 1,
    CPU_ACK_CTL = 1 << 2,
    CPU_FIQ_EN = 1 << 3,
    CPU_CBPR = 1 << 4,
    CPU_EOI_MODE = 1 << 9,
};

/* The option `msi`: a frame, and the lines from `first` that it makes pending. count 0: none. */
struct gic_msi {
    uint64_t frame;
    unsigned first, count;
};

struct gic {
    struct pic pic;
    unsigned version;
    unsigned vcpu_count;

    /* State, listed in gic_fields. */
    uint32_t dist_control;       /* bit n: Group n enabled at the distributor */
    uint32_t pending[GIC_BANKS]; /* latched: an edge, an SGI, or a write to ISPENDR */
    uint32_t active[GIC_BANKS];
    uint32_t enabled[GIC_BANKS];
    uint32_t group[GIC_BANKS];
    uint32_t level[GIC_BANKS]; /* the input lines */
    uint32_t edge[GIC_BANKS];  /* configured as edge-triggered */
    uint8_t priority[GIC_BANKS * 32];
    uint64_t irouter[GIC_SPIS];              /* version 3 */
    uint8_t itargets[GIC_SPIS];              /* version 2 */
    uint8_t sgi_sources[GIC_VCPUS_MAX * 16]; /* version 2: who sent the pending SGI */
    uint32_t redist_control[GIC_VCPUS_MAX];  /* GICR_CTLR: the DPG bits */
    uint8_t asleep[GIC_VCPUS_MAX];           /* GICR_WAKER.ProcessorSleep */
    uint32_t cpu_control[GIC_VCPUS_MAX];
    uint8_t pmr[GIC_VCPUS_MAX];
    uint8_t bpr0[GIC_VCPUS_MAX];
    uint8_t bpr1[GIC_VCPUS_MAX];
    uint32_t active_priorities0[GIC_VCPUS_MAX]; /* bit n: Group 0, priority 8n is active */
    uint32_t active_priorities1[GIC_VCPUS_MAX];

    struct gic_msi msi;
    /* Computed from the state. */
    uint32_t routed[GIC_VCPUS_MAX][GIC_WORDS]; /* lines whose target (or a target) is this vCPU */
    struct gic_choice {
        uint32_t candidates[GIC_WORDS]; /* pending, enabled in every way, inactive, routed here */
        uint32_t words;                 /* bit w: candidates[w] is not 0 */
        unsigned intid;                 /* highest priority among them, or GIC_NONE */
        unsigned priority;              /* its priority, or GIC_IDLE_PRIORITY */
        unsigned group;
        unsigned bank;
        bool irq, fiq; /* signalled to the vCPU */
    } choice[GIC_VCPUS_MAX];
};

static inline struct gic *gic_of(struct vdev *v)
{
    return (struct gic *)(void *)v;
}

static inline unsigned gic_bank(unsigned vcpu, unsigned word)
{
    return word == 0 ? vcpu : GIC_VCPUS_MAX + word - 1;
}

/* gic_lines.c. Each "changed" function brings the choices and the signals up to date. */
uint32_t gic_pending_of(const struct gic *g, unsigned bank);
void gic_bank_changed(struct gic *g, unsigned bank); /* pending, active or enabled bits */
void gic_priority_changed(struct gic *g, unsigned bank);
void gic_cpu_changed(struct gic *g, unsigned vcpu); /* what the vCPU accepts at all */
void gic_everything_changed(struct gic *g);         /* also routes; sends every output */
void gic_route_spi(struct gic *g, unsigned spi);    /* spi = INTID - 32 */
void gic_eligibility_changed(struct gic *g);        /* who may take 1-of-N interrupts */
void gic_signal(struct gic *g, unsigned vcpu);      /* after the priorities changed */
unsigned gic_running_priority(const struct gic *g, unsigned vcpu);
unsigned gic_group_priority(const struct gic *g, unsigned vcpu, unsigned group, unsigned priority);
bool gic_can_signal(const struct gic *g, unsigned vcpu);

/* gic_pic.c */
extern const struct pic_type gic_pic;

/* gic_names.c */
const struct vdev_register *gic_register_names(const struct vdev *v, unsigned region,
                                               uint64_t *offset);

/* gic_registers.c: the registers at 0x080-0xeff of the distributor and of the SGI frame, for the
 * words `first` to `last`; other words read as zero. */
struct gic_view {
    unsigned vcpu;
    unsigned first, last;
};
enum bus_answer gic_registers_access(struct gic *g, struct gic_view view, struct bus_access *a);

enum bus_answer gic_distributor_access(struct gic *g, struct bus_access *a);
enum bus_answer gic_redistributor_access(struct gic *g, struct bus_access *a);
enum bus_answer gic_cpu_v2_access(struct gic *g, struct bus_access *a);

/* gic_redistributor.c */
bool gic_starts_asleep(const struct gic *g);

/* Marks an SGI pending; version 2 remembers who sent it. */
void gic_send_sgi(struct gic *g, unsigned from, unsigned to, unsigned intid);

/* gic_msi.c. */
bool gic_msi_read(const struct vdev *v, struct gic_msi *msi, struct error *e);
void gic_msi_reset(struct gic *g);
enum bus_answer gic_msi_access(struct gic *g, struct bus_access *a);
void gic_msi_describe(const struct gic *g, const struct describer *d);

/* gic_cpu.c. */
/* Makes the chosen interrupt active. It must be signallable. Returns the INTID; in version 2 an
 * SGI's comes with its source in bits [12:10]. */
unsigned gic_acknowledge(struct gic *g, unsigned vcpu);
/* Drops the running priority. `groups`: bit n = the register serves Group n. False: the highest
 * active priority belongs to another group, or nothing is active. */
bool gic_priority_drop(struct gic *g, unsigned vcpu, unsigned groups);
void gic_deactivate(struct gic *g, unsigned vcpu, unsigned intid);
uint8_t gic_bpr1_read(const struct gic *g, unsigned vcpu);
void gic_bpr0_write(struct gic *g, unsigned vcpu, uint64_t value);
void gic_bpr1_write(struct gic *g, unsigned vcpu, uint64_t value);
/* Changes the bits of cpu_control under `mask`. */
void gic_cpu_control_write(struct gic *g, unsigned vcpu, uint32_t mask, uint32_t value);

#endif
