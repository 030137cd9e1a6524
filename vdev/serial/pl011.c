/* `vdev pl011`: the PrimeCell UART, r1p5 (DDI 0183G), with FIFOs of 32.
 *
 * Sending takes no time: a character written leaves at once, so the transmit FIFO is always empty
 * and each write is a transition through the trigger level (Interrupts, UARTTXINTR). Receiving
 * takes what the host pushes for as long as there is room, so only loopback overruns. The receive
 * timeout comes 32 bit periods after the last character, by the programmed baud rate.
 *
 * One liberty: UARTCR.UARTEN is not needed to send or receive. Early consoles write to a UART that
 * they expect firmware to have enabled, and here there is none. */
#include <inttypes.h>

#include "vdev/vdev.h"

enum { FIFO_DEPTH = 32, UARTCLK_HZ = 24000000, BATCH_MAX = 256 };

enum {
    UARTDR = 0x000,
    UARTRSR_ECR = 0x004,
    UARTFR = 0x018,
    UARTILPR = 0x020,
    UARTIBRD = 0x024,
    UARTFBRD = 0x028,
    UARTLCR_H = 0x02c,
    UARTCR = 0x030,
    UARTIFLS = 0x034,
    UARTIMSC = 0x038,
    UARTRIS = 0x03c,
    UARTMIS = 0x040,
    UARTICR = 0x044,
    UARTDMACR = 0x048,
    UARTPeriphID0 = 0xfe0,
};

/* UARTDR, above the character; UARTRSR has the same four bits from bit 0. */
enum { DR_FE = 1 << 8, DR_PE = 1 << 9, DR_BE = 1 << 10, DR_OE = 1 << 11 };
enum { RSR_OE = 1 << 3 };

enum {
    FR_CTS = 1 << 0,
    FR_DSR = 1 << 1,
    FR_DCD = 1 << 2,
    FR_RXFE = 1 << 4,
    FR_RXFF = 1 << 6,
    FR_TXFE = 1 << 7,
    FR_RI = 1 << 8,
    FR_MODEM = FR_CTS | FR_DSR | FR_DCD | FR_RI,
};

enum { LCR_BRK = 1 << 0, LCR_FEN = 1 << 4 };

enum {
    CR_LBE = 1 << 7,
    CR_TXE = 1 << 8,
    CR_RXE = 1 << 9,
    CR_DTR = 1 << 10,
    CR_RTS = 1 << 11,
    CR_OUT1 = 1 << 12,
    CR_OUT2 = 1 << 13,
    CR_BITS = 0xff87,
};

enum {
    INT_RI = 1 << 0,
    INT_CTS = 1 << 1,
    INT_DCD = 1 << 2,
    INT_DSR = 1 << 3,
    INT_RX = 1 << 4,
    INT_TX = 1 << 5,
    INT_RT = 1 << 6,
    INT_FE = 1 << 7,
    INT_BE = 1 << 9,
    INT_OE = 1 << 10,
    INT_BITS = 0x7ff,
};

struct pl011 {
    struct vdev v;
    struct event timeout;
    uint64_t timeout_ticks; /* when the receive timeout is due, or EVENT_NEVER */
    uint32_t rx_head, rx_count;
    uint16_t rx[FIFO_DEPTH]; /* characters with their error bits, as UARTDR shows them */
    uint8_t overrun;         /* characters were lost since the last one that was stored */
    uint8_t rsr;
    uint8_t ilpr;
    uint8_t lcr_h;
    uint16_t ibrd;
    uint8_t fbrd;
    uint8_t ifls;
    uint16_t cr;
    uint16_t imsc;
    uint16_t ris;
    uint8_t dmacr;
    /* Output that waits for the end of a pause (`batch`). */
    struct event pause;
    uint64_t pause_ticks; /* when the guest has been idle for long enough, or EVENT_NEVER */
    uint64_t batch_ticks; /* how long that is; 0: nothing waits. No state */
    uint16_t batch_count;
    uint8_t batch[BATCH_MAX];
};

