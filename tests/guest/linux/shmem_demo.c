/* shmem-demo ROLE FACTORY: one end of a transfer of 16 MiB through shared memory between two Linux
 * guests. ROLE is `writer` or `reader`, FACTORY the guest-physical address of the page of registers
 * of `vdev shmem`, in hexadecimal.
 *
 * Needs no driver: it maps the pages through /dev/mem and, as that gives no interrupt, looks for
 * notifications by reading the control page's status. The kernel maps what is not RAM as Device
 * memory, so every access is an aligned word of its own. No C library: a static program of system
 * calls, built by build.sh. Exit status 0 when all was well; what went wrong is printed.
 *
 * The region: a page of counters, then a ring of slots. The writer fills a slot, counts it and
 * notifies; the reader adds it up, counts it and notifies back. */
#include "program.h"

#define PAGE       0x1000ul
#define SLOT_BYTES 0x40000ul
#define SLOTS      4ul
#define TRANSFER   0x1000000ul
#define PAGES      (1 + SLOTS * SLOT_BYTES / PAGE)

/* Factory and control page (the shmem interface), counters (ours). */
enum { SIGNATURE = 0, SHMEM = 8, STATUS = 0x14, SIZE = 0x18, NAME = 0x1c };
enum { C_STATUS = 0, C_IDX = 4, C_NOTIFY = 8, C_DETACH = 12 };
enum { FILLED = 0, EMPTIED = 8 };

enum { SYS_openat = 56, SYS_nanosleep = 101, SYS_mmap = 222 };

static _Noreturn void fail(const char *what, uint64_t value)
{
    struct line l;
    l.size = 0;
    add(&l, "shmem-demo: ");
    add(&l, what);
    add(&l, ": 0x");
    add_number(&l, value, 16);
    print(&l);
    quit(1);
}

static uint64_t map(int memory, uint64_t at, size_t size)
{
    long mapped =
        syscall(SYS_mmap, 0, (long)size, 3 /* read, write */, 1 /* shared */, memory, (long)at);
    if (mapped < 0 && mapped > -4096)
        fail("cannot map, error", (uint64_t)-mapped);
    return (uint64_t)mapped;
}

/* Words of Device memory ------------------------------------------------------------------------
 */

static uint32_t read32(uint64_t at)
{
    return *(volatile uint32_t *)at;
}
static void write32(uint64_t at, uint32_t value)
{
    *(volatile uint32_t *)at = value;
}
static uint64_t read64(uint64_t at)
{
    return *(volatile uint64_t *)at;
}
static void write64(uint64_t at, uint64_t value)
{
    *(volatile uint64_t *)at = value;
}

/* An end -----------------------------------------------------------------------------------------
 */

struct end {
    uint64_t control, counters, ring;
    uint64_t slots; /* done by this end */
    uint64_t checksum, random;
    unsigned notified; /* times that a notification was seen */
};

static void attach(struct end *e, uint64_t factory_at)
{
    static const uint32_t name[2] = {0x6d617266, 0x00007365}; /* "frames", little-endian */
    int memory =
        (int)syscall(SYS_openat, -100, (long)"/dev/mem", 0x101002 /* RDWR, SYNC */, 0, 0, 0);
    if (memory < 0)
        fail("cannot open /dev/mem, error", (uint64_t)-memory);
    uint64_t factory = map(memory, factory_at, PAGE);
    if (read64(factory + SIGNATURE) != 0x4d534732474d5651)
        fail("no shmem factory, but", read64(factory + SIGNATURE));
    for (unsigned i = 0; i < 32; i += 4)
        write32(factory + NAME + i, i < 8 ? name[i / 4] : 0);
    write32(factory + SIZE, PAGES);
    if (read32(factory + STATUS))
        fail("the factory refuses, status", read32(factory + STATUS));
    if (read32(factory + SIZE) != PAGES)
        fail("the region has another size, pages", read32(factory + SIZE));
    e->control = map(memory, read64(factory + SHMEM), (1 + PAGES) * PAGE);
    e->counters = e->control + PAGE;
    e->ring = e->counters + PAGE;
}

