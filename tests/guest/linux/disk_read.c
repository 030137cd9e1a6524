/* disk-read KIND COUNT: reads of /dev/vda past the page cache. KIND is `seq`, 128 KiB each, one
 * behind the other, or `random`, 4 KiB each, anywhere in the disk's first 256 MiB. Prints how many
 * there were and a sum of what they found. */
#include "program.h"

enum { SYS_openat = 56, SYS_pread64 = 67, AT_FDCWD = -100, O_DIRECT = 0x10000 };
enum { LARGE = 128 << 10, SMALL = 4096, AREA = 256 << 20 };

static _Alignas(4096) uint8_t buffer[LARGE];

static uint64_t number(const char *text)
{
    uint64_t n = 0;
    while (*text >= '0' && *text <= '9')
        n = 10 * n + (uint64_t)(*text++ - '0');
    return n;
}

static uint64_t sum(long size)
{
    const uint64_t *words = (const uint64_t *)buffer;
    return words[0] ^ words[size / 8 - 1];
}

static int run(int count, char **words)
{
    struct line l;
    uint64_t wanted = count > 2 ? number(words[2]) : 0, state = 1, found = 0;
    l.size = 0;
    int random = count > 1 && words[1][0] == 'r';
    long size = random ? SMALL : LARGE;
    long fd = syscall(SYS_openat, AT_FDCWD, (long)"/dev/vda", O_DIRECT, 0, 0, 0);
    for (uint64_t i = 0; i < wanted; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t at = random ? (state >> 33) % (AREA / SMALL) * SMALL : i % (AREA / LARGE) * LARGE;
        if (syscall(SYS_pread64, fd, (long)buffer, size, (long)at, 0, 0) != size) {
            add(&l, "disk-read: it cannot be read");
            print(&l);
            return 1;
        }
        found = found * 31 + sum(size);
    }
    add(&l, "disk-read: ");
    add_number(&l, wanted, 10);
    add(&l, " reads, sum ");
    add_number(&l, found, 16);
    print(&l);
    return 0;
}

/* The stack at the entry: the number of words, then the words. */
__attribute__((used)) _Noreturn void start(long *stack)
{
    quit(run((int)stack[0], (char **)(stack + 1)));
}

__asm__(".globl _start\n_start:\nmov x0, sp\nb start\n");
