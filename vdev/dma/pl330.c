/* `vdev pl330`: the DMA controller PL330, also called DMA-330 (DDI 0424), as it is configured for
 * the non-secure world: 8 channels, 16 events, 4 peripheral request interfaces, a bus of 64 bits.
 * Its programs are in memory, and so is what they move.
 *
 * Programs run in virtual time: so many instructions at once, then a pause, so that one without an
 * end costs no more at once than any other. The interrupt is all of irq[15:0] and irq_abort. */
#include "vdev/dma/pl330_internal.h"

enum {
    DSR = 0x000,
    DPC = 0x004,
    INTEN = 0x020,
    INT_EVENT_RIS = 0x024,
    INTMIS = 0x028,
    INTCLR = 0x02c,
    FSRD = 0x030,
    FSRC = 0x034,
    FTRD = 0x038,
    FTR0 = 0x040,
    CSR0 = 0x100, /* and CPC0, and so on */
    SAR0 = 0x400, /* and DAR0, CCR0, LC0_0, LC1_0, and so on */
    DBGSTATUS = 0xd00,
    DBGCMD = 0xd04,
    DBGINST0 = 0xd08,
    DBGINST1 = 0xd0c,
    CR0 = 0xe00,
    WD = 0xe80,
    periph_id_0 = 0xfe0,
};
enum { CHANNEL_STATUS_SIZE = 8, CHANNEL_AXI_SIZE = 0x20 };
enum { DSR_DNS = 1 << 9, CSR_CNS = 1 << 21, WAKEUP_SHIFT = 4 };
enum { INTERRUPT_BITS = (1 << PL330_EVENTS) - 1 };

/* How many instructions are done at once, and how long they take. */
enum { STEP_INSTRUCTIONS = 256, STEP_TICKS = 1024 };

static const struct field pl330_fields[] = {
    FIELD(struct pl330, work_ticks),
    FIELD_ARRAY(struct pl330, pc),
    FIELD_ARRAY(struct pl330, fault),
    FIELD_ARRAY_UP_TO(struct pl330, state, PL330_FAULTING),
    FIELD_ARRAY_UP_TO(struct pl330, wakeup, PL330_EVENTS - 1),
    FIELD_ARRAY(struct pl330, sar),
    FIELD_ARRAY(struct pl330, dar),
    FIELD_ARRAY(struct pl330, ccr),
    FIELD_ARRAY(struct pl330, loops),
    FIELD_ARRAY_UP_TO(struct pl330, is_single, 1),
    FIELD_ARRAY_UP_TO(struct pl330, is_last, 1),
    FIELD_ARRAY_UP_TO(struct pl330, filled, PL330_FIFO_BYTES),
    FIELD_ARRAY(struct pl330, fifo),
    FIELD_UP_TO(struct pl330, inten, INTERRUPT_BITS),
    FIELD_UP_TO(struct pl330, ris, INTERRUPT_BITS),
    FIELD(struct pl330, dbginst0),
    FIELD(struct pl330, dbginst1),
    FIELD_END,
};

static struct pl330 *pl330_of(struct vdev *v)
{
    return (struct pl330 *)(void *)v;
}

static uint32_t faulting_channels(const struct pl330 *p)
{
    uint32_t channels = 0;
    for (unsigned i = 0; i < PL330_CHANNELS; i++)
        channels |= (uint32_t)(p->state[i] == PL330_FAULTING) << i;
    return channels;
}

static bool manager_faults(const struct pl330 *p)
{
    return p->state[PL330_MANAGER] == PL330_FAULTING;
}

static void update_irq(struct pl330 *p)
{
    wire_set(&p->v.irq, p->ris & p->inten || manager_faults(p) || faulting_channels(p));
}

/* Time --------------------------------------------------------------------------------------------
 */

static unsigned threads_that(const struct pl330 *p, bool (*is)(const struct pl330 *p, unsigned t))
{
    unsigned threads = 0;
    for (unsigned t = 0; t < PL330_THREADS; t++)
        threads |= (unsigned)is(p, t) << t;
    return threads;
}

static bool waits(const struct pl330 *p, unsigned thread)
{
    return p->state[thread] == PL330_WAITS_FOR_EVENT ||
           p->state[thread] == PL330_WAITS_FOR_PERIPHERAL;
}

/* What threads did in their last steps, a bit each. */
struct round {
    unsigned ran, stalled, held, signalled;
};

