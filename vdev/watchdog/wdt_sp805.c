/* `vdev wdt-sp805`: the PrimeCell watchdog (DDI 0270B). It counts down from WdogLoad; at zero it
 * raises its interrupt and counts down once more; at zero again, with the interrupt still there and
 * the reset output enabled, it bites: `action` says how.
 *
 * A count-down takes WdogLoad + 1 clocks: the counter shows WdogLoad, ..., 0, and the next clock
 * reloads it. The one event is the next zero that changes anything. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vdev/vdev.h"

enum {
    WdogLoad = 0x000,
    WdogValue = 0x004,
    WdogControl = 0x008,
    WdogIntClr = 0x00c,
    WdogRIS = 0x010,
    WdogMIS = 0x014,
    WdogLock = 0xc00,
    WdogITCR = 0xf00,
    WdogITOP = 0xf04,
    WdogPeriphID0 = 0xfe0,
};
enum { CONTROL_INTEN = 1 << 0, CONTROL_RESEN = 1 << 1, CONTROL_BITS = 3 };
enum { ITOP_WDOGRES = 1 << 0, ITOP_WDOGINT = 1 << 1, ITOP_BITS = 3 };
#define LOCK_KEY 0x1acce551u

#define FREQUENCY_DEFAULT 25000000u
#define FREQUENCY_MAX     1000000000u

/* Termination by a watchdog has its own exit status. */
enum { EXIT_STATUS_WATCHDOG = 4 };

struct sp805 {
    struct vdev v;
    struct event zero;
    uint64_t zero_ticks;    /* when that event is due, or EVENT_NEVER */
    uint64_t reloaded_at;   /* clock at which the counter was last set to WdogLoad */
    uint32_t load, stopped; /* WdogLoad; the counter's value while it does not count */
    uint8_t control, ris, is_locked, bitten;
    uint8_t itcr, itop;
    /* From the configuration: */
    uint32_t frequency;
    bool dumps, is_fiq;
};

static const struct field sp805_fields[] = {
    FIELD(struct sp805, zero_ticks),
    FIELD(struct sp805, reloaded_at),
    FIELD(struct sp805, load),
    FIELD(struct sp805, stopped),
    FIELD(struct sp805, control),
    FIELD_UP_TO(struct sp805, ris, 1),
    FIELD_UP_TO(struct sp805, is_locked, 1),
    FIELD_UP_TO(struct sp805, bitten, 1),
    FIELD_UP_TO(struct sp805, itcr, 1),
    FIELD(struct sp805, itop),
    FIELD_END,
};

static struct sp805 *sp805_of(struct vdev *v)
{
    return (struct sp805 *)(void *)v;
}

static bool is_counting(const struct sp805 *w)
{
    return w->control & CONTROL_INTEN;
}

/* WDOGINT; in integration test mode software drives it (WdogITOP). */
static bool interrupt_level(const struct sp805 *w)
{
    return w->itcr ? w->itop & ITOP_WDOGINT : w->ris && is_counting(w);
}

static void update_irq(struct sp805 *w)
{
    wire_set(&w->v.irq, interrupt_level(w));
}

/* WDOGRES goes up. `fiq` is an edge on the line that WDOGINT may hold already. */
static void bite(struct sp805 *w)
{
    static const char why[] = "the guest did not feed its watchdog, vdev wdt-sp805";
    w->bitten = 1;
    if (w->dumps)
        w->v.env->request_dump(w->v.env->context, why);
    if (!w->is_fiq) {
        w->v.env->request_exit(w->v.env->context, EXIT_STATUS_WATCHDOG, why);
        return;
    }
    wire_set(&w->v.irq, false);
    wire_set(&w->v.irq, true);
    update_irq(w);
}

/* Counting ----------------------------------------------------------------------------------------
 */

/* The watchdog's clock: ticks of `frequency` since the start. */
static uint64_t clock_now(const struct sp805 *w)
{
    return vtime_count(w->v.env->vtime, w->frequency);
}

static uint32_t counter(const struct sp805 *w)
{
    if (!is_counting(w))
        return w->stopped;
    uint64_t passed = clock_now(w) - w->reloaded_at;
    return (uint32_t)(w->load - passed % ((uint64_t)w->load + 1));
}

/* The first zero behind this clock, if it is to change anything. */
static void arm(struct sp805 *w)
{
    uint64_t period = (uint64_t)w->load + 1, passed = clock_now(w) - w->reloaded_at;
    uint64_t zeros = passed < w->load ? 0 : (passed - w->load) / period + 1;
    bool matters = !w->ris || (w->control & CONTROL_RESEN && !w->bitten);
    w->zero_ticks = EVENT_NEVER;
    if (is_counting(w) && matters)
        w->zero_ticks = vtime_ticks_at_count(
            w->v.env->vtime, w->reloaded_at + w->load + zeros * period, w->frequency);
    event_at(w->v.env->events, &w->zero, w->zero_ticks);
}