static const struct field pl011_fields[] = {
    FIELD(struct pl011, timeout_ticks),
    FIELD_UP_TO(struct pl011, rx_head, FIFO_DEPTH - 1),
    FIELD_UP_TO(struct pl011, rx_count, FIFO_DEPTH),
    FIELD_ARRAY(struct pl011, rx),
    FIELD_UP_TO(struct pl011, overrun, 1),
    FIELD(struct pl011, rsr),
    FIELD(struct pl011, ilpr),
    FIELD(struct pl011, lcr_h),
    FIELD(struct pl011, ibrd),
    FIELD(struct pl011, fbrd),
    FIELD(struct pl011, ifls),
    FIELD(struct pl011, cr),
    FIELD(struct pl011, imsc),
    FIELD(struct pl011, ris),
    FIELD(struct pl011, dmacr),
    FIELD(struct pl011, pause_ticks),
    FIELD_UP_TO(struct pl011, batch_count, BATCH_MAX - 1),
    FIELD_ARRAY(struct pl011, batch),
    FIELD_END,
};

static struct pl011 *pl011_of(struct vdev *v)
{
    return (struct pl011 *)(void *)v;
}

/* UARTINTR is the OR of all masked interrupts. */
static void update_irq(struct pl011 *u)
{
    wire_set(&u->v.irq, (u->ris & u->imsc) != 0);
}

static uint32_t rx_depth(const struct pl011 *u)
{
    return u->lcr_h & LCR_FEN ? FIFO_DEPTH : 1;
}

/* UARTIFLS.RXIFLSEL: 1/8, 1/4, 1/2, 3/4 or 7/8 full; the others are reserved. */
static uint32_t rx_trigger(const struct pl011 *u)
{
    static const uint8_t levels[8] = {4, 8, 16, 24, 28, 28, 28, 28};
    return u->lcr_h & LCR_FEN ? levels[u->ifls >> 3 & 7] : 1;
}

/* 32 bit periods. A bit is 16 * (IBRD + FBRD / 64) periods of UARTCLK. */
static uint64_t timeout_length(const struct pl011 *u)
{
    uint64_t divisor_64ths = (uint64_t)u->ibrd * 64 + u->fbrd;
    uint64_t uartclks = 32 * 16 * divisor_64ths / 64;
    return vtime_scale(uartclks, u->v.env->vtime->rate_hz, UARTCLK_HZ) + 1;
}

static void arm_timeout(struct pl011 *u, bool on)
{
    u->timeout_ticks = on ? vtime_ticks(u->v.env->vtime) + timeout_length(u) : EVENT_NEVER;
    event_at(u->v.env->events, &u->timeout, u->timeout_ticks);
}

static void timeout_fires(void *context, uint64_t due_ticks)
{
    struct pl011 *u = context;
    (void)due_ticks;
    u->timeout_ticks = EVENT_NEVER;
    u->ris |= INT_RT;
    update_irq(u);
}

/* One character from the line. A full FIFO loses it and remembers that (UARTDR, UARTRSR). */
static void receive(struct pl011 *u, uint16_t character)
{
    if (u->rx_count == rx_depth(u)) {
        u->overrun = 1;
        u->rsr |= RSR_OE;
        u->ris |= INT_OE;
        return;
    }
    u->rx[(u->rx_head + u->rx_count) % FIFO_DEPTH] = character;
    u->rx_count++;
    u->overrun = 0;
    if (u->rx_count >= rx_trigger(u))
        u->ris |= INT_RX;
    if (character & DR_BE)
        u->ris |= INT_BE;
    if (character & DR_FE)
        u->ris |= INT_FE;
    arm_timeout(u, true);
}

static void rx_flush(struct pl011 *u)
{
    u->rx_head = u->rx_count = 0;
    u->ris &= (uint16_t) ~(INT_RX | INT_RT);
    arm_timeout(u, false);
}

/* Reading below the trigger level clears RX; emptying the FIFO clears RT (Interrupts, UARTRXINTR
 * and UARTRTINTR). */