/* 2.7: one instruction of each thread that can, in turn. */
static void step(struct pl330 *p, unsigned threads, struct round *r)
{
    *r = (struct round){0};
    for (unsigned t = 0; t < PL330_THREADS; t++) {
        if (!(threads >> t & 1) || !pl330_thread_can_run(p, t))
            continue;
        enum pl330_outcome outcome = pl330_thread_step(p, t);
        r->ran |= (unsigned)(outcome >= PL330_RAN) << t;
        r->stalled |= (unsigned)(outcome == PL330_STALLED) << t;
        r->held |= (unsigned)(outcome == PL330_IS_HELD) << t;
        r->signalled |= (unsigned)(outcome == PL330_SIGNALLED) << t;
    }
}

/* 2.8.4: channels that wait for room in the MFIFO, while nothing goes on that might make some. */
static void look_for_lockup(struct pl330 *p, const struct round *r)
{
    if (r->ran || r->held || threads_that(p, waits))
        return;
    for (unsigned t = 0; t < PL330_CHANNELS; t++)
        if (r->stalled >> t & 1)
            pl330_thread_fault(p, t, PL330_LOCKUP_ERR);
}

static void arm(struct pl330 *p)
{
    p->work_ticks = EVENT_NEVER;
    if (threads_that(p, pl330_thread_can_run))
        p->work_ticks = vtime_ticks(p->v.env->vtime) + STEP_TICKS;
    event_at(p->v.env->events, &p->work, p->work_ticks);
}

/* Drivers look whether a channel has stopped when its interrupt comes, and a program's last but one
 * instruction sends it: what follows DMASEV is not left for later. */
static void work_fires(void *context, uint64_t due_ticks)
{
    struct pl330 *p = context;
    struct round r;
    (void)due_ticks;
    for (unsigned left = STEP_INSTRUCTIONS; left;) {
        step(p, ~0u, &r);
        unsigned done = (unsigned)__builtin_popcount(r.ran);
        left -= done < left ? done : left;
        if (!r.ran)
            break;
    }
    look_for_lockup(p, &r);
    if (r.signalled)
        step(p, r.signalled, &r);
    arm(p);
    update_irq(p);
}

static void begin_work(struct pl330 *p)
{
    if (p->work_ticks == EVENT_NEVER)
        arm(p);
    update_irq(p);
}

/* Registers ---------------------------------------------------------------------------------------
 */

/* 2.5.1: DBGINST0 names the thread, and has the first two bytes. */
static void execute_debug(struct pl330 *p)
{
    uint8_t instruction[6] = {(uint8_t)(p->dbginst0 >> 16), (uint8_t)(p->dbginst0 >> 24)};
    unsigned thread = p->dbginst0 & 1 ? p->dbginst0 >> 8 & (PL330_CHANNELS - 1) : PL330_MANAGER;
    for (unsigned i = 0; i < 4; i++)
        instruction[2 + i] = (uint8_t)(p->dbginst1 >> 8 * i);
    pl330_thread_debug(p, thread, instruction);
    begin_work(p);
}

static void write_register(struct pl330 *p, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case INTEN:
        p->inten = value & INTERRUPT_BITS;
        begin_work(p);
        break;
    case INTCLR: /* interrupts only, not events */
        p->ris &= ~(value & p->inten);
        update_irq(p);
        break;
    case DBGCMD:
        if ((value & 3) == 0)
            execute_debug(p);
        break;
    case DBGINST0:
        p->dbginst0 = value;
        break;
    case DBGINST1:
        p->dbginst1 = value;
        break;
    default:
        log_guest(p->v.env->log, "%s: write to read-only or reserved register +%#x", p->v.name,
                  (unsigned)offset);
        break;
    }
}

static uint32_t status_of(const struct pl330 *p, unsigned thread)
{
    uint32_t wakeup = waits(p, thread) ? p->wakeup[thread] : 0u;
    return p->state[thread] | wakeup << WAKEUP_SHIFT;
}

static uint32_t read_channel_status(const struct pl330 *p, uint64_t at)
{
    unsigned channel = (unsigned)(at / CHANNEL_STATUS_SIZE);
    return at % CHANNEL_STATUS_SIZE ? p->pc[channel]
           : p->state[channel]      ? status_of(p, channel) | CSR_CNS
                                    : 0;
}

static uint32_t read_channel_axi(const struct pl330 *p, uint64_t at)
{
    unsigned channel = (unsigned)(at / CHANNEL_AXI_SIZE);
    switch (at % CHANNEL_AXI_SIZE) {
    case 0x00:
        return p->sar[channel];
    case 0x04:
        return p->dar[channel];
    case 0x08:
        return p->ccr[channel];
    case 0x0c:
    case 0x10:
        return p->loops[2 * channel + (at % CHANNEL_AXI_SIZE == 0x10)];
    default:
        return 0;
    }
}

