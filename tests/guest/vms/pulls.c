/* Writes a file and reads it back, as often as the command line says: each time another one. */
#include "words.h"

enum { READ_MODE = 1, WRITE_MODE = 5 }; /* "rb", "wb" of fopen */

static uint64_t open(uint64_t mode)
{
    uint64_t block[3] = {(uint64_t) "pulled.tmp", mode, 10};
    return semihost(SYS_OPEN, block);
}

static uint64_t transfer(uint64_t operation, uint64_t handle, uint64_t *data)
{
    uint64_t block[3] = {handle, (uint64_t)data, sizeof *data};
    return semihost(operation, block);
}

int main(void)
{
    words_start();
    uint64_t count = number();
    for (uint64_t i = 0; i < count; i++) {
        uint64_t written = i, read = 0, file = open(WRITE_MODE);
        CHECK_EQ("write", transfer(SYS_WRITE, file, &written), 0);
        CHECK_EQ("close", semihost(SYS_CLOSE, &file), 0);
        file = open(READ_MODE);
        CHECK_EQ("read", transfer(SYS_READ, file, &read), 0);
        CHECK_EQ("it is what was written", read, i);
        CHECK_EQ("close", semihost(SYS_CLOSE, &file), 0);
    }
    return 0;
}
