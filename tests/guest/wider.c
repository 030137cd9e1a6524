/* What smmuman's configuration (tests/contained.sh) lets a device reach beside its VM's RAM: pieces
 * of memory of the board that the VM has by `pass`, at 0x50000000. From when it is in an object of
 * the VM's client, the piece that it cannot do without is left; and what the client maps of them.
 */
#include "master.h"
#include "mmu.h"

#define PASSED   0x50000000u
#define PAGE_AT  0x1c100000u
#define RESERVED (PASSED + 0x40000)
enum { PAGE = 4096, OK = MASTER_DONE, REFUSED = MASTER_DONE | MASTER_FAULTED };
enum { REQUEST = 0x08, RESULT = 0x0c, OBJECT = 0x18, FLAGS = 0x1c, TYPE = 0x20, INDEX = 0x24 };
enum { START = 0x28, LENGTH = 0x30 };
enum { CREATE = 1, ADD_DEVICE = 3, ADD_MAPPING = 5, REPORT_RESERVED = 7, MANUAL = 1 };
enum { ENOENT = -2 };

static int ask(unsigned request, unsigned object, uint64_t start, uint64_t length, unsigned flags)
{
    write32(PAGE_AT + OBJECT, object);
    write32(PAGE_AT + FLAGS, flags);
    write32(PAGE_AT + TYPE, 1);
    write32(PAGE_AT + START, (uint32_t)start);
    write32(PAGE_AT + START + 4, (uint32_t)(start >> 32));
    write32(PAGE_AT + LENGTH, (uint32_t)length);
    write32(PAGE_AT + LENGTH + 4, (uint32_t)(length >> 32));
    write32(PAGE_AT + REQUEST, request);
    return (int)read32(PAGE_AT + RESULT);
}

static void expect(const char *what, uint64_t at, unsigned written, unsigned read)
{
    check_context(what, at);
    CHECK_EQ("written", master_run(MASTER_FILL, at, 8), written);
    CHECK_EQ("read", master_run(MASTER_HASH, at, 8), read);
    check_context(NULL, 0);
}

static void at_first(void)
{
    expect("RAM", SCRATCH, OK, OK);
    expect("frames", PASSED, OK, OK);
    expect("their end", PASSED + 0x10000 - 8, OK, OK);
    expect("behind them", PASSED + 0x10000, REFUSED, REFUSED);
    expect("to be read", PASSED + 0x20000, REFUSED, OK);
    expect("behind that", PASSED + 0x30000, REFUSED, REFUSED);
    expect("reserved", RESERVED, OK, OK);
    expect("behind that", RESERVED + PAGE, REFUSED, REFUSED);
    expect("where the board has them", 0x90000000, REFUSED, REFUSED);
}

static void reserved(void)
{
    write32(PAGE_AT + INDEX, 0);
    CHECK_EQ("REPORT_RESERVED", ask(REPORT_RESERVED, 0, MASTER, PAGE, 0), 0);
    CHECK_EQ("where", read32(PAGE_AT + START), RESERVED);
    CHECK_EQ("how long", read32(PAGE_AT + LENGTH), PAGE);
    CHECK_EQ("how", read32(PAGE_AT + FLAGS), 3);
    write32(PAGE_AT + INDEX, 1);
    CHECK_EQ("no other", ask(REPORT_RESERVED, 0, MASTER, PAGE, 0), ENOENT);
}

static void in_an_object(void)
{
    CHECK_EQ("CREATE", ask(CREATE, 0, 0, 0, 0), 0);
    CHECK_EQ("ADD_DEVICE", ask(ADD_DEVICE, 0, MASTER, PAGE, 0), 0);
    expect("RAM", SCRATCH, REFUSED, REFUSED);
    expect("frames", PASSED, REFUSED, REFUSED);
    expect("reserved", RESERVED, OK, OK);
    CHECK_EQ("ADD_MAPPING", ask(ADD_MAPPING, 0, PASSED, 0x100000, 3), 0);
    expect("frames", PASSED, OK, OK);
    expect("to be read", PASSED + 0x20000, REFUSED, OK);
    expect("behind that", PASSED + 0x30000, REFUSED, REFUSED);
    expect("RAM", SCRATCH, REFUSED, REFUSED);
}

static void by_hand(void)
{
    CHECK_EQ("DESTROY", ask(2, 0, 0, 0, 0), 0);
    CHECK_EQ("CREATE", ask(CREATE, 0, 0, 0, MANUAL), 0);
    CHECK_EQ("ADD_DEVICE", ask(ADD_DEVICE, 0, MASTER, PAGE, 0), 0);
    expect("reserved", RESERVED, REFUSED, REFUSED);
    CHECK_EQ("ADD_MAPPING", ask(ADD_MAPPING, 0, RESERVED, PAGE, 1), 0);
    expect("reserved", RESERVED, REFUSED, OK);
}

int main(void)
{
    static struct tables tables;
    mmu_start(&tables);
    tables_map(&tables, PAGE_AT, PAGE_AT, PAGE, PTE_DEVICE, 3);
    tlb_flush();
    at_first();
    reserved();
    in_an_object();
    by_hand();
    return 0;
}
