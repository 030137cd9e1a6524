/* Two watchdogs (SP805, DDI 0270; watchdog.qvmconf). The first, of 1 MHz, interrupts when it is not
 * fed, and has an edge instead of a bite. The second ends the VM, and with it this program: its
 * exit status is that of a watchdog. */
#include "gic.h"
#include "mmu.h"
#include "trap.h"

#define FIRST  0x09020000u
#define SECOND 0x09030000u
enum { INTID = 40, FIRST_HZ = 1000000, SECOND_HZ = 25000000, LOAD_VALUE = 1000 };
enum {
    WdogLoad = 0x000,
    WdogValue = 0x004,
    WdogControl = 0x008,
    WdogIntClr = 0x00c,
    WdogRIS = 0x010,
    WdogMIS = 0x014,
    WdogLock = 0xc00,
    WdogPeriphID0 = 0xfe0
};
enum { INTEN = 1, RESEN = 2 };
#define LOCK_KEY 0x1acce551u
#define ICFGR    0xc00u

static volatile unsigned interrupts;
static volatile bool feeds = true;

static void on_irq(struct frame *f)
{
    (void)f;
    uint64_t id = GIC_READ(ICC_IAR1);
    CHECK_EQ("interrupt", id, INTID);
    CHECK_EQ("WdogMIS", read32(FIRST + WdogMIS), 1);
    interrupts++;
    if (feeds)
        write32(FIRST + WdogIntClr, 1);
    GIC_WRITE(ICC_EOIR1, id);
}

static uint64_t now(void)
{
    ISB();
    return READ(cntvct_el0);
}

/* Busy for so many clocks of the first watchdog. */
static void wait(uint64_t clocks)
{
    uint64_t end = now() + clocks * READ(cntfrq_el0) / FIRST_HZ;
    while (now() < end)
        ;
}

static void identification(void)
{
    static const uint8_t ids[8] = {0x05, 0x18, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQ("identification", read32(FIRST + WdogPeriphID0 + 4 * i), ids[i]);
    CHECK_EQ("WdogLoad at reset", read32(FIRST + WdogLoad), 0xffffffff);
    CHECK_EQ("WdogControl at reset", read32(FIRST + WdogControl), 0);
    write32(FIRST + WdogLock, 0);
    CHECK_EQ("WdogLock", read32(FIRST + WdogLock), 1);
    write32(FIRST + WdogLoad, 5);
    CHECK_EQ("WdogLoad while locked", read32(FIRST + WdogLoad), 0xffffffff);
    write32(FIRST + WdogLock, LOCK_KEY);
    CHECK_EQ("WdogLock with the key", read32(FIRST + WdogLock), 0);
}

/* The handler feeds: an interrupt every LOAD_VALUE clocks (or one more, for the reload). */
static void interrupts_while_fed(void)
{
    write32(FIRST + WdogLoad, LOAD_VALUE);
    write32(FIRST + WdogControl, INTEN | RESEN);
    uint32_t value = read32(FIRST + WdogValue);
    CHECK("counts from WdogLoad", value <= LOAD_VALUE && value > LOAD_VALUE - 10);
    wait(LOAD_VALUE / 2);
    value = read32(FIRST + WdogValue);
    CHECK("half way", value <= LOAD_VALUE / 2 && value > LOAD_VALUE / 2 - 20);
    CHECK_EQ("no interrupt yet", interrupts, 0);
    wait(LOAD_VALUE / 2 + 10);
    CHECK_EQ("one interrupt", interrupts, 1);
    wait(10 * LOAD_VALUE);
    CHECK_EQ("and ten more", interrupts, 11);
    CHECK_EQ("WdogRIS", read32(FIRST + WdogRIS), 0);
}

/* As an edge the line shows the first zero and the bite, and nothing after that. */
static void edge_when_starved(void)
{
    write32(FIRST + WdogControl, 0);
    uint64_t config = GICD + ICFGR + INTID / 16 * 4;
    gic_disable(INTID);
    write32(config, read32(config) | 2u << INTID % 16 * 2);
    gic_enable(INTID, 0x80);
    feeds = false;
    interrupts = 0;
    write32(FIRST + WdogControl, INTEN | RESEN);
    wait(LOAD_VALUE + 10);
    CHECK_EQ("first zero", interrupts, 1);
    wait(LOAD_VALUE);
    CHECK_EQ("the bite", interrupts, 2);
    wait(5 * LOAD_VALUE);
    CHECK_EQ("no other", interrupts, 2);
    write32(FIRST + WdogIntClr, 0);
    write32(FIRST + WdogControl, 0);
    CHECK_EQ("fed", read32(FIRST + WdogRIS), 0);
}

/* Twice half a millisecond, then the end. */
static _Noreturn void starve(void)
{
    write32(SECOND + WdogLoad, SECOND_HZ / 2000);
    write32(SECOND + WdogControl, INTEN | RESEN);
    wait(FIRST_HZ / 2000 + 10);
    if (!CHECK_EQ("the second one's first zero", read32(SECOND + WdogRIS), 1))
        finish();
    wait(FIRST_HZ / 2000 - 20);
    print("it bites now\n");
    wait(FIRST_HZ);
    CHECK("a watchdog ends the VM", false);
    finish();
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
    identification();
    interrupts_while_fed();
    edge_when_starved();
    if (checks_failed())
        finish();
    starve();
}