static uint64_t read_data(struct pl011 *u)
{
    if (u->rx_count == 0)
        return 0;
    uint16_t character = u->rx[u->rx_head];
    u->rx_head = (u->rx_head + 1) % FIFO_DEPTH;
    u->rx_count--;
    u->rsr = (uint8_t)((u->rsr & RSR_OE) | (character >> 8 & 7));
    if (u->rx_count < rx_trigger(u))
        u->ris &= (uint16_t)~INT_RX;
    if (u->rx_count == 0) {
        u->ris &= (uint16_t)~INT_RT;
        arm_timeout(u, false);
    }
    update_irq(u);
    return character | (u->overrun ? DR_OE : 0u);
}

static void send_batch(struct pl011 *u)
{
    if (u->batch_count && u->v.env->output)
        u->v.env->output(u->v.env->context, u->v.channel, u->batch, u->batch_count);
    u->batch_count = 0;
    u->pause_ticks = EVENT_NEVER;
    event_at(u->v.env->events, &u->pause, EVENT_NEVER);
}

static void pause_is_over(void *context, uint64_t due_ticks)
{
    (void)due_ticks;
    send_batch(context);
}

/* `batch`: until the guest has been idle for so long, or no more can be kept. */
static void send(struct pl011 *u, uint8_t character)
{
    u->batch[u->batch_count++] = character;
    if (!u->batch_ticks || u->batch_count == BATCH_MAX) {
        send_batch(u);
        return;
    }
    u->pause_ticks = vtime_ticks(u->v.env->vtime) + u->batch_ticks;
    event_at(u->v.env->events, &u->pause, u->pause_ticks);
}

/* With loopback the character comes back in instead of going out (UARTCR.LBE). */
static void write_data(struct pl011 *u, uint64_t value)
{
    uint8_t character = (uint8_t)value;
    if (u->cr & CR_LBE)
        receive(u, character);
    else
        send(u, character);
    u->ris |= INT_TX;
    update_irq(u);
}

/* The far end is always there and ready. With loopback the modem outputs come back in. */
static uint16_t modem_lines(uint16_t cr)
{
    if (!(cr & CR_LBE))
        return FR_CTS | FR_DSR | FR_DCD;
    return (uint16_t)((cr & CR_RTS ? FR_CTS : 0) | (cr & CR_DTR ? FR_DSR : 0) |
                      (cr & CR_OUT1 ? FR_DCD : 0) | (cr & CR_OUT2 ? FR_RI : 0));
}

static uint64_t read_flags(const struct pl011 *u)
{
    return modem_lines(u->cr) | FR_TXFE | (u->rx_count == 0 ? FR_RXFE : 0u) |
           (u->rx_count == rx_depth(u) ? FR_RXFF : 0u);
}

/* A change of a modem line raises its interrupt (UARTMSINTR). */
static void write_control(struct pl011 *u, uint16_t value)
{
    uint16_t changed = modem_lines(u->cr) ^ modem_lines(value);
    u->cr = value;
    u->ris |= (uint16_t)((changed & FR_RI ? INT_RI : 0) | (changed & FR_CTS ? INT_CTS : 0) |
                         (changed & FR_DCD ? INT_DCD : 0) | (changed & FR_DSR ? INT_DSR : 0));
    update_irq(u);
}

/* Switching the FIFOs on or off empties them. A break that is looped back is received as one. */
static void write_line_control(struct pl011 *u, uint8_t value)
{
    uint8_t changed = u->lcr_h ^ value;
    u->lcr_h = value;
    if (changed & LCR_FEN)
        rx_flush(u);
    if (changed & value & LCR_BRK && u->cr & CR_LBE)
        receive(u, DR_BE);
    update_irq(u);
}

/* A receive timeout that is cleared while characters are left comes again: the condition, not
 * empty and nothing new for 32 bit periods, still holds. */
static void clear_interrupts(struct pl011 *u, uint16_t bits)
{
    u->ris &= (uint16_t)~bits;
    if (bits & INT_RT && u->rx_count)
        arm_timeout(u, true);
    update_irq(u);
}

static uint64_t read_id(uint64_t offset)
{
    static const uint8_t ids[8] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    return ids[(offset - UARTPeriphID0) / 4];
}