/* What the controller is: 3.3.20 to 3.3.26. */
static uint32_t read_configuration(const struct pl330 *p, uint64_t at)
{
    enum { BOOT_EN = 1 << 1 };
    enum { MGR_NS_AT_RST = 1 << 2, PERIPH_REQ = 1 << 0 };
    enum { FIFO_LINES = PL330_FIFO_BYTES >> PL330_BUS_BYTES_LOG2 };
    const uint32_t values[] = {
        (p->boots ? BOOT_EN : 0) | PERIPH_REQ | MGR_NS_AT_RST | (PL330_CHANNELS - 1) << 4 |
            (PL330_PERIPHERALS - 1) << 12 | (PL330_EVENTS - 1) << 17, /* CR0 */
        4 | 7 << 4,                   /* CR1: 8 lines of 16 bytes to cache */
        (uint32_t)p->boot_address,    /* CR2 */
        INTERRUPT_BITS,               /* CR3: interrupts are non-secure */
        (1 << PL330_PERIPHERALS) - 1, /* CR4: peripherals are */
        PL330_BUS_BYTES_LOG2 | 7 << 4 | 15 << 8 | 7 << 12 | 15 << 16 |
            (uint32_t)(FIFO_LINES - 1) << 20, /* CRD: 8 of each at a time, 16 in queues */
    };
    return at / 4 < sizeof values / sizeof values[0] ? values[at / 4] : 0;
}

static uint32_t read_control(const struct pl330 *p, uint64_t offset)
{
    switch (offset) {
    case DSR:
        return status_of(p, PL330_MANAGER) | DSR_DNS;
    case DPC:
        return p->pc[PL330_MANAGER];
    case INTEN:
        return p->inten;
    case INT_EVENT_RIS:
        return p->ris;
    case INTMIS:
        return p->ris & p->inten;
    case FSRD:
        return manager_faults(p);
    case FSRC:
        return faulting_channels(p);
    case FTRD:
        return p->fault[PL330_MANAGER];
    default: /* DBGSTATUS, too: it is never busy */
        return 0;
    }
}

static uint32_t read_register(const struct pl330 *p, uint64_t offset)
{
    static const uint8_t ids[8] = {0x30, 0x13, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1}; /* r1p2 */
    if (offset >= periph_id_0)
        return ids[(offset - periph_id_0) / 4];
    if (offset >= CR0)
        return read_configuration(p, offset - CR0);
    if (offset - SAR0 < PL330_CHANNELS * CHANNEL_AXI_SIZE)
        return read_channel_axi(p, offset - SAR0);
    if (offset - CSR0 < PL330_CHANNELS * CHANNEL_STATUS_SIZE)
        return read_channel_status(p, offset - CSR0);
    if (offset - FTR0 < PL330_CHANNELS * 4)
        return p->fault[(offset - FTR0) / 4];
    return read_control(p, offset);
}

static enum bus_answer pl330_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    (void)region;
    if (a->size != 4 || a->offset % 4)
        return BUS_NOBODY;
    if (a->is_write)
        write_register(pl330_of(v), a->offset, (uint32_t)a->value);
    else
        a->value = read_register(pl330_of(v), a->offset);
    return BUS_HANDLED;
}

