#include "qvm/pull.h"

#include <string.h>

#include "emu/hash.h"
#include "qvm/host/host.h"

/* Seed, key and a counter through SHA-256: numbers that are the same in every run, and as good as
 * random for whoever does not know the seed. */
static void seeded_random(uint64_t seed, const char *key, uint8_t *to, size_t size)
{
    for (uint64_t counter = 0; size; counter++) {
        uint8_t input[16];
        struct sha256 hash;
        store_le(input, seed, 8);
        store_le(input + 8, counter, 8);
        sha256_init(&hash);
        sha256_add(&hash, input, sizeof input);
        sha256_add(&hash, key, strlen(key));
        struct digest block = sha256_end(&hash);
        size_t part = size < sizeof block.b ? size : sizeof block.b;
        memcpy(to, block.b, part);
        to += part;
        size -= part;
    }
}

static bool pull_size(struct open_files *files, const char *path, struct bytes *out,
                      struct error *e)
{
    uint64_t size;
    if (!files_open(files, path, &size, e))
        return false;
    bytes_put_int(out, size, 8);
    return true;
}

bool pull_from_host(const struct session_options *o, struct open_files *files, enum pull_kind kind,
                    const char *key, size_t size, struct bytes *out, struct error *e)
{
    uint8_t random[256];
    switch (kind) {
    case PULL_WALL_CLOCK:
        bytes_put_int(out, o->clock_of_host ? host_wall_clock_s() : o->wall_clock_s, 8);
        return true;
    case PULL_ENTROPY:
        if (size > sizeof random)
            return error_set(e, "%zu random bytes at once are too many", size);
        if (!o->entropy_of_host)
            seeded_random(o->entropy_seed, key, random, size);
        else if (!host_random(random, size))
            return error_set(e, "the host gives no random numbers");
        bytes_put(out, random, size);
        return true;
    case PULL_FILE:
        return host_read_file(key, out, e);
    case PULL_SIZE:
        return pull_size(files, key, out, e);
    case PULL_RANGE: /* is asked otherwise */
        break;
    }
    return false;
}
