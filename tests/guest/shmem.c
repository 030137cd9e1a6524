/* Shared memory: two `vdev shmem` of one VM (shmem.qvmconf) over the same regions, so that a guest
 * can look at both ends. Memory appears in the middle of a run and goes away again, also under
 * translations that the CPU has cached; notifications arrive as interrupts. */
#include "gic.h"
#include "mmu.h"
#include "trap.h"

enum { SIGNATURE = 0, SHMEM = 8, VECTOR = 0x10, STATUS = 0x14, SIZE = 0x18, NAME = 0x1c };
enum { FIND = 0x3c, C_STATUS = 0, C_IDX = 4, C_NOTIFY = 8, C_DETACH = 12 };
enum { OK, UNKNOWN, NOMEM, CLIENT_MAX, ILLEGAL_NAME, NO_PERMISSION, DOES_NOT_EXIST };

#define A    0x09020000ull
#define B    0x09030000ull
#define PAGE 0x1000ull

TRAP_CODE(load, "ldr x1, [x0]");
TRAP_CODE(load_pair, "ldp x1, x2, [x0]");
TRAP_CODE(store_byte_status, "strb w1, [x0]");

static struct tables tables;
static volatile uint32_t irqs[2];
static uint64_t control[2]; /* whose status the interrupt handler reads */
static uint32_t seen[2];    /* what it read */

static void put_name(uint64_t factory, const char *name)
{
    for (unsigned i = 0; i < 32; i += 4) {
        uint32_t word = 0;
        for (unsigned j = 0; j < 4; j++, name += *name != 0)
            word |= (uint32_t)(uint8_t)*name << 8 * j;
        write32(factory + NAME + i, word);
    }
}

/* A result, and the control page in *at if it is OK. */
static uint32_t create(uint64_t factory, const char *name, uint32_t pages, uint64_t *at)
{
    put_name(factory, name);
    write32(factory + SIZE, pages);
    *at = read64(factory + SHMEM);
    return read32(factory + STATUS);
}

static uint32_t find(uint64_t factory, const char *name, uint64_t *at)
{
    put_name(factory, name);
    write32(factory + FIND, 1);
    *at = read64(factory + SHMEM);
    return read32(factory + STATUS);
}

static void factories(void)
{
    uint64_t at;
    CHECK_EQ("signature", read64(A + SIGNATURE), 0x4d534732474d5651);
    CHECK_EQ("vector of A", read32(A + VECTOR), 40);
    CHECK_EQ("vector of B", read32(B + VECTOR), 41);
    CHECK_EQ("no name", create(A, "", 1, &at), ILLEGAL_NAME);
    CHECK_EQ("not there", find(A, "pipe", &at), DOES_NOT_EXIST);
    CHECK_EQ("not permitted", create(B, "pip", 1, &at), NO_PERMISSION);
    CHECK_EQ("not mentioned", create(B, "x", 1, &at), NO_PERMISSION);
    CHECK_EQ("too big", create(A, "big", 0x100000, &at), NOMEM);
    CHECK_EQ("no place was given", at, 0);
    struct trap t = trap_el1(store_byte_status, A + SIZE, 1, 0);
    CHECK_EQ("a byte to size: taken", t.taken, 1);
    CHECK_EQ("a byte to size: ESR", t.esr & ~(1ull << 9),
             ESR(EC_DABORT_EL1, ESR_WNR | FSC_EXTERNAL));
    CHECK_EQ("created by the configuration", find(B, "ready", &at), OK);
    CHECK_EQ("its size", read32(B + SIZE), 5);
    write32(at + C_DETACH, 0);
}

/* One page after the other, from both sides. */
static void data(uint64_t a, uint64_t b, unsigned pages)
{
    for (uint64_t i = 1; i <= pages; i++) {
        write64(a + i * PAGE, 0x1111 * i);
        write64(b + i * PAGE + 0xff8, 0x2222 * i);
    }
    for (uint64_t i = 1; i <= pages; i++) {
        CHECK_EQ("written by A, read by B", read64(b + i * PAGE), 0x1111 * i);
        CHECK_EQ("written by B, read by A", read64(a + i * PAGE + 0xff8), 0x2222 * i);
    }
}

static void check_gone(const char *what, uint64_t address)
{
    /* Nobody answers there: `unsupported reference ignore`. */
    struct trap t = trap_el1(load, address, 0, 0);
    CHECK_NO_TRAP("load", t);
    CHECK_EQ(what, t.x[1], ~0ull);
}

static void sharing(void)
{
    uint64_t a, b;
    CHECK_EQ("A creates", create(A, "pipe", 700, &a), OK);
    CHECK_EQ("B finds", find(B, "pipe", &b), OK);
    CHECK_EQ("size seen by B", read32(B + SIZE), 700);
    CHECK("two places", a != b && a && b);
    CHECK_EQ("index of A", read32(a + C_IDX), 0);
    CHECK_EQ("index of B", read32(b + C_IDX), 1);
    data(a, b, 700);
    CHECK_EQ("A sees B come", read32(a + C_STATUS), 0x30000);
    write32(a + C_NOTIFY, ~0u);
    CHECK_EQ("B is notified", read32(b + C_STATUS), 0x30001);
    CHECK_EQ("once", read32(b + C_STATUS), 0x30000);
    struct trap t = trap_el1(load_pair, a, 0, 0);
    CHECK_EQ("a pair of 8 bytes: taken", t.taken, 1);
    write32(b + C_DETACH, 0);
    check_gone("control page gone", b);
    check_gone("first data page gone", b + PAGE);
    check_gone("last data page gone", b + 700 * PAGE);
    CHECK_EQ("A sees B go", read32(a + C_STATUS), 0x10000);
    CHECK_EQ("A still has it", read64(a + PAGE), 0x1111);
    write32(a + C_DETACH, 0);
    check_gone("A's page gone", a + PAGE);
    CHECK_EQ("B comes back", find(B, "pipe", &b), OK);
    CHECK_EQ("contents are kept", read64(b + 700 * PAGE), 0x1111 * 700);
    write32(b + C_DETACH, 0);
}