static void reach_zero(struct sp805 *w)
{
    bool was_raised = w->ris;
    w->ris = 1;
    update_irq(w);
    if (was_raised && w->control & CONTROL_RESEN && !w->bitten)
        bite(w);
    arm(w);
}

static void zero_fires(void *context, uint64_t due_ticks)
{
    (void)due_ticks;
    reach_zero(context);
}

/* WdogLoad, minimum value: 0 is at zero at once. */
static void reload(struct sp805 *w)
{
    w->reloaded_at = clock_now(w);
    w->stopped = w->load;
    if (is_counting(w) && w->load == 0)
        reach_zero(w);
    else
        arm(w);
}

/* Registers ---------------------------------------------------------------------------------------
 */

/* INTEN stops the counter, and reloads it when it comes back (WdogControl). */
static void write_control(struct sp805 *w, uint32_t value)
{
    bool was_counting = is_counting(w);
    w->stopped = counter(w);
    w->control = value & CONTROL_BITS;
    if (is_counting(w) && !was_counting)
        reload(w);
    else
        arm(w);
    update_irq(w);
}

static void clear_interrupt(struct sp805 *w)
{
    w->ris = 0;
    w->bitten = 0;
    reload(w);
    update_irq(w);
}

/* Test mode puts WdogITOP on the outputs, WDOGRES included. */
static void write_test(struct sp805 *w, uint8_t itcr, uint8_t itop)
{
    bool was_reset = w->itcr && w->itop & ITOP_WDOGRES;
    w->itcr = itcr;
    w->itop = itop;
    update_irq(w);
    if (itcr && itop & ITOP_WDOGRES && !was_reset)
        bite(w);
}

static void write_unlocked(struct sp805 *w, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case WdogLoad:
        w->load = value;
        reload(w);
        break;
    case WdogControl:
        write_control(w, value);
        break;
    case WdogIntClr: /* any value */
        clear_interrupt(w);
        break;
    case WdogITCR:
        write_test(w, value & 1, w->itop);
        break;
    case WdogITOP:
        write_test(w, w->itcr, value & ITOP_BITS);
        break;
    default:
        log_guest(w->v.env->log, "wdt-sp805: write to read-only or reserved register +%#x",
                  (unsigned)offset);
        break;
    }
}

/* Unless the key is in WdogLock, nothing else can be written. */
static void write_register(struct sp805 *w, uint64_t offset, uint32_t value)
{
    if (offset == WdogLock)
        w->is_locked = value != LOCK_KEY;
    else if (w->is_locked)
        log_guest(w->v.env->log, "wdt-sp805: write to +%#x while locked", (unsigned)offset);
    else
        write_unlocked(w, offset, value);
}

static uint32_t read_register(const struct sp805 *w, uint64_t offset)
{
    static const uint8_t ids[8] = {0x05, 0x18, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    if (offset >= WdogPeriphID0)
        return ids[(offset - WdogPeriphID0) / 4];
    switch (offset) {
    case WdogLoad:
        return w->load;
    case WdogValue:
        return counter(w);
    case WdogControl:
        return w->control;
    case WdogRIS:
        return w->ris;
    case WdogMIS:
        return w->ris && is_counting(w);
    case WdogLock:
        return w->is_locked;
    case WdogITCR:
        return w->itcr;
    default:
        log_guest(w->v.env->log, "wdt-sp805: read of write-only or reserved register +%#x",
                  (unsigned)offset);
        return 0;
    }
}

static enum bus_answer sp805_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    (void)region;
    if (a->size != 4 || a->offset % 4)
        return BUS_NOBODY;
    if (a->is_write)
        write_register(sp805_of(v), a->offset, (uint32_t)a->value);
    else
        a->value = read_register(sp805_of(v), a->offset);
    return BUS_HANDLED;
}

/* Life --------------------------------------------------------------------------------------------
 */

static bool read_action(struct sp805 *w, struct error *e)
{
    const struct vdev_option *o = vdev_option_find(&w->v, "action");
    if (!o)
        return true;
    const char *what = o->value;
    w->dumps = strncmp(what, "dump,", 5) == 0;
    what += w->dumps ? 5 : 0;
    w->is_fiq = strcmp(what, "fiq") == 0;
    if (!w->is_fiq && strcmp(what, "terminate") != 0)
        return error_at(e, o->file, o->line,
                        "vdev wdt-sp805: action '%s' is none of terminate, fiq, dump,terminate and "
                        "dump,fiq",
                        o->value);
    if (w->is_fiq && !w->v.irq.set)
        return error_at(e, o->file, o->line,
                        "vdev wdt-sp805: action fiq needs an interrupt line: 'intr PIC:LINE'");
    return true;
}

