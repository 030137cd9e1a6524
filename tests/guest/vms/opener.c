/* Opens the files that its command line names and says what came of each: "NAME reads TEXT", "NAME
 * is written", "NAME: error N". A name behind '+' is written to, behind '&' appended to. */
#include "guest.h"

enum { READ_MODE = 0, WRITE_MODE = 4, APPEND_MODE = 8 }; /* "r", "w", "a" of fopen */
enum { SYS_ERRNO_ = 0x13, SYS_GET_CMDLINE_ = 0x15 };
#define FAILED (~0ull)

static char line[4096], text[101];

static uint64_t call(uint64_t operation, uint64_t a, const void *b, uint64_t c)
{
    uint64_t block[3] = {a, (uint64_t)b, c};
    return semihost(operation, block);
}

static void use(uint64_t handle, uint64_t mode)
{
    if (mode == READ_MODE) {
        uint64_t left = call(SYS_READ, handle, text, sizeof text - 1);
        text[sizeof text - 1 - left] = 0;
        print(" reads ");
        print(text);
    } else {
        call(SYS_WRITE, handle, "by the guest", 12);
        print(" is written");
    }
    call(SYS_CLOSE, handle, NULL, 0);
}

static void open(const char *name, uint64_t length, uint64_t mode)
{
    uint64_t block[3] = {(uint64_t)name, mode, length};
    uint64_t handle = semihost(SYS_OPEN, block);
    print(name);
    if (handle != FAILED) {
        use(handle, mode);
    } else {
        uint64_t error = semihost(SYS_ERRNO_, NULL);
        char digits[] = {(char)('0' + error / 10), (char)('0' + error % 10), 0};
        print(": error ");
        print(digits);
    }
    print("\n");
}

int main(void)
{
    call(SYS_GET_CMDLINE_, (uint64_t)line, (const void *)sizeof line, 0);
    for (char *name = line; *name;) {
        uint64_t mode = *name == '+' ? WRITE_MODE : *name == '&' ? APPEND_MODE : READ_MODE;
        uint64_t length = 0;
        name += mode != READ_MODE;
        while (name[length] && name[length] != ' ')
            length++;
        char *next = name + length + (name[length] != 0);
        name[length] = 0;
        open(name, length, mode);
        name = next;
    }
    return 0;
}