static uint64_t read_register(struct pl011 *u, uint64_t offset)
{
    if (offset >= UARTPeriphID0)
        return read_id(offset);
    switch (offset) {
    case UARTDR:
        return read_data(u);
    case UARTRSR_ECR:
        return u->rsr;
    case UARTFR:
        return read_flags(u);
    case UARTILPR:
        return u->ilpr;
    case UARTIBRD:
        return u->ibrd;
    case UARTFBRD:
        return u->fbrd;
    case UARTLCR_H:
        return u->lcr_h;
    case UARTCR:
        return u->cr;
    case UARTIFLS:
        return u->ifls;
    case UARTIMSC:
        return u->imsc;
    case UARTRIS:
        return u->ris;
    case UARTMIS:
        return u->ris & u->imsc;
    case UARTDMACR:
        return u->dmacr;
    default:
        log_guest(u->v.env->log, "pl011: read of reserved register +%#x", (unsigned)offset);
        return 0;
    }
}

static void write_register(struct pl011 *u, uint64_t offset, uint64_t value)
{
    switch (offset) {
    case UARTDR:
        write_data(u, value);
        break;
    case UARTRSR_ECR: /* any value clears the errors */
        u->rsr = 0;
        break;
    case UARTILPR:
        u->ilpr = (uint8_t)value;
        break;
    case UARTIBRD:
        u->ibrd = (uint16_t)value;
        break;
    case UARTFBRD:
        u->fbrd = value & 0x3f;
        break;
    case UARTLCR_H:
        write_line_control(u, (uint8_t)value);
        break;
    case UARTCR:
        write_control(u, value & CR_BITS);
        break;
    case UARTIFLS:
        u->ifls = value & 0x3f;
        break;
    case UARTIMSC:
        u->imsc = value & INT_BITS;
        update_irq(u);
        break;
    case UARTICR:
        clear_interrupts(u, value & INT_BITS);
        break;
    case UARTDMACR: /* no DMA controller is wired to it */
        u->dmacr = value & 7;
        break;
    default:
        log_guest(u->v.env->log, "pl011: write to read-only or reserved register +%#x",
                  (unsigned)offset);
        break;
    }
}

/* An APB device: word registers; narrower accesses see the low end of one. */
static enum bus_answer pl011_access(struct vdev *v, unsigned region, struct bus_access *a)
{
    struct pl011 *u = pl011_of(v);
    (void)region;
    if (a->size > 4 || a->offset % 4)
        return BUS_NOBODY;
    uint64_t mask = (UINT64_C(1) << (8 * a->size)) - 1;
    if (a->is_write)
        write_register(u, a->offset, a->value & mask);
    else
        a->value = read_register(u, a->offset) & mask;
    return BUS_HANDLED;
}

static size_t pl011_input(struct vdev *v, unsigned port, const uint8_t *data, size_t size)
{
    struct pl011 *u = pl011_of(v);
    size_t taken = 0;
    (void)port;
    if (!(u->cr & CR_RXE) || u->cr & CR_LBE)
        return 0;
    while (taken < size && u->rx_count < rx_depth(u))
        receive(u, data[taken++]);
    update_irq(u);
    return taken;
}

/* One character of zeros, in its turn behind what was received; a full FIFO loses it like any. */
static void pl011_line_break(struct vdev *v)
{
    struct pl011 *u = pl011_of(v);
    if (!(u->cr & CR_RXE) || u->cr & CR_LBE)
        return;
    receive(u, DR_BE);
    update_irq(u);
}

static bool read_batch(struct pl011 *u, struct error *e)
{
    uint64_t usec = 0;
    const struct vdev_option *o = vdev_option_find(&u->v, "batch");
    if (!vdev_option_number(&u->v, "batch", 10, &usec, e))
        return false;
    if (o && (usec == 0 || usec > 1000000000))
        return error_at(e, o->file, o->line, "vdev pl011: batch %s is not in the range 1 to 10^9",
                        o->value);
    u->batch_ticks = vtime_scale(usec, u->v.env->vtime->rate_hz, 1000000);
    return true;
}

/* Reset values: DDI 0183G, summary of registers; the baud rate is 115200, as firmware would leave
 * it. */
