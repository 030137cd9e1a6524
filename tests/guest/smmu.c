/* An SMMU (IHI 0070) between a DMA master (docs/dma-master.md) and memory, programmed by hand: what
 * its tables say becomes of accesses, what a translation that nobody invalidated still gives, the
 * records of what it refuses, and its interrupt. Only where there is such a device (smmu.qvmconf).
 */
#include "gic.h"
#include "mmu.h"
#include "trap.h"

#define SMMU   0x0a200000u
#define MASTER 0x0a100000u
enum { INTID = 81 };

enum { IDR0 = 0x00, CR0 = 0x20, CR0ACK = 0x24, CR2 = 0x2c, IRQ_CTRL = 0x50, GERROR = 0x60 };
enum { GERRORN = 0x64, STRTAB_BASE = 0x80, STRTAB_BASE_CFG = 0x88, CMDQ_BASE = 0x90 };
enum { CMDQ_PROD = 0x98, CMDQ_CONS = 0x9c, EVENTQ_BASE = 0xa0 };
enum { EVENTQ_PROD = 0x100a8, EVENTQ_CONS = 0x100ac };
enum { SMMUEN = 1, EVENTQEN = 4, CMDQEN = 8 };
enum { QUEUE_LOG2 = 4, QUEUE_MASK = (2 << QUEUE_LOG2) - 1 };
enum { CMD_CFGI_STE = 0x03, CMD_TLBI_NH_VA = 0x12, CMD_SYNC = 0x46 };
enum { C_BAD_STE = 0x04, F_TRANSLATION = 0x10, F_PERMISSION = 0x13 };

enum { COMMAND = 0x008, STATUS = 0x010, FAULT = 0x014, FAULT_ADDRESS = 0x018 };
enum { IOVA_AT = 0x020, SIZE = 0x030, PATTERN = 0x038 };
enum { FILL = 3, CHECK_BYTES = 6 };
enum { BUSY = 1, DONE = 2, FAULTED = 4 };

#define IOVA   0x7654321000ull
#define STREAM 5

static uint64_t stream_table[64][8] __attribute__((aligned(4096)));
static uint64_t cd[8] __attribute__((aligned(64)));
static uint64_t level1[512] __attribute__((aligned(4096)));
static uint64_t level2[512] __attribute__((aligned(4096)));
static uint64_t level3[512] __attribute__((aligned(4096)));
static volatile uint64_t commands[1 << QUEUE_LOG2][2] __attribute__((aligned(4096)));
static volatile uint64_t events[1 << QUEUE_LOG2][4] __attribute__((aligned(4096)));
static volatile uint64_t frames[2][512] __attribute__((aligned(4096)));
static volatile uint32_t synchronized;
static volatile unsigned interrupts;
static uint32_t produced;

static void on_irq(struct frame *f)
{
    (void)f;
    uint64_t id = GIC_READ(ICC_IAR1);
    CHECK_EQ("interrupt", id, INTID);
    interrupts++;
    GIC_WRITE(ICC_EOIR1, id);
}

/* A command, and CMD_SYNC, which says so by a message. */
static void command(uint64_t low, uint64_t high)
{
    const uint64_t all[2][2] = {
        {low, high},
        {CMD_SYNC | 1 << 12 | (uint64_t)(produced + 1) << 32, (uint64_t)&synchronized}};
    for (unsigned i = 0; i < 2; i++) {
        unsigned at = produced & (QUEUE_MASK >> 1);
        commands[at][0] = all[i][0];
        commands[at][1] = all[i][1];
        produced = (produced + 1) & QUEUE_MASK;
    }
    DSB();
    write32(SMMU + CMDQ_PROD, produced);
    while (read32(SMMU + CMDQ_CONS) != produced)
        CHECK_EQ("GERROR", read32(SMMU + GERROR), 0);
    CHECK_EQ("CMD_SYNC", synchronized, (uint32_t)(all[1][0] >> 32));
}

static unsigned run(unsigned what, uint64_t at, uint64_t pattern)
{
    write32(MASTER + IOVA_AT, (uint32_t)at);
    write32(MASTER + IOVA_AT + 4, (uint32_t)(at >> 32));
    write32(MASTER + SIZE, 64);
    write32(MASTER + PATTERN, (uint32_t)pattern);
    write32(MASTER + PATTERN + 4, (uint32_t)(pattern >> 32));
    DSB();
    write32(MASTER + COMMAND, what);
    while (read32(MASTER + STATUS) & BUSY)
        ASM("yield");
    DSB();
    unsigned status = read32(MASTER + STATUS);
    write32(MASTER + STATUS, ~0u);
    return status;
}

static void refused(const char *what, unsigned access, uint64_t at, unsigned type, unsigned rnw)
{
    unsigned before = interrupts, index = read32(SMMU + EVENTQ_CONS) & (QUEUE_MASK >> 1);
    check_context(what, 0);
    CHECK_EQ("STATUS", run(access, at, 0), DONE | FAULTED);
    CHECK_EQ("its address",
             read32(MASTER + FAULT_ADDRESS) | (uint64_t)read32(MASTER + FAULT_ADDRESS + 4) << 32,
             at);
    CHECK_EQ("type, stream", events[index][0], type | (uint64_t)STREAM << 32);
    if (type >= F_TRANSLATION) {
        CHECK_EQ("RnW", field(events[index][1], 35, 1), rnw);
        CHECK_EQ("CLASS", field(events[index][1], 40, 2), 2);
        CHECK_EQ("InputAddr", events[index][2], at);
    }
    while (interrupts == before)
        ASM("yield");
    write32(SMMU + EVENTQ_CONS, (read32(SMMU + EVENTQ_CONS) + 1) & QUEUE_MASK);
    CHECK_EQ("no more", read32(SMMU + EVENTQ_PROD), read32(SMMU + EVENTQ_CONS));
    check_context(NULL, 0);
}