static bool read_frequency(struct sp805 *w, struct error *e)
{
    uint64_t frequency = FREQUENCY_DEFAULT;
    if (!vdev_option_number(&w->v, "frequency", 10, &frequency, e))
        return false;
    const struct vdev_option *o = vdev_option_find(&w->v, "frequency");
    w->frequency = (uint32_t)frequency;
    return (frequency > 0 && frequency <= FREQUENCY_MAX) ||
           error_at(e, o->file, o->line,
                    "vdev wdt-sp805: the frequency %s is not in the range 1 to %u Hz", o->value,
                    FREQUENCY_MAX);
}

static bool sp805_create(struct vdev *v, struct error *e)
{
    struct sp805 *w = sp805_of(v);
    if (!read_action(w, e) || !read_frequency(w, e))
        return false;
    w->zero = (struct event){.name = "sp805 zero", .fire = zero_fires, .context = w};
    event_add(v->env->events, &w->zero);
    w->zero_ticks = EVENT_NEVER;
    w->load = w->stopped = UINT32_MAX;
    return true;
}

static void sp805_restored(struct vdev *v)
{
    struct sp805 *w = sp805_of(v);
    event_at(v->env->events, &w->zero, w->zero_ticks);
    update_irq(w);
}

/* Its clock is a node of its own, since its frequency is an option: drivers compute WdogLoad by it.
 */
static void describe_clock(const struct sp805 *w, const struct describer *d, uint32_t phandle)
{
    static const char compatible[] = "fixed-clock";
    const uint32_t cells = 0;
    char name[40];
    snprintf(name, sizeof name, "watchdog-clock-%" PRIx64, w->v.loc);
    d->begin_node(d->context, name);
    d->strings(d->context, "compatible", compatible, sizeof compatible);
    d->cells(d->context, "#clock-cells", &cells, 1);
    d->cells(d->context, "clock-frequency", &w->frequency, 1);
    d->cells(d->context, "phandle", &phandle, 1);
    d->end_node(d->context);
}

static void sp805_describe(struct vdev *v, const struct describer *d)
{
    static const char compatible[] = "arm,sp805\0arm,primecell";
    static const char clock_names[] = "wdog_clk\0apb_pclk";
    const uint32_t clocks[2] = {PHANDLE_VDEVS + v->channel, PHANDLE_CLOCK_24MHZ};
    describe_clock(sp805_of(v), d, clocks[0]);
    vdev_describe_begin(v, d, "watchdog", compatible, sizeof compatible);
    if (v->irq.set)
        pic_describe_interrupt(d, v->irq_line);
    d->cells(d->context, "clocks", clocks, 2);
    d->strings(d->context, "clock-names", clock_names, sizeof clock_names);
    d->end_node(d->context);
}

static void sp805_status(const struct vdev *v, char *text, size_t size)
{
    const struct sp805 *w = (const struct sp805 *)(const void *)v;
    if (!is_counting(w))
        snprintf(text, size, "stopped");
    else
        snprintf(text, size, "at %" PRIu32 " of %" PRIu32 "%s", counter(w), w->load,
                 w->ris ? ", interrupt raised" : "");
}

static void sp805_destroy(struct vdev *v)
{
    event_at(v->env->events, &sp805_of(v)->zero, EVENT_NEVER);
}

static const struct vdev_option_type sp805_options[] = {
    {"action", "[dump,]terminate|fiq", "terminate", "what the second expiry does", false, false},
    {"frequency", "HZ", "25000000", "of the clock it counts by", false, false},
    VDEV_OPTIONS_END,
};

static const struct vdev_register *sp805_registers(const struct vdev *v, unsigned region,
                                                   uint64_t *offset)
{
    static const struct vdev_register table[] = {
        VDEV_REGISTER(WdogLoad),   VDEV_REGISTER(WdogValue), VDEV_REGISTER(WdogControl),
        VDEV_REGISTER(WdogIntClr), VDEV_REGISTER(WdogRIS),   VDEV_REGISTER(WdogMIS),
        VDEV_REGISTER(WdogLock),   VDEV_REGISTER(WdogITCR),  VDEV_REGISTER(WdogITOP),
        VDEV_REGISTERS_END,
    };
    (void)v, (void)region, (void)offset;
    return table;
}

static bool sp805_watches(const struct vdev *v)
{
    const struct sp805 *w = (const struct sp805 *)(const void *)v;
    return w->zero_ticks != EVENT_NEVER && w->control & CONTROL_RESEN && !w->is_fiq;
}

const struct vdev_type wdt_sp805_type = {
    .name = "wdt-sp805",
    .summary = "PrimeCell watchdog (SP805)",
    .size = sizeof(struct sp805),
    .fields = sp805_fields,
    .default_loc = 0x1c0f0000,
    .options = sp805_options,
    .ranges = vdev_one_page,
    .create = sp805_create,
    .access = sp805_access,
    .registers = sp805_registers,
    .describe = sp805_describe,
    .status = sp805_status,
    .watches = sp805_watches,
    .restored = sp805_restored,
    .destroy = sp805_destroy,
};