static bool pl011_create(struct vdev *v, struct error *e)
{
    struct pl011 *u = pl011_of(v);
    if (!read_batch(u, e) || !vdev_check_delayed(v, e))
        return false;
    u->timeout =
        (struct event){.name = "pl011 receive timeout", .fire = timeout_fires, .context = u};
    event_add(v->env->events, &u->timeout);
    u->timeout_ticks = EVENT_NEVER;
    u->pause = (struct event){.name = "pl011 pause", .fire = pause_is_over, .context = u};
    event_add(v->env->events, &u->pause);
    u->pause_ticks = EVENT_NEVER;
    u->ibrd = 13;
    u->fbrd = 1;
    u->ifls = 0x12;
    u->cr = CR_TXE | CR_RXE;
    return true;
}

static void pl011_restored(struct vdev *v)
{
    struct pl011 *u = pl011_of(v);
    if (u->rx_count > rx_depth(u))
        u->rx_count = rx_depth(u);
    event_at(v->env->events, &u->timeout, u->timeout_ticks);
    event_at(v->env->events, &u->pause, u->pause_ticks);
    update_irq(u);
}

static void pl011_describe(struct vdev *v, const struct describer *d)
{
    static const char compatible[] = "arm,pl011\0arm,primecell";
    static const char clock_names[] = "uartclk\0apb_pclk";
    static const uint32_t clocks[2] = {PHANDLE_CLOCK_24MHZ, PHANDLE_CLOCK_24MHZ};
    vdev_describe_begin(v, d, "serial", compatible, sizeof compatible);
    pic_describe_interrupt(d, v->irq_line);
    d->cells(d->context, "clocks", clocks, 2);
    d->strings(d->context, "clock-names", clock_names, sizeof clock_names);
    d->end_node(d->context);
}

static void pl011_terminate(struct vdev *v)
{
    send_batch(pl011_of(v));
}

static void pl011_destroy(struct vdev *v)
{
    event_at(v->env->events, &pl011_of(v)->pause, EVENT_NEVER);
    event_at(v->env->events, &pl011_of(v)->timeout, EVENT_NEVER);
}

static const struct vdev_option_type pl011_options[] = {
    {"hostdev", "[<|>]DEV", "none", "where bytes come from and go to", true, false},
    {"batch", "USEC", "none", "collects output until the guest is idle for so long", false, false},
    {"delayed", "SEC|forever", NULL, "waits for a host device that is not there yet", false, false},
    {"sched", "PRIO", NULL, "priority of its host notifications", false, true},
    VDEV_OPTIONS_END,
};

static const struct vdev_register *pl011_registers(const struct vdev *v, unsigned region,
                                                   uint64_t *offset)
{
    static const struct vdev_register table[] = {
        VDEV_REGISTER(UARTDR),    VDEV_REGISTER(UARTRSR_ECR), VDEV_REGISTER(UARTFR),
        VDEV_REGISTER(UARTILPR),  VDEV_REGISTER(UARTIBRD),    VDEV_REGISTER(UARTFBRD),
        VDEV_REGISTER(UARTLCR_H), VDEV_REGISTER(UARTCR),      VDEV_REGISTER(UARTIFLS),
        VDEV_REGISTER(UARTIMSC),  VDEV_REGISTER(UARTRIS),     VDEV_REGISTER(UARTMIS),
        VDEV_REGISTER(UARTICR),   VDEV_REGISTER(UARTDMACR),   VDEV_REGISTERS_END,
    };
    (void)v, (void)region, (void)offset;
    return table;
}

const struct vdev_type pl011_type = {
    .name = "pl011",
    .summary = "PrimeCell UART (PL011), the Arm guests' serial port",
    .size = sizeof(struct pl011),
    .fields = pl011_fields,
    .needs_intr = true,
    .options = pl011_options,
    .ranges = vdev_one_page,
    .create = pl011_create,
    .access = pl011_access,
    .registers = pl011_registers,
    .input = pl011_input,
    .line_break = pl011_line_break,
    .describe = pl011_describe,
    .terminate = pl011_terminate,
    .restored = pl011_restored,
    .destroy = pl011_destroy,
};
