/* The types: a guest's SMMU and a board's. */
#include "vdev/smmu/smmu.h"

#include "vdev/pic.h"
#include "vdev/smmu/smmu_internal.h"

enum { SUBSTREAM_BITS = 16 };

static const struct field smmu_state[] = {
    FIELD_UP_TO(struct smmu, cr0, CR0_SMMUEN | CR0_EVENTQEN | CR0_CMDQEN),
    FIELD(struct smmu, cr1),
    FIELD(struct smmu, cr2),
    FIELD(struct smmu, gbpa),
    FIELD(struct smmu, irq_ctrl),
    FIELD_UP_TO(struct smmu, gerror, GERROR_ALL),
    FIELD_UP_TO(struct smmu, gerrorn, GERROR_ALL),
    FIELD(struct smmu, strtab_base),
    FIELD(struct smmu, cmdq_base),
    FIELD(struct smmu, eventq_base),
    FIELD(struct smmu, strtab_base_cfg),
    FIELD(struct smmu, cmdq_prod),
    FIELD(struct smmu, cmdq_cons),
    FIELD(struct smmu, eventq_prod),
    FIELD(struct smmu, eventq_cons),
    FIELD(struct smmu, gerror_msi.cfg0),
    FIELD(struct smmu, gerror_msi.cfg1),
    FIELD(struct smmu, gerror_msi.cfg2),
    FIELD(struct smmu, eventq_msi.cfg0),
    FIELD(struct smmu, eventq_msi.cfg1),
    FIELD(struct smmu, eventq_msi.cfg2),
    FIELD_ARRAY(struct smmu, ste_valid),
    FIELD_ARRAY(struct smmu, ste_stream),
    FIELD_ARRAY(struct smmu, ste_words),
    FIELD_ARRAY(struct smmu, cd_valid),
    FIELD_ARRAY(struct smmu, cd_stream),
    FIELD_ARRAY(struct smmu, cd_index),
    FIELD_ARRAY(struct smmu, cd_words),
    FIELD_ARRAY(struct smmu, tlb_input),
    FIELD_ARRAY(struct smmu, tlb_page),
    FIELD_ARRAY(struct smmu, tlb_ipa),
    FIELD_ARRAY(struct smmu, tlb_tag),
    FIELD_ARRAY(struct smmu, tlb_bits),
    FIELD_ARRAY_UP_TO(struct smmu, tlb_next, SMMU_TLB_WAYS - 1),
    FIELD_ARRAY_UP_TO(struct smmu, stall_state, STALL_RAZWI),
    FIELD_ARRAY(struct smmu, stall_stream),
    FIELD_ARRAY(struct smmu, stall_substream),
    FIELD_ARRAY(struct smmu, stall_address),
    FIELD_ARRAY(struct smmu, stall_is_write),
    FIELD_ARRAY(struct smmu, stall_is_told),
    FIELD_END,
};

static bool create(struct vdev *v, struct error *e)
{
    struct smmu *s = smmu_of(v);
    bool is_board = v->type == &smmu_board_type;
    (void)e;
    s->features = (struct smmu_features){.has_stage2 = is_board,
                                         .has_stall = is_board,
                                         .stream_bits = SMMU_STREAM_BITS,
                                         .substream_bits = SUBSTREAM_BITS};
    smmu_registers_reset(s);
    return true;
}

static bool ranges(struct vdev *v, unsigned vcpus, struct error *e)
{
    (void)vcpus;
    (void)e;
    vdev_add_region(v, v->loc, SMMU_REGISTERS_SIZE, NULL);
    return true;
}

/* What devices held of the caches is looked up in those that are there now. */
static void restored(struct vdev *v)
{
    smmu_cache_changed(smmu_of(v));
}

/* One line has every source that there is a line for. A driver that is told of a line for all would
 * not ask for messages. */
static void describe_interrupts(struct vdev *v, const struct describer *d)
{
    static const char combined[] = "combined";
    if (d->message_frame) {
        d->cells(d->context, "msi-parent", &d->message_frame, 1);
        return;
    }
    pic_describe_edge(d, v->irq_line);
    d->strings(d->context, "interrupt-names", combined, sizeof combined);
}

/* Bindings: iommu/arm,smmu-v3.yaml */
static void describe(struct vdev *v, const struct describer *d)
{
    static const char compatible[] = "arm,smmu-v3";
    const uint32_t cells = 1, phandle = PHANDLE_VDEVS + v->channel;
    vdev_describe_begin(v, d, "iommu", compatible, sizeof compatible);
    describe_interrupts(v, d);
    d->empty(d->context, "dma-coherent");
    d->cells(d->context, "#iommu-cells", &cells, 1);
    d->cells(d->context, "phandle", &phandle, 1);
    d->end_node(d->context);
}

const struct vdev_type smmuv3_type = {
    .name = "smmuv3",
    .summary = "SMMUv3 (Arm IHI 0070): stage 1 translation for DMA of the devices behind it",
    .size = sizeof(struct smmu),
    .fields = smmu_state,
    .needs_intr = true,
    .masters = true,
    .sends_messages = true,
    .ranges = ranges,
    .create = create,
    .access = smmu_registers_access,
    .registers = smmu_registers_names,
    .describe = describe,
    .restored = restored,
    .stream_port = smmu_port,
    .stream_bits = SMMU_STREAM_BITS,
    .explain_stream = smmu_tell,
};

const struct vdev_type smmu_board_type = {
    .name = "smmu",
    .summary = "an SMMUv3 of the board: both stages, stalls",
    .size = sizeof(struct smmu),
    .fields = smmu_state,
    .masters = true,
    .ranges = ranges,
    .create = create,
    .access = smmu_registers_access,
    .registers = smmu_registers_names,
    .restored = restored,
    .stream_port = smmu_port,
    .stream_bits = SMMU_STREAM_BITS,
    .explain_stream = smmu_tell,
};