/* Memory at the same address, first of one region, then of another, and the MMU stays on: what the
 * CPU remembers of the first must not be used, though this guest invalidates nothing. */
static void remapping(void)
{
    uint64_t one, two;
    mmu_start(&tables);
    CHECK_EQ("one", create(A, "one", 600, &one), OK);
    tables_map(&tables, one & ~0x1fffffull, one & ~0x1fffffull, 8ull << 20, PTE_MEMORY, 2);
    tlb_flush();
    write64(one + PAGE, 1111);
    write32(one + C_DETACH, 0);
    for (unsigned i = 0; i < 200; i++) {
        check_gone("nothing in between", one + PAGE);
        CHECK_EQ("two", create(A, i % 2 ? "one" : "two", 600, &two), OK);
        CHECK_EQ("same place", two, one);
        if (i == 0)
            write64(two + PAGE, 2222);
        CHECK_EQ("its contents", read64(two + PAGE), i % 2 ? 1111 : 2222);
        CHECK_EQ("its last page", read64(two + 600 * PAGE), 0);
        write32(two + C_DETACH, 0);
    }
    mmu_off();
}

static void on_irq(struct frame *f)
{
    uint64_t intid = GIC_READ(ICC_IAR1);
    (void)f;
    if (intid == GIC_NONE)
        return;
    unsigned i = intid == 41;
    irqs[i]++;
    seen[i] = read32(control[i] + C_STATUS);
    GIC_WRITE(ICC_EOIR1, intid);
}

static void check_irqs(const char *what, uint32_t a, uint32_t b)
{
    ISB();
    check_context(what, a);
    CHECK_EQ("interrupts of A", irqs[0], a);
    CHECK_EQ("interrupts of B", irqs[1], b);
    check_context(NULL, 0);
}

static void interrupts(void)
{
    gic_start_distributor();
    gic_start_cpu();
    this_cpu()->irq = on_irq;
    gic_enable(40, 0x80);
    gic_enable(41, 0x80);
    CHECK_EQ("A creates", create(A, "pipe", 1, &control[0]), OK);
    CHECK_EQ("B creates", create(B, "pipe", 1, &control[1]), OK);
    CHECK("A's line is high", gic_pending(40));
    CHECK("B's line is low", !gic_pending(41));
    ASM("msr daifclr, #2");
    check_irqs("attached", 1, 0);
    CHECK_EQ("A saw", seen[0], 0x30000);
    write32(control[0] + C_NOTIFY, 2);
    check_irqs("A notifies", 1, 1);
    CHECK_EQ("B saw", seen[1], 0x30001);
    write32(control[1] + C_NOTIFY, ~0u);
    write32(control[1] + C_NOTIFY, ~0u);
    check_irqs("B notifies twice", 3, 1);
    CHECK_EQ("A saw", seen[0], 0x30002);
    ASM("msr daifset, #2");
    write32(control[1] + C_NOTIFY, ~0u);
    write32(control[1] + C_NOTIFY, ~0u);
    write32(control[1] + C_DETACH, ~0u);
    ASM("wfi"); /* wakes: the line is high */
    ASM("msr daifclr, #2");
    check_irqs("and leaves", 4, 1);
    CHECK_EQ("A saw", seen[0], 0x10002);
    ASM("msr daifset, #2");
    write32(control[0] + C_DETACH, 0);
}

/* A guest that never lets go is told so, and one that comes and goes for ever is not. */
static void for_ever(void)
{
    uint64_t at, first;
    CHECK_EQ("first", create(A, "x0", 1, &first), OK);
    write32(first + C_DETACH, 0);
    for (unsigned i = 0; i < 1000; i++) {
        uint32_t status = create(A, "x0", 1, &at);
        if (status != OK || at != first)
            CHECK_EQ("coming and going", status, OK);
        write64(at + PAGE, i);
        write32(at + C_DETACH, 0);
    }
    unsigned attached = 0;
    char name[3] = "x0";
    for (unsigned i = 0; i < 100; i++) {
        name[1] = (char)('0' + i % 10);
        attached += create(A, name, 1, &at) == OK;
    }
    CHECK_EQ("connections of one device", attached, 64);
    CHECK_EQ("then", read32(A + STATUS), CLIENT_MAX);
    attached = 0;
    for (unsigned i = 0; i < 20; i++)
        attached += find(B, "pipe", &at) == OK;
    CHECK_EQ("clients of one region", attached, 16);
    CHECK_EQ("then", read32(B + STATUS), CLIENT_MAX);
    unsigned created = 0;
    char fresh[7] = "pipe00";
    for (unsigned i = 0; i < 100; i++) {
        fresh[4] = (char)('0' + i / 10);
        fresh[5] = (char)('0' + i % 10);
        if (create(B, fresh, 1, &at) == OK) {
            created++;
            write32(at + C_DETACH, 0);
        }
    }
    CHECK_EQ("then", read32(B + STATUS), NOMEM);
    CHECK_EQ("regions of the board: ready, pipe, one, two, x0 to x9", created, 64 - 14);
}

int main(void)
{
    factories();
    sharing();
    remapping();
    interrupts();
    for_ever();
    return 0;
}
