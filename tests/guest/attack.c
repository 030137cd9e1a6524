/* A guest that means ill, with a master and a DMA controller of the board that it was given
 * (configs/boards/dma.board): it programs them at all of the board's memory, where another VM's RAM
 * is, the hypervisor's tables, and the tables and queues of the SMMU; at the SMMU's registers,
 * those of the devices and of the interrupt controller; and behind the end of its own RAM. Nothing
 * of it may be let through, and its own memory still is. tests/contained.sh looks at what the other
 * VM made of it. */
#include "master.h"
#include "mmu.h"

#define BANK      0x80000000ull /* of the board */
#define BANK_SIZE 0x20000000ull
#define SMMU      0x2b400000ull
#define SMMU_SIZE 0x20000ull
#define PL330     0x0a200000u
#define RAM_END   0x48000000ull
#define PAGE      4096u
#define DENSE     0x200000ull /* where each page is tried: tables come from there */
#define SPARSE    0x80000ull  /* how far apart in between */
enum { ENTRIES = 3400 };

static struct master_entry entries[ENTRIES];
static uint8_t own[PAGE] __attribute__((aligned(4096)));
static unsigned count;

static void add(uint64_t at)
{
    for (unsigned k = 0; k < 2 && count < ENTRIES; k++)
        entries[count++] = (struct master_entry){.command = (k ? MASTER_HASH : MASTER_FILL) |
                                                            MASTER_GOES_ON | MASTER_TELLS_RESULT,
                                                 .iova = at,
                                                 .size = 8,
                                                 .pattern = 0xdeadbeefdeadbeef};
}

static void add_range(uint64_t from, uint64_t size, uint64_t step)
{
    for (uint64_t at = 0; at < size; at += step)
        add(from + at);
}

/* All that is at hand of `entries`; how many were let through. */
static unsigned run_them(void)
{
    unsigned let_through = 0;
    CHECK_EQ("the list", master_run(MASTER_RUN_LIST, (uint64_t)entries, count),
             MASTER_DONE | MASTER_FAULTED); /* as its last entry is */
    for (unsigned i = 0; i < count; i++)
        let_through += entries[i].status != (MASTER_DONE | MASTER_FAULTED) ||
                       entries[i].detail != entries[i].iova;
    return let_through;
}

static void by_the_master(void)
{
    uint64_t faults = master_get64(MASTER_FAULTS);
    add_range(BANK, DENSE, PAGE);
    add_range(BANK + DENSE, BANK_SIZE - DENSE, SPARSE);
    add_range(SMMU, SMMU_SIZE, PAGE);
    add(MASTER);
    add(PL330);
    add(GICD);
    add(GICR);
    add_range(RAM_END, 0x100000, 0x10000);
    add(0);
    add(1ull << 47);
    add(~0ull - 7);
    CHECK("there is room for all", count < ENTRIES);
    CHECK_EQ("accesses that were let through", run_them(), 0);
    CHECK_EQ("faults", master_get64(MASTER_FAULTS) - faults, count);
}

/* The DMA controller -----------------------------------------------------------------------------
 */

enum { FSRC = 0x034, FTR0 = 0x040, CSR0 = 0x100, DBGSTATUS = 0xd00, DBGCMD = 0xd04 };
enum { DBGINST0 = 0xd08, DBGINST1 = 0xd0c };
enum { DMAEND = 0x00, DMAKILL = 0x01, DMALD = 0x04, DMASTZ = 0x0c, SAR = 0, DAR = 2 };
enum { DATA_WRITE_ERR = 1 << 17, DATA_READ_ERR = 1 << 18 };

static uint8_t program[64];

static uint8_t *put_move(uint8_t *at, unsigned to, uint64_t value)
{
    *at++ = 0xbc;
    *at++ = (uint8_t)to;
    for (unsigned i = 0; i < 4; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static void debug(unsigned where, unsigned opcode, unsigned operand, uint64_t value)
{
    write32(PL330 + DBGINST0, where | opcode << 16 | operand << 24);
    write32(PL330 + DBGINST1, (uint32_t)value);
    DSB();
    write32(PL330 + DBGCMD, 0);
    while (read32(PL330 + DBGSTATUS))
        ASM("yield");
}

/* Channel 0 with one load or store there. */
static void try_channel(uint64_t at, bool is_store)
{
    uint8_t *p = put_move(program, is_store ? DAR : SAR, at);
    *p++ = is_store ? DMASTZ : DMALD;
    *p = DMAEND;
    debug(0, 0xa2, 0, (uint64_t)program); /* DMAGO */
    while ((read32(PL330 + CSR0) & 15) != 15 && (read32(PL330 + CSR0) & 15) != 0)
        ASM("yield");
    check_context("DMA controller at", at);
    CHECK_EQ("it faults", read32(PL330 + FSRC), 1);
    CHECK_EQ("why", read32(PL330 + FTR0), is_store ? DATA_WRITE_ERR : DATA_READ_ERR);
    check_context(NULL, 0);
    debug(1, DMAKILL, 0, 0);
}

static void by_the_controller(void)
{
    static const uint64_t places[] = {
        BANK, BANK + PAGE,    BANK + DENSE, BANK + BANK_SIZE / 2, BANK + BANK_SIZE - PAGE,
        SMMU, SMMU + 0x10000, PL330};
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        try_channel(places[i], true);
        try_channel(places[i], false);
    }
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    by_the_master();
    by_the_controller();
    master_put64(MASTER_PATTERN, 0x1122334455667788);
    CHECK_EQ("its own memory", master_run(MASTER_FILL, (uint64_t)own, PAGE), MASTER_DONE);
    CHECK_EQ("has what was written", *(uint64_t *)(own + PAGE - 8), 0x1122334455667788);
    return 0;
}