/* AF, inner shareable, EL0 may access, not global. */
static uint64_t page(volatile uint64_t *frame)
{
    return (uint64_t)frame | 3 | 1 << 10 | 3 << 8 | 1 << 6 | 1 << 11;
}

static void make_tables(void)
{
    level1[IOVA >> 30 & 0x1ff] = (uint64_t)level2 | 3;
    level2[IOVA >> 21 & 0x1ff] = (uint64_t)level3 | 3;
    level3[IOVA >> 12 & 0x1ff] = page(frames[0]);
    /* 39 bits by TTB0, EPD1, V, 40 bits of output, AA64, R, A, ASID 3 */
    cd[0] = 25 | 1u << 30 | 1ull << 31 | 2ull << 32 | 1ull << 41 | 3ull << 45 | 3ull << 48;
    cd[1] = (uint64_t)level1;
    cd[3] = 0xff;
    stream_table[STREAM][0] = (uint64_t)cd | 5 << 1 | 1;
}

static void start(void)
{
    CHECK_EQ("stages", read32(SMMU + IDR0) & 3, 2);
    write64(SMMU + STRTAB_BASE, (uint64_t)stream_table);
    write32(SMMU + STRTAB_BASE_CFG, 6);
    write64(SMMU + CMDQ_BASE, (uint64_t)commands | QUEUE_LOG2);
    write64(SMMU + EVENTQ_BASE, (uint64_t)events | QUEUE_LOG2);
    write32(SMMU + IRQ_CTRL, 5);
    write32(SMMU + CR0, SMMUEN | EVENTQEN | CMDQEN);
    CHECK_EQ("CR0ACK", read32(SMMU + CR0ACK), SMMUEN | EVENTQEN | CMDQEN);
}

static void translate(void)
{
    CHECK_EQ("FILL", run(FILL, IOVA + 128, 0x1122334455667788), DONE);
    CHECK_EQ("what it wrote", frames[0][16], 0x1122334455667788);
    CHECK_EQ("and not", frames[0][24], 0);
    CHECK_EQ("CHECK", run(CHECK_BYTES, IOVA + 128, 0x1122334455667788), DONE);
    refused("another page", CHECK_BYTES, IOVA + 4096, F_TRANSLATION, 1);
    level3[(IOVA >> 12 & 0x1ff) + 2] = page(frames[1]) | 1 << 7;
    refused("a page to read", FILL, IOVA + 8192, F_PERMISSION, 0);
    CHECK_EQ("it can be read", run(CHECK_BYTES, IOVA + 8192, 0), DONE);
}

/* What was translated stays so until it is invalidated. */
static void invalidate(void)
{
    level3[IOVA >> 12 & 0x1ff] = page(frames[1]);
    CHECK_EQ("stale", run(CHECK_BYTES, IOVA + 128, 0x1122334455667788), DONE);
    command(CMD_TLBI_NH_VA | 4ull << 48, IOVA); /* another ASID */
    CHECK_EQ("still", run(CHECK_BYTES, IOVA + 128, 0x1122334455667788), DONE);
    command(CMD_TLBI_NH_VA | 3ull << 48, IOVA);
    CHECK_EQ("fresh", run(CHECK_BYTES, IOVA + 128, 0), DONE);
    stream_table[STREAM][0] = 0;
    CHECK_EQ("a stale STE", run(CHECK_BYTES, IOVA + 128, 0), DONE);
    command(CMD_CFGI_STE | (uint64_t)STREAM << 32, 1);
    refused("no STE", CHECK_BYTES, IOVA + 128, C_BAD_STE, 1);
}

/* Twice around its queue, and a command that is none. */
static void use_queue(void)
{
    for (unsigned i = 0; i < 2 << QUEUE_LOG2; i++)
        command(0x30, 0);
    unsigned before = interrupts;
    commands[produced & (QUEUE_MASK >> 1)][0] = 0xee;
    DSB();
    write32(SMMU + CMDQ_PROD, (produced + 1) & QUEUE_MASK);
    CHECK_EQ("CMDQ_ERR", read32(SMMU + GERROR), 1);
    CHECK_EQ("CERROR_ILL, and where", read32(SMMU + CMDQ_CONS), 1 << 24 | produced);
    while (interrupts == before)
        ASM("yield");
    commands[produced & (QUEUE_MASK >> 1)][0] = CMD_SYNC;
    DSB();
    write32(SMMU + GERRORN, 1);
    produced = (produced + 1) & QUEUE_MASK;
    CHECK_EQ("goes on", read32(SMMU + CMDQ_CONS) & 0xfffff, produced);
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    gic_start_distributor();
    gic_start_cpu();
    this_cpu()->irq = on_irq;
    write32(GICD + 0xc00 + 4 * (INTID / 16), 2u << 2 * (INTID % 16)); /* edges */
    gic_enable(INTID, 0x80);
    ASM("msr daifclr, #2\nisb");
    make_tables();
    CHECK_EQ("off: no translation", run(FILL, (uint64_t)frames[0], 7), DONE);
    CHECK_EQ("what it wrote", frames[0][0], 7);
    start();
    translate();
    invalidate();
    use_queue();
    return 0;
}
