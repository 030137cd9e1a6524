/* perf-count: what Linux' perf counts of a program of known length: instructions and cycles, at EL0
 * alone and with the kernel. What is counted at EL0 must be exactly what the program executes,
 * however often the timer's interrupt comes between; with the kernel it is more. On one vCPU:
 * cycles are instructions of the board, those of other vCPUs too.
 *
 * Exit status 0 when that is so. It prints a line for each measurement, two of each. */
#include "program.h"

enum { SYS_ioctl = 29, SYS_close = 57, SYS_read = 63, SYS_perf_event_open = 241 };
enum { CYCLES = 0, INSTRUCTIONS = 1 }; /* PERF_COUNT_HW_... of PERF_TYPE_HARDWARE, 0 */
enum { ENABLE = 0x2400, DISABLE = 0x2401 };
enum { DISABLED = 1 << 0, EXCLUDE_KERNEL = 1 << 5 };

/* struct perf_event_attr, as long as its first version was. */
struct attributes {
    uint32_t type, size;
    uint64_t config, period, sample_type, read_format, flags, wakeup, address;
};
_Static_assert(sizeof(struct attributes) == 64, "PERF_ATTR_SIZE_VER0");

static void report(const char *what, uint64_t turns, uint64_t instructions, uint64_t cycles)
{
    struct line l;
    l.size = 0;
    add(&l, "perf-count ");
    add(&l, what);
    add(&l, ", ");
    add_number(&l, turns, 10);
    add(&l, " turns: ");
    add_number(&l, instructions, 10);
    add(&l, " instructions, ");
    add_number(&l, cycles, 10);
    add(&l, " cycles");
    print(&l);
}

static int open_counter(uint64_t config, uint64_t flags, int group)
{
    struct attributes a = {.size = sizeof a, .config = config, .flags = flags};
    return (int)syscall(SYS_perf_event_open, (long)&a, 0, -1, group, 0, 0);
}

static uint64_t value_of(int counter)
{
    uint64_t value = 0;
    syscall(SYS_read, counter, (long)&value, sizeof value, 0, 0, 0);
    syscall(SYS_close, counter, 0, 0, 0, 0, 0);
    return value;
}

/* From behind the SVC that starts the counters up to the one that stops them, and with it: three
 * instructions a turn, and three. */
static void counted(int leader, uint64_t turns)
{
    register long x0 __asm__("x0") = leader;
    register long x1 __asm__("x1") = ENABLE;
    register long x2 __asm__("x2") = 1; /* the whole group */
    register long x8 __asm__("x8") = SYS_ioctl;
    __asm__ volatile("svc #0\n"
                     "1: subs %[turns], %[turns], #1\n"
                     "nop\n"
                     "b.ne 1b\n"
                     "mov x0, %[leader]\n"
                     "mov x1, %[disable]\n"
                     "svc #0"
                     : [turns] "+&r"(turns), "+&r"(x0), "+&r"(x1)
                     : [leader] "r"((long)leader), [disable] "r"((long)DISABLE), "r"(x2), "r"(x8)
                     : "cc", "memory");
}

static int measure(uint64_t turns, uint64_t flags)
{
    int leader = open_counter(INSTRUCTIONS, DISABLED | flags, -1);
    int member = open_counter(CYCLES, flags, leader);
    if (leader < 0 || member < 0) {
        report("cannot open a counter", turns, (uint64_t)leader, (uint64_t)member);
        return 1;
    }
    counted(leader, turns);
    uint64_t cycles = value_of(member), instructions = value_of(leader), executed = 3 * turns + 3;
    report(flags ? "at EL0" : "with the kernel", turns, instructions, cycles);
    return flags ? instructions != executed || cycles != executed : instructions <= executed;
}

__attribute__((used)) _Noreturn void start(void)
{
    static const uint64_t turns[] = {1, 1000, 1000000, 10000000};
    int failures = 0;
    for (unsigned i = 0; i < sizeof turns / sizeof turns[0]; i++)
        for (unsigned again = 0; again < 2; again++)
            failures += measure(turns[i], EXCLUDE_KERNEL) + measure(turns[i], 0);
    quit(failures);
}
__asm__(".globl _start\n_start:\nmov x0, sp\nb start\n");
