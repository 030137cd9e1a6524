/* Semihosting calls: the console, one file, the end of the run. Arm, "Semihosting for AArch32 and
 * AArch64" 2.0. */
#include "mmu.h"

enum { READ_MODE = 0, WRITE_MODE = 4, APPEND_MODE = 8 }; /* "r", "w", "a" of fopen */
#define FAILED (~0ull)

static uint64_t open(const char *name, uint64_t mode)
{
    uint64_t length = 0;
    while (name[length])
        length++;
    uint64_t block[3] = {(uint64_t)name, mode, length};
    return semihost(SYS_OPEN, block);
}

static uint64_t close(uint64_t handle)
{
    return semihost(SYS_CLOSE, &handle);
}

/* The results are the number of bytes that were not moved. */
static uint64_t transfer(uint64_t operation, uint64_t handle, const void *data, uint64_t size)
{
    uint64_t block[3] = {handle, (uint64_t)data, size};
    return semihost(operation, block);
}

static void console(void)
{
    for (const char *c = "SYS_WRITEC\n"; *c; c++)
        semihost(SYS_WRITEC, c);
    semihost(SYS_WRITE0, "SYS_WRITE0\n");
    uint64_t tt = open(":tt", WRITE_MODE);
    if (CHECK("open the console", tt != FAILED)) {
        CHECK_EQ("write to the console", transfer(SYS_WRITE, tt, "SYS_WRITE to :tt\n", 17), 0);
        CHECK_EQ("close the console", close(tt), 0);
    }
}

static uint8_t text[10000], copy[10000];

static bool same(uint64_t from, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        if (text[from + i] != copy[i])
            return false;
    return true;
}

static void file(void)
{
    const char *name = "semihost.tmp";
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 7 + i / 256);
    uint64_t f = open(name, WRITE_MODE);
    if (f == FAILED) {
        print("skipped: no files\n");
        return;
    }
    CHECK_EQ("write", transfer(SYS_WRITE, f, text, 100), 0);
    CHECK_EQ("write more", transfer(SYS_WRITE, f, text + 100, sizeof text - 100), 0);
    CHECK_EQ("write nothing", transfer(SYS_WRITE, f, text, 0), 0);
    CHECK_EQ("close", close(f), 0);

    f = open(name, READ_MODE);
    if (!CHECK("open to read", f != FAILED))
        return;
    CHECK_EQ("read", transfer(SYS_READ, f, copy, 300), 0);
    CHECK("what was written", same(0, 300));
    CHECK_EQ("read over the end", transfer(SYS_READ, f, copy, sizeof copy), 300);
    CHECK("the rest", same(300, sizeof text - 300));
    CHECK_EQ("read at the end", transfer(SYS_READ, f, copy, 10), 10);
    CHECK_EQ("close again", close(f), 0);

    f = open(name, APPEND_MODE);
    CHECK_EQ("append", transfer(SYS_WRITE, f, "end", 3), 0);
    CHECK_EQ("close appended", close(f), 0);
    f = open(name, READ_MODE);
    CHECK_EQ("read all", transfer(SYS_READ, f, copy, sizeof copy), 0);
    known_begin("it writes over the start of a file opened to append");
    CHECK_EQ("read appended", transfer(SYS_READ, f, copy, 10), 7);
    CHECK("appended text", copy[0] == 'e' && copy[1] == 'n' && copy[2] == 'd');
    known_end();
    close(f);
    /* Left empty. */
    close(open(name, WRITE_MODE));
    f = open(name, READ_MODE);
    CHECK_EQ("truncated", transfer(SYS_READ, f, copy, 5), 5);
    close(f);
    CHECK_EQ("no such file", open("no such file", READ_MODE), FAILED);
}

int main(void)
{
    static struct tables tables;
    console();
    mmu_start(&tables);
    /* Blocks and texts are translated by the guest's tables. */
    console();
    file();
    CHECK_EQ("bad handle", close(12345), FAILED);
    print("ends by SYS_EXIT\n");
    if (checks_failed())
        finish();
    uint64_t block[2] = {0x20026, 0}; /* on AArch64 SYS_EXIT has the same block */
    semihost(SYS_EXIT, block);
    return 1;
}