/* A bit for each client that is attached. Counts notifications in passing. */
static uint32_t look(struct end *e)
{
    uint32_t status = read32(e->control + C_STATUS);
    e->notified += (status & 0xffff) != 0;
    return status >> 16;
}

static void nap(void)
{
    const int64_t ns[2] = {0, 100000};
    syscall(SYS_nanosleep, (long)ns, 0, 0, 0, 0, 0);
}

static void tell(struct end *e, uint64_t counter)
{
    __asm__ volatile("dmb sy" ::: "memory"); /* the slot before its count before the notification */
    write64(e->counters + counter, ++e->slots);
    __asm__ volatile("dmb sy" ::: "memory");
    write32(e->control + C_NOTIFY, ~0u);
}

static uint64_t slot(const struct end *e)
{
    return e->ring + e->slots % SLOTS * SLOT_BYTES;
}

static void add_up(struct end *e, uint64_t word)
{
    e->checksum = ((e->checksum << 7 | e->checksum >> 57) ^ word) * 0x9e3779b97f4a7c15;
}

static uint64_t next_word(struct end *e)
{
    e->random ^= e->random << 13;
    e->random ^= e->random >> 7;
    e->random ^= e->random << 17;
    return e->random;
}

static void write_all(struct end *e)
{
    while (look(e) == 1u << read32(e->control + C_IDX)) /* alone */
        nap();
    while (e->slots < TRANSFER / SLOT_BYTES) {
        for (uint64_t at = slot(e); at < slot(e) + SLOT_BYTES; at += 8) {
            uint64_t word = next_word(e);
            add_up(e, word);
            write64(at, word);
        }
        tell(e, FILLED);
        while (look(e), e->slots - read64(e->counters + EMPTIED) == SLOTS)
            nap();
    }
    while (look(e), read64(e->counters + EMPTIED) < e->slots)
        nap();
}

static void read_all(struct end *e)
{
    while (e->slots < TRANSFER / SLOT_BYTES) {
        while (look(e), read64(e->counters + FILLED) == e->slots)
            nap();
        __asm__ volatile("dmb sy" ::: "memory"); /* the count before the slot */
        for (uint64_t at = slot(e); at < slot(e) + SLOT_BYTES; at += 8)
            add_up(e, read64(at));
        tell(e, EMPTIED);
    }
}

static void report(const struct end *e, const char *role)
{
    struct line l;
    l.size = 0;
    add(&l, "shmem-demo ");
    add(&l, role);
    add(&l, ": ");
    add_number(&l, e->slots * SLOT_BYTES, 10);
    add(&l, " bytes, ");
    add_number(&l, e->notified, 10);
    add(&l, " notifications seen, checksum 0x");
    add_number(&l, e->checksum, 16);
    print(&l);
}

static uint64_t hexadecimal(const char *text)
{
    uint64_t value = 0;
    for (; *text; text++)
        value = value << 4 | (uint64_t)(*text <= '9' ? *text - '0' : (*text | 0x20) - 'a' + 10);
    return value;
}

__attribute__((used)) _Noreturn void start(const uint64_t *stack)
{
    const char *const *argv = (const char *const *)(stack + 1);
    if (stack[0] != 3)
        fail("usage: shmem-demo writer|reader FACTORY; arguments", stack[0]);
    struct end e = {.random = 0x2545f4914f6cdd1d};
    attach(&e, hexadecimal(argv[2]));
    if (argv[1][0] == 'w')
        write_all(&e);
    else
        read_all(&e);
    write32(e.control + C_DETACH, 0);
    report(&e, argv[1]);
    quit(0);
}

__asm__(".globl _start\n_start:\nmov x0, sp\nb start\n");