static const struct vdev_register *pl330_registers(const struct vdev *v, unsigned region,
                                                   uint64_t *offset)
{
    /* clang-format off */
    static const struct vdev_register table[] = {
        VDEV_REGISTER(DSR), VDEV_REGISTER(DPC), VDEV_REGISTER(INTEN),
        VDEV_REGISTER(INT_EVENT_RIS), VDEV_REGISTER(INTMIS), VDEV_REGISTER(INTCLR),
        VDEV_REGISTER(FSRD), VDEV_REGISTER(FSRC), VDEV_REGISTER(FTRD),
        {FTR0, "FTR", PL330_CHANNELS}, VDEV_REGISTER(DBGSTATUS), VDEV_REGISTER(DBGCMD),
        VDEV_REGISTER(DBGINST0), VDEV_REGISTER(DBGINST1), {CR0, "CR", 5}, {CR0 + 0x14, "CRD", 0},
        VDEV_REGISTER(WD), {periph_id_0, "periph_id_", 4}, {0xff0, "pcell_id_", 4},
        {CSR0 + 0x00, "CSR0", 0}, {CSR0 + 0x04, "CPC0", 0}, {CSR0 + 0x08, "CSR1", 0},
        {CSR0 + 0x0c, "CPC1", 0}, {CSR0 + 0x10, "CSR2", 0}, {CSR0 + 0x14, "CPC2", 0},
        {CSR0 + 0x18, "CSR3", 0}, {CSR0 + 0x1c, "CPC3", 0}, {CSR0 + 0x20, "CSR4", 0},
        {CSR0 + 0x24, "CPC4", 0}, {CSR0 + 0x28, "CSR5", 0}, {CSR0 + 0x2c, "CPC5", 0},
        {CSR0 + 0x30, "CSR6", 0}, {CSR0 + 0x34, "CPC6", 0}, {CSR0 + 0x38, "CSR7", 0},
        {CSR0 + 0x3c, "CPC7", 0}, VDEV_REGISTERS_END,
    };
    /* clang-format on */
    (void)v;
    (void)region;
    (void)offset;
    return table;
}

/* Life --------------------------------------------------------------------------------------------
 */

static bool pl330_create(struct vdev *v, struct error *e)
{
    struct pl330 *p = pl330_of(v);
    const struct vdev_option *boot = vdev_option_find(v, "boot");
    p->boots = boot;
    if (!vdev_option_number(v, "boot", 16, &p->boot_address, e))
        return false;
    if (p->boot_address > UINT32_MAX)
        return error_at(e, boot->file, boot->line, "vdev pl330: boot %s is beyond 32 bits",
                        boot->value);
    for (unsigned i = 0; i < PL330_CHANNELS; i++)
        p->ccr[i] = PL330_CCR_RESET;
    p->work_ticks = EVENT_NEVER;
    p->work = (struct event){.name = "pl330 work", .fire = work_fires, .context = p};
    event_add(v->env->events, &p->work);
    if (p->boots) {
        p->state[PL330_MANAGER] = PL330_EXECUTING;
        p->pc[PL330_MANAGER] = (uint32_t)p->boot_address;
        arm(p);
    }
    return true;
}

static void pl330_restored(struct vdev *v)
{
    struct pl330 *p = pl330_of(v);
    event_at(v->env->events, &p->work, p->work_ticks);
    update_irq(p);
}

static void pl330_destroy(struct vdev *v)
{
    event_at(v->env->events, &pl330_of(v)->work, EVENT_NEVER);
}

/* Bindings: dma/arm,pl330.yaml. */
static void pl330_describe(struct vdev *v, const struct describer *d)
{
    static const char compatible[] = "arm,pl330\0arm,primecell", clock_names[] = "apb_pclk";
    static const uint32_t clocks[1] = {PHANDLE_CLOCK_24MHZ}, dma_cells[1] = {1};
    vdev_describe_begin(v, d, "dma-controller", compatible, sizeof compatible);
    pic_describe_interrupt(d, v->irq_line);
    d->cells(d->context, "clocks", clocks, 1);
    d->strings(d->context, "clock-names", clock_names, sizeof clock_names);
    d->cells(d->context, "#dma-cells", dma_cells, 1);
    d->empty(d->context, "dma-coherent");
    d->end_node(d->context);
}

static void pl330_status(const struct vdev *v, char *text, size_t size)
{
    const struct pl330 *p = (const struct pl330 *)(const void *)v;
    unsigned running = 0;
    for (unsigned i = 0; i < PL330_CHANNELS; i++)
        running += p->state[i] != PL330_STOPPED && p->state[i] != PL330_FAULTING;
    text_add(text, size, "%u channels run, %u faulted", running,
             (unsigned)__builtin_popcount(faulting_channels(p)));
}

static const struct vdev_option_type pl330_options[] = {
    {"boot", "ADDR", "none", "the manager executes what is there as soon as the VM runs", false,
     false},
    VDEV_OPTIONS_END,
};

const struct vdev_type pl330_type = {
    .name = "pl330",
    .summary = "DMA controller (PL330, DMA-330)",
    .size = sizeof(struct pl330),
    .fields = pl330_fields,
    .needs_intr = true,
    .masters = true,
    .options = pl330_options,
    .ranges = vdev_one_page,
    .create = pl330_create,
    .access = pl330_access,
    .registers = pl330_registers,
    .describe = pl330_describe,
    .status = pl330_status,
    .restored = pl330_restored,
    .destroy = pl330_destroy,
};
