/* Digests. Pages are hashed with XXH3 (128 bits), fast enough to do all dirtied pages at every
 * digest interval; what people compare is SHA-256 (FIPS 180-4). */
#ifndef EMU_HASH_H
#define EMU_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash128 {
    uint64_t low, high;
};
struct hash128 hash_fast(const void *data, size_t size);

struct sha256 {
    uint32_t h[8];
    uint64_t length_bytes;
    uint8_t block[64];
};
struct digest {
    uint8_t b[32];
};
void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t size);
struct digest sha256_end(struct sha256 *s);
struct digest sha256_of(const void *data, size_t size);

/* 64 lower-case hex digits and a NUL. */
#define DIGEST_TEXT 65
void digest_text(struct digest d, char text[DIGEST_TEXT]);

#endif
