/* The DMA controller PL330 (DDI 0424): programs in memory copy, fill and wait for each other, while
 * the CPU waits for their interrupts; what they must not do aborts them. Only where there is one.
 */
#include "gic.h"
#include "mmu.h"
#include "trap.h"

#define PL330 0x0a200000u
enum { INTID = 81, ABORTS = 31 };
enum {
    INTEN = 0x020,
    INTMIS = 0x028,
    INTCLR = 0x02c,
    FSRC = 0x034,
    FTR0 = 0x040,
    CSR0 = 0x100,
    DBGSTATUS = 0xd00,
    DBGCMD = 0xd04,
    DBGINST0 = 0xd08,
    DBGINST1 = 0xd0c,
    PeriphID0 = 0xfe0,
};
enum { DMAEND = 0x00, DMAKILL = 0x01, DMALD = 0x04, DMAST = 0x08, DMASTZ = 0x0c };
enum { SAR, CCR, DAR };
enum { DATA_WRITE_ERR = 1 << 17 };
/* 8 beats of 8 bytes on both sides, incrementing, non-secure. */
#define CCR_8X8 (0x00800200u | 1 | 3 << 1 | 7 << 4 | 1 << 14 | 3 << 15 | 7 << 18)

static uint8_t programs[8][64];
static uint8_t source[16384] __attribute__((aligned(64)));
static uint8_t target[16384] __attribute__((aligned(64)));
static volatile unsigned interrupts;

static void on_irq(struct frame *f)
{
    (void)f;
    uint64_t id = GIC_READ(ICC_IAR1);
    uint32_t events = read32(PL330 + INTMIS);
    CHECK_EQ("interrupt", id, INTID);
    write32(PL330 + INTCLR, events);
    interrupts |= events;
    if (read32(PL330 + FSRC)) { /* until the channel is killed */
        interrupts |= 1u << ABORTS;
        gic_disable(INTID);
    }
    GIC_WRITE(ICC_EOIR1, id);
}

static uint8_t *put(uint8_t *at, unsigned opcode, unsigned operand)
{
    *at++ = (uint8_t)opcode;
    *at++ = (uint8_t)operand;
    return at;
}

static uint8_t *put_move(uint8_t *at, unsigned to, uint64_t value)
{
    at = put(at, 0xbc, to);
    for (unsigned i = 0; i < 4; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static uint8_t *put_event(uint8_t *at, unsigned event)
{
    return put(at, 0x34, event << 3);
}

static uint8_t *put_wait(uint8_t *at, unsigned event)
{
    return put(at, 0x36, event << 3);
}

/* DMALP, with what is done so often, DMALPEND. */
static uint8_t *put_loop(uint8_t *at, unsigned count, unsigned first, unsigned second)
{
    at = put(at, 0x20, count - 1);
    at = put(at, first, second);
    return put(at, 0x38, 2);
}

static void debug(unsigned where, unsigned opcode, unsigned operand, uint64_t value)
{
    CHECK_EQ("DBGSTATUS", read32(PL330 + DBGSTATUS), 0);
    write32(PL330 + DBGINST0, where | opcode << 16 | operand << 24);
    write32(PL330 + DBGINST1, (uint32_t)value);
    DSB();
    write32(PL330 + DBGCMD, 0);
}

static void go(unsigned channel)
{
    debug(0, 0xa2, channel, (uint64_t)programs[channel]);
}

static void wait_for(unsigned event)
{
    while (!(interrupts >> event & 1))
        ASM("wfi");
}

static unsigned state_of(unsigned channel)
{
    return read32(PL330 + CSR0 + 8 * channel) & 15;
}

static void copy(void)
{
    uint8_t *p = programs[0];
    for (unsigned i = 0; i < sizeof source; i++)
        source[i] = (uint8_t)(i * 7 + (i >> 8));
    p = put_move(p, CCR, CCR_8X8);
    p = put_move(p, SAR, (uint64_t)source);
    p = put_move(p, DAR, (uint64_t)target);
    p = put_loop(p, 256, DMALD, DMAST);
    p = put_event(p, 0);
    *p = DMAEND;
    go(0);
    wait_for(0);
    CHECK_EQ("it has stopped", state_of(0), 0);
    unsigned wrong = 0;
    for (unsigned i = 0; i < sizeof target; i++)
        wrong += target[i] != source[i];
    CHECK_EQ("bytes that are others", wrong, 0);
}

/* Each channel waits for the one before it, and fills its part with zeros. */
static void chain(void)
{
    enum { PART = sizeof target / 8 };
    for (unsigned c = 0; c < 8; c++) {
        uint8_t *p = programs[c];
        p = put_move(p, CCR, CCR_8X8);
        p = put_move(p, DAR, (uint64_t)target + c * PART);
        if (c)
            p = put_wait(p, 8 + c);
        p = put_loop(p, PART / 64, DMASTZ, 0x18); /* DMANOP */
        p = put_event(p, c == 7 ? 1 : 9 + c);
        *p = DMAEND;
    }
    for (unsigned c = 8; c-- > 0;)
        go(c);
    wait_for(1);
    unsigned wrong = 0;
    for (unsigned i = 0; i < sizeof target; i++)
        wrong += target[i] != 0;
    CHECK_EQ("bytes that are not zeros", wrong, 0);
}

static void abort_and_kill(void)
{
    uint8_t *p = programs[3];
    p = put_move(p, CCR, CCR_8X8);
    p = put_move(p, DAR, NOTHING);
    *p++ = DMASTZ;
    *p = DMAEND;
    go(3);
    wait_for(ABORTS);
    CHECK_EQ("FSRC", read32(PL330 + FSRC), 1 << 3);
    CHECK_EQ("FTR3", read32(PL330 + FTR0 + 12), DATA_WRITE_ERR);
    CHECK_EQ("faulting", state_of(3), 15);
    debug(1 | 3 << 8, DMAKILL, 0, 0);
    CHECK_EQ("FSRC after DMAKILL", read32(PL330 + FSRC), 0);
    CHECK_EQ("stopped", state_of(3), 0);
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    gic_start_distributor();
    gic_start_cpu();
    this_cpu()->irq = on_irq;
    gic_enable(INTID, 0x80);
    ASM("msr daifclr, #2\nisb");
    CHECK_EQ("part", read32(PL330 + PeriphID0), 0x30);
    write32(PL330 + INTEN, 3);
    copy();
    chain();
    abort_and_kill();
    return 0;
}
