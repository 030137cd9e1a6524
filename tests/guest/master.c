/* A DMA master that makes any access (docs/dma-master.md), in front of the guest's own memory: what
 * it writes is seen, what is no memory or ROM is refused, thousands of accesses come from one list
 * while the program runs, and an interrupt tells of their end. Only where there is such a device,
 * and ROM at 0x60000000. */
#include "gic.h"
#include "mmu.h"
#include "trap.h"

#define MASTER 0x0a100000u
#define ROM    0x60000000u
enum { INTID = 80 };
enum {
    ID = 0x000,
    COMMAND = 0x008,
    CONTROL = 0x00c,
    STATUS = 0x010,
    FAULT = 0x014,
    FAULT_ADDRESS = 0x018,
    IOVA = 0x020,
    SECOND = 0x028,
    SIZE = 0x030,
    PATTERN = 0x038,
    LIST_COUNT = 0x054,
    LIST = 0x058,
    COMMANDS = 0x078,
    FAULTS = 0x088,
    WINDOW = 0x100,
};
enum { READ_BYTES = 1, WRITE_BYTES, FILL, COPY, COMPARE, CHECK_BYTES, HASH, RUN_LIST };
enum { GOES_ON = 0x40, TELLS_RESULT = 0x80 };
enum { BUSY = 1, DONE = 2, FAULTED = 4, MISMATCH = 8, WRONG = 16 };
enum { TRANSLATION = 2, PERMISSION = 3, WRITES = 1 << 8 };

struct entry {
    uint32_t command, unit;
    uint64_t iova, second, size, pattern;
    uint32_t stream, substream;
    uint32_t status, fault;
    uint64_t detail;
};
enum { ENTRIES = 3000 };
static struct entry entries[ENTRIES];
static uint8_t area[2][8192] __attribute__((aligned(4096)));
static volatile unsigned interrupts;

static void on_irq(struct frame *f)
{
    (void)f;
    uint64_t id = GIC_READ(ICC_IAR1);
    CHECK_EQ("interrupt", id, INTID);
    CHECK_EQ("STATUS", read32(MASTER + STATUS) & (BUSY | DONE), DONE);
    write32(MASTER + STATUS, DONE);
    interrupts++;
    GIC_WRITE(ICC_EOIR1, id);
}

static void put64(unsigned offset, uint64_t value)
{
    write32(MASTER + offset, (uint32_t)value);
    write32(MASTER + offset + 4, (uint32_t)(value >> 32));
}

static uint64_t get64(unsigned offset)
{
    return read32(MASTER + offset) | (uint64_t)read32(MASTER + offset + 4) << 32;
}

/* Without its interrupt; STATUS. */
static unsigned run(unsigned command, uint64_t iova, uint64_t second, uint64_t size)
{
    put64(IOVA, iova);
    put64(SECOND, second);
    put64(SIZE, size);
    DSB();
    write32(MASTER + COMMAND, command);
    while (read32(MASTER + STATUS) & BUSY)
        ASM("yield");
    DSB();
    return read32(MASTER + STATUS);
}

static void single_commands(void)
{
    uint64_t a = (uint64_t)area[0], b = (uint64_t)area[1];
    put64(PATTERN, 0x1122334455667788);
    CHECK_EQ("FILL", run(FILL, a, 0, 5000), DONE);
    CHECK_EQ("what it wrote", *(uint64_t *)(area[0] + 4992), 0x1122334455667788);
    CHECK_EQ("and not", area[0][5000], 0);
    CHECK_EQ("COPY", run(COPY, a + 1, b, 4999), DONE);
    CHECK_EQ("COMPARE", run(COMPARE, b, a + 1, 4999), DONE);
    area[1][4000]++;
    CHECK_EQ("a difference", run(COMPARE, b, a + 1, 4999), DONE | MISMATCH);
    CHECK_EQ("its place", get64(FAULT_ADDRESS), b + 4000);
    CHECK_EQ("READ", run(READ_BYTES, a + 3, 0, 8), DONE);
    CHECK_EQ("its first word", read32(MASTER + WINDOW), 0x22334455);
}

static void refused(const char *what, unsigned command, uint64_t at, unsigned fault)
{
    check_context(what, 0);
    CHECK_EQ("STATUS", run(command, at, 0, 8), DONE | FAULTED);
    CHECK_EQ("FAULT", read32(MASTER + FAULT), fault);
    CHECK_EQ("FAULT_ADDRESS", get64(FAULT_ADDRESS), at);
    check_context(NULL, 0);
}

static void wrong_accesses(void)
{
    refused("nothing there", HASH, NOTHING, TRANSLATION);
    refused("beyond all addresses", HASH, 1ull << 60, TRANSLATION);
    refused("write to ROM", FILL, ROM, PERMISSION | WRITES);
    refused("its own registers", FILL, MASTER, TRANSLATION | WRITES);
    CHECK_EQ("read of ROM", run(HASH, ROM, 0, 8), DONE);
}

/* Every third entry goes wrong. */
static void long_list(void)
{
    uint64_t commands = get64(COMMANDS), faults = get64(FAULTS);
    for (unsigned i = 0; i < ENTRIES; i++)
        entries[i] = (struct entry){.command = FILL | GOES_ON | TELLS_RESULT,
                                    .iova = i % 3 ? (uint64_t)&area[1][i % 8192] : NOTHING + i,
                                    .size = 1,
                                    .pattern = i};
    put64(LIST, (uint64_t)entries);
    write32(MASTER + LIST_COUNT, ENTRIES);
    write32(MASTER + CONTROL, 1);
    write32(MASTER + STATUS, ~0u);
    interrupts = 0;
    DSB();
    write32(MASTER + COMMAND, RUN_LIST);
    CHECK("it takes its time", interrupts == 0 && entries[ENTRIES - 1].status == 0);
    while (!interrupts)
        ASM("wfi");
    unsigned wrong = 0;
    for (unsigned i = 0; i < ENTRIES; i++)
        if (i % 3)
            wrong += entries[i].status != DONE || area[1][i % 8192] != (uint8_t)i;
        else
            wrong += entries[i].status != (DONE | FAULTED) || entries[i].detail != NOTHING + i;
    CHECK_EQ("entries that became something else", wrong, 0);
    CHECK_EQ("commands", get64(COMMANDS) - commands, ENTRIES);
    CHECK_EQ("faults", get64(FAULTS) - faults, ENTRIES / 3);
    CHECK_EQ("one interrupt", interrupts, 1);
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
    CHECK_EQ("ID", read32(MASTER + ID), 0x314d4451);
    single_commands();
    wrong_accesses();
    long_list();
    return 0;
}
