/* `vdev pl031`: the PrimeCell real-time clock (DDI 0224). It counts seconds of virtual time from
 * the wall clock that the journal delivered at tick 0, so it agrees with every other clock of the
 * board. It runs from the start: as if a battery had kept it. */

#include "emu/machine.h"
#include "vdev/vdev.h"

enum {
    RTCDR = 0x000,
    RTCMR = 0x004,
    RTCLR = 0x008,
    RTCCR = 0x00c,
    RTCIMSC = 0x010,
    RTCRIS = 0x014,
    RTCMIS = 0x018,
    RTCICR = 0x01c,
    RTCPeriphID0 = 0xfe0,
};

struct pl031 {
    struct vdev v;
    struct event match;
    uint64_t match_ticks; /* when RTCDR reaches RTCMR, or EVENT_NEVER */
    uint32_t offset;      /* RTCDR minus the seconds of virtual time */
    uint32_t mr, lr;
    uint8_t imsc, ris;
};

static const struct field pl031_fields[] = {
    FIELD(struct pl031, match_ticks),
    FIELD(struct pl031, offset),
    FIELD(struct pl031, mr),
    FIELD(struct pl031, lr),
    FIELD(struct pl031, imsc),
    FIELD_UP_TO(struct pl031, ris, 1),
    FIELD_END,
};

static struct pl031 *pl031_of(struct vdev *v)
{
    return (struct pl031 *)(void *)v;
}

static void update_irq(struct pl031 *r)
{
    wire_set(&r->v.irq, (r->ris & r->imsc) != 0);
}

static uint64_t virtual_seconds(const struct pl031 *r)
{
    return vtime_count(r->v.env->vtime, 1);
}

static uint32_t data(const struct pl031 *r)
{
    return (uint32_t)virtual_seconds(r) + r->offset;
}

/* The next equality of counter and match register. When they are equal now, that one has been seen
 * and the next is 2^32 seconds away. */
static void arm_match(struct pl031 *r)
{
    uint64_t seconds_until = (uint32_t)(r->mr - data(r) - 1) + UINT64_C(1);
    r->match_ticks = vtime_ticks_at_count(r->v.env->vtime, virtual_seconds(r) + seconds_until, 1);
    event_at(r->v.env->events, &r->match, r->match_ticks);
}

/* The interrupt rises when the two become equal (DDI 0224, RTCMR): by a write, or by time. */
static void compare(struct pl031 *r)
{
    if (data(r) == r->mr)
        r->ris = 1;
    arm_match(r);
    update_irq(r);
}

static void match_fires(void *context, uint64_t due_ticks)
{
    struct pl031 *r = context;
    (void)due_ticks;
    r->ris = 1;
    arm_match(r);
    update_irq(r);
}

/* RTCPeriphID2 has the revision, 1, and the designer (DDI 0224C 3.3.9); the former was 0 once. */
static uint8_t id_register(const struct pl031 *r, unsigned index)
{
    static const uint8_t ids[8] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    bool is_old = index == 2 && (r->v.env->quirks & QUIRK_OLD_PART_IDS);
    return is_old ? 0x04 : ids[index];
}

static uint64_t read_register(const struct pl031 *r, uint64_t offset)
{
    if (offset >= RTCPeriphID0)
        return id_register(r, (unsigned)(offset - RTCPeriphID0) / 4);
    switch (offset) {
    case RTCDR:
        return data(r);
    case RTCMR:
        return r->mr;
    case RTCLR:
        return r->lr;
    case RTCCR: /* started; cannot be stopped */
        return 1;
    case RTCIMSC:
        return r->imsc;
    case RTCRIS:
        return r->ris;
    case RTCMIS:
        return r->ris & r->imsc;
    default:
        log_guest(r->v.env->log, "pl031: read of reserved register +%#x", (unsigned)offset);
        return 0;
    }
}

static void write_register(struct pl031 *r, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case RTCMR:
        r->mr = value;
        compare(r);
        break;
    case RTCLR:
        r->lr = value;
        r->offset = value - (uint32_t)virtual_seconds(r);
        compare(r);
        break;
    case RTCCR:
        break;
    case RTCIMSC:
        r->imsc = value & 1;
        update_irq(r);
        break;
    case RTCICR:
        r->ris &= (uint8_t) ~(value & 1);
        update_irq(r);
        break;
    default:
        log_guest(r->v.env->log, "pl031: write to read-only or reserved register +%#x",
                  (unsigned)offset);
        break;
    }
}

static enum bus_answer pl031_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    (void)region;
    if (a->size != 4 || a->offset % 4)
        return BUS_NOBODY;
    if (a->is_write)
        write_register(pl031_of(v), a->offset, (uint32_t)a->value);
    else
        a->value = read_register(pl031_of(v), a->offset);
    return BUS_HANDLED;
}

/* At reset the match register is 0, and no match is looked for until software writes it or RTCLR.
 */
static bool pl031_create(struct vdev *v, struct error *e)
{
    struct pl031 *r = pl031_of(v);
    (void)e;
    r->match = (struct event){.name = "pl031 match", .fire = match_fires, .context = r};
    event_add(v->env->events, &r->match);
    r->match_ticks = EVENT_NEVER;
    r->offset = (uint32_t)v->env->wall_clock_s;
    return true;
}

static void pl031_restored(struct vdev *v)
{
    struct pl031 *r = pl031_of(v);
    event_at(v->env->events, &r->match, r->match_ticks);
    update_irq(r);
}

static void pl031_describe(struct vdev *v, const struct describer *d)
{
    static const char compatible[] = "arm,pl031\0arm,primecell";
    static const char clock_names[] = "apb_pclk";
    static const uint32_t clocks[1] = {PHANDLE_CLOCK_24MHZ};
    vdev_describe_begin(v, d, "rtc", compatible, sizeof compatible);
    pic_describe_interrupt(d, v->irq_line);
    d->cells(d->context, "clocks", clocks, 1);
    d->strings(d->context, "clock-names", clock_names, sizeof clock_names);
    d->end_node(d->context);
}

static void pl031_destroy(struct vdev *v)
{
    event_at(v->env->events, &pl031_of(v)->match, EVENT_NEVER);
}

static const struct vdev_register *pl031_registers(const struct vdev *v, unsigned region,
                                                   uint64_t *offset)
{
    static const struct vdev_register table[] = {
        VDEV_REGISTER(RTCDR),  VDEV_REGISTER(RTCMR),   VDEV_REGISTER(RTCLR),
        VDEV_REGISTER(RTCCR),  VDEV_REGISTER(RTCIMSC), VDEV_REGISTER(RTCRIS),
        VDEV_REGISTER(RTCMIS), VDEV_REGISTER(RTCICR),  VDEV_REGISTERS_END,
    };
    (void)v, (void)region, (void)offset;
    return table;
}

const struct vdev_type pl031_type = {
    .name = "pl031",
    .summary = "PrimeCell real-time clock (PL031)",
    .size = sizeof(struct pl031),
    .fields = pl031_fields,
    .needs_intr = true,
    .ranges = vdev_one_page,
    .create = pl031_create,
    .access = pl031_access,
    .registers = pl031_registers,
    .describe = pl031_describe,
    .restored = pl031_restored,
    .destroy = pl031_destroy,
};
